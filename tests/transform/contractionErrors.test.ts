// What the derivatives and batches of contractions, windows and scatters refuse, as JAX does.
import { expect, test } from "vitest";
import { reduceWindow } from "../../primitives/windowGeneral.js";
import { selectAndGatherAdd, selectAndScatter } from "../../primitives/selectAndScatter.js";
import { parseDim, symbolicScope } from "../../src/ir/dims.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { ConvGeneralDilatedParams, ScatterParams } from "../../src/ir/params.js";
import {
  batchProgram,
  jvpProgram,
  transposeProgram,
  vjpProgram,
} from "../../src/transform/index.js";
import { errorOf } from "../support/checks.js";
import { lowered } from "../support/runLowered.js";
import { at, build, f32, i32 } from "./programs.js";

const multiply = build([f32(), f32()], (o, inputs) => [o.mul(at(inputs, 0), at(inputs, 1))]);
const larger = build([f32(), f32()], (o, inputs) => [o.ge(at(inputs, 0), at(inputs, 1))]);

const elements: ScatterParams = {
  dimension_numbers: {
    update_window_dims: [],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
    operand_batching_dims: [],
    scatter_indices_batching_dims: [],
  },
  indices_are_sorted: false,
  unique_indices: false,
  mode: "fill",
  update_jaxpr: null,
};

function scatter(kind: "replace" | "mul", params = elements): ClosedJaxpr {
  return build([f32(4), i32(3, 1), f32(3)], (o, inputs) => [
    o.scatter(kind, at(inputs, 0), at(inputs, 1), at(inputs, 2), params),
  ]);
}

const window = {
  window_dimensions: [2],
  window_strides: [1],
  padding: [[0, 0]] as const,
  base_dilation: [1],
  window_dilation: [1],
};

const products = build([f32(5), f32()], (o, inputs) =>
  o.bind(reduceWindow, inputs, { ...window, jaxpr: multiply }),
);

test("derivatives of products with updates that may meet", () => {
  expect(errorOf(() => jvpProgram(scatter("mul"), [false, false, true]))).toBe(
    "no-jvp-rule: scatter_mul gradients are only implemented if `unique_indices=True`",
  );
  expect(errorOf(() => transposeProgram(scatter("mul"), [false, false, true]))).toBe(
    "no-transpose-rule: scatter_mul gradients are only implemented if `unique_indices=True`",
  );
  const unique = { ...elements, unique_indices: true };
  expect(errorOf(() => transposeProgram(scatter("mul", unique), [true, false, true]))).toBe(
    "not-linear: scatter-mul is not linear in operand and updates together",
  );
});

test("derivatives of scatters that replace", () => {
  expect(errorOf(() => transposeProgram(scatter("replace"), [true, false, false]))).toBe(
    "no-transpose-rule: scatter transpose is only implemented where unique_indices=True",
  );
  const program = scatter("replace", { ...elements, update_jaxpr: multiply });
  expect(errorOf(() => jvpProgram(program, [true, false, false]))).toBe(
    "no-jvp-rule: scatter_apply JVP not implemented",
  );
});

test("indices are not linear", () => {
  const gathered = build([f32(4), i32(3, 1)], (o, inputs) => [
    o.gather(at(inputs, 0), at(inputs, 1), {
      dimension_numbers: {
        offset_dims: [],
        collapsed_slice_dims: [0],
        start_index_map: [0],
        operand_batching_dims: [],
        start_indices_batching_dims: [],
      },
      slice_sizes: [1],
      indices_are_sorted: false,
      unique_indices: false,
      mode: "clip",
      fill_value: null,
    }),
  ]);
  expect(errorOf(() => transposeProgram(gathered, [true, true]))).toBe(
    "invalid-parameter: gather is not linear in its indices",
  );
  expect(errorOf(() => transposeProgram(scatter("replace"), [true, true, false]))).toBe(
    "invalid-parameter: scatter is not linear in its indices",
  );
});

test("both operands of a product together", () => {
  const dot = build([f32(3), f32(3)], (o, inputs) => [
    o.dotGeneral(at(inputs, 0), at(inputs, 1), {
      dimension_numbers: [
        [[0], [0]],
        [[], []],
      ],
      precision: null,
      preferred_element_type: null,
    }),
  ]);
  expect(errorOf(() => transposeProgram(dot, [true, true]))).toBe(
    "not-linear: dot_general is not linear in both operands together",
  );
});

test("initial values of windowed reductions", () => {
  expect(errorOf(() => jvpProgram(products, [true, true]))).toBe(
    "no-jvp-rule: reduce_window jvp does not support non-zero init_value_tangent.",
  );
  expect(errorOf(() => batchProgram(products, 2, [0, 0]))).toBe(
    "no-batch-rule: reduce_window batching is not implemented for initial values",
  );
  const { window_dimensions, window_strides, padding } = window;
  const scattered = build([f32(5), f32(4), f32()], (o, inputs) =>
    o.bind(selectAndScatter, inputs, {
      window_dimensions,
      window_strides,
      padding,
      select_jaxpr: larger,
      scatter_jaxpr: multiply,
    }),
  );
  expect(errorOf(() => batchProgram(scattered, 2, [0, 0, 0]))).toBe(
    "no-batch-rule: select_and_scatter has no batch rule for a batch of initial values",
  );
});

test("reverse derivatives of dilated windows", () => {
  const chosen = build([f32(5), f32(5)], (o, inputs) =>
    o.bind(selectAndGatherAdd, inputs, { ...window, window_dilation: [2], select_prim: "ge" }),
  );
  expect(errorOf(() => vjpProgram(chosen, [true, false]))).toBe(
    "no-transpose-rule: VJP not implemented for select_and_gather (MaxPool) with window dilation, " +
      "got window_dilation=(2,).",
  );
  expect(errorOf(() => transposeProgram(chosen, [true, true]))).toBe(
    "not-linear: select_and_gather_add is not linear in the array it selects by",
  );
});

test("convolutions over many dimensions, of symbolic filters and results", () => {
  const scope = symbolicScope();
  const [a, b] = [parseDim("a", scope), parseDim("b", scope)];
  const dims = [0, 1, 2, 3, 4, 5];
  const ones = [1, 1, 1, 1];
  const params: ConvGeneralDilatedParams = {
    window_strides: ones,
    padding: ones.map(() => [0, 0] as const),
    lhs_dilation: ones,
    rhs_dilation: ones,
    window_reversal: null,
    dimension_numbers: { lhs_spec: dims, rhs_spec: dims, out_spec: dims },
    feature_group_count: 1,
    batch_group_count: 1,
    precision: null,
    preferred_element_type: null,
  };
  const program = build([f32(1, 2, a, 3, 3, 3), f32(2, 2, b, 2, 2, 2)], (o, inputs) => [
    o.convGeneralDilated(at(inputs, 0), at(inputs, 1), params),
  ]);
  expect(errorOf(() => lowered(program, ["cpu"]))).toBe(
    "symbolic-size: conv_general_dilated with more than three spatial dimensions (or three and " +
      "groups) takes filters or results of static size only",
  );
});
