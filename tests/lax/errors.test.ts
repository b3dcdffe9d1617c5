// What `lax` and functions with rules of their own refuse, in JAX's words.
import { expect, test } from "vitest";
import "../../src/run/install.js";
import { customJvp, customVjp, grad, jvp, vmap } from "../../src/api/index.js";
import * as lax from "../../src/lax/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { describeOnBackend } from "../support/backends.js";
import { errorOf } from "../support/checks.js";

const floats = new Float32Array([1, 2, 3]);
const integers = new Int32Array([1, 2, 3]);

describeOnBackend("cpu", () => {
  test("arguments are not promoted", () => {
    const matrix = lax.broadcast(floats, [2]);
    const found = [
      () => lax.add(floats, integers),
      () => lax.add(integers, 2.5),
      () => lax.add(matrix, floats),
      () => lax.sin(integers),
      () => lax.full([2], floats),
      () => lax.squeeze(floats, [1]),
      () => lax.convGeneralDilated(matrix, floats, [], "SAME"),
      () => lax.topK(1, 1),
    ].map(errorOf);
    expect(found).toEqual([
      "dtype-mismatch: lax.add requires arguments to have the same dtypes, got float32, int32.",
      "dtype-mismatch: lax.add requires arguments to have the same dtypes, got int32, float32.",
      "shape-mismatch: add: arrays must have the same number of dimensions, got {2, 1}",
      "dtype-mismatch: sin does not accept dtype int32. Accepted dtypes are subtypes of " +
        "floating, complexfloating.",
      "invalid-parameter: full must be called with scalar fill_value, got fill_value.shape (3,).",
      "invalid-parameter: axis 1 is out of bounds for array of dimension 1",
      "invalid-parameter: convolution requires lhs and rhs ndim to be equal, got 2 and 1.",
      "invalid-parameter: top_k operand must have >= 1 dimension, got ()",
    ]);
  });

  test("loops must give what they get", () => {
    const carry = "scan body function carry input and carry output must have";
    expect(
      errorOf(() => lax.scan((c, x) => [lax.convertElementType(c, "int32"), x], floats, floats)),
    ).toBe(
      `carry-mismatch: ${carry} equal types, but they differ:\n\nThe input carry has type ` +
        "float32[3] but the corresponding output carry component has type int32[3], so the " +
        "dtypes do not match.\n\nRevise the function so that all output types match the " +
        "corresponding input types.",
    );
    expect(errorOf(() => lax.scan((c, x) => [[c, c], x], 0, floats))).toContain(
      `${carry} the same pytree structure, but they differ`,
    );
    const pair = (c: ArrayValue): never => c as never;
    expect(errorOf(() => lax.scan(pair, 0, floats))).toBe(
      "carry-mismatch: scan body output must be a pair, got float32[].",
    );
    const row = (c: ArrayValue, x: unknown): [ArrayValue, unknown] => [c, x];
    expect(errorOf(() => lax.scan(row, 0, floats, { length: 4 }))).toBe(
      "scan-length: scan got `length` argument of 4 which disagrees with leading axis sizes [3].",
    );
    expect(errorOf(() => lax.scan(row, 0, null))).toBe(
      "scan-length: scan got no values to scan over and `length` not provided.",
    );
    expect(errorOf(() => lax.scan(row, 0, [floats, new Float32Array(4)]))).toBe(
      "scan-length: scan got values with different leading axis sizes: 3, 4.",
    );
    expect(
      errorOf(() =>
        lax.whileLoop(
          (c) => c,
          (c) => c,
          0,
        ),
      ),
    ).toBe(
      "invalid-predicate: cond_fun must return a boolean scalar, but got output type(s) [float32[]].",
    );
    expect(errorOf(() => lax.foriLoop(0, 3.5, (_i, c) => c, 1))).toBe(
      "type-mismatch: lower and upper arguments to fori_loop must have equal types, got int32 and " +
        "float32",
    );
    const root = (x: ArrayValue): ArrayValue =>
      lax.whileLoop(
        (c) => lax.lt(c, 10),
        (c) => lax.mul(c, 2),
        x,
      );
    expect(errorOf(() => grad(root)(1))).toContain(
      "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop with dynamic " +
        "start/stop values.",
    );
  });

  test("branches must agree", () => {
    const same = (x: ArrayValue): ArrayValue => x;
    const twice = (x: ArrayValue): unknown => [x, x];
    const found = [
      () => lax.cond(floats, same, same, 1),
      () => lax.cond(true, same, twice, 1),
      () => lax.cond(true, same, (x) => lax.convertElementType(x, "int32"), floats),
      () => lax.switch(1.5, [same, same], 1),
      () => lax.switch(integers, [same, same], 1),
      () => lax.switch(1, [], 1),
    ].map(errorOf);
    expect(found).toEqual([
      "invalid-predicate: Pred must be a scalar, got an array of shape (3,).",
      "branch-mismatch: cond branch outputs must have the same pytree structure, but they " +
        "differ:\n\ntrue_fun output is a pytree leaf but false_fun output is a list, so their types " +
        "differ.\n\nRevise true_fun and/or false_fun so that they have the same pytree structure.",
      "branch-mismatch: cond branches must have equal output types but they differ.\n\nThe output " +
        "of true_fun has type float32[3] but the corresponding output of false_fun has type " +
        "int32[3], so the dtypes do not match.\n\nRevise true_fun and/or false_fun so that all " +
        "output types match.",
      "invalid-predicate: Index type must be an integer, got number 1.5 as float32",
      "invalid-predicate: Branch index must be scalar, got an array of shape (3,).",
      "invalid-parameter: Empty branch sequence",
    ]);
  });

  test("rules of functions", () => {
    const plain = (x: ArrayValue): ArrayValue => lax.mul(x, 2);
    expect(errorOf(() => customJvp(plain)(1))).toBe(
      "rule-missing: No JVP defined for custom_jvp function plain using defjvp.",
    );
    expect(errorOf(() => customVjp(plain)(1))).toBe(
      "rule-missing: No VJP defined for custom_vjp function plain using defvjp.",
    );
    const uneven = customJvp(plain).defjvp(([x], [t]) => [x, [t, t]]);
    expect(errorOf(() => grad(uneven)(1))).toContain(
      "must produce primal and tangent outputs with equal container (pytree) structures",
    );
    const wide = customJvp(plain).defjvp(([x], [t]) => [x, lax.broadcast(t, [2])]);
    expect(errorOf(() => grad(wide)(1))).toContain(
      "must produce primal and tangent outputs with corresponding shapes and dtypes",
    );
    const bare = customVjp(plain).defvjp(
      (x: ArrayValue) => [x, null],
      (_r: null, g: ArrayValue) => g as never,
    );
    expect(errorOf(() => grad(bare)(1))).toContain(
      "must produce a tuple of length equal to the number of arguments to the primal function",
    );
    const closed = (y: ArrayValue): ArrayValue =>
      customJvp((x: ArrayValue) => lax.mul(x, y)).defjvp(([x], [t]) => [x, t])(2);
    expect(errorOf(() => grad(closed)(1))).toContain(
      "Detected differentiation of a custom_jvp function with respect to a closed-over value.",
    );
    const backwards = customVjp(plain).defvjp(
      (x: ArrayValue) => [x, null],
      (_r: null, g: ArrayValue) => [g],
    );
    expect(errorOf(() => jvp(backwards, [1], [1]))).toContain(
      "can't apply forward-mode differentiation (jvp) to a custom_vjp function.",
    );
    const applied = customJvp((_scale: ArrayValue, x: ArrayValue) => x, { nondiffArgnums: [0] });
    applied.defjvp((_scale: ArrayValue, [x]: [ArrayValue], [t]: [ArrayValue]) => [x, t] as const);
    expect(errorOf(() => grad((x: ArrayValue) => applied(x, x))(1))).toContain(
      "Found a JAX Tracer object passed as an argument to a custom_jvp function",
    );
  });

  test("collectives need their axis", () => {
    const found = [
      () => lax.axisIndex("i"),
      () => vmap((x: ArrayValue) => lax.psum(x, "j"), { axisName: "i" })(floats),
      () => vmap((x: ArrayValue) => lax.ppermute(x, "i", [[0, 1]]), { axisName: "i" })(floats),
    ].map(errorOf);
    expect(found).toEqual([
      "unbound-axis: unbound axis name: i",
      "unbound-axis: unbound axis name: j",
      "invalid-parameter: Permutation doesn't match the axis size!",
    ]);
    const largest = grad((x: ArrayValue) => lax.pmax(x, "i"));
    expect(errorOf(() => vmap(largest, { axisName: "i" })(floats))).toContain(
      "Differentiation rule for 'pmax' not implemented",
    );
  });
});
