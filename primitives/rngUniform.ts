/**
 * Record of rng_uniform: numbers that differ from run to run. XLA's own depend on how and how often
 * a program ran, so there are none to agree with: these are tfjs's.
 */
import { shapedArray } from "../src/ir/aval.js";
import { printShape, type Shape } from "../src/ir/dims.js";
import { isFloat, isInteger } from "../src/ir/dtypes.js";
import { definePrimitive, none, type Primitive } from "../src/ir/primitive.js";
import type { Tf } from "../src/ir/tf.js";
import { checkCount } from "./factories.js";
import { at, dtypeMismatch, emptyValue, invalid, isEmptyShape } from "./support.js";

export type RngUniformParams = { readonly shape: Shape };

/** How many draws a graph has: nodes that are alike would be one. */
const draws = new WeakMap<Tf, number>();

function nextDraw(tf: Tf): number {
  const count = (draws.get(tf) ?? 0) + 1;
  draws.set(tf, count);
  return count;
}

export const rngUniform: Primitive<RngUniformParams> = definePrimitive<RngUniformParams>({
  name: "rng_uniform",
  abstractEval: (inputs, { shape }) => {
    checkCount("rng_uniform", inputs, 2);
    const [low, high] = [at(inputs, 0), at(inputs, 1)];
    if (low.dtype !== high.dtype) {
      throw dtypeMismatch(
        `Arguments to rng_uniform must have identical dtypes, got ${low.dtype} and ${high.dtype}.`,
      );
    }
    if (low.shape.length > 0 || high.shape.length > 0) {
      throw invalid(
        "Arguments to rng_uniform must be scalars; got shapes " +
          `${printShape(low.shape)} and ${printShape(high.shape)}.`,
      );
    }
    if (!isFloat(low.dtype) && !isInteger(low.dtype)) {
      throw dtypeMismatch(`rng_uniform does not accept dtype ${low.dtype}.`);
    }
    return [shapedArray(low.dtype, shape)];
  },
  jvp: none("random numbers without a key have no derivative, in JAX neither"),
  transpose: none("rng_uniform is not linear"),
  batch: none("rng_uniform has no batch rule, in JAX neither: use keys"),
  tfjs: (tf, inputs, { shape }, outs) => {
    const out = at(outs, 0);
    if (isEmptyShape(shape)) return [emptyValue(tf, out)];
    const [drawn] = tf.node(
      "RandomUniform",
      [tf.shapeVector(shape)],
      { dtype: { type: "float32" }, seed: { i: nextDraw(tf) } },
      [{ dtype: "float32", shape }],
    );
    if (drawn === undefined) throw new Error("internal error: a draw without result");
    const unit = tf.value(drawn, shapedArray("float32", shape));
    return tf.inline([unit, ...inputs], (o, values) => {
      const [numbers, low, high] = [at(values, 0), at(values, 1), at(values, 2)];
      if (out.dtype === "float32") return [o.add(o.mul(numbers, o.sub(high, low)), low)];
      const span = o.convertElementType(o.sub(high, low), "float32");
      const steps = o.mul(numbers, span);
      const whole = isFloat(out.dtype) ? steps : o.floor(steps);
      return [o.add(o.convertElementType(whole, out.dtype), low)];
    });
  },
  // Two equal equations are two draws.
  traits: { effectful: true },
  limits: [
    {
      when: "always",
      effect: "other numbers than XLA's, and others at each run",
      why: "the generator has no key; use those of `random`",
    },
  ],
});
