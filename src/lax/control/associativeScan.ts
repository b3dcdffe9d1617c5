/** `lax.associativeScan`: all partial results of an associative operation, in few parallel steps. */
import type { Value } from "../../ir/ops.js";
import type { Arrays } from "../../api/types.js";
import { flattenArguments, unflattenValues } from "../../api/calls.js";
import type { ArrayLike } from "../../trace/arrays.js";
import { o, toValue } from "../../trace/trace.js";
import { flatten, type TreeDef } from "../../tree/pytree.js";
import { at, canonicalAxis, invalid } from "../arguments.js";

export interface AssociativeScanOptions {
  /** From the end. Default: false. */
  readonly reverse?: boolean;
  /** Default: 0. */
  readonly axis?: number;
}

/** Every `stride`th slice from `start` up to `limit`. */
function part(x: Value, axis: number, start: number, limit: number, stride = 1): Value {
  const { shape } = x.aval;
  return o.slice(
    x,
    shape.map((_, dimension) => (dimension === axis ? start : 0)),
    shape.with(axis, limit),
    shape.map((_, dimension) => (dimension === axis ? stride : 1)),
  );
}

/** a0 b0 a1 b1 …; `a` may have one more. */
function interleave(a: Value, b: Value, axis: number): Value {
  const [long, short] = [Number(a.aval.shape[axis]), Number(b.aval.shape[axis])];
  const column = (x: Value): Value => o.reshape(x, x.aval.shape.toSpliced(axis + 1, 0, 1));
  const first = long > short ? part(a, axis, 0, short) : a;
  const pairs = o.concatenate([column(first), column(b)], axis + 1);
  const joined = o.reshape(pairs, b.aval.shape.with(axis, 2 * short));
  if (long === short) return joined;
  return o.concatenate([joined, part(a, axis, short, long)], axis);
}

/**
 * The results of `fn` over the first, first two, first three … slices.
 *
 * @param fn combines slices (pytrees as `elems`) elementwise along the axis, and is associative
 * @param elems pytree of arrays with the same size along the axis
 *
 * JAX's counterpart is `lax.associative_scan`.
 */
export function associativeScan<const T>(
  fn: (left: Arrays<T>, right: Arrays<T>) => unknown,
  elems: T,
  { reverse = false, axis = 0 }: AssociativeScanOptions = {},
): Arrays<T> {
  const { values, inTree } = flattenArguments([elems], "elems");
  const tree: TreeDef = at(inTree.kind === "list" ? inTree.children : [], 0);
  const first = values[0]?.aval.shape;
  if (first === undefined) return unflattenValues(tree, values) as Arrays<T>;
  const place = canonicalAxis(axis, first.length);
  const size = first[place];
  if (typeof size !== "number" || values.some(({ aval }) => aval.shape[place] !== size)) {
    const found = values.map(({ aval }) => String(aval.shape[place]));
    throw invalid(
      "Array inputs to associative_scan must have the same first dimension. " +
        `(saw: [${found.join(", ")}])`,
    );
  }
  const combine = (left: readonly Value[], right: readonly Value[]): readonly Value[] => {
    const pack = (list: readonly Value[]): Arrays<T> => unflattenValues(tree, list) as Arrays<T>;
    const combined = fn(pack(left), pack(right));
    return flatten(combined)[0].map((leaf) => toValue(leaf as ArrayLike));
  };
  const scanAll = (list: readonly Value[], count: number): readonly Value[] => {
    if (count < 2) return list;
    const every = (start: number, limit: number): readonly Value[] =>
      list.map((x) => part(x, place, start, limit, 2));
    const half = Math.floor(count / 2);
    const odd = scanAll(combine(every(0, 2 * half - 1), every(1, count)), half);
    const before = count % 2 === 0 ? odd.map((x) => part(x, place, 0, half - 1)) : odd;
    const rest = count > 2 ? combine(before, every(2, count)) : [];
    return list.map((x, index) => {
      const start = part(x, place, 0, 1);
      const later = rest[index];
      const even = later === undefined ? start : o.concatenate([start, later], place);
      return interleave(even, at(odd, index), place);
    });
  };
  const turned = (list: readonly Value[]): readonly Value[] =>
    reverse ? list.map((x) => o.rev(x, [place])) : list;
  return unflattenValues(tree, turned(scanAll(turned(values), size))) as Arrays<T>;
}
