/**
 * Recovers reflections at the border (`jnp.pad` with "reflect" or "symmetric"), which JAX writes as
 * slices, reversals and concatenations, as TensorFlow's one node for them.
 */
import { mirrorPad, type MirrorMode, type MirrorPadParams } from "../../primitives/fused.js";
import { dimEquals } from "../ir/dims.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt, numbersParam } from "./simplify.js";

/** Amounts before and after, per axis. */
type Padding = MirrorPadParams["padding"];

/** Longer axes are left alone, as are deeper chains. */
const maxIndices = 4096;
const maxDepth = 8;
/** The webgl kernel goes up to this rank. */
const maxRank = 4;

/** A value as elements of `source` picked along one axis. */
interface Picked {
  readonly source: Value;
  /** Reflections of `source` along the other axes. */
  readonly padding: Padding | null;
  readonly mode: MirrorMode | null;
  readonly indices: readonly number[];
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** The index of the source that each element of a reflected axis comes from. */
function reflected(
  size: number,
  [before, after]: readonly [number, number],
  mode: MirrorMode,
): number[] {
  const skip = mode === "REFLECT" ? 1 : 0;
  return [
    ...upTo(before).map((index) => before - index - 1 + skip),
    ...upTo(size),
    ...upTo(after).map((index) => size - 1 - skip - index),
  ];
}

/** How a value was picked along an axis. */
function picked(value: Value, axis: number, match: Match, depth = 0): Picked | null {
  const size = value.aval.shape[axis];
  if (typeof size !== "number" || size > maxIndices) return null;
  const whole = { source: value, padding: null, mode: null, indices: upTo(size) };
  const made = depth > maxDepth ? undefined : match.definition(value);
  switch (made?.primitive.name) {
    case "slice":
      return pickedSlice(made, axis, match, depth) ?? whole;
    case "rev": {
      const dimensions = numbersParam(made, "dimensions");
      if (dimensions.length !== 1 || dimensions[0] !== axis) return whole;
      const inner = picked(inputAt(made, 0), axis, match, depth + 1);
      return inner === null ? whole : { ...inner, indices: inner.indices.toReversed() };
    }
    case "mirror_pad": {
      const { padding, mode } = made.params as MirrorPadParams;
      const source = inputAt(made, 0);
      const own = source.aval.shape[axis];
      if (typeof own !== "number") return whole;
      const others = padding.map((pair, index) => (index === axis ? ([0, 0] as const) : pair));
      const isPlain = others.every(([before, after]) => before === 0 && after === 0);
      const indices = reflected(own, padding[axis] ?? [0, 0], mode);
      return isPlain
        ? { source, padding: null, mode: null, indices }
        : { source, padding: others, mode, indices };
    }
    default:
      return whole;
  }
}

/** A slice of one axis alone. */
function pickedSlice(made: Equation, axis: number, match: Match, depth: number): Picked | null {
  const x = inputAt(made, 0);
  const starts = numbersParam(made, "start_indices");
  const limits = made.params.limit_indices as readonly (typeof x.aval.shape)[number][];
  const strides = made.params.strides === null ? null : numbersParam(made, "strides");
  const spansOthers = x.aval.shape.every(
    (size, index) =>
      index === axis ||
      (starts[index] === 0 &&
        dimEquals(limits[index] ?? -1, size) &&
        (strides === null || strides[index] === 1)),
  );
  const [start, limit] = [starts[axis], limits[axis]];
  const inner = spansOthers ? picked(x, axis, match, depth + 1) : null;
  if (inner === null || typeof start !== "number" || typeof limit !== "number") return null;
  const step = strides?.[axis] ?? 1;
  const indices = inner.indices.filter(
    (_, index) => index >= start && index < limit && (index - start) % step === 0,
  );
  return { ...inner, indices };
}

function sameSource(a: Picked, b: Picked): boolean {
  return (
    a.source === b.source &&
    a.mode === b.mode &&
    JSON.stringify(a.padding) === JSON.stringify(b.padding)
  );
}

/** The reflection that picks these indices of an axis of `size` elements. */
function reflectionOf(
  indices: readonly number[],
  size: number,
): { readonly amounts: readonly [number, number]; readonly mode: MirrorMode } | null {
  if (indices.length <= size) return null;
  for (const mode of ["REFLECT", "SYMMETRIC"] as const) {
    const skip = mode === "REFLECT" ? 1 : 0;
    const first = indices[0] ?? 0;
    const before = indices[1] === first - 1 || first > 0 ? first + 1 - skip : skip === 0 ? 1 : 0;
    for (const start of new Set([before, 0])) {
      const amounts = [start, indices.length - size - start] as const;
      if (Math.min(...amounts) < 0 || Math.max(...amounts) > size - skip) continue;
      const wanted = reflected(size, amounts, mode);
      if (wanted.every((index, place) => index === indices[place])) return { amounts, mode };
    }
  }
  return null;
}

/** `concatenate([rev(slice(x)), x, rev(slice(x))])`, in one or several steps and axes. */
export const recoverMirrorPad: Row = {
  name: "mirror-pad",
  primitives: ["concatenate"],
  rewrite: (o, equation, match) => {
    const axis = Number(equation.params.dimension);
    const pieces = equation.inputs.map((input) => picked(input, axis, match));
    const [first] = pieces;
    if (first === null || first === undefined || pieces.length < 2) return null;
    const { source, padding, mode } = first;
    const size = source.aval.shape[axis];
    const rank = source.aval.shape.length;
    if (typeof size !== "number" || source.aval.dtype !== "float32" || rank > maxRank) return null;
    if (!pieces.every((piece) => piece !== null && sameSource(piece, first))) return null;
    const found = reflectionOf(
      pieces.flatMap((piece) => piece?.indices ?? []),
      size,
    );
    if (found === null || (mode !== null && mode !== found.mode)) return null;
    const amounts = upTo(rank).map((index) =>
      index === axis ? found.amounts : (padding?.[index] ?? ([0, 0] as const)),
    );
    return o.bind(mirrorPad, [source], { padding: amounts, mode: found.mode });
  },
};
