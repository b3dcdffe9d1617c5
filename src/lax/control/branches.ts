/** `lax.cond` and `lax.switch`: one of several functions, chosen when the program runs. */
import { printShape } from "../../ir/dims.js";
import { isFloat, isInteger } from "../../ir/dtypes.js";
import type { ShapedArray } from "../../ir/aval.js";
import { JaxprBuilder } from "../../ir/builder.js";
import { closedJaxpr, type ClosedJaxpr } from "../../ir/jaxpr.js";
import type { Value } from "../../ir/ops.js";
import { convertElementType } from "../../../primitives/convert.js";
import { callError, flattenArguments, unflattenValues } from "../../api/calls.js";
import type { Arrays } from "../../api/types.js";
import { describeValue, type ArrayLike } from "../../trace/arrays.js";
import { asValue, o } from "../../trace/trace.js";
import { at, convertValue, indexValue, isWeakScalar } from "../arguments.js";
import {
  branchMismatch,
  shareCaptured,
  traceBody,
  withResultTypes,
  type Traced,
} from "./programs.js";

/** What a branch gets: the operands as arrays. */
export type Operands<T extends readonly unknown[]> = {
  -readonly [Index in keyof T]: Arrays<T[Index]>;
};

type AnyFunction = (...args: never[]) => unknown;

/** Branches that return numbers without type return them in the type of the others. */
function unifyResults(branches: readonly Traced[]): readonly Traced[] {
  const [first] = branches;
  if (first === undefined) return branches;
  const wanted = first.avals.map((aval, index): ShapedArray => {
    const all = branches.map((branch) => branch.avals[index] ?? aval);
    return all.find(({ weakType }) => !weakType) ?? aval;
  });
  return branches.map((branch) => strengthen(withResultTypes(branch, wanted), wanted));
}

/** Results whose type is weak become strong where another branch's are. */
function strengthen(branch: Traced, wanted: readonly ShapedArray[]): Traced {
  const needs = branch.avals.map((aval, index) => {
    const other = wanted[index];
    return other !== undefined && aval.weakType && !other.weakType && other.dtype === aval.dtype;
  });
  if (!needs.some(Boolean)) return branch;
  const { jaxpr, consts } = branch.program;
  const tail = new JaxprBuilder();
  const outvars = jaxpr.outvars.map((atom, index) =>
    needs[index] === true
      ? at(
          tail.bind(convertElementType, [atom], { new_dtype: atom.aval.dtype, weak_type: false }),
          0,
        )
      : atom,
  );
  const { equations } = tail.build(outvars).jaxpr;
  const whole = { ...jaxpr, equations: [...jaxpr.equations, ...equations], outvars };
  return {
    ...branch,
    program: closedJaxpr(whole, consts),
    avals: outvars.map((atom) => atom.aval),
  };
}

/** Traces branches on the same operands, and binds the choice. */
function choose(
  name: string,
  index: Value,
  named: readonly (readonly [string, AnyFunction])[],
  operands: readonly unknown[],
): unknown {
  const { values, inTree } = flattenArguments(operands, "operands");
  const avals = values.map(({ aval }) => aval);
  const branches = unifyResults(named.map(([, f]) => traceBody(f, inTree, avals)));
  const first = at(branches, 0);
  branches.slice(1).forEach((branch, position) => {
    const [firstName] = at(named, 0);
    const [otherName] = at(named, position + 1);
    const problem = branchMismatch(name, [firstName, first], [otherName, branch]);
    if (problem !== null) throw problem;
  });
  const { programs, captured } = shareCaptured(branches);
  const results = o.cond(index, ordered(name, programs), [...captured, ...values]);
  return unflattenValues(first.outTree, results);
}

/** `cond` names the branch for true first; the equation has the one for false first. */
function ordered(name: string, programs: readonly ClosedJaxpr[]): readonly ClosedJaxpr[] {
  return name === "cond" ? programs.toReversed() : programs;
}

/** A scalar argument that decides. */
function scalarArgument(value: unknown, message: (found: string) => string): Value {
  let scalar: Value;
  try {
    scalar = asValue(value);
  } catch {
    throw callError("invalid-predicate", message(describeValue(value)));
  }
  const { shape } = scalar.aval;
  if (shape.length === 0) return scalar;
  throw callError(
    "invalid-predicate",
    message(`an array of shape ${printShape(shape)}`),
    "reduce it with lax.reduceAnd or lax.reduceOr, or choose element by element with lax.select",
  );
}

/**
 * Applies `trueFun` if `pred` is true, else `falseFun`, to the operands. Both are traced; one runs.
 *
 * @param pred a scalar; a number is true unless it is 0
 * @throws Jax2TfjsError `invalid-predicate`, `branch-mismatch` if the results differ in type
 *
 * JAX's counterpart is `lax.cond`.
 */
export function cond<const Args extends readonly unknown[], Result>(
  pred: ArrayLike,
  trueFun: (...operands: Operands<Args>) => Result,
  falseFun: (...operands: Operands<Args>) => unknown,
  ...operands: Args
): Arrays<Result> {
  const value = scalarArgument(pred, (found) => `Pred must be a scalar, got ${found}.`);
  const { dtype } = value.aval;
  if (dtype !== "bool" && !isInteger(dtype) && !isFloat(dtype)) {
    throw callError(
      "invalid-predicate",
      `Pred type must be either boolean or number, got ${dtype}.`,
    );
  }
  const isTrue = dtype === "bool" ? value : o.ne(value, o.literal(0, dtype));
  const index = o.convertElementType(isTrue, "int32");
  const branches = [
    ["true_fun", trueFun as AnyFunction],
    ["false_fun", falseFun as AnyFunction],
  ] as const;
  return choose("cond", index, branches, operands) as Arrays<Result>;
}

/**
 * Applies the branch of an index to the operands; the index is moved into the range of branches.
 *
 * @throws Jax2TfjsError `invalid-predicate`, `branch-mismatch` if the results differ in type
 *
 * JAX's counterpart is `lax.switch`.
 */
function switchBranch<const Args extends readonly unknown[], Result>(
  index: ArrayLike,
  branches: readonly ((...operands: Operands<Args>) => Result)[],
  ...operands: Args
): Arrays<Result> {
  const value = scalarArgument(index, (found) => `Branch index must be scalar, got ${found}.`);
  const whole = isWeakScalar(value) ? indexValue(index) : value;
  if (!isInteger(whole.aval.dtype)) {
    throw callError(
      "invalid-predicate",
      `Index type must be an integer, got ${describeValue(index)} as ${whole.aval.dtype}`,
    );
  }
  if (branches.length === 0) throw callError("invalid-parameter", "Empty branch sequence");
  const [only] = branches;
  if (branches.length === 1 && only !== undefined) {
    const { values, inTree } = flattenArguments(operands, "operands");
    const args = unflattenValues(inTree, values) as Operands<Args>;
    return only(...args) as Arrays<Result>;
  }
  const last = o.literal(branches.length - 1, "int32");
  const place = o.clamp(o.literal(0, "int32"), convertValue(whole, "int32"), last);
  const named = branches.map((f, position) => [`branch ${position}`, f as AnyFunction] as const);
  return choose("switch", place, named, operands) as Arrays<Result>;
}

export { switchBranch as switch };
