// The laws of derivatives and batches (see checks.ts) for linear algebra, the primitives with inner
// programs, collectives and random words.
import { control } from "./control.js";
import { testLaws } from "./families.js";
import { linalg } from "./linalg.js";
import { others } from "./others.js";

testLaws({ ...linalg, ...control, ...others });

// On wasm the data of vectors is the right operand of products in two shapes, as rows and columns.
const { householder_product: product, ormqr: multiplied } = linalg;
if (product !== undefined && multiplied !== undefined) {
  testLaws({ householder_product: product, ormqr: multiplied }, "wasm");
}
