/**
 * Makes the records of elementwise primitives: types, broadcasting, batching, derivatives and
 * folding are the same for all of them, so a record states only what is its own. Used by the
 * families unary, binary, compare, integer, convert, select, special and complex.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { dimEquals, printShape, shapeEquals, type Dim, type Shape } from "../src/ir/dims.js";
import { isComplex, kindOf, type DType, type DTypeKind } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import {
  definePrimitive,
  isNoRule,
  type BatchRule,
  type JvpRule,
  type MaybeZero,
  type NoRule,
  type Primitive,
  type PrimitiveRecord,
  type TfjsRule,
  type TransposeRule,
} from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { foldElementwise } from "./fold.js";
import { at, dtypeMismatch, shapeMismatch } from "./support.js";
import type { Word } from "./wordMath.js";

/** Kinds of element types that an argument may have, and numpy's names for JAX's messages. */
export interface Accepted {
  readonly kinds: readonly DTypeKind[];
  readonly names: string;
}

const signed: DTypeKind[] = ["signed"];
const integers: DTypeKind[] = ["signed", "unsigned"];

/** The sets of element types that JAX's elementwise primitives are declared with. */
export const accepts = {
  any: {
    kinds: [...integers, "float", "complex", "bool"],
    names: "integer, floating, complexfloating, bool",
  },
  anyOrKey: {
    kinds: [...integers, "float", "complex", "bool", "key"],
    names: "integer, floating, complexfloating, bool, prng_key",
  },
  boolOrInteger: { kinds: [...integers, "bool"], names: "integer, bool" },
  complex: { kinds: ["complex"], names: "complexfloating" },
  float: { kinds: ["float"], names: "floating" },
  floatOrComplex: { kinds: ["float", "complex"], names: "floating, complexfloating" },
  integer: { kinds: integers, names: "integer" },
  integerOrFloat: { kinds: [...integers, "float"], names: "integer, floating" },
  number: {
    kinds: [...integers, "float", "complex"],
    names: "integer, floating, complexfloating",
  },
  ordered: { kinds: [...integers, "float", "bool"], names: "integer, floating, bool" },
  signedNumber: {
    kinds: [...signed, "float", "complex"],
    names: "signedinteger, floating, complexfloating",
  },
} as const satisfies Record<string, Accepted>;

/** A complex number in the graph: two float32 tensors that broadcast against each other. */
export interface Pair {
  readonly re: Tensor;
  readonly im: Tensor;
}

/** What the tfjs part of an elementwise record may ask about its equation. */
export interface ElementwiseContext<P> {
  readonly inputs: readonly GraphValue[];
  /** Element type of the first argument. */
  readonly dtype: DType;
  readonly out: ShapedArray;
  readonly params: P;
}

/** One term of the derivative: the part that the tangent of one argument contributes. */
export type TangentRule<P> = (
  o: Ops,
  tangent: Value,
  primals: readonly Value[],
  result: Value,
  params: P,
) => Value;

/** Cotangent of one (linear) argument; `known(i)` is the value of another argument. */
export type CotangentRule<P> = (
  o: Ops,
  cotangent: Value,
  known: (index: number) => Value,
  aval: ShapedArray,
  params: P,
) => Value;

export interface ElementwiseSpec<P> {
  readonly name: string;
  /** Element types of each argument. */
  readonly accepts: readonly Accepted[];
  /** Element type of the result; the first argument's if left out. */
  readonly result?: (dtype: DType) => DType;
  /** False if the arguments may differ in element type; `checkTypes` then says what may. */
  readonly sameTypes?: boolean;
  readonly checkTypes?: (inputs: readonly ShapedArray[], params: P) => void;
  /** How the result changes with each argument; `zero`: not at all. */
  readonly tangents: "zero" | NoRule | readonly TangentRule<P>[];
  /** For each argument that the primitive is linear in (given the others). */
  readonly transpose: NoRule | readonly (CotangentRule<P> | null)[];
  /** Real arguments as tensors that broadcast. */
  readonly tfjs: (tf: Tf, args: readonly Tensor[], context: ElementwiseContext<P>) => Tensor;
  /** Complex arguments; a single tensor is a real (or bool) result. */
  readonly complex?: (
    tf: Tf,
    args: readonly Pair[],
    context: ElementwiseContext<P>,
  ) => Pair | Tensor;
  /** uint32 arguments as limbs, for backends that are not exact in 32 bits. */
  readonly words?: (tf: Tf, args: readonly Word[], context: ElementwiseContext<P>) => Word | Tensor;
  /** Exact value for real numbers; the result is rounded, or wrapped, to its element type. */
  readonly fold?: (args: readonly number[], dtype: DType, params: P) => number | boolean;
  /** What it is on random keys, if it accepts them. */
  readonly carried?: PrimitiveRecord<P>["carried"];
  readonly limits?: PrimitiveRecord<P>["limits"];
  readonly manyNodes?: PrimitiveRecord<P>["manyNodes"];
  /** Operations per element; 1 if left out. */
  readonly flopsPerElement?: number;
}

/** The shape that arguments of an elementwise primitive broadcast to: scalars and sizes 1 stretch. */
export function broadcastShape(name: string, avals: readonly ShapedArray[]): Shape {
  const shapes = avals.map((aval) => aval.shape).filter((shape) => shape.length > 0);
  const [first] = shapes;
  if (first === undefined) return [];
  const ranks = new Set(shapes.map((shape) => shape.length));
  if (ranks.size !== 1) {
    throw shapeMismatch(
      `${name}: arrays must have the same number of dimensions, got {${[...ranks].join(", ")}}`,
    );
  }
  return first.map((_, axis) => {
    const others = shapes.map((shape) => at(shape, axis)).filter((dim) => dim !== 1);
    const size: Dim = others[0] ?? 1;
    if (!others.every((dim) => dimEquals(dim, size))) {
      const list = shapes.map(printShape).join(", ");
      throw shapeMismatch(`${name} got incompatible shapes for broadcasting: ${list}.`);
    }
    return size;
  });
}

/** Throws in JAX's words unless every aval has an element type that its argument may have. */
export function checkAccepted(
  name: string,
  accepted: readonly Accepted[],
  avals: readonly ShapedArray[],
): void {
  avals.forEach(({ dtype }, index) => {
    const { kinds, names } = at(accepted, index);
    if (kinds.includes(kindOf(dtype))) return;
    if (dtype === "float0") {
      throw dtypeMismatch(
        `Called ${name} with a float0 at position ${index}. float0s do not support any ` +
          "operations by design, because they are not compatible with non-trivial vector spaces.",
      );
    }
    throw dtypeMismatch(
      avals.length === 1
        ? `${name} does not accept dtype ${dtype}. Accepted dtypes are subtypes of ${names}.`
        : `${name} does not accept dtype ${dtype} at position ${index}. ` +
            `Accepted dtypes at position ${index} are subtypes of ${names}.`,
    );
  });
}

/** Throws in JAX's words unless all avals have one element type. */
export function checkSameTypes(name: string, avals: readonly ShapedArray[]): void {
  if (new Set(avals.map((aval) => aval.dtype)).size <= 1) return;
  const list = avals.map((aval) => aval.dtype).join(", ");
  throw dtypeMismatch(`lax.${name} requires arguments to have the same dtypes, got ${list}.`);
}

/** Throws unless an equation has this many arguments: records index into them freely. */
export function checkCount(name: string, avals: readonly ShapedArray[], count: number): void {
  if (avals.length === count) return;
  throw new Jax2TfjsError(
    "invalid-parameter",
    `${name} takes ${count} arguments, got ${avals.length}`,
  );
}

function elementwiseType<P>(
  spec: ElementwiseSpec<P>,
  inputs: readonly ShapedArray[],
  params: P,
): ShapedArray {
  const { name } = spec;
  checkCount(name, inputs, spec.accepts.length);
  checkAccepted(name, spec.accepts, inputs);
  if (spec.sameTypes !== false) checkSameTypes(name, inputs);
  spec.checkTypes?.(inputs, params);
  const { dtype } = at(inputs, 0);
  const weak = inputs.every((aval) => aval.weakType);
  return shapedArray(spec.result?.(dtype) ?? dtype, broadcastShape(name, inputs), weak);
}

/** Broadcasts a value of fewer or smaller dimensions to a shape, as elementwise primitives do. */
export function stretch(o: Ops, value: Value, shape: Shape): Value {
  if (shapeEquals(value.aval.shape, shape)) return value;
  const axes = value.aval.shape.map((_, index) => index);
  return o.broadcastInDim(value, shape, axes);
}

/** Sums a cotangent over the dimensions along which an argument was broadcast. */
export function unbroadcast(o: Ops, cotangent: Value, shape: Shape): Value {
  if (shapeEquals(cotangent.aval.shape, shape)) return cotangent;
  const rank = cotangent.aval.shape.length;
  const summed = Array.from({ length: rank }, (_, axis) => axis).filter(
    (axis) => shape.length === 0 || !dimEquals(at(shape, axis), at(cotangent.aval.shape, axis)),
  );
  return o.reshape(o.reduceSum(cotangent, summed), shape);
}

/** Sum of tangents where null is zero. */
export function addTangents(o: Ops, terms: readonly MaybeZero[]): MaybeZero {
  let sum: MaybeZero = null;
  for (const term of terms) {
    if (term !== null) sum = sum === null ? term : o.add(sum, term);
  }
  return sum;
}

function jvpRule<P>(spec: ElementwiseSpec<P>, self: () => Primitive<P>): JvpRule<P> | NoRule {
  const { tangents: rules } = spec;
  if (isNoRule(rules)) return rules;
  return (o, primals, tangents, params) => {
    const result = at(o.bind(self(), primals, params), 0);
    if (rules === "zero") return { primals: [result], tangents: [null] };
    const terms = tangents.map((tangent, index) => {
      if (tangent === null) return null;
      const term = at(rules, index)(o, tangent, primals, result, params);
      return stretch(o, term, result.aval.shape);
    });
    return { primals: [result], tangents: [addTangents(o, terms)] };
  };
}

function transposeRule<P>(spec: ElementwiseSpec<P>): TransposeRule<P> | NoRule {
  const { transpose: rules } = spec;
  if (isNoRule(rules)) return rules;
  return (o, [cotangent = null], inputs, params) => {
    const known = (index: number): Value => {
      const input = at(inputs, index);
      if (input.kind === "known") return input.value;
      throw new Jax2TfjsError("not-linear", `${spec.name} is not linear in all its arguments`, {
        primitive: spec.name,
      });
    };
    return inputs.map((input, index) => {
      if (cotangent === null || input.kind === "known") return null;
      const rule = at(rules, index);
      if (rule === null) {
        throw new Jax2TfjsError("not-linear", `${spec.name} is not linear in argument ${index}`, {
          primitive: spec.name,
        });
      }
      return unbroadcast(o, rule(o, cotangent, known, input.aval, params), input.aval.shape);
    });
  };
}

/** Moves the batch dimension to the front. */
export function batchToFront(o: Ops, value: Value, dim: number): Value {
  if (dim === 0) return value;
  const axes = value.aval.shape.map((_, axis) => axis);
  return o.transpose(value, [dim, ...axes.filter((axis) => axis !== dim)]);
}

/**
 * Gives batched and unbatched arguments one rank, batch dimension first, so that an elementwise
 * primitive broadcasts them; unbatched scalars stay scalars.
 */
export function alignBatches(
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
): { readonly values: readonly Value[]; readonly dim: number } {
  const sample = inputs.findIndex((_, index) => (dims[index] ?? null) !== null);
  const [shape, dim] = [at(inputs, sample).aval.shape, at(dims, sample) ?? 0];
  const alike = inputs.every((value, index) =>
    (dims[index] ?? null) === null
      ? value.aval.shape.length === 0
      : dims[index] === dim && value.aval.shape.length === shape.length,
  );
  if (alike) return { values: inputs, dim };
  const rankOf = (value: Value, index: number): number =>
    value.aval.shape.length - ((dims[index] ?? null) === null ? 0 : 1);
  const rank = Math.max(...inputs.map(rankOf));
  const values = inputs.map((value, index) => {
    const batchDim = dims[index] ?? null;
    if (batchDim === null) {
      return value.aval.shape.length === 0 ? value : o.reshape(value, [1, ...value.aval.shape]);
    }
    const front = batchToFront(o, value, batchDim);
    const missing = rank - rankOf(value, index);
    if (missing === 0) return front;
    const ones = new Array<number>(missing).fill(1);
    return o.reshape(front, [at(front.aval.shape, 0), ...ones]);
  });
  return { values, dim: 0 };
}

/** The batching rule of every elementwise primitive. */
export function elementwiseBatch<P>(self: () => Primitive<P>): BatchRule<P> {
  return (o, inputs, dims, params) => {
    const { values, dim } = alignBatches(o, inputs, dims);
    const outputs = o.bind(self(), values, params);
    return { outputs, dims: outputs.map(() => dim) };
  };
}

function tfjsRule<P>(spec: ElementwiseSpec<P>): TfjsRule<P> {
  return (tf, inputs, params, outs) => {
    const out = at(outs, 0);
    const { dtype } = at(inputs, 0).aval;
    const context = { inputs, dtype, out, params };
    if (dtype === "uint32" && !tf.exactIntegers && spec.words !== undefined) {
      const args = inputs.map((input) => tf.limbs(input));
      const result = spec.words(tf, args, context);
      return [
        "high" in result ? tf.fromLimbs(result.high, result.low, out) : tf.value(result, out),
      ];
    }
    if (!inputs.some((input) => isComplex(input.aval.dtype)) && !isComplex(out.dtype)) {
      const args = inputs.map((input) => tf.broadcastable(input));
      return [tf.value(spec.tfjs(tf, args, context), out)];
    }
    if (spec.complex === undefined) {
      throw new Jax2TfjsError(
        "no-tfjs-rule",
        `${spec.name} has no TensorFlow.js rule for ${dtype}`,
        { primitive: spec.name, fix: "compute with real and imaginary parts" },
      );
    }
    const result = spec.complex(
      tf,
      inputs.map((input) => tf.pair(input)),
      context,
    );
    if (!("re" in result)) return [tf.value(result, out)];
    return [tf.fromPair(result.re, result.im, out)];
  };
}

/** Makes the record of an elementwise primitive. */
export function elementwise<P>(spec: ElementwiseSpec<P>): Primitive<P> {
  const { fold, carried, limits, manyNodes, flopsPerElement = 1 } = spec;
  const record: Primitive<P> = definePrimitive<P>({
    name: spec.name,
    abstractEval: (inputs, params) => [elementwiseType(spec, inputs, params)],
    jvp: jvpRule(spec, () => record),
    transpose: transposeRule(spec),
    batch: elementwiseBatch(() => record),
    tfjs: tfjsRule(spec),
    traits: { elementwise: true },
    ...(carried === undefined ? {} : { carried }),
    ...(limits === undefined ? {} : { limits }),
    ...(manyNodes === undefined ? {} : { manyNodes }),
    ...(fold === undefined
      ? {}
      : {
          fold: (inputs, params, outs) => {
            const { dtype } = at(inputs, 0);
            const folded = foldElementwise(inputs, at(outs, 0), (args) =>
              fold(args, dtype, params),
            );
            return folded === null ? null : [folded];
          },
        }),
    flops: (_inputs, _params, outs) =>
      flopsPerElement *
      at(outs, 0).shape.reduce<number>(
        (product, dim) => product * (typeof dim === "number" ? dim : 1),
        1,
      ),
  });
  return record;
}

/** A scalar literal of a value's element type. */
export const constantLike = (o: Ops, value: Value, number: number): Value =>
  o.literal(number, value.aval.dtype);
