/** `lax.scan` and `lax.map`: loops over the rows of arrays. */
import type { ShapedArray } from "../../ir/aval.js";
import { dimEquals, printDim, type Dim } from "../../ir/dims.js";
import type { Value } from "../../ir/ops.js";
import { scan as scanPrimitive } from "../../../primitives/scan.js";
import { callError, flattenArguments, unflattenValues } from "../../api/calls.js";
import type { Arrays } from "../../api/types.js";
import { vmap } from "../../api/vmap.js";
import type { ArrayValue } from "../../trace/arrays.js";
import { fromValue, o, toValue } from "../../trace/trace.js";
import { flatten, leafCount, unflatten, type TreeDef } from "../../tree/pytree.js";
import { at, invalid } from "../arguments.js";
import {
  argumentsOf,
  checkCarry,
  longType,
  traceBody,
  withResultTypes,
  type Traced,
} from "./programs.js";
import { promoteWeak } from "./promote.js";

export interface ScanOptions {
  /** The number of steps, needed if `xs` has no arrays. */
  readonly length?: Dim | null;
  /** From the last row to the first. Default: false. */
  readonly reverse?: boolean;
  /** How many steps to write out at a time; true for all. Default: 1. */
  readonly unroll?: number | boolean;
}

/** The number of steps, from the leading sizes. */
function scanLength(
  name: string,
  rows: readonly ShapedArray[],
  paths: readonly string[],
  given: Dim | null,
): Dim {
  const sizes = rows.map((aval, index) => {
    const size = aval.shape[0];
    if (size !== undefined) return size;
    throw callError(
      "scan-length",
      `${name} got value with no leading axis to scan over: ${longType(aval)} at xs${paths[index] ?? ""}.`,
    );
  });
  const length = given ?? sizes[0];
  if (length === undefined) {
    throw callError(
      "scan-length",
      `${name} got no values to scan over and \`length\` not provided.`,
    );
  }
  if (given !== null && !sizes.every((size) => dimEquals(size, given))) {
    const list = sizes.map(printDim).join(", ");
    throw callError(
      "scan-length",
      `${name} got \`length\` argument of ${printDim(given)} which disagrees with leading axis ` +
        `sizes [${list}].`,
    );
  }
  if (!sizes.every((size) => dimEquals(size, length))) {
    throw callError(
      "scan-length",
      `${name} got values with different leading axis sizes: ${sizes.map(printDim).join(", ")}.`,
    );
  }
  return length;
}

/** The body's result: a pair of the carry and what is stacked. */
function splitResult(body: Traced): readonly [carry: TreeDef, stacked: TreeDef] {
  const { outTree } = body;
  const isPair =
    (outTree.kind === "list" || outTree.kind === "tuple") && outTree.children.length === 2;
  if (isPair) return [at(outTree.children, 0), at(outTree.children, 1)];
  const found = body.avals.map(longType).join(", ");
  throw callError(
    "carry-mismatch",
    `scan body output must be a pair, got ${outTree.kind === "leaf" ? found : `[${found}]`}.`,
    "return [carry, y]; y may be null",
  );
}

/**
 * Goes through the rows of `xs` (pytree of arrays) with a carried value: `f(carry, x)` gives
 * `[carry, y]`; the ys are stacked. Its derivatives exist in both modes.
 *
 * @returns `[carry, ys]`
 * @throws Jax2TfjsError `scan-length`; `carry-mismatch` if the body changes types
 *
 * JAX's counterpart is `lax.scan`.
 */
export function scan<const Init, const Rows, Result>(
  f: (carry: Arrays<Init>, x: Arrays<Rows>) => readonly [carry: unknown, y: Result],
  init: Init,
  xs: Rows,
  { length = null, reverse = false, unroll = 1 }: ScanOptions = {},
): [Arrays<Init>, Arrays<Result>] {
  const start = flattenArguments([init], "init");
  const rows = flattenArguments([xs], "xs");
  const [tree, rowTree] = [start, rows].map(({ inTree }) => onlyChild(inTree));
  if (tree === undefined || rowTree === undefined) throw new Error("internal error: no trees");
  const shorten = (path: string): string => path.replace(/^\[0\]/, "");
  const rowAvals = rows.values.map(({ aval }) => aval);
  const count = scanLength("scan", rowAvals, rows.paths.map(shorten), length);
  const elements = rowAvals.map((aval): ShapedArray => ({ ...aval, shape: aval.shape.slice(1) }));
  const args = argumentsOf(tree, rowTree);
  const carried = (values: readonly Value[], isPromoted: boolean): [unknown, unknown] => {
    const avals = values.map(({ aval }) => aval);
    const body = withResultTypes(traceBody(f, args, [...avals, ...elements]), avals);
    const [carryTree, stackedTree] = splitResult(body);
    const carryCount = leafCount(carryTree);
    const after = body.avals.slice(0, carryCount);
    const promoted = isPromoted || carryCount !== values.length ? null : promoteWeak(values, after);
    if (promoted !== null) return carried(promoted, true);
    const before = { tree, avals, paths: start.paths.map(shorten) };
    checkCarry("scan body", before, { tree: carryTree, avals: after });
    const inputs = [...body.captured, ...values, ...rows.values];
    const results = o.bind(scanPrimitive, inputs, {
      reverse,
      length: count,
      jaxpr: body.program,
      num_consts: body.captured.length,
      num_carry: carryCount,
      linear: inputs.map(() => false),
      unroll: unrollOf(unroll, count),
    });
    return [
      unflattenValues(tree, results.slice(0, carryCount)),
      unflattenValues(stackedTree, results.slice(carryCount)),
    ];
  };
  return carried(start.values, false) as [Arrays<Init>, Arrays<Result>];
}

function onlyChild(tree: TreeDef): TreeDef {
  return at(tree.kind === "list" ? tree.children : [], 0);
}

function unrollOf(unroll: number | boolean, length: Dim): number {
  if (typeof unroll === "boolean") {
    return unroll && typeof length === "number" ? Math.max(length, 1) : 1;
  }
  if (Number.isInteger(unroll) && unroll >= 0) return Math.max(unroll, 1);
  throw invalid("`unroll` must be a `bool` or a positive `int`.");
}

export interface MapOptions {
  /** Computes this many rows at once, by `vmap`. Default: one. */
  readonly batchSize?: number | null;
}

/**
 * Applies a function to each row of `xs`, one after the other, and stacks the results.
 *
 * JAX's counterpart is `lax.map`.
 */
export function map<const Rows, Result>(
  f: (x: Arrays<Rows>) => Result,
  xs: Rows,
  { batchSize = null }: MapOptions = {},
): Arrays<Result> {
  const one = (rows: unknown): Arrays<Result> => {
    const [, ys] = scan(
      (_carry: null, x: unknown) => [null, f(x as Arrays<Rows>)] as const,
      null,
      rows as never,
    );
    return ys;
  };
  if (batchSize === null) return one(xs);
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw invalid(`batch_size must be a positive integer, got ${batchSize}`);
  }
  return mapBatches(f as (x: unknown) => unknown, xs, batchSize) as Arrays<Result>;
}

function mapBatches(f: (x: unknown) => unknown, xs: unknown, batchSize: number): unknown {
  const [leaves, tree] = flatten(xs);
  const values = leaves.map((leaf) => toValue(leaf as ArrayValue));
  const size = values[0]?.aval.shape[0];
  if (typeof size !== "number") {
    throw invalid("lax.map with batchSize needs arrays of a constant leading size");
  }
  const batches = Math.floor(size / batchSize);
  const whole = batches * batchSize;
  const part = (from: number, to: number, split: boolean): unknown =>
    unflatten(
      tree,
      values.map((value) => {
        const [, ...rest] = value.aval.shape;
        const cut = o.slice(value, [from, ...rest.map(() => 0)], [to, ...rest]);
        return fromValue(split ? o.reshape(cut, [batches, batchSize, ...rest]) : cut);
      }),
    );
  const each = vmap((x: unknown) => f(x)) as (x: unknown) => unknown;
  const pieces: unknown[] = [];
  if (batches > 0) {
    const [, stacked] = scan(
      (_carry: null, x: unknown) => [null, each(x)] as const,
      null,
      part(0, whole, true) as never,
    );
    pieces.push(
      mapLeaves(stacked, (value) => {
        const [, , ...rest] = value.aval.shape;
        return o.reshape(value, [whole, ...rest]);
      }),
    );
  }
  if (whole < size || batches === 0) pieces.push(each(part(whole, size, false)));
  const [first, second] = pieces;
  if (second === undefined) return first;
  const [others] = flatten(second);
  let next = 0;
  return mapLeaves(first, (value) =>
    o.concatenate([value, toValue(others[next++] as ArrayValue)], 0),
  );
}

function mapLeaves(tree: unknown, f: (value: Value) => Value): unknown {
  const [leaves, structure] = flatten(tree);
  return unflatten(
    structure,
    leaves.map((leaf) => fromValue(f(toValue(leaf as ArrayValue)))),
  );
}
