/** `vmap`: functions of one example as functions of a batch. */
import { printDim, type Dim } from "../ir/dims.js";
import { printAval, type ShapedArray } from "../ir/aval.js";
import { batchProgram } from "../transform/index.js";
import { describeValue } from "../trace/arrays.js";
import { atUserLine } from "../trace/source.js";
import { evaluateProgram } from "../trace/trace.js";
import { broadcastPrefix, unflatten } from "../tree/pytree.js";
import { withAxis } from "./axes.js";
import { callError, flattenArguments, nameOf, traceCall, unflattenValues } from "./calls.js";
import { named } from "./derivatives.js";
import type { Arguments, Arrays, Traceable } from "./types.js";

/**
 * Where batch dimensions are: a position, null for none, or a pytree of those: a prefix of the
 * pytree it is for.
 */
export type Axes = number | null | readonly Axes[] | { readonly [key: string]: Axes };

export interface VmapOptions {
  /** Per argument; a number or null counts for all arguments. Default: 0. */
  readonly inAxes?: Axes;
  /** Of the results. Default: 0. */
  readonly outAxes?: Axes;
  /** The size of the batch, needed where no argument has a batch dimension. */
  readonly axisSize?: Dim;
  /** A name for the batch dimension, for collectives such as `lax.psum`. */
  readonly axisName?: string;
}

const isAxis = (value: unknown): boolean => value === null || typeof value === "number";

/** Positions for each leaf. */
function axesOf(axes: Axes, tree: unknown, what: string): readonly (number | null)[] {
  const spread = atUserLine(() => broadcastPrefix(axes, tree, what, isAxis));
  return spread.map((axis) => {
    if (axis === null || (typeof axis === "number" && Number.isInteger(axis))) return axis;
    throw callError("vmap-axes", `${what} holds ${describeValue(axis)}, which is no position`);
  });
}

/** A position counted from the front. */
function positiveAxis(
  axis: number | null,
  rank: number,
  what: string,
  path: string,
): number | null {
  if (axis === null) return null;
  const position = axis < 0 ? axis + rank : axis;
  if (position >= 0 && position < rank) return position;
  throw callError(
    "vmap-axes",
    `vmap was requested to map axis ${axis} of ${what}${path}, which has rank ${rank}`,
  );
}

function batchSize(
  avals: readonly ShapedArray[],
  axes: readonly (number | null)[],
  paths: readonly string[],
  given: Dim | undefined,
): Dim {
  const found: { readonly size: Dim; readonly where: string }[] = [];
  avals.forEach((aval, index) => {
    const axis = axes[index] ?? null;
    const size = axis === null ? undefined : aval.shape[axis];
    if (size !== undefined) {
      found.push({
        size,
        where: `args${paths[index] ?? ""} (axis ${String(axis)} of ${printAval(aval)})`,
      });
    }
  });
  const size = given ?? found[0]?.size;
  if (size === undefined) {
    throw callError(
      "vmap-size",
      "vmap must have at least one non-null value in inAxes, or axisSize must be given",
    );
  }
  const others = found.filter((other) => printDim(other.size) !== printDim(size));
  if (others.length > 0) {
    const lines = found.map(({ size: own, where }) => `${where}: ${printDim(own)}`).join("; ");
    throw callError(
      "vmap-size",
      `vmap got inconsistent sizes for array axes to be mapped: ${lines}`,
    );
  }
  return size;
}

/**
 * The function that applies `f` to each row of a batch, in one go.
 *
 * @throws Jax2TfjsError when called: `vmap-axes`, `vmap-size`, `no-batch-rule`
 *
 * JAX's counterpart is `jax.vmap`.
 */
export function vmap<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  { inAxes = 0, outAxes = 0, axisSize, axisName }: VmapOptions = {},
): (...args: Arguments<Args>) => Arrays<Result> {
  return named(`vmap(${nameOf(f)})`, (...args) => {
    const { values, inTree, paths } = flattenArguments(args);
    if (Array.isArray(inAxes) && inAxes.length !== args.length) {
      throw callError(
        "vmap-axes",
        `inAxes has ${inAxes.length} entries for a call with ${args.length} arguments`,
      );
    }
    const axes = axesOf(inAxes, args, "inAxes").map((axis, index) =>
      positiveAxis(axis, values[index]?.aval.shape.length ?? 0, "args", paths[index] ?? ""),
    );
    const avals = values.map(({ aval }) => aval);
    const size = batchSize(avals, axes, paths, axisSize);
    const rows = avals.map((aval, index) => {
      const axis = axes[index] ?? null;
      return axis === null ? aval : { ...aval, shape: aval.shape.toSpliced(axis, 1) };
    });
    const traced = withAxis(axisName, size, () => traceCall(f, inTree, rows));
    const example = unflatten(
      traced.outTree,
      traced.outPaths.map(() => 0),
    );
    const wanted = axesOf(outAxes, example, "outAxes").map((axis, index) => {
      const rank = (traced.program.jaxpr.outvars[index]?.aval.shape.length ?? 0) + 1;
      return positiveAxis(axis, rank, "the result", traced.outPaths[index] ?? "");
    });
    const dims = [...axes, ...traced.captured.map(() => null)];
    const batched = batchProgram(traced.program, size, dims, wanted, axisName);
    batched.unwantedDims.forEach((dim, index) => {
      if (dim === null) return;
      throw callError(
        "vmap-axes",
        "vmap has mapped output but outAxes is null" +
          (traced.outPaths[index] ? ` at ${traced.outPaths[index]}` : ""),
        "sum or index the result over the batch, or give its position in outAxes",
      );
    });
    const results = evaluateProgram(batched.program, [...values, ...traced.captured]);
    return unflattenValues(traced.outTree, results) as Arrays<Result>;
  });
}
