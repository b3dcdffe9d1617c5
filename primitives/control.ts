/**
 * Control flow: `while` and `cond`. `scan` arrives from artifacts as a `while`.
 */
import { avalEquals, printAval, type ShapedArray } from "../src/ir/aval.js";
import { isComplex } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { ClosedJaxpr } from "../src/ir/jaxpr.js";
import { definePrimitive, none } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { condBatch, condJvp, condSplit, condTranspose } from "./condTransforms.js";
import { whileBatch, whileJvp, whileSplit, type WhileParts } from "./whileTransforms.js";

export type WhileParams = {
  readonly cond_nconsts: number;
  readonly cond_jaxpr: ClosedJaxpr;
  readonly body_nconsts: number;
  readonly body_jaxpr: ClosedJaxpr;
};

export const outAvals = (program: ClosedJaxpr): readonly ShapedArray[] =>
  program.jaxpr.outvars.map((atom) => atom.aval);

export function requireSame(
  where: string,
  found: readonly ShapedArray[],
  wanted: readonly ShapedArray[],
): void {
  const same =
    found.length === wanted.length &&
    found.every((aval, index) => {
      const other = wanted[index];
      return other !== undefined && avalEquals(aval, other);
    });
  if (same) return;
  const print = (avals: readonly ShapedArray[]): string => `(${avals.map(printAval).join(", ")})`;
  throw new Jax2TfjsError(
    "type-mismatch",
    `${where} must have the same type structure: ${print(found)} and ${print(wanted)}`,
  );
}

const splitWhile = <V>(
  inputs: readonly V[],
  params: WhileParams,
): {
  readonly condition: readonly V[];
  readonly body: readonly V[];
  readonly carry: readonly V[];
} => {
  const bodyStart = params.cond_nconsts;
  const carryStart = bodyStart + params.body_nconsts;
  return {
    condition: inputs.slice(0, bodyStart),
    body: inputs.slice(bodyStart, carryStart),
    carry: inputs.slice(carryStart),
  };
};

/** The same by position, for rules that treat values and their tangents alike. */
function whileParts(inputs: readonly unknown[], params: WhileParams): WhileParts {
  const places = splitWhile(
    inputs.map((_, index) => index),
    params,
  );
  return {
    condition: params.cond_jaxpr,
    body: params.body_jaxpr,
    conditionConsts: places.condition,
    bodyConsts: places.body,
    carry: places.carry,
  };
}

export const whileLoop = definePrimitive<WhileParams>({
  name: "while",
  traits: { keys: true },
  manyNodes: "The nodes of condition and body.",
  abstractEval: (inputs, params) => {
    const { carry } = splitWhile(inputs, params);
    requireSame("body_fun output and input", outAvals(params.body_jaxpr), carry);
    return outAvals(params.body_jaxpr);
  },
  jvp: (o, primals, tangents, params) =>
    whileJvp(o, primals, tangents, whileParts(primals, params)),
  transpose: none(
    "Reverse-mode differentiation does not work for lax.while_loop or lax.fori_loop " +
      "with dynamic start/stop values. Try using lax.scan, or using fori_loop with static " +
      "start/stop.",
  ),
  batch: (o, inputs, dims, params) => whileBatch(o, inputs, dims, whileParts(inputs, params)),
  tfjs: (tf, inputs, params) => {
    const { condition, body, carry } = splitWhile(inputs, params);
    return tf.whileLoop(params.cond_jaxpr, condition, params.body_jaxpr, body, carry);
  },
  split: (programs, inputs, known, params) =>
    whileSplit(programs, inputs, known, whileParts(inputs, params)),
  eager: function* (control, inputs, params) {
    const parts = splitWhile(inputs, params);
    let { carry } = parts;
    for (;;) {
      const tested = yield* control.run(params.cond_jaxpr, [...parts.condition, ...carry]);
      const [predicate] = tested;
      const goesOn = predicate !== undefined && (yield* control.scalar(predicate)) !== 0;
      control.release(tested);
      if (!goesOn) return carry;
      const before = carry;
      carry = yield* control.run(params.body_jaxpr, [...parts.body, ...carry]);
      control.release(before);
    }
  },
});

export type CondParams = {
  readonly branches: readonly ClosedJaxpr[];
};

/** Branch index in the graph: JAX clamps it to the branches; bool selects the first or second. */
function branchPredicates(tf: Tf, index: GraphValue, count: number): (branch: number) => Tensor {
  const tensor = tf.tensor(index);
  if (tensor.dtype === "bool") return () => tensor;
  // Taken if index >= branch; the chain below tests from the last branch down.
  return (branch) =>
    tf.binary("GreaterEqual", tensor, tf.scalar(Math.min(branch, count - 1), "int32"));
}

function selectValue(
  tf: Tf,
  predicate: Tensor,
  whenTrue: GraphValue,
  whenFalse: GraphValue,
): GraphValue {
  const { aval } = whenTrue;
  if (isComplex(aval.dtype)) {
    const [yes, no] = [tf.pair(whenTrue), tf.pair(whenFalse)];
    const [re, im] = [tf.select(predicate, yes.re, no.re), tf.select(predicate, yes.im, no.im)];
    return tf.fromPair(re, im, aval);
  }
  const [yes, no] = [tf.broadcastable(whenTrue), tf.broadcastable(whenFalse)];
  return tf.value(tf.select(predicate, yes, no), aval);
}

function emitBranches(
  tf: Tf,
  predicateOf: (branch: number) => Tensor,
  branches: readonly ClosedJaxpr[],
  operands: readonly GraphValue[],
): readonly GraphValue[] {
  const [first, second] = branches;
  if (first === undefined) throw new Error("internal error: cond without branches");
  if (second === undefined) return tf.call(first, operands);
  if (branches.length === 2) return tf.ifElse(predicateOf(1), first, second, operands);
  // Several branches: every result is computed and selected, so that no index is nested.
  let results = tf.call(first, operands);
  branches.slice(1).forEach((branch, position) => {
    const predicate = predicateOf(position + 1);
    const other = tf.call(branch, operands);
    results = results.map((value, index) => {
      const alternative = other[index];
      if (alternative === undefined) return value;
      return selectValue(tf, predicate, alternative, value);
    });
  });
  return results;
}

export const condBranch = definePrimitive<CondParams>({
  name: "cond",
  traits: { keys: true },
  abstractEval: ([index, ...operands], { branches }) => {
    const [first, ...others] = branches;
    if (first === undefined || index === undefined) {
      throw new Jax2TfjsError("invalid-parameter", "cond needs an index and at least one branch");
    }
    for (const branch of branches) {
      const inputs = branch.jaxpr.invars.map((variable) => variable.aval);
      requireSame("cond operands and branch arguments", operands, inputs);
    }
    for (const branch of others) {
      requireSame("true_fun and false_fun output", outAvals(branch), outAvals(first));
    }
    return outAvals(first);
  },
  jvp: (o, primals, tangents, { branches }) => condJvp(o, primals, tangents, branches),
  transpose: (o, cotangents, inputs, { branches }) =>
    condTranspose(o, cotangents, inputs, branches),
  batch: (o, inputs, dims, { branches }) => condBatch(o, inputs, dims, branches),
  tfjs: (tf, [index, ...operands], { branches }) => {
    if (index === undefined) throw new Error("internal error: cond without index");
    return emitBranches(tf, branchPredicates(tf, index, branches.length), branches, operands);
  },
  split: (programs, inputs, known, { branches }) => condSplit(programs, inputs, known, branches),
  eager: function* (control, [index, ...operands], { branches }) {
    if (index === undefined) throw new Error("internal error: cond without index");
    const chosen = Math.min(Math.max(yield* control.scalar(index), 0), branches.length - 1);
    const branch = branches[chosen];
    if (branch === undefined) throw new Error("internal error: cond without branches");
    return yield* control.run(branch, operands);
  },
});
