/**
 * Runs programs on tensors of tfjs, synchronously: what `lax`, `np` and the transformations compute
 * outside of traces. A program becomes one graph, kept for programs that are the same; one with
 * loops that only `executeAsync` could run is stepped through.
 */
import * as tf from "@tensorflow/tfjs-core";
import { carriedAval, type ShapedArray } from "../ir/aval.js";
import { isComplex, isKey } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { fromNumbers, type HostArray } from "../ir/hostArray.js";
import { subJaxprs, type Atom, type ClosedJaxpr, type Jaxpr } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import type { Backend } from "../ir/tf.js";
import { EagerRunner, partsOf, regroup, type EagerValue } from "../lower/eager.js";
import { GraphRunner } from "../lower/execute.js";
import { lowerProgram } from "../lower/lowerProgram.js";
import { optimize } from "../passes/optimize.js";
import { allBackends } from "../convert.js";
import {
  disposed,
  isConcrete,
  rememberType,
  type ArrayData,
  type ArrayValue,
} from "../trace/arrays.js";
import { provideEvaluator } from "../trace/trace.js";
import { releaseWhenForgotten } from "./memory.js";
import { programKey } from "./programKey.js";
import { joinHalves, valueTensors } from "./tensors.js";

/** An array as two tensors of its shape. */
abstract class TensorPair implements ArrayValue {
  abstract readonly dtype: string;
  readonly #first: tf.Tensor;
  readonly #second: tf.Tensor;

  constructor(first: tf.Tensor, second: tf.Tensor) {
    this.#first = first;
    this.#second = second;
  }

  protected abstract join(first: ArrayLike<number>, second: ArrayLike<number>): ArrayData;

  get shape(): readonly number[] {
    return this.#first.shape;
  }

  get size(): number {
    return this.#first.size;
  }

  /** The values, as tfjs gives those of one tensor. */
  dataSync(): ArrayData {
    return this.join(this.#first.dataSync(), this.#second.dataSync());
  }

  async data(): Promise<ArrayData> {
    return this.join(await this.#first.data(), await this.#second.data());
  }

  /** Frees both tensors. */
  dispose(): void {
    tf.dispose([this.#first, this.#second]);
  }
}

/**
 * A complex array on a backend that has no complex tensors (wasm): two real tensors. Its values are
 * real and imaginary parts in turn.
 */
export class ComplexArray extends TensorPair {
  readonly dtype = "complex64";

  constructor(
    readonly real: tf.Tensor,
    readonly imag: tf.Tensor,
  ) {
    super(real, imag);
  }

  protected join(real: ArrayLike<number>, imag: ArrayLike<number>): ArrayData {
    return interleaved(real, imag);
  }
}

/**
 * uint32 words, or random keys made of such, on a backend whose int32 is not exact (webgl, webgpu):
 * two tensors of 16 bits each. Its values are int32 numbers of the same bits.
 */
export class WordArray extends TensorPair {
  readonly dtype = "int32";

  constructor(
    readonly high: tf.Tensor,
    readonly low: tf.Tensor,
  ) {
    super(high, low);
  }

  protected join(high: ArrayLike<number>, low: ArrayLike<number>): ArrayData {
    return Int32Array.from(joinHalves(high, low));
  }
}

function interleaved(real: ArrayLike<number>, imag: ArrayLike<number>): Float32Array {
  const values = new Float32Array(2 * real.length);
  for (let index = 0; index < real.length; index++) {
    values[2 * index] = real[index] ?? 0;
    values[2 * index + 1] = imag[index] ?? 0;
  }
  return values;
}

/** The backend that is current in tfjs. @throws Jax2TfjsError `backend-missing` */
export function currentBackend(): Backend {
  const name = tf.getBackend() as string | undefined;
  const known = allBackends.find((backend) => backend === name);
  if (known !== undefined) return known;
  throw new Jax2TfjsError(
    "backend-missing",
    name === undefined
      ? "tfjs has no backend yet"
      : `tfjs runs on ${name}, which is not known here`,
    { fix: 'await useBackend("cpu") or, in a page, import a backend and await tf.ready()' },
  );
}

/** Graphs kept for programs that come again; the least recently used go first. */
const maxPrograms = 512;

interface Compiled {
  readonly runner: GraphRunner | null;
  readonly program: ClosedJaxpr;
  readonly outputs: readonly ShapedArray[];
}

/** How a program is run on tensors. */
export type RunProgram = (
  program: ClosedJaxpr,
  args: readonly EagerValue[],
) => readonly EagerValue[];

/** The graphs made so far, for all who run programs in this process. */
class ProgramCache {
  readonly #compiled = new Map<string, Compiled>();
  readonly #steppers = new Map<Backend, EagerRunner>();

  readonly run: RunProgram = (program, args) => {
    const backend = currentBackend();
    const compiled = this.#compile(program, backend);
    if (compiled.runner === null) {
      const carried = args.map(({ aval, tensors }) => ({ aval: carriedAval(aval), tensors }));
      const results = this.#stepper(backend).runSync(compiled.program, carried);
      // The types of the program itself: of keys, not of their words.
      return results.map(({ tensors }, index) => {
        const aval = compiled.outputs[index];
        if (aval === undefined) throw new Error("internal error: a result without type");
        return { aval, tensors };
      });
    }
    const tensors = compiled.runner.runSync(args.flatMap((arg) => [...arg.tensors]));
    return regroup(compiled.outputs, tensors, backend);
  };

  #stepper(backend: Backend): EagerRunner {
    const known = this.#steppers.get(backend);
    if (known !== undefined) return known;
    const made = new EagerRunner({ backend });
    this.#steppers.set(backend, made);
    return made;
  }

  #compile(program: ClosedJaxpr, backend: Backend): Compiled {
    const key = `${backend} ${programKey(program)}`;
    const known = this.#compiled.get(key);
    if (known !== undefined) {
      this.#compiled.delete(key);
      this.#compiled.set(key, known);
      return known;
    }
    const compiled = compile(program, backend);
    this.#compiled.set(key, compiled);
    const [oldest] = this.#compiled;
    if (this.#compiled.size > maxPrograms && oldest !== undefined) {
      this.#compiled.delete(oldest[0]);
      oldest[1].runner?.dispose();
    }
    return compiled;
  }
}

const cache = new ProgramCache();

/** Runs a program as one graph on the current backend. */
export const runProgram: RunProgram = cache.run;

/** Runs a program on what users handed in, by whichever way. */
export function runOnArrays(
  program: ClosedJaxpr,
  inputs: readonly Value[],
  run: RunProgram,
): readonly ArrayValue[] {
  const temporary: tf.Tensor[] = [];
  try {
    const args = inputs.map((value): EagerValue => ({
      aval: value.aval,
      tensors: argumentTensors(value, temporary),
    }));
    return run(program, args).map(keptArray);
  } finally {
    tf.dispose(temporary);
  }
}

/** Whether a program calls functions of tfjs, which are in no graph. */
function callsHost({ equations }: Jaxpr): boolean {
  return equations.some(
    ({ primitive, params }) =>
      primitive.traits?.host === true || subJaxprs(params).some(({ jaxpr }) => callsHost(jaxpr)),
  );
}

function compile(program: ClosedJaxpr, backend: Backend): Compiled {
  const single = program.jaxpr.equations.length <= 1;
  const lowered = optimize(program, { level: single ? "required" : "full" });
  const outputs = program.jaxpr.outvars.map((atom) => atom.aval);
  if (callsHost(lowered.jaxpr)) return { runner: null, program: lowered, outputs };
  const graph = lowerProgram({
    program: lowered,
    inputs: lowered.jaxpr.invars.map((_, index) => ({ key: `in${index}`, weight: null })),
    outputs: outputs.map((_, index) => `out${index}`),
    backends: new Set([backend]),
    complexBorders: "pair",
    wordInputs: "halves",
  });
  if (graph.needsAsync) return { runner: null, program: lowered, outputs };
  return { runner: new GraphRunner(graph), program: lowered, outputs };
}

/** A scalar that was written into the program as an array. */
function scalarArray(value: Value): HostArray {
  const literal = value as Atom;
  if (literal.kind !== "literal")
    throw new Error("internal error: a variable outside of a program");
  const { value: scalar, aval } = literal;
  const numbers = typeof scalar === "object" ? [scalar.re, scalar.im] : [Number(scalar)];
  return fromNumbers(aval.dtype, [], numbers);
}

/** The tensors of an argument; those made here are added to `made`. */
function argumentTensors(value: Value, made: tf.Tensor[]): readonly tf.Tensor[] {
  const count = partsHere(value.aval);
  if (!isConcrete(value)) {
    const parts = valueTensors(scalarArray(value), count);
    made.push(...parts);
    return parts;
  }
  const { array } = value;
  if (array instanceof ComplexArray) return [array.real, array.imag];
  if (array instanceof WordArray || (count === 2 && array.dtype === "int32")) {
    return wordTensors(array, count, made);
  }
  const tensor = array as unknown as tf.Tensor;
  if (tensor.isDisposed) throw disposed(array);
  if (tensor.dtype !== "complex64") return [tensor];
  const parts = [tf.real(tensor), tf.imag(tensor)];
  made.push(...parts);
  return parts;
}

/** How many tensors stand for a value of a type on the current backend. */
function partsHere(aval: ShapedArray): 1 | 2 {
  const { dtype } = carriedAval(aval);
  return dtype === "uint32" ? partsOf(aval, currentBackend()) : isComplex(dtype) ? 2 : 1;
}

/** The tensors of words, which may have been made for another backend. */
function wordTensors(array: ArrayValue, count: 1 | 2, made: tf.Tensor[]): readonly tf.Tensor[] {
  if (array instanceof WordArray && count === 2) return [array.high, array.low];
  if (!(array instanceof WordArray) && (array as unknown as tf.Tensor).isDisposed) {
    throw disposed(array);
  }
  const words = Uint32Array.from(array.dataSync(), (word) => word >>> 0);
  const parts = valueTensors(fromNumbers("uint32", array.shape, words), count);
  made.push(...parts);
  return parts;
}

/** A result as users get it: a tensor that knows its JAX type and frees itself. */
function keptArray({ aval, tensors }: EagerValue): ArrayValue {
  const [first, second] = tensors;
  if (first === undefined) throw new Error("internal error: a result without tensors");
  if (second === undefined) {
    return remembered(releaseWhenForgotten(first), aval);
  }
  if (carriedAval(aval).dtype === "uint32") {
    const array = new WordArray(releaseWhenForgotten(first), releaseWhenForgotten(second));
    return remembered(array, aval);
  }
  // tfjs gives null or undefined for a kernel that it does not have.
  const kernel = tf.getKernel("Complex", tf.getBackend()) as object | null | undefined;
  if ((kernel ?? null) === null) {
    const array = new ComplexArray(releaseWhenForgotten(first), releaseWhenForgotten(second));
    return remembered(array, aval);
  }
  const joined = releaseWhenForgotten(tf.complex(first, second));
  tf.dispose([first, second]);
  return remembered(joined, aval);
}

/** Notes the type of a result; its sizes are those it has, where the program's are symbolic. */
function remembered<T extends ArrayValue>(array: T, aval: ShapedArray): T {
  const shape = isKey(aval.dtype) ? array.shape.slice(0, -1) : array.shape;
  rememberType(array, { ...aval, shape });
  return array;
}

/** Prepares tfjs to run what is called outside of traces. */
export function useTensors(): void {
  provideEvaluator({
    evaluate: (program, inputs) => runOnArrays(program, inputs, runProgram),
    tensor: (array) => {
      const aval = { dtype: array.dtype, shape: array.shape, weakType: false };
      return keptArray({ aval, tensors: valueTensors(array, partsHere(aval)) });
    },
  });
}
