/** Results of cases as plain data, in Node and in a browser. */
import * as lax from "../../src/lax/index.js";
import * as random from "../../src/random/index.js";
import type { ArrayLike, ArrayValue } from "../../src/trace/arrays.js";
import { leaves } from "../../src/tree/pytree.js";

export interface Drawn {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** NaN and infinities as text, which JSON has no numbers for; keys as their words. */
  readonly data: readonly (number | string)[];
}

/** The arrays of a pytree. */
export function drawnOf(results: unknown): readonly Drawn[] {
  return (leaves(results) as readonly ArrayLike[]).map((leaf) => {
    const dtype = lax.dtype(leaf);
    const isKey = dtype.startsWith("key<");
    const array = isKey ? random.keyData(leaf) : (leaf as ArrayValue);
    const data = Array.from(array.dataSync(), (value) => {
      const number = isKey || dtype === "uint32" ? value >>> 0 : value;
      return Number.isFinite(number) ? number : String(number);
    });
    return { dtype, shape: lax.shape(leaf) as readonly number[], data };
  });
}
