/**
 * What a function of tfjs computes, as nodes: how `callTfjs` is saved. Recorded in src/run/kernels,
 * written into the graph by the tfjs rule of `call_tfjs`.
 */
import type { Dim, Shape } from "./dims.js";
import type { HostArray } from "./hostArray.js";
import type { Attrs, TfDtype } from "./tf.js";

export type HostOperand =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "output"; readonly node: number; readonly slot: number }
  /** An array that the function made. */
  | { readonly kind: "constant"; readonly value: HostArray }
  /** An array that the function holds: a variable, a weight of a model. */
  | { readonly kind: "weight"; readonly name: string; readonly value: HostArray }
  /** One value throughout. */
  | {
      readonly kind: "filled";
      readonly shape: Shape;
      readonly value: number;
      readonly dtype: TfDtype;
    }
  /** int32 sizes, positions or axes as a tensor of `shape`. */
  | { readonly kind: "sizes"; readonly sizes: readonly Dim[]; readonly shape: readonly number[] };

export interface HostOutput {
  readonly dtype: TfDtype;
  readonly shape: Shape;
}

export interface HostNode {
  readonly op: string;
  readonly inputs: readonly HostOperand[];
  readonly attrs: Attrs;
  readonly outputs: readonly HostOutput[];
}

export interface HostGraph {
  readonly nodes: readonly HostNode[];
  readonly results: readonly HostOperand[];
}
