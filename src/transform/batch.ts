/**
 * `vmap`, jaxpr to jaxpr: walks a program and lets each record's batching rule carry the batch
 * dimension along.
 */
import type { Dim } from "../ir/dims.js";
import {
  isClosedJaxpr,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../ir/ops.js";
import { isNoRule } from "../ir/primitive.js";
import { copyEquation, missingRule, startBuilding, type Building } from "./building.js";

interface Batched {
  readonly value: Value;
  /** Position of the batch dimension; null if the value has none. */
  readonly dim: number | null;
}

/**
 * Evaluates a program on batched values, adding to a program under construction.
 *
 * @throws Jax2TfjsError `no-batch-rule`
 */
export function evaluateBatched(
  { builder, o }: Building,
  program: ClosedJaxpr,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  axis: NamedAxis | null = null,
): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] } {
  const { jaxpr, consts } = program;
  const values = new Map<Var, Batched>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, { value: o.constant(array), dim: null });
  });
  jaxpr.invars.forEach((variable, index) => {
    const value = inputs[index];
    if (value === undefined) throw new Error("internal error: missing input");
    values.set(variable, { value, dim: dims[index] ?? null });
  });
  const read = (atom: Atom): Batched => {
    if (atom.kind === "literal") return { value: atom, dim: null };
    const value = values.get(atom);
    if (value === undefined) throw new Error("internal error: variable before its definition");
    return value;
  };
  for (const equation of jaxpr.equations) {
    builder.source = equation.source;
    const results = batchEquation({ builder, o }, equation, equation.inputs.map(read), axis);
    equation.outputs.forEach((variable, index) => {
      const result = results[index];
      if (result !== undefined) values.set(variable, result);
    });
  }
  const outputs = jaxpr.outvars.map(read);
  return {
    outputs: outputs.map(({ value }) => value),
    dims: outputs.map(({ dim }) => dim),
  };
}

function batchEquation(
  { builder, o }: Building,
  equation: Equation,
  inputs: readonly Batched[],
  axis: NamedAxis | null,
): readonly Batched[] {
  const values = inputs.map(({ value }) => value);
  const { collective } = equation.primitive;
  if (axis !== null && collective?.axes(equation.params).includes(axis.name) === true) {
    const places = inputs.map(({ dim }) => dim);
    const result = collective.batch(o, values, places, axis, equation.params);
    return result.outputs.map((value, index) => ({ value, dim: result.dims[index] ?? null }));
  }
  if (inputs.every(({ dim }) => dim === null)) {
    if (axis !== null && subJaxprs(equation.params).some((inner) => refersTo(inner, axis.name))) {
      return batchNamed({ builder, o }, equation, inputs, axis);
    }
    const outputs = copyEquation(builder, equation, values);
    return outputs.map((value) => ({ value, dim: null }));
  }
  const rule = equation.primitive.batch;
  if (isNoRule(rule)) throw missingRule("batch", equation, rule.reason);
  const result = rule(
    o,
    values,
    inputs.map(({ dim }) => dim),
    equation.params,
  );
  return result.outputs.map((value, index) => ({ value, dim: result.dims[index] ?? null }));
}

/** True if a program, or a program in it, has collectives over an axis. */
function refersTo({ jaxpr }: ClosedJaxpr, name: string): boolean {
  return jaxpr.equations.some(
    ({ primitive, params }) =>
      primitive.collective?.axes(params).includes(name) === true ||
      subJaxprs(params).some((inner) => refersTo(inner, name)),
  );
}

/** An equation without batched inputs whose inner programs have collectives over the axis. */
function batchNamed(
  building: Building,
  equation: Equation,
  inputs: readonly Batched[],
  axis: NamedAxis,
): readonly Batched[] {
  const { o } = building;
  const { inlines } = equation.primitive.traits ?? {};
  const inner = inlines === undefined ? undefined : equation.params[inlines];
  if (isClosedJaxpr(inner)) {
    const values = inputs.map(({ value }) => value);
    const dims = inputs.map(({ dim }) => dim);
    const result = evaluateBatched(building, inner, values, dims, axis);
    return result.outputs.map((value, index) => ({ value, dim: result.dims[index] ?? null }));
  }
  // Rules learn the size of the batch from their inputs: one of them is repeated.
  const [first, ...others] = inputs;
  const rule = equation.primitive.batch;
  if (first === undefined || isNoRule(rule)) {
    throw missingRule("batch", equation, "it has collectives, and nothing that is batched");
  }
  const repeated = moveBatchDimension(o, first.value, null, 0, axis.size);
  const values = [repeated, ...others.map(({ value }) => value)];
  const result = rule(o, values, [0, ...others.map(() => null)], equation.params);
  return result.outputs.map((value, index) => ({ value, dim: result.dims[index] ?? null }));
}

/** A value with its batch dimension at `to`; an unbatched one is repeated. */
export function moveBatchDimension(
  o: Ops,
  value: Value,
  from: number | null,
  to: number,
  size: Dim,
): Value {
  const { shape } = value.aval;
  if (from === null) {
    const target = shape.toSpliced(to, 0, size);
    const dimensions = shape.map((_, axis) => (axis < to ? axis : axis + 1));
    return o.broadcastInDim(value, target, dimensions);
  }
  if (from === to) return value;
  const rest = shape.map((_, axis) => axis).filter((axis) => axis !== from);
  return o.transpose(value, rest.toSpliced(to, 0, from));
}

/** A program over a batch. */
export interface BatchedProgram {
  readonly program: ClosedJaxpr;
  /** Which outputs have a batch dimension. */
  readonly outputDims: readonly (number | null)[];
  /** Batch dimensions of outputs that were wanted without: an error of the caller's. */
  readonly unwantedDims: readonly (number | null)[];
}

/** The batch dimension of a `vmap` with a name, which collectives refer to. */
export interface NamedAxis {
  readonly name: string;
  readonly size: Dim;
}

/**
 * The program that applies a program to each row of a batch.
 *
 * @param inputDims where each input's batch dimension is (null: the same for all rows)
 * @param outputDims where the outputs' is wanted; "any" leaves it where it falls
 * @param axisName what collectives call the batch dimension
 *
 * JAX's counterpart is `batch_jaxpr`.
 */
export function batchProgram(
  program: ClosedJaxpr,
  size: Dim,
  inputDims: readonly (number | null)[],
  outputDims: readonly (number | null | "any")[] = [],
  axisName?: string,
): BatchedProgram {
  const axis = axisName === undefined ? null : { name: axisName, size };
  const building = startBuilding(axis === null ? {} : { batch: batchInside(axis) });
  const { builder, o } = building;
  const inputs = program.jaxpr.invars.map((variable, index) => {
    const dim = inputDims[index] ?? null;
    const { aval } = variable;
    return builder.input(
      dim === null ? aval : { ...aval, shape: aval.shape.toSpliced(dim, 0, size) },
    );
  });
  const results = evaluateBatched(building, program, inputs, inputDims, axis);
  const dims = results.dims.map((dim, index) => {
    const wanted = outputDims[index];
    return wanted === undefined || wanted === "any" ? dim : wanted;
  });
  const outputs = results.outputs.map((value, index) => {
    const [from, to] = [results.dims[index] ?? null, dims[index] ?? null];
    return to === null ? value : moveBatchDimension(o, value, from, to, size);
  });
  const unwantedDims = results.dims.map((dim, index) => (dims[index] === null ? dim : null));
  return { program: builder.build(outputs), outputDims: dims, unwantedDims };
}

type BatchTransform = ProgramTransforms["batch"];

/** Inner programs over a batch; batched outputs have their batch dimension first. */
export const batchInner: BatchTransform = (...args) => batchFront(args);

/** Inner programs in the `vmap` of a named axis. */
function batchInside({ name }: NamedAxis): BatchTransform {
  return (...args) => batchFront(args, name);
}

function batchFront(
  [program, size, inputDims, batchedOutputs]: Parameters<BatchTransform>,
  axisName?: string,
): ReturnType<BatchTransform> {
  const wanted = batchedOutputs.map((batched) => (batched ? 0 : "any"));
  const result = batchProgram(program, size, inputDims, wanted, axisName);
  const batched = result.outputDims.map((dim) => dim !== null);
  // A batch dimension that fell elsewhere is moved to the front as well.
  const front = batched.map((is) => (is ? 0 : null));
  return {
    program: batchProgram(program, size, inputDims, front, axisName).program,
    batched,
  };
}
