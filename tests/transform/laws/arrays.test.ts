// The laws of derivatives and batches (see checks.ts) for the primitives that move, reduce, sort and
// contract arrays.
import { contractions } from "./contractions.js";
import { testLaws } from "./families.js";
import { gathers } from "./gathers.js";
import { reductions } from "./reductions.js";
import { structure } from "./structure.js";

testLaws({ ...structure, ...reductions, ...contractions, ...gathers });
