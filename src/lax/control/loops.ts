/** `lax.whileLoop`, `lax.foriLoop`: loops over carried values. */
import type { ShapedArray } from "../../ir/aval.js";
import { isInteger } from "../../ir/dtypes.js";
import type { Value } from "../../ir/ops.js";
import { callError, flattenArguments, unflattenValues } from "../../api/calls.js";
import type { Arrays } from "../../api/types.js";
import { isConcrete, type ArrayLike, type ArrayValue } from "../../trace/arrays.js";
import { fromValue, o, toValue } from "../../trace/trace.js";
import { printTree } from "../../tree/pytree.js";
import { at, indexValue } from "../arguments.js";
import {
  argumentsOf,
  checkCarry,
  longType,
  traceBody,
  withResultTypes,
  type Traced,
} from "./programs.js";
import { promoteWeak } from "./promote.js";
import { scan } from "./scan.js";

const typesOf = (values: readonly Value[]): readonly ShapedArray[] =>
  values.map(({ aval }) => aval);

function checkCondition(condition: Traced): void {
  if (condition.outTree.kind !== "leaf") {
    throw callError(
      "invalid-predicate",
      `cond_fun must return a boolean scalar, but got pytree ${printTree(condition.outTree)}.`,
    );
  }
  const aval = at(condition.avals, 0);
  if (aval.dtype === "bool" && aval.shape.length === 0) return;
  throw callError(
    "invalid-predicate",
    `cond_fun must return a boolean scalar, but got output type(s) [${longType(aval)}].`,
    "compare with lax.lt and its like; reduce arrays with lax.reduceAnd or lax.reduceOr",
  );
}

/**
 * Repeats `bodyFun` on a carried value as long as `condFun` of it is true. It has forward derivatives
 * only; `scan` and `foriLoop` with constant bounds have both.
 *
 * @throws Jax2TfjsError `invalid-predicate`; `carry-mismatch` if the body changes types
 *
 * JAX's counterpart is `lax.while_loop`.
 */
export function whileLoop<const Init>(
  condFun: (carry: Arrays<Init>) => ArrayLike,
  bodyFun: (carry: Arrays<Init>) => unknown,
  initVal: Init,
): Arrays<Init> {
  const { values, inTree, paths } = flattenArguments([initVal], "init_val");
  const tree = at(inTree.kind === "list" ? inTree.children : [], 0);
  const args = argumentsOf(tree);
  const own = paths.map((path) => path.replace(/^\[0\]/, ""));
  const run = (initial: readonly Value[], isPromoted: boolean): readonly Value[] => {
    const avals = typesOf(initial);
    const condition = traceBody(condFun, args, avals);
    checkCondition(condition);
    const body = withResultTypes(traceBody(bodyFun, args, avals), avals);
    const promoted = isPromoted ? null : promoteWeak(initial, body.avals);
    if (promoted !== null) return run(promoted, true);
    checkCarry(
      "while_loop body",
      { tree, avals, paths: own },
      { tree: body.outTree, avals: body.avals },
    );
    return o.while(condition.program, condition.captured, body.program, body.captured, initial);
  };
  return unflattenValues(tree, run(values, false)) as Arrays<Init>;
}

/** A bound that is known now, or null. */
function knownBound(bound: Value): number | null {
  const literal = bound as { readonly kind?: unknown; readonly value?: unknown };
  if (literal.kind === "literal") return Number(literal.value);
  if (!isConcrete(bound)) return null;
  return bound.array.dataSync()[0] ?? null;
}

export interface ForiOptions {
  /** How many steps to write out at a time, where the loop has a constant number of them. */
  readonly unroll?: number;
}

/**
 * Applies `bodyFun(i, value)` for `i` from `lower` up to `upper` (without it). With constant bounds
 * it is a `scan`, which has derivatives in both modes; else a `whileLoop`.
 *
 * @throws Jax2TfjsError `carry-mismatch` if the body changes types
 *
 * JAX's counterpart is `lax.fori_loop`.
 */
export function foriLoop<const Init>(
  lower: ArrayLike,
  upper: ArrayLike,
  bodyFun: (index: ArrayValue, value: Arrays<Init>) => unknown,
  initVal: Init,
  { unroll = 1 }: ForiOptions = {},
): Arrays<Init> {
  const [from, to] = [indexValue(lower), indexValue(upper)];
  if (from.aval.dtype !== to.aval.dtype || !isInteger(from.aval.dtype)) {
    throw callError(
      "type-mismatch",
      "lower and upper arguments to fori_loop must have equal types, got " +
        `${from.aval.dtype} and ${to.aval.dtype}`,
      "bounds are integers",
    );
  }
  const [first, last] = [knownBound(from), knownBound(to)];
  const step = (index: ArrayValue): ArrayValue => {
    const value = toValue(index);
    return fromValue(o.add(value, o.literal(1, value.aval.dtype)));
  };
  if (first !== null && last !== null) {
    const body = ([index, value]: readonly [ArrayValue, Arrays<Init>]): unknown => [
      [step(index), bodyFun(index, value)],
      null,
    ];
    const length = Math.max(last - first, 0);
    const init = [fromValue(o.literal(first, from.aval.dtype)), initVal];
    const [[, result]] = scan(body as never, init as [ArrayValue, Init], null, { length, unroll });
    return result;
  }
  const bounds = [fromValue(from), fromValue(to)] as const;
  const [, , result] = whileLoop(
    ([index, limit]) => fromValue(o.lt(toValue(index), toValue(limit))),
    ([index, limit, value]) => [step(index), limit, bodyFun(index, value as Arrays<Init>)],
    [...bounds, initVal] as [ArrayValue, ArrayValue, Init],
  ) as [ArrayValue, ArrayValue, Arrays<Init>];
  return result;
}
