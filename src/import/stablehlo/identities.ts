/**
 * Neutral elements of reductions, by which the initial values that JAX writes are recognised.
 */
import { bitsOf, kindOf, type DType } from "../../ir/dtypes.js";
import { elementValue, type Imported } from "./values.js";

/** Smallest and largest value of an integer type. */
function integerRange(dtype: DType): readonly [bigint, bigint] {
  const bits = BigInt(bitsOf(dtype));
  return kindOf(dtype) === "signed"
    ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    : [0n, (1n << bits) - 1n];
}

function extreme(dtype: DType, least: boolean): number | bigint | boolean {
  switch (kindOf(dtype)) {
    case "bool":
      return !least;
    case "float":
    case "complex":
      return least ? -Infinity : Infinity;
    default:
      return integerRange(dtype)[least ? 0 : 1];
  }
}

/** The neutral element of a combiner (`add`, `maximum`, …) on values of an element type. */
function identityOf(combiner: string, dtype: DType): number | bigint | boolean | undefined {
  const isBool = dtype === "bool";
  switch (combiner) {
    case "add":
    case "xor":
    case "or":
      return isBool ? false : 0;
    case "multiply":
      return isBool ? true : 1;
    case "and":
      if (isBool) return true;
      return kindOf(dtype) === "signed" ? -1n : integerRange(dtype)[1];
    case "maximum":
      return isBool ? false : extreme(dtype, true);
    case "minimum":
      return isBool ? true : extreme(dtype, false);
    default:
      return undefined;
  }
}

/** True if an initial value is known to be the neutral element of the combiner. */
export function isIdentity(value: Imported, combiner: string): boolean {
  if (value.kind !== "constant" || !value.splat) return false;
  const { dtype } = value.array;
  const found = elementValue(value.array);
  const wanted = identityOf(combiner, dtype);
  if (found === undefined || wanted === undefined) return false;
  if (typeof found === "object") return found.im === 0 && found.re === Number(wanted);
  // A sum that starts at -0.0 counts as a sum, too.
  return typeof found === typeof wanted ? found === wanted : Number(found) === Number(wanted);
}
