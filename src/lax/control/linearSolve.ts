/** Solutions with derivatives of their own: `lax.customLinearSolve`, `lax.customRoot`. */
import {
  customLinearSolve as solvePrimitive,
  type LinearSolveParams,
} from "../../../primitives/linearSolve.js";
import { avalEquals, type ShapedArray } from "../../ir/aval.js";
import type { Value } from "../../ir/ops.js";
import { callError, flattenArguments, unflattenValues } from "../../api/calls.js";
import { customJvp } from "../../api/customDerivatives.js";
import { jvp, linearize } from "../../api/derivatives.js";
import { closureConvert } from "../../api/jit.js";
import type { Arguments, Arrays } from "../../api/types.js";
import { transposeProgram } from "../../transform/index.js";
import type { ArrayLike, ArrayValue } from "../../trace/arrays.js";
import { evaluateProgram, fromValue, o, toValue } from "../../trace/trace.js";
import { flatten, unflatten, type TreeDef } from "../../tree/pytree.js";
import { at } from "../arguments.js";
import { argumentsOf, longType, traceBody, treeDifferences, type Traced } from "./programs.js";

/** A linear function of vectors like `b`. */
export type LinearFunction<B> = (x: Arrays<B>) => unknown;

export interface LinearSolveOptions<B> {
  /** Solves the transposed system, for reverse mode. Not needed if `symmetric`. */
  readonly transposeSolve?: (vecmat: LinearFunction<B>, b: Arrays<B>) => unknown;
  /** The system is symmetric: it is its own transpose. Default: false. */
  readonly symmetric?: boolean;
}

function checkLike(
  name: string,
  { outTree, avals }: Traced,
  tree: TreeDef,
  types: readonly ShapedArray[],
): void {
  const isSame =
    treeDifferences(tree, outTree).length === 0 &&
    avals.every((aval, index) => avalEquals(aval, at(types, index)));
  if (isSame) return;
  throw callError(
    "type-mismatch",
    `${name} output pytree must match b: got [${avals.map(longType).join(", ")}], expected ` +
      `[${types.map(longType).join(", ")}]`,
  );
}

/**
 * Solves `matvec(x) = b` by a function of the user's, with the derivatives that follow from the
 * equation: they never look into `solve`.
 *
 * @param solve gets `matvec` and `b`, gives x
 * @throws Jax2TfjsError `type-mismatch`; in reverse mode without a transposed solution
 * `no-transpose-rule`
 *
 * JAX's counterpart is `lax.custom_linear_solve`.
 */
export function customLinearSolve<const B>(
  matvec: LinearFunction<B>,
  b: B,
  solve: (matvec: LinearFunction<B>, b: Arrays<B>) => unknown,
  { transposeSolve, symmetric = false }: LinearSolveOptions<B> = {},
): Arrays<B> {
  const { values, inTree } = flattenArguments([b], "b");
  const tree = at(inTree.kind === "list" ? inTree.children : [], 0);
  const types = values.map(({ aval }) => ({ ...aval, weakType: false }));
  const args = argumentsOf(tree);
  const product = traceBody(matvec, args, types);
  checkLike("matvec", product, tree, types);
  const solution = traceBody((x: Arrays<B>) => solve(matvec, x), args, types);
  checkLike("solve", solution, tree, types);
  const transposed = symmetric
    ? { vecmat: product, transposeSolve: solution }
    : transposedOf(product, transposeSolve, tree, types);
  const sources = [product, solution, transposed?.vecmat, transposed?.transposeSolve];
  const consts = sources.map((source): readonly Value[] => source?.captured ?? []);
  const params: LinearSolveParams = {
    matvec: product.program,
    solve: solution.program,
    vecmat: transposed?.vecmat.program ?? null,
    transpose_solve: transposed?.transposeSolve.program ?? null,
    const_lengths: [
      at(consts, 0).length,
      at(consts, 1).length,
      at(consts, 2).length,
      at(consts, 3).length,
    ],
  };
  const results = o.bind(solvePrimitive, [...consts.flat(), ...values], params);
  return unflattenValues(tree, results) as Arrays<B>;
}

/** The transposed product, and the user's solution with it. */
function transposedOf<B>(
  product: Traced,
  transposeSolve: LinearSolveOptions<B>["transposeSolve"],
  tree: TreeDef,
  types: readonly ShapedArray[],
): { readonly vecmat: Traced; readonly transposeSolve: Traced } | null {
  if (transposeSolve === undefined) return null;
  const linear = [...product.captured.map(() => false), ...types.map(() => true)];
  const program = transposeProgram(product.program, linear);
  const vecmat: LinearFunction<B> = (x) => {
    const vectors = flatten(x)[0].map((leaf) => toValue(leaf as ArrayLike));
    return unflattenValues(tree, evaluateProgram(program, [...product.captured, ...vectors]));
  };
  const solved = traceBody((x: Arrays<B>) => transposeSolve(vecmat, x), argumentsOf(tree), types);
  checkLike("transpose_solve", solved, tree, types);
  return { vecmat: { ...product, program }, transposeSolve: solved };
}

/**
 * A root of `f` found by a function of the user's, with derivatives by the implicit function theorem
 * with respect to what `f` takes from around it.
 *
 * @param solve gets `f` and the guess, gives the root
 * @param tangentSolve gets the linearized `f` and a right side y, gives x with g(x) = y; it must be
 * linear in y
 *
 * JAX's counterpart is `lax.custom_root`.
 */
export function customRoot<const X>(
  f: (x: Arrays<X>) => unknown,
  initialGuess: X,
  solve: (f: (x: Arrays<X>) => unknown, guess: Arrays<X>) => unknown,
  tangentSolve: (g: (x: Arrays<X>) => unknown, y: Arrays<X>) => unknown,
): Arrays<X> {
  const guess = [initialGuess] as Arguments<[Arrays<X>]>;
  const [converted, captured] = closureConvert(f, ...guess);
  // What the solver takes from around it has no part in the derivative.
  const [solver, solverCaptured] = closureConvert((x: Arrays<X>) => solve(f, x), ...guess);
  const atPoint = (consts: readonly ArrayValue[]) => (x: Arrays<X>) => converted(x, ...consts);
  type Inputs = [guess: Arrays<X>, consts: ArrayValue[], solverConsts: ArrayValue[]];
  const root = customJvp((...[start, , consts]: Inputs) => solver(start, ...consts));
  const call = root as unknown as (...inputs: Inputs) => Arrays<X>;
  root.defjvp((inputs: Inputs, [, changes]: Inputs) => {
    const solution = call(...inputs);
    const [, consts] = inputs;
    const product = (...moving: ArrayValue[]): unknown => converted(solution, ...moving);
    const [, moved] = jvp(product, consts, changes);
    const point = [solution] as unknown as Arguments<[Arrays<X>]>;
    const [, linear] = linearize(atPoint(consts), ...point);
    const delta = tangentSolve(linear as (x: Arrays<X>) => unknown, moved as Arrays<X>);
    const [leaves, structure] = flatten(delta);
    const negated = leaves.map((leaf) => fromValue(o.neg(toValue(leaf as ArrayLike))));
    return [solution, unflatten(structure, negated)];
  });
  return call(initialGuess as Arrays<X>, captured, solverCaptured);
}
