/** Lets `lax`, `np` and the transformations compute on tensors; imported for that by index.ts. */
import { useTensors } from "./evaluator.js";

useTensors();
