// The laws of derivatives and batches (see checks.ts) for the elementwise primitives.
import { elementwise } from "./elementwise.js";
import { testLaws } from "./families.js";

testLaws(elementwise);
