/**
 * Derivatives for tfjs: a program that runs while tfjs records gradients (`tf.grad`,
 * `tf.variableGrads`, optimizers) is recorded as one operation whose gradient is JAX's.
 */
import * as tf from "@tensorflow/tfjs-core";
import { isComplex } from "../ir/dtypes.js";
import { type Jax2TfjsError } from "../ir/errors.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { regroup, type EagerValue } from "../lower/eager.js";
import { isDifferentiable, vjpProgram } from "../transform/index.js";
import {
  linearizeProgram,
  pullbackProgram,
  type LinearizedProgram,
} from "../transform/linearizeProgram.js";
import { currentBackend, type RunProgram } from "./evaluator.js";

/**
 * What tfjs's own `customGrad` calls: an operation with several results and a gradient. tfjs has no
 * public function for it.
 */
interface TapeEngine {
  readonly state: { readonly gradientDepth: number; readonly kernelDepth: number };
  runKernelFunc(operation: {
    readonly forwardFunc: (backend: unknown, save: (tensors: tf.Tensor[]) => void) => tf.Tensor[];
    readonly backwardsFunc: (
      dys: tf.Tensor | readonly tf.Tensor[],
      saved: readonly tf.Tensor[],
    ) => Readonly<Record<string, () => tf.Tensor>>;
    readonly inputs: Readonly<Record<string, tf.Tensor>>;
  }): tf.Tensor[];
}

const tapeEngine = (): TapeEngine => tf.engine() as unknown as TapeEngine;

/** Whether tfjs records what is computed now. */
function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = tapeEngine().state;
  return gradientDepth > 0 && kernelDepth === 0;
}

/** Derivatives of a program, made when they are asked for. */
interface Derivatives {
  readonly active: readonly boolean[];
  readonly linearized: () => LinearizedProgram;
  readonly pullback: () => ClosedJaxpr;
  readonly vjp: () => ClosedJaxpr;
}

const known = new WeakMap<ClosedJaxpr, Derivatives>();

function derivativesOf(program: ClosedJaxpr): Derivatives {
  const found = known.get(program);
  if (found !== undefined) return found;
  const active = program.jaxpr.invars.map(({ aval }) => isDifferentiable(aval.dtype));
  let linearized: LinearizedProgram | undefined;
  let pullback: ClosedJaxpr | undefined;
  let vjp: ClosedJaxpr | undefined;
  const made: Derivatives = {
    active,
    linearized: () => (linearized ??= linearizeProgram(program, active)),
    pullback: () => (pullback ??= pullbackProgram(made.linearized())),
    vjp: () => (vjp ??= vjpProgram(program, active).program),
  };
  known.set(program, made);
  return made;
}

function only(value: EagerValue): tf.Tensor {
  const [tensor] = value.tensors;
  if (tensor === undefined) throw new Error("internal error: a value without tensors");
  return tensor;
}

const tensorsOfValue = ({ tensors }: EagerValue): tf.Tensor[] => [...tensors];

/**
 * Runs a program; while tfjs records gradients, as one operation that has JAX's derivative, to any
 * order. The derivative is made when tfjs first asks for it.
 *
 * @param refuse why there is no derivative: thrown when tfjs asks for it; null if there is one
 */
export function runRecorded(
  program: ClosedJaxpr,
  args: readonly EagerValue[],
  run: RunProgram,
  refuse: (() => Jax2TfjsError) | null,
): readonly EagerValue[] {
  const types = [...program.jaxpr.invars, ...program.jaxpr.outvars].map(({ aval }) => aval);
  // tfjs differentiates float32 tensors only.
  if (!isRecording() || types.some(({ dtype }) => isComplex(dtype))) return run(program, args);
  const derivatives = derivativesOf(program);
  const outputTypes = program.jaxpr.outvars.map(({ aval }) => aval);
  const backend = currentBackend();
  const inputs = Object.fromEntries(args.map((arg, index) => [`in${index}`, only(arg)]));
  const shapes = args.map((arg) => only(arg).shape);
  let residualTypes: readonly EagerValue["aval"][] = [];
  const tensors = tapeEngine().runKernelFunc({
    inputs,
    forwardFunc: (_backend, save) => {
      if (refuse !== null) return run(program, args).flatMap(tensorsOfValue);
      const { forward, outputCount } = derivatives.linearized();
      const results = run(forward, args);
      const residuals = results.slice(outputCount);
      residualTypes = residuals.map(({ aval }) => aval);
      // The arguments, too: they may be intermediate results that are gone when tfjs comes back.
      save([...args, ...residuals].flatMap(({ tensors: parts }) => [...parts]));
      return results.slice(0, outputCount).flatMap(tensorsOfValue);
    },
    backwardsFunc: (dys, saved) => {
      if (refuse !== null) throw refuse();
      const all = Array.isArray(dys) ? (dys as tf.Tensor[]) : [dys as tf.Tensor];
      // Words have no cotangents: the first of their two tensors stands for both.
      const cotangents = regroup(outputTypes, all, backend).map(only);
      const own = regroup(
        args.map(({ aval }) => aval),
        saved,
        backend,
      );
      const argTensors = args.flatMap(tensorsOfValue).length;
      const residuals = regroup(residualTypes, saved.slice(argTensors), backend);
      // At once: tfjs asks for each gradient in a tidy of its own, which would free the others.
      const gradients = isRecording()
        ? recordedGradients(program, derivatives, own, cotangents, run)
        : plainGradients(derivatives, residuals, cotangents, run);
      return Object.fromEntries(
        args.map((_, index) => [
          `in${index}`,
          () => gradients[index] ?? tf.zeros(shapes[index] ?? [], "float32"),
        ]),
      );
    },
  });
  return regroup(outputTypes, tensors, backend);
}

/** Gradients of the inputs that have one, by position. */
function spread(
  active: readonly boolean[],
  results: readonly EagerValue[],
): readonly (tf.Tensor | undefined)[] {
  let next = 0;
  return active.map((isActive) => {
    const result = isActive ? results[next++] : undefined;
    return result === undefined ? undefined : only(result);
  });
}

function plainGradients(
  { active, linearized, pullback }: Derivatives,
  residuals: readonly EagerValue[],
  cotangents: readonly tf.Tensor[],
  run: RunProgram,
): readonly (tf.Tensor | undefined)[] {
  const { outputTangents, linear } = linearized();
  let next = 0;
  const given = outputTangents.flatMap((present, index): EagerValue[] => {
    const aval = present ? linear.jaxpr.outvars[next++]?.aval : undefined;
    const cotangent = cotangents[index];
    return aval === undefined || cotangent === undefined ? [] : [{ aval, tensors: [cotangent] }];
  });
  return spread(active, run(pullback(), [...residuals, ...given]));
}

/** The same as an operation that is itself recorded, for derivatives of derivatives. */
function recordedGradients(
  { jaxpr }: ClosedJaxpr,
  { active, vjp }: Derivatives,
  args: readonly EagerValue[],
  cotangents: readonly tf.Tensor[],
  run: RunProgram,
): readonly (tf.Tensor | undefined)[] {
  const given = jaxpr.outvars.flatMap(({ aval }, index): EagerValue[] => {
    const cotangent = cotangents[index];
    if (!isDifferentiable(aval.dtype) || cotangent === undefined) return [];
    return [{ aval, tensors: [cotangent] }];
  });
  const results = runRecorded(vjp(), [...args, ...given], run, null);
  return spread(active, results.slice(jaxpr.outvars.length));
}
