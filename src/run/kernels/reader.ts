/**
 * What a translation of a kernel reads (checked inputs and attributes) and writes (nodes).
 */
import type * as tf from "@tensorflow/tfjs-core";
import { callError } from "../../api/calls.js";
import type { HostOperand, HostOutput } from "../../ir/hostGraph.js";
import type { Attrs, TfDtype } from "../../ir/tf.js";
import type { Jax2TfjsError } from "../../ir/errors.js";
import type { KernelCall, KernelInput, TensorType } from "./record.js";

export interface NodeSink {
  nodes(
    op: string,
    inputs: readonly HostOperand[],
    attrs: Attrs,
    outputs: readonly HostOutput[],
  ): readonly HostOperand[];
}

export const noAttrs: Attrs = {};

/** The type of a tensor in a graph. @throws Jax2TfjsError `call-tfjs` for strings */
export function tfDtype(dtype: tf.DataType): TfDtype {
  if (dtype === "string") throw callError("call-tfjs", "graphs do not hold strings");
  return dtype;
}

const outputOf = ({ dtype, shape }: TensorType): HostOutput => ({ dtype: tfDtype(dtype), shape });

const isNumbers = (value: unknown): value is readonly number[] =>
  (Array.isArray(value) || ArrayBuffer.isView(value)) &&
  Array.prototype.every.call(value, (item: unknown) => typeof item === "number");

export class KernelReader {
  readonly #name: string;
  readonly #call: KernelCall;
  readonly #operand: (input: KernelInput) => HostOperand;
  readonly #sink: NodeSink;

  constructor(
    name: string,
    call: KernelCall,
    operand: (input: KernelInput) => HostOperand,
    sink: NodeSink,
  ) {
    this.#name = name;
    this.#call = call;
    this.#operand = operand;
    this.#sink = sink;
  }

  // --- the call
  /** @throws Jax2TfjsError `call-tfjs` without such an input */
  input(key: string): HostOperand {
    return this.#operand(this.#input(key));
  }

  has(key: string): boolean {
    return this.#call.inputs.has(key);
  }

  shape(key: string): readonly number[] {
    return this.#input(key).shape;
  }

  dtype(key: string): TfDtype {
    return tfDtype(this.#input(key).dtype);
  }

  /** All inputs in order: kernels of lists have keys 0, 1, …. */
  list(): readonly HostOperand[] {
    return [...this.#call.inputs.values()].map(this.#operand);
  }

  number(key: string): number {
    const value = this.#attr(key);
    if (typeof value === "number") return value;
    throw this.#wrong(key);
  }

  flag(key: string): boolean {
    return this.#attr(key) === true;
  }

  string(key: string): string {
    const value = this.#attr(key);
    if (typeof value === "string") return value;
    throw this.#wrong(key);
  }

  isText(key: string): boolean {
    return typeof this.#attr(key) === "string";
  }

  isNumber(key: string): boolean {
    return typeof this.#attr(key) === "number";
  }

  isSet(key: string): boolean {
    const value = this.#attr(key);
    return value !== undefined && value !== null;
  }

  /** A list of numbers, or one number as a list. */
  numbers(key: string): readonly number[] {
    const value = this.#attr(key);
    if (typeof value === "number") return [value];
    if (isNumbers(value)) return Array.from(value);
    throw this.#wrong(key);
  }

  /** Per spatial dimension: one number stands for all. */
  spatial(key: string, rank: number): readonly number[] {
    if (!this.isSet(key)) return new Array<number>(rank).fill(1);
    const value = this.numbers(key);
    return value.length === rank ? value : new Array<number>(rank).fill(value[0] ?? 1);
  }

  /** A list of pairs. */
  pairs(key: string): readonly (readonly number[])[] {
    const value = this.#attr(key);
    if (Array.isArray(value) && value.every(isNumbers)) return value;
    throw this.#wrong(key);
  }

  output(slot = 0): HostOutput {
    const output = this.#call.outputs[slot];
    if (output === undefined) throw new Error("internal error: a kernel without result");
    return outputOf(output);
  }

  outputs(): readonly HostOutput[] {
    return this.#call.outputs.map(outputOf);
  }

  // --- nodes
  /** An input with its last `-axes` dimensions only; the others are 1. */
  reshaped(key: string, axes: number): HostOperand {
    const shape = this.shape(key).slice(axes);
    return this.node("Reshape", [this.input(key), vector(shape)], {
      dtype: this.dtype(key),
      shape,
    });
  }

  /** A node with the kernel's own results. */
  same(op: string, inputs: readonly HostOperand[], attrs: Attrs = noAttrs): readonly HostOperand[] {
    return this.#sink.nodes(op, inputs, attrs, this.outputs());
  }

  /** A node with one result. */
  node(
    op: string,
    inputs: readonly HostOperand[],
    output: HostOutput = this.output(),
    attrs: Attrs = noAttrs,
  ): HostOperand {
    const [operand] = this.#sink.nodes(op, inputs, attrs, [output]);
    if (operand === undefined) throw new Error("internal error: a node without result");
    return operand;
  }

  /** @returns the error that the kernel's use here is not one that a graph model has */
  refuse(why: string): Jax2TfjsError {
    return callError(
      "call-tfjs",
      `${this.#name} runs the kernel ${this.#call.kernel} with ${why}: it runs, but cannot be saved`,
      "write this part with numpy and lax",
    );
  }

  #input(key: string): KernelInput {
    const input = this.#call.inputs.get(key);
    if (input === undefined) throw this.refuse(`no input ${key}`);
    return input;
  }

  #attr(key: string): unknown {
    return this.#call.attrs[key];
  }

  #wrong(key: string): Jax2TfjsError {
    return this.refuse(`${key} ${JSON.stringify(this.#attr(key) ?? null)}`);
  }
}

/** int32 sizes as a vector. */
export const vector = (sizes: readonly number[]): HostOperand => ({
  kind: "sizes",
  sizes,
  shape: [sizes.length],
});

/** An int32 size as a scalar. */
export const scalarSize = (size: number): HostOperand => ({
  kind: "sizes",
  sizes: [size],
  shape: [],
});

/** Pairs of int32 sizes as a matrix. */
export const matrix = (pairs: readonly (readonly number[])[]): HostOperand => ({
  kind: "sizes",
  sizes: pairs.flat(),
  shape: [pairs.length, 2],
});
