/**
 * `custom_linear_solve`: a solution of a linear system found by the user's own program, with the
 * derivatives that follow from its being one.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { JaxprBuilder } from "../src/ir/builder.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { definePrimitive, type MaybeZero, type Primitive } from "../src/ir/primitive.js";
import { jitCall } from "./call.js";
import { batchSize, toFront, typesOf, zeros } from "./callTransforms.js";
import { at } from "./support.js";

/** Programs of their own constants, then vectors. */
export type LinearSolveParams = {
  readonly matvec: ClosedJaxpr;
  readonly solve: ClosedJaxpr;
  /** The transposed product and solution; null: reverse mode is refused. */
  readonly vecmat: ClosedJaxpr | null;
  readonly transpose_solve: ClosedJaxpr | null;
  /** Numbers of leading inputs that are constants of matvec, solve, vecmat, transpose_solve. */
  readonly const_lengths: readonly [number, number, number, number];
};

interface Parts<T> {
  readonly matvec: readonly T[];
  readonly solve: readonly T[];
  readonly vecmat: readonly T[];
  readonly transposeSolve: readonly T[];
  readonly b: readonly T[];
}

function partsOf<T>(items: readonly T[], { const_lengths }: LinearSolveParams): Parts<T> {
  const starts = const_lengths.map((_, index) =>
    const_lengths.slice(0, index).reduce((sum, length) => sum + length, 0),
  );
  const part = (index: number): readonly T[] =>
    items.slice(at(starts, index), at(starts, index) + at(const_lengths, index));
  const rest = at(starts, 3) + const_lengths[3];
  return {
    matvec: part(0),
    solve: part(1),
    vecmat: part(2),
    transposeSolve: part(3),
    b: items.slice(rest),
  };
}

/** The solution as a program of all inputs. */
function expandSolve(inputs: readonly ShapedArray[], params: LinearSolveParams): ClosedJaxpr {
  const builder = new JaxprBuilder();
  const args = inputs.map((aval) => builder.input(aval));
  const { solve, b } = partsOf(args, params);
  return builder.build(
    builder.bind(jitCall, [...solve, ...b], { name: "solve", jaxpr: params.solve }),
  );
}

/** What the change of the matrix does to the right side: A' x. */
function matrixTangents(
  o: Ops,
  { matvec }: Parts<Value>,
  tangents: readonly MaybeZero[],
  solution: readonly Value[],
  params: LinearSolveParams,
): readonly Value[] | null {
  const isActive = tangents.map((tangent) => tangent !== null);
  if (!isActive.some(Boolean)) return null;
  const all = solution.map(() => true);
  const { program } = o.programs.jvp(
    params.matvec,
    [...isActive, ...solution.map(() => false)],
    all,
  );
  const given = tangents.filter((tangent) => tangent !== null);
  const results = o.call("matvec", program, [...matvec, ...solution, ...given]);
  return results.slice(solution.length);
}

export const customLinearSolve: Primitive<LinearSolveParams> = definePrimitive<LinearSolveParams>({
  name: "custom_linear_solve",
  abstractEval: (inputs, params) =>
    partsOf(inputs, params).b.map((aval) => ({ ...aval, weakType: false })),
  jvp: (o, primals, tangents, params) => {
    const solution = o.bind(customLinearSolve, primals, params);
    const [values, changes] = [partsOf(primals, params), partsOf(tangents, params)];
    const matrix = matrixTangents(o, values, changes.matvec, solution, params);
    if (matrix === null && changes.b.every((tangent) => tangent === null)) {
      return { primals: solution, tangents: solution.map(() => null) };
    }
    const right = values.b.map((b, index) => {
      const [own, moved] = [changes.b[index] ?? null, matrix?.[index]];
      if (moved === undefined) return own ?? zeros(o, b.aval);
      return own === null ? o.neg(moved) : o.sub(own, moved);
    });
    const consts = primals.slice(0, primals.length - values.b.length);
    return {
      primals: solution,
      tangents: o.bind(customLinearSolve, [...consts, ...right], params),
    };
  },
  transpose: (o, cotangents, inputs, params) => {
    const { vecmat, transpose_solve } = params;
    if (vecmat === null || transpose_solve === null) {
      throw new Jax2TfjsError(
        "no-transpose-rule",
        "transpose_solve required for backwards mode automatic differentiation of " +
          "custom_linear_solve",
        { primitive: "custom_linear_solve", fix: "pass transposeSolve, or symmetric: true" },
      );
    }
    const values = inputs.map((input) => (input.kind === "known" ? input.value : null));
    const parts = partsOf(values, params);
    const types = partsOf(inputs, params).b.map((input) =>
      input.kind === "known" ? input.value.aval : input.aval,
    );
    const known = (list: readonly (Value | null)[]): readonly Value[] =>
      list.filter((value) => value !== null);
    const right = types.map((aval, index) => cotangents[index] ?? zeros(o, aval));
    const [matvecCount, solveCount, vecmatCount, transposeCount] = params.const_lengths;
    const consts = [parts.vecmat, parts.transposeSolve, parts.matvec, parts.solve].flatMap(known);
    const results = o.bind(customLinearSolve, [...consts, ...right], {
      matvec: vecmat,
      solve: transpose_solve,
      vecmat: params.matvec,
      transpose_solve: params.solve,
      const_lengths: [vecmatCount, transposeCount, matvecCount, solveCount],
    });
    const first = inputs.length - results.length;
    return inputs.map((input, index) =>
      input.kind === "known" ? null : at(results, index - first),
    );
  },
  batch: (o, inputs, dims, params) => {
    const size = batchSize(inputs, dims);
    const count = inputs.length - partsOf(inputs, params).b.length;
    const places = partsOf(dims, params);
    const rows = places.b.map(() => 0);
    const batched = (program: ClosedJaxpr, consts: readonly (number | null)[]): ClosedJaxpr => {
      const all = program.jaxpr.outvars.map(() => true);
      return o.programs.batch(program, size, [...consts, ...rows], all).program;
    };
    const args = inputs.map((input, index) =>
      index < count ? input : toFront(o, input, dims[index] ?? null, size),
    );
    const { vecmat, transpose_solve } = params;
    const outputs = o.bind(customLinearSolve, args, {
      matvec: batched(params.matvec, places.matvec),
      solve: batched(params.solve, places.solve),
      vecmat: vecmat === null ? null : batched(vecmat, places.vecmat),
      transpose_solve:
        transpose_solve === null ? null : batched(transpose_solve, places.transposeSolve),
      const_lengths: params.const_lengths,
    });
    return { outputs, dims: outputs.map(() => 0) };
  },
  tfjs: (tf, inputs, params) => tf.call(expandSolve(typesOf(inputs), params), inputs),
  expand: expandSolve,
});
