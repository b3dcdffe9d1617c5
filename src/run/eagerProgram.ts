/**
 * Runs a program one equation at a time, for debugging: no passes that change what the author wrote,
 * sizes made concrete for each call.
 */
import * as tf from "@tensorflow/tfjs-core";
import { Jax2TfjsError } from "../ir/errors.js";
import { hostArray, type HostArray } from "../ir/hostArray.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import { printDim } from "../ir/dims.js";
import type { DimPlan } from "../ir/shapeSpec.js";
import { substituteProgram } from "../ir/substitute.js";
import type { Backend } from "../ir/tf.js";
import type { BoundParameter } from "../import/params/bind.js";
import type { Program, ProgramValue } from "../import/program.js";
import { EagerRunner, partsOf, type EagerValue, type EquationEvent } from "../lower/eager.js";
import { optimize } from "../passes/optimize.js";
import type { LoadedProgram } from "./loaded.js";
import { argumentPaths } from "../runtime/argumentPaths.js";
import {
  checkArguments,
  dimPlanOf,
  fitInput,
  storedDType,
  type CallSignature,
  type SignatureLeaf,
} from "./signature.js";
import { arrayOf, valueTensors } from "./tensors.js";

export interface EagerOptions {
  /** The tfjs backend that is current when the program runs. */
  readonly backend: Backend;
  /** Arrays for some of the arguments, which are then not inputs any more. */
  readonly parameters?: readonly BoundParameter[];
  /** Called after each equation; the values are only valid during the call. */
  readonly onEquation?: (event: EquationEvent) => void | Promise<void>;
}

/** What a program takes and gives, parameters left out. */
export function signatureOf(
  program: Program,
  parameters: readonly BoundParameter[] = [],
): CallSignature {
  const bound = new Set(parameters.map(({ position }) => position));
  const paths = argumentPaths(program.inTree);
  const leaf = ({ name, dtype, aval }: ProgramValue, path: string): SignatureLeaf => ({
    name,
    path,
    dtype: storedDType(dtype),
    shape: aval.shape.map((dim) => (typeof dim === "number" ? dim : printDim(dim))),
  });
  const allInputs = program.inputs.map((input, index) => leaf(input, paths[index] ?? input.name));
  return {
    allInputs,
    inputs: allInputs.filter((_, position) => !bound.has(position)),
    outputs: program.outputs.map((output) => leaf(output, output.name)),
    constraints: program.constraints,
  };
}

/**
 * Prepares a program to run equation by equation on the current tfjs backend; parameters are read
 * now.
 */
export function loadEager(program: Program, options: EagerOptions): LoadedProgram {
  return new EagerProgram(program, options);
}

class EagerProgram implements LoadedProgram {
  readonly signature: CallSignature;
  readonly #program: ClosedJaxpr;
  readonly #plan: DimPlan;
  readonly #runner: EagerRunner;
  readonly #backend: Backend;
  /** Programs with concrete sizes, by these sizes. */
  readonly #sized = new Map<string, ClosedJaxpr>();
  /** Values of bound parameters, by position. */
  readonly #parameters: ReadonlyMap<number, EagerValue>;

  constructor(program: Program, options: EagerOptions) {
    this.signature = signatureOf(program, options.parameters);
    this.#program = program.jaxpr;
    this.#plan = dimPlanOf(this.signature);
    this.#parameters = parameterValues(program.jaxpr, options);
    const { backend, onEquation } = options;
    this.#backend = backend;
    this.#runner = new EagerRunner({
      backend,
      ...(onEquation === undefined ? {} : { onEquation }),
    });
  }

  get inputs(): LoadedProgram["inputs"] {
    return this.signature.inputs;
  }

  get outputs(): LoadedProgram["outputs"] {
    return this.signature.outputs;
  }

  check(inputs: readonly HostArray[]): ReadonlyMap<string, number> {
    return checkArguments(this.#plan, this.inputs, inputs);
  }

  async run(inputs: readonly HostArray[]): Promise<readonly HostArray[]> {
    const sized = this.#sizedFor(this.check(inputs));
    const own: EagerValue[] = [];
    let next = 0;
    const args = sized.jaxpr.invars.map(({ aval }, position): EagerValue => {
      const parameter = this.#parameters.get(position);
      if (parameter !== undefined) return parameter;
      const leaf = this.inputs[next];
      const array = inputs[next++];
      const fitted = leaf && array ? fitInput(leaf, array) : undefined;
      if (fitted === undefined) throw new Error(`internal error: no array for input ${position}`);
      const value = { aval, tensors: valueTensors(fitted, partsOf(aval, this.#backend)) };
      own.push(value);
      return value;
    });
    try {
      return await this.#results(await this.#runner.run(sized, args));
    } finally {
      disposeValues(own);
    }
  }

  async #results(values: readonly EagerValue[]): Promise<readonly HostArray[]> {
    try {
      const arrays: HostArray[] = [];
      for (const [index, leaf] of this.outputs.entries()) {
        const value = values[index];
        if (value === undefined) throw new Error("internal error: a missing result");
        arrays.push(await arrayOf(leaf, value.tensors));
      }
      return arrays;
    } finally {
      disposeValues(values);
    }
  }

  #sizedFor(sizes: ReadonlyMap<string, number>): ClosedJaxpr {
    const key = [...sizes].map(([name, size]) => `${name}=${size}`).join(",");
    const known = this.#sized.get(key);
    if (known !== undefined) return known;
    const program = sizes.size === 0 ? this.#program : substituteProgram(this.#program, sizes);
    const sized = optimize(program, { level: "required" });
    this.#sized.set(key, sized);
    return sized;
  }

  dispose(): void {
    this.#runner.dispose();
    disposeValues([...this.#parameters.values()]);
  }
}

/** Reads all parameters, so that their file may be closed afterwards. */
function parameterValues(
  { jaxpr }: ClosedJaxpr,
  { parameters = [], backend }: EagerOptions,
): ReadonlyMap<number, EagerValue> {
  return new Map(
    parameters.map((bound) => {
      const aval = jaxpr.invars[bound.position]?.aval;
      if (aval === undefined) {
        throw new Jax2TfjsError("params-mismatch", `there is no argument ${bound.position}`);
      }
      const array = hostArray(bound.dtype, bound.shape, bound.read());
      return [bound.position, { aval, tensors: valueTensors(array, partsOf(aval, backend)) }];
    }),
  );
}

function disposeValues(values: readonly EagerValue[]): void {
  tf.dispose(values.flatMap((value) => [...value.tensors]));
}
