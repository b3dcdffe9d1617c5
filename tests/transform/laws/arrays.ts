// Arrays of the laws: how they are run, compared, stacked and added.
import * as tf from "@tensorflow/tfjs-core";
import { shapedArray, type ShapedArray } from "../../../src/ir/aval.js";
import { isComplex } from "../../../src/ir/dtypes.js";
import { Jax2TfjsError } from "../../../src/ir/errors.js";
import { fromNumbers } from "../../../src/ir/hostArray.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";
import type { Value } from "../../../src/ir/ops.js";
import "../../../src/run/install.js";
import { rememberType } from "../../../src/trace/arrays.js";
import { asValue, evaluateProgram, fromValue } from "../../../src/trace/trace.js";
import { compareArrays, comparisonKind } from "../../support/compare.js";
import { at } from "../programs.js";
import { evaluateNumbers } from "../properties.js";
import { sizeOf, upTo, type Numbers, type Random } from "./draw.js";

/** An array as the evaluator takes it. Short floats are not rounded: tangents stay linear. */
function toValue({ dtype, shape, numbers }: Numbers): Value {
  if (dtype !== "float16" && dtype !== "bfloat16") {
    return asValue(fromNumbers(dtype, shape, numbers));
  }
  const tensor = tf.tensor([...numbers], [...shape], "float32");
  rememberType(tensor, shapedArray(dtype, shape));
  return asValue(tensor);
}

const numbersOf = (value: Value): readonly number[] => Array.from(fromValue(value).dataSync());

/** The results of a program, in order. Its inputs stay as they are. */
export async function evaluate(
  program: ClosedJaxpr,
  args: readonly Numbers[],
): Promise<readonly Numbers[]> {
  const found = evaluateNow(program, args);
  return found ?? (await evaluateLater(program, args));
}

/** Null for programs with loops that run asynchronously only. */
function evaluateNow(program: ClosedJaxpr, args: readonly Numbers[]): readonly Numbers[] | null {
  let found: readonly Numbers[] | null = null;
  tf.tidy(() => {
    const inputs = args.map(toValue);
    const before = inputs.map(numbersOf);
    try {
      found = evaluateProgram(program, inputs).map((value, index) => {
        const { dtype } = at(program.jaxpr.outvars, index).aval;
        return { dtype, shape: fromValue(value).shape, numbers: numbersOf(value) };
      });
    } catch (error) {
      if (error instanceof Jax2TfjsError && error.code === "needs-async") return;
      throw error;
    }
    if (inputs.every((input, index) => numbersOf(input).join() === at(before, index).join()))
      return;
    throw new Error("running the program changed its inputs");
  });
  return found;
}

async function evaluateLater(
  program: ClosedJaxpr,
  args: readonly Numbers[],
): Promise<readonly Numbers[]> {
  const results = await evaluateNumbers(program, args);
  return results.map((numbers, index) => {
    const { dtype, shape } = at(program.jaxpr.outvars, index).aval;
    return { dtype, shape: shape.map(Number), numbers };
  });
}

type Check = (label: string, found: Numbers, wanted: Numbers, tolerance: number) => void;

/** Compares relative to the largest number of the array. */
export const expectEqual: Check = (label, found, wanted, tolerance) => {
  const largest = Math.max(1, ...wanted.numbers.filter(Number.isFinite).map(Math.abs));
  const bounds = { rtol: tolerance, atol: tolerance * largest };
  const kind = comparisonKind(wanted.dtype);
  const { agrees, summary } = compareArrays(found.numbers, wanted.numbers, kind, bounds);
  const sameShape = found.shape.join() === wanted.shape.join();
  if (agrees && sameShape) return;
  const shapes = sameShape ? "" : `: shape [${found.shape.join()}] not [${wanted.shape.join()}]`;
  throw new Error(`${label}${shapes}: ${summary}`);
};

/** Arrays of one shape as one array with a new dimension. */
export function stack(rows: readonly Numbers[], dim: number): Numbers {
  const { dtype, shape } = at(rows, 0);
  const inside = sizeOf(shape.slice(dim)) * (isComplex(dtype) ? 2 : 1);
  const numbers = upTo(sizeOf(shape.slice(0, dim))).flatMap((place) =>
    rows.flatMap((row) => row.numbers.slice(place * inside, (place + 1) * inside)),
  );
  return { dtype, shape: shape.toSpliced(dim, 0, rows.length), numbers };
}

/** The sum of arrays of one shape, each times a factor. */
export function combine(terms: readonly (readonly [factor: number, array: Numbers])[]): Numbers {
  const [, first] = at(terms, 0);
  const numbers = first.numbers.map((_, place) =>
    terms.reduce((sum, [factor, array]) => sum + factor * at(array.numbers, place), 0),
  );
  return { ...first, numbers };
}

/** Between -1 and 1. */
export function randomLike({ dtype, shape }: ShapedArray, random: Random): Numbers {
  const sizes = shape.map(Number);
  const count = sizeOf(sizes) * (isComplex(dtype) ? 2 : 1);
  return { dtype, shape: sizes, numbers: Array.from({ length: count }, () => 2 * random() - 1) };
}

/** The real part of `<x, y>` without conjugation, and the size of what is added up. */
export function inner(pairs: readonly (readonly [Numbers, Numbers])[]): readonly [number, number] {
  let [sum, size] = [0, 0];
  for (const [x, y] of pairs) {
    x.numbers.forEach((number, place) => {
      const product = number * at(y.numbers, place);
      sum += isComplex(x.dtype) && place % 2 === 1 ? -product : product;
      size += Math.abs(product);
    });
  }
  return [sum, size];
}

/** Numbers, with 0 where others are not finite: what is filled in has no slope. */
export const whereFinite = (array: Numbers, others: Numbers): Numbers => ({
  ...array,
  numbers: array.numbers.map((number, place) =>
    Number.isFinite(at(others.numbers, place)) ? number : 0,
  ),
});
