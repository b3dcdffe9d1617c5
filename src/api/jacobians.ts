/** Jacobians and Hessians: derivatives along all directions at once. */
import { isDifferentiable } from "../transform/index.js";
import type { ShapedArray } from "../ir/aval.js";
import { shapeSize, isSymbolic } from "../ir/dims.js";
import { fromValue, o, toValue, typeOf } from "../trace/trace.js";
import type { ArrayValue } from "../trace/arrays.js";
import { flatten, map, unflatten } from "../tree/pytree.js";
import { callError, nameOf } from "./calls.js";
import { jvp, named, vjp, type GradOptions, type Gradient } from "./derivatives.js";
import type { Arguments, NoOptions, Traceable } from "./types.js";
import { vmap } from "./vmap.js";

type JacobianOptions = Pick<GradOptions, "argnums" | "holomorphic" | "allowInt">;

/** The sizes of an array, which must be known. */
function sizesOf(aval: ShapedArray): readonly number[] {
  if (aval.shape.some(isSymbolic)) {
    throw callError("symbolic-jacobian", "a Jacobian needs arrays of known sizes");
  }
  return aval.shape as readonly number[];
}

/**
 * The unit vectors of a pytree of arrays: a pytree of the same structure whose leaves have a leading
 * dimension, one row for each element of each leaf.
 */
function standardBasis(tree: unknown): { readonly basis: unknown; readonly avals: ShapedArray[] } {
  const [leaves, def] = flatten(tree);
  const avals = leaves.map((leaf) => typeOf(leaf));
  const counts = avals.map((aval) => sizesOf(aval).reduce((product, size) => product * size, 1));
  const total = counts.reduce((sum, count) => sum + count, 0);
  let offset = 0;
  const rows = avals.map((aval, index) => {
    const count = counts[index] ?? 0;
    // Row r of the leaf at `offset` is one where r - offset is the element's index.
    const row = o.iota("int32", [total, count], 0);
    const column = o.add(
      o.iota("int32", [total, count], 1),
      o.full([total, count], offset, "int32"),
    );
    const unit = o.convertElementType(o.eq(row, column), aval.dtype);
    offset += count;
    return fromValue(o.reshape(unit, [total, ...sizesOf(aval)]));
  });
  return { basis: unflatten(def, rows), avals };
}

/** Splits the leading dimension of an array by the leaves of a pytree, each shaped as its leaf. */
function splitLeading(array: ArrayValue, avals: readonly ShapedArray[]): ArrayValue[] {
  const value = typeOf(array);
  const rest = value.shape.slice(1);
  let offset = 0;
  return avals.map((aval) => {
    const count = Number(shapeSize(aval.shape));
    const start = [offset, ...rest.map(() => 0)];
    const part = o.slice(toValue(array), start, [offset + count, ...rest]);
    offset += count;
    return fromValue(o.reshape(part, [...aval.shape, ...rest]));
  });
}

/** Moves the first `count` dimensions of an array to its end. */
function leadingLast(array: ArrayValue, count: number): ArrayValue {
  const value = toValue(array);
  const axes = value.aval.shape.map((_, axis) => axis);
  return fromValue(o.transpose(value, [...axes.slice(count), ...axes.slice(0, count)]));
}

function positionsOf(argnums: number | readonly number[], count: number): readonly number[] {
  const list = typeof argnums === "number" ? [argnums] : argnums;
  return list.map((position) => {
    const chosen = position < 0 ? position + count : position;
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return chosen;
    throw callError("argnums", `argnums names argument ${position} of a call with ${count}`);
  });
}

function requireFloats(avals: readonly ShapedArray[], what: string): void {
  for (const { dtype } of avals) {
    if (isDifferentiable(dtype)) continue;
    throw callError(
      "grad-dtype",
      `${what} requires real- or complex-valued inputs, but got ${dtype}.`,
    );
  }
}

/** `f` as a function of the chosen arguments alone. */
function partial(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  chosen: readonly number[],
): (...own: unknown[]) => unknown {
  const call = f as unknown as (...all: unknown[]) => unknown;
  return named(nameOf(f), (...own: unknown[]) =>
    call(...args.map((arg, index) => (chosen.includes(index) ? own[chosen.indexOf(index)] : arg))),
  );
}

/**
 * The Jacobian of `f`, column by column (forward mode): for each result a pytree as the arguments,
 * of shape `(*result, *argument)`.
 *
 * JAX's counterpart is `jax.jacfwd`.
 */
export function jacfwd<
  Args extends readonly unknown[],
  Result,
  const Options extends JacobianOptions = NoOptions,
>(
  f: Traceable<Args, Result>,
  options?: Options,
): (...args: Arguments<Args>) => Gradient<Args, Options> {
  const argnums = options?.argnums ?? 0;
  return named(`jacfwd(${nameOf(f)})`, (...args) => {
    const chosen = positionsOf(argnums, args.length);
    const own = chosen.map((position) => args[position]);
    const { basis, avals } = standardBasis(own);
    requireFloats(avals, "jacfwd");
    const g = partial(f, args, chosen);
    const push = (...tangents: unknown[]): unknown => jvp(g, own, tangents)[1];
    const columns = vmap(push, { outAxes: 0 })(...(basis as unknown[]));
    const [, inTree] = flatten(own);
    const jacobian = map((array: ArrayValue) => {
      const parts = splitLeading(array, avals).map((part, index) =>
        leadingLast(part, avals[index]?.shape.length ?? 0),
      );
      const perArgument = unflatten(inTree, parts) as unknown[];
      return typeof argnums === "number" ? perArgument[0] : perArgument;
    }, columns);
    return jacobian as Gradient<Args, Options>;
  });
}

/**
 * The Jacobian of `f`, row by row (reverse mode): for each result a pytree as the arguments, of
 * shape `(*result, *argument)`.
 *
 * JAX's counterpart is `jax.jacrev`.
 */
export function jacrev<
  Args extends readonly unknown[],
  Result,
  const Options extends JacobianOptions = NoOptions,
>(
  f: Traceable<Args, Result>,
  options?: Options,
): (...args: Arguments<Args>) => Gradient<Args, Options> {
  const argnums = options?.argnums ?? 0;
  return named(`jacrev(${nameOf(f)})`, (...args) => {
    const chosen = positionsOf(argnums, args.length);
    const own = chosen.map((position) => args[position]);
    requireFloats(
      flatten(own)[0].map((leaf) => typeOf(leaf)),
      "jacrev",
    );
    const g = partial(f, args, chosen);
    const [result, pullback] = vjp(g, ...own);
    const { basis, avals } = standardBasis(result);
    const rows = vmap((cotangents: unknown) => pullback(cotangents))(basis);
    const [, outTree] = flatten(result);
    const [arrays, inTree] = flatten(rows);
    const split = arrays.map((array) => splitLeading(array as ArrayValue, avals));
    const perResult = avals.map((_, index) => {
      const perArgument = unflatten(
        inTree,
        split.map((parts) => parts[index]),
      ) as unknown[];
      return typeof argnums === "number" ? perArgument[0] : perArgument;
    });
    return unflatten(outTree, perResult) as Gradient<Args, Options>;
  });
}

/**
 * The matrix of second derivatives, forward over reverse.
 *
 * JAX's counterpart is `jax.hessian`.
 */
export function hessian<
  Args extends readonly unknown[],
  Result,
  const Options extends JacobianOptions = NoOptions,
>(
  f: Traceable<Args, Result>,
  options?: Options,
): (...args: Arguments<Args>) => Gradient<Args, Options> {
  const gradient = jacrev(f, options) as (...args: never[]) => unknown;
  return jacfwd(gradient, options) as unknown as (
    ...args: Arguments<Args>
  ) => Gradient<Args, Options>;
}
