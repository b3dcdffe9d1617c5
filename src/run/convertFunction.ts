/**
 * `convert` of a TypeScript function: a function on tensors that runs as one graph, or equation by
 * equation, and that tfjs can differentiate. JAX's counterpart was `jax2tf.convert`.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { callError, flattenArguments, nameOf, traceCall, unflattenValues } from "../api/calls.js";
import { jit } from "../api/jit.js";
import type { Arguments, Traceable } from "../api/types.js";
import { exportedTypes, type ExportOptions } from "../exportFunction.js";
import { carriedAval, printAval } from "../ir/aval.js";
import { isKey } from "../ir/dtypes.js";
import { type Jax2TfjsError } from "../ir/errors.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { checkCall, solveDims, type DimPlan } from "../ir/shapeSpec.js";
import { substituteProgram } from "../ir/substitute.js";
import { EagerRunner, type EquationEvent } from "../lower/eager.js";
import { carryKeys } from "../passes/carryKeys.js";
import { atUserLine } from "../trace/source.js";
import { asValue, isTracing } from "../trace/trace.js";
import { printTree, type MapLeaves, type TreeDef } from "../tree/pytree.js";
import { currentBackend, runOnArrays, runProgram, type RunProgram } from "./evaluator.js";
import { runRecorded } from "./tape.js";

export interface ConvertFunctionOptions extends ExportOptions {
  /** Run one equation at a time instead of as one graph. Default: false. */
  readonly eager?: boolean;
  /** In eager mode: sees each equation with its values, which are valid during the call only. */
  readonly onEquation?: (event: EquationEvent) => void;
  /** Let tfjs differentiate the function. Default: true. */
  readonly withGradient?: boolean;
}

/**
 * A function on tensors, made by `convert`: computes on the current backend of tfjs. Results are
 * tensors (complex ones on wasm `ComplexArray`s; tracers in a trace).
 *
 * @throws Jax2TfjsError `shape-mismatch` with JAX's text where sizes do not fit
 * `polymorphicShapes`; `not-an-array`; whatever tracing throws, at the first call
 */
export type ConvertedFunction<Args extends readonly unknown[], Result> = (
  ...args: Arguments<Args>
) => MapLeaves<Result, Tensor>;

/** A traced function for one kind of arguments. */
interface Entry {
  readonly program: ClosedJaxpr;
  readonly captured: readonly Value[];
  readonly outTree: TreeDef;
  /** How symbolic sizes follow from actual ones; null if there are none. */
  readonly plan: DimPlan | null;
}

/** Runs equation by equation, sizes made concrete for each call. */
function eagerRun({ onEquation }: ConvertFunctionOptions): RunProgram {
  const runners = new Map<string, EagerRunner>();
  return (program, args) => {
    const backend = currentBackend();
    const runner =
      runners.get(backend) ??
      new EagerRunner({ backend, ...(onEquation === undefined ? {} : { onEquation }) });
    runners.set(backend, runner);
    const carried = args.map(({ aval, tensors }) => ({ aval: carriedAval(aval), tensors }));
    const results = runner.runSync(carryKeys(program), carried);
    return program.jaxpr.outvars.map(({ aval }, index) => {
      const result = results[index];
      if (result === undefined) throw new Error("internal error: a missing result");
      return { aval: isKey(aval.dtype) ? aval : result.aval, tensors: result.tensors };
    });
  };
}

/**
 * Converts a function for tfjs.
 *
 * It is traced once per types of its arguments, or once for all sizes with `polymorphicShapes`.
 * Tensors that it takes from around it (variables, too) are read at each call. `tf.grad`,
 * `tf.variableGrads` and the optimizers of tfjs see JAX's derivative.
 */
export function convertFunction<Args extends readonly unknown[], Result>(
  f: Traceable<Args, Result>,
  options: ConvertFunctionOptions = {},
): ConvertedFunction<Args, Result> {
  const name = options.name ?? nameOf(f);
  const entries = new Map<string, Entry>();
  const run = options.eager === true ? eagerRun(options) : runProgram;
  const refuse = options.withGradient === false ? (): Jax2TfjsError => noGradient(name) : null;
  const traced = jit(f, { name });
  const isPolymorphic = (options.polymorphicShapes ?? null) !== null;

  function entryFor(args: readonly unknown[], inTree: TreeDef, values: readonly Value[]): Entry {
    const kinds = values.map(({ aval }) => (isPolymorphic ? aval.dtype : printAval(aval)));
    const key = `${printTree(inTree)} ${kinds.join(" ")}`;
    const known = entries.get(key);
    if (known !== undefined) return known;
    const { avals, paths } = exportedTypes(args, options);
    const call = traceCall(f, inTree, avals);
    const shapes = avals.map(({ shape }, index) => ({ name: `args${paths[index] ?? ""}`, shape }));
    const plan = isPolymorphic ? solveDims(shapes, name) : null;
    const entry = { ...call, plan };
    entries.set(key, entry);
    return entry;
  }

  const converted = (...args: Arguments<Args>): MapLeaves<Result, Tensor> => {
    if (isTracing()) return traced(...args) as MapLeaves<Result, Tensor>;
    const { values, inTree } = flattenArguments(args);
    const { program, captured, outTree, plan } = entryFor(args, inTree, values);
    const shapes = values.map(({ aval }) => aval.shape as readonly number[]);
    const sizes = plan === null ? null : atUserLine(() => checkCall(plan, shapes));
    const sized =
      sizes !== null && sizes.size > 0 && options.eager === true
        ? substituteProgram(program, sizes)
        : program;
    const results = atUserLine(() =>
      runOnArrays(sized, [...values, ...captured], (own, inputs) =>
        runRecorded(own, inputs, run, refuse),
      ),
    );
    return unflattenValues(outTree, results.map(asValue)) as MapLeaves<Result, Tensor>;
  };
  Object.defineProperty(converted, "name", { value: name });
  return converted;
}

function noGradient(name: string): Jax2TfjsError {
  return callError(
    "gradient-disabled",
    `${name} was converted with withGradient: false and is being differentiated`,
    "convert it without this option",
  );
}
