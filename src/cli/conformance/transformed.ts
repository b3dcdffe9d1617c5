/**
 * A recorded case under a transformation: the program of its derivative or batch, and the arrays
 * that JAX recorded for it.
 */
import type { Program, ProgramValue } from "../../import/program.js";
import type { ShapedArray } from "../../ir/aval.js";
import { hostArray, byteLengthOf, type HostArray } from "../../ir/hostArray.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { ClosedJaxpr } from "../../ir/jaxpr.js";
import { prepareForDerivatives } from "../../passes/prepare.js";
import { batchProgram, isDifferentiable, jvpProgram, vjpProgram } from "../../transform/index.js";
import type { ArrayDescription, PrimitiveCase, Tolerances, Transform } from "./corpus.js";

/** A program with what goes in and should come out. */
export interface TransformedCase {
  readonly program: Program;
  readonly inputs: readonly HostArray[];
  /** Recorded results, by their place among the outputs. */
  readonly expected: ReadonlyMap<number, HostArray>;
  readonly tolerance: Tolerances;
  /** The output of the original program that a result (jvp) or an input (vjp) belongs to. */
  readonly outputOf: ReadonlyMap<number, number>;
}

/** Rows of a recorded batch. */
const batchSize = 3;

/** The place of the input or output that a recorded array belongs to: `tan_2` to input 2. */
function placeOf({ key }: ArrayDescription): number {
  const digits = /_(\d+)$/.exec(key)?.[1];
  if (digits === undefined) throw new Jax2TfjsError("corpus-corrupt", `no place in the key ${key}`);
  return Number(digits);
}

/** Arrays by their place. */
function byPlace(
  descriptions: readonly ArrayDescription[] | undefined,
  read: (description: ArrayDescription) => HostArray,
): ReadonlyMap<number, HostArray> {
  return new Map((descriptions ?? []).map((item) => [placeOf(item), read(item)]));
}

function zeros({ dtype, shape }: ShapedArray): HostArray {
  const sizes = shape.map(Number);
  return hostArray(dtype, sizes, new Uint8Array(byteLengthOf(dtype, sizes)));
}

/** A transformed program as one to load: flat lists of inputs and outputs. */
function programOf(original: Program, jaxpr: ClosedJaxpr): Program {
  const value =
    (name: string) =>
    ({ aval }: { readonly aval: ShapedArray }, index: number): ProgramValue => ({
      name: `${name}[${index}]`,
      keyPath: [String(index)],
      aval,
      dtype: aval.dtype,
    });
  const { invars, outvars } = jaxpr.jaxpr;
  const leaves = (count: number): Program["outTree"] => ({
    kind: "tuple",
    children: Array.from({ length: count }, () => ({ kind: "leaf" as const })),
  });
  return {
    ...original,
    jaxpr,
    inputs: invars.map(value("args")).map((input) => ({ ...input, used: true })),
    outputs: outvars.map(value("result")),
    inTree: { kind: "tuple", children: [leaves(invars.length), { kind: "dict", keys: [] }] },
    outTree: leaves(outvars.length),
  };
}

/** Results by place, where the derivatives of some outputs follow the outputs. */
function placed(
  present: readonly boolean[],
  start: number,
  recorded: ReadonlyMap<number, HostArray>,
): ReadonlyMap<number, HostArray> {
  const found = new Map<number, HostArray>();
  let next = start;
  present.forEach((isPresent, index) => {
    if (!isPresent) return;
    const array = recorded.get(index);
    if (array !== undefined) found.set(next, array);
    next += 1;
  });
  return found;
}

/** The index of each that is present by its place, counted from `start`. */
function places(present: readonly boolean[], start: number): ReadonlyMap<number, number> {
  const indices = present.flatMap((isPresent, index) => (isPresent ? [index] : []));
  return new Map(indices.map((index, position) => [start + position, index]));
}

/** The case under a transformation. */
export function transformCase(
  transform: Transform,
  program: Program,
  data: PrimitiveCase,
  read: (description: ArrayDescription) => HostArray,
): TransformedCase {
  const base = prepareForDerivatives(program.jaxpr);
  const { invars, outvars } = base.jaxpr;
  const active = invars.map(({ aval }) => isDifferentiable(aval.dtype));
  const derivative = { rtol: data.deriv_rtol ?? data.rtol, atol: data.deriv_atol ?? data.atol };
  switch (transform) {
    case "jvp": {
      const all = outvars.map(() => true);
      const { program: made, outputTangents } = jvpProgram(base, active, all);
      const tangents = byPlace(data.tangents, read);
      const given = invars.flatMap(({ aval }, index) =>
        active[index] === true ? [tangents.get(index) ?? zeros(aval)] : [],
      );
      return {
        program: programOf(program, made),
        inputs: [...data.inputs.map(read), ...given],
        expected: placed(outputTangents, outvars.length, byPlace(data.jvp_outputs, read)),
        tolerance: derivative,
        outputOf: places(outputTangents, outvars.length),
      };
    }
    case "vjp": {
      const { program: made, outputCotangents } = vjpProgram(base, active);
      const cotangents = byPlace(data.cotangents, read);
      const given = outvars.flatMap(({ aval }, index) =>
        outputCotangents[index] === true ? [cotangents.get(index) ?? zeros(aval)] : [],
      );
      return {
        program: programOf(program, made),
        inputs: [...data.inputs.map(read), ...given],
        expected: placed(active, outvars.length, byPlace(data.vjp_outputs, read)),
        tolerance: derivative,
        outputOf: places(outputCotangents, data.inputs.length),
      };
    }
    case "vmap": {
      const front = (count: number): readonly number[] => Array.from({ length: count }, () => 0);
      const made = batchProgram(base, batchSize, front(invars.length), front(outvars.length));
      return {
        program: programOf(program, made.program),
        inputs: (data.batch_inputs ?? []).map(read),
        expected: byPlace(data.batch_outputs, read),
        tolerance: data,
        outputOf: new Map(),
      };
    }
  }
}

/** One row of a batch. */
export function rowOf(array: HostArray, row: number): HostArray {
  const shape = array.shape.slice(1);
  const length = byteLengthOf(array.dtype, shape);
  return hostArray(array.dtype, shape, array.bytes.slice(row * length, (row + 1) * length));
}

export { batchSize };
