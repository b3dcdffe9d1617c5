/**
 * The TensorFlow graph under construction as plain data: nodes, functions, weights. Filled by the
 * builder (core.ts), written as model.json (modelJson.ts) or run (eager.ts, evaluate.ts).
 */
import type { Shape } from "../ir/dims.js";
import type { HostArray } from "../ir/hostArray.js";
import type { Attrs, TfDtype } from "../ir/tf.js";

/** Type of one output of a node. */
export interface NodeOutput {
  readonly dtype: TfDtype;
  readonly shape: Shape;
}

export interface NodeDef {
  readonly name: string;
  readonly op: string;
  /** `node` or `node:slot`. */
  readonly input: readonly string[];
  readonly attr: Attrs;
  /** Known while building; not written. */
  readonly outputs: readonly NodeOutput[];
}

/** Where the bytes of a weight come from: they are asked for one weight at a time when written. */
export interface WeightSource {
  /** The array as stored in the program or the parameter file. */
  read(): HostArray;
}

export interface Weight {
  readonly name: string;
  readonly dtype: TfDtype;
  readonly shape: readonly number[];
  readonly source: WeightSource;
  /** A parameter of the program, as opposed to a constant. */
  readonly parameter: boolean;
}

export interface FunctionDef {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly dtype: TfDtype }[];
  readonly outputs: readonly { readonly name: string; readonly dtype: TfDtype }[];
  readonly nodes: readonly NodeDef[];
  /** Output name to `node:slot`. */
  readonly ret: Readonly<Record<string, string>>;
}

/** One entry of the signature: a tensor of the graph under the name the user knows it by. */
export interface SignatureEntry {
  readonly key: string;
  /** Position among the program's flattened inputs or outputs. */
  readonly position: number;
  /** Complex values may cross the border as two real tensors, uint32 as two int32 ones of 16 bits. */
  readonly part: "whole" | "real" | "imag" | "high" | "low";
  readonly tensor: string;
  readonly dtype: TfDtype;
  /** Sizes; -1 where symbolic. */
  readonly shape: readonly number[];
}

export interface Graph {
  readonly nodes: readonly NodeDef[];
  readonly functions: readonly FunctionDef[];
  readonly weights: readonly Weight[];
  readonly inputs: readonly SignatureEntry[];
  readonly outputs: readonly SignatureEntry[];
  /** True if a node needs `executeAsync` (loops, conditionals). */
  readonly needsAsync: boolean;
}
