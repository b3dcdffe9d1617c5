/**
 * What the parameters of an equation may hold: plain data, sizes, and programs (`jaxpr`). Keys are
 * JAX's own (`dimension_numbers`, `axes`), so that printed jaxprs read like JAX's.
 */
import type { ShapedArray } from "./aval.js";
import type { Dim, DimExpr } from "./dims.js";
import type { HostGraph } from "./hostGraph.js";
import type { HostArray } from "./hostArray.js";
import type { ClosedJaxpr } from "./jaxpr.js";

/**
 * A program that is made when it is asked for, once: what a user's derivative rule becomes. The
 * rule may call the function that it belongs to, so it must not be traced together with it.
 */
export class LazyProgram {
  #program: ClosedJaxpr | undefined;
  readonly #make: () => ClosedJaxpr;

  constructor(make: () => ClosedJaxpr) {
    this.#make = make;
  }

  get(): ClosedJaxpr {
    this.#program ??= this.#make();
    return this.#program;
  }
}

/**
 * A function that is no program: what `callTfjs` calls. It takes and gives what runs hold as arrays
 * (tensors of tfjs), which the IR knows nothing of.
 */
export class HostFunction {
  readonly name: string;
  readonly call: (inputs: readonly unknown[]) => readonly unknown[];
  /** What it computes for arguments of these types, as nodes of a graph. */
  readonly graph: (inputs: readonly ShapedArray[]) => HostGraph;

  constructor(
    name: string,
    call: (inputs: readonly unknown[]) => readonly unknown[],
    graph: (inputs: readonly ShapedArray[]) => HostGraph,
  ) {
    this.name = name;
    this.call = call;
    this.graph = graph;
  }
}

export type ParamValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | DimExpr
  | ClosedJaxpr
  | LazyProgram
  | HostFunction
  | HostArray
  | readonly ParamValue[]
  | { readonly [key: string]: ParamValue };

export type Params = Readonly<Record<string, ParamValue>>;

/** No parameters at all. */
export type NoParams = Readonly<Record<string, never>>;

// --- Parameters that several primitives, the importer and the rules share -----------------------

/** `((lhs_contracting, rhs_contracting), (lhs_batch, rhs_batch))`. */
export type DotDimensionNumbers = readonly [
  contracting: readonly [lhs: readonly number[], rhs: readonly number[]],
  batch: readonly [lhs: readonly number[], rhs: readonly number[]],
];

export type DotGeneralParams = {
  readonly dimension_numbers: DotDimensionNumbers;
  readonly precision: string | null;
  readonly preferred_element_type: string | null;
};

/** `jax.lax.ConvDimensionNumbers`: for each operand `(batch|out, feature|in, spatial...)`. */
export type ConvDimensionNumbers = {
  /** lhs: batch dimension, feature dimension, spatial dimensions. */
  readonly lhs_spec: readonly number[];
  /** rhs: output feature dimension, input feature dimension, spatial dimensions. */
  readonly rhs_spec: readonly number[];
  /** result: batch dimension, feature dimension, spatial dimensions. */
  readonly out_spec: readonly number[];
};

export type ConvGeneralDilatedParams = {
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [low: Dim, high: Dim])[];
  readonly lhs_dilation: readonly number[];
  readonly rhs_dilation: readonly number[];
  /** StableHLO's `window_reversal`; JAX itself never sets it. */
  readonly window_reversal: readonly boolean[] | null;
  readonly dimension_numbers: ConvDimensionNumbers;
  readonly feature_group_count: number;
  readonly batch_group_count: number;
  readonly precision: string | null;
  readonly preferred_element_type: string | null;
};

/** `jax.lax.GatherDimensionNumbers`. */
export type GatherDimensionNumbers = {
  readonly offset_dims: readonly number[];
  readonly collapsed_slice_dims: readonly number[];
  readonly start_index_map: readonly number[];
  readonly operand_batching_dims: readonly number[];
  readonly start_indices_batching_dims: readonly number[];
};

/** What happens to an index out of bounds: clamp, skip/fill, or "cannot happen". */
export type GatherScatterMode = "clip" | "fill" | "promise_in_bounds";

export type GatherParams = {
  readonly dimension_numbers: GatherDimensionNumbers;
  readonly slice_sizes: readonly Dim[];
  readonly indices_are_sorted: boolean;
  readonly unique_indices: boolean;
  readonly mode: GatherScatterMode;
  readonly fill_value: number | boolean | null;
};

/** `jax.lax.ScatterDimensionNumbers`. */
export type ScatterDimensionNumbers = {
  readonly update_window_dims: readonly number[];
  readonly inserted_window_dims: readonly number[];
  readonly scatter_dims_to_operand_dims: readonly number[];
  readonly operand_batching_dims: readonly number[];
  readonly scatter_indices_batching_dims: readonly number[];
};

export type ScatterParams = {
  readonly dimension_numbers: ScatterDimensionNumbers;
  readonly indices_are_sorted: boolean;
  readonly unique_indices: boolean;
  readonly mode: GatherScatterMode;
  /** The combiner `(old, update) -> new`; null for the named forms (add, mul, min, max, replace). */
  readonly update_jaxpr: ClosedJaxpr | null;
};

export type ReduceWindowParams = {
  readonly window_dimensions: readonly Dim[];
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [low: Dim, high: Dim])[];
  readonly base_dilation: readonly number[];
  readonly window_dilation: readonly number[];
};

export type SortParams = {
  readonly dimension: number;
  readonly is_stable: boolean;
  readonly num_keys: number;
};
