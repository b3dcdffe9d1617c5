/**
 * JAX's rules for arrays of different types and shapes: the lattice of element types with weak types,
 * and the alignment of shapes. Called by all functions of this folder that take several arrays.
 */
import { shapedArray } from "../ir/aval.js";
import { dimEquals, printShape, type Dim, type Shape } from "../ir/dims.js";
import { isComplex, isFloat, isInteger, kindOf, type DType } from "../ir/dtypes.js";
import type { LiteralValue } from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { callError } from "../api/calls.js";
import { at, canonicalDtype, convertValue, isWeakScalar } from "../lax/arguments.js";
import type { ArrayLike, WeakScalar } from "../trace/arrays.js";
import { o, typeOf } from "../trace/trace.js";
import { arrayValue } from "./convert.js";

/** `weak:` nodes are JavaScript's numbers, integers and complex numbers without a type. */
type LatticeNode = DType | "weak:int" | "weak:float" | "weak:complex";

/** What each type is promoted to next. JAX's documentation draws this as its promotion lattice. */
const nextTypes: Partial<Record<LatticeNode, readonly LatticeNode[]>> = {
  bool: ["weak:int"],
  "weak:int": ["uint8", "int8", "uint2", "int2"],
  uint2: ["uint4"],
  int2: ["int4"],
  uint4: ["uint8"],
  int4: ["int8"],
  uint8: ["int16", "uint16"],
  uint16: ["int32", "uint32"],
  uint32: ["int64", "uint64"],
  uint64: ["weak:float"],
  int8: ["int16"],
  int16: ["int32"],
  int32: ["int64"],
  int64: ["weak:float"],
  "weak:float": ["bfloat16", "float16", "weak:complex"],
  bfloat16: ["float32"],
  float16: ["float32"],
  float32: ["float64", "complex64"],
  float64: ["complex128"],
  "weak:complex": ["complex64"],
  complex64: ["complex128"],
};

const reached = new Map<LatticeNode, ReadonlySet<LatticeNode>>();

/** The node and all that it can be promoted to. */
function upperBounds(node: LatticeNode): ReadonlySet<LatticeNode> {
  const known = reached.get(node);
  if (known !== undefined) return known;
  const found = new Set<LatticeNode>([node]);
  for (const next of nextTypes[node] ?? []) upperBounds(next).forEach((upper) => found.add(upper));
  reached.set(node, found);
  return found;
}

function leastUpperBound(nodes: readonly LatticeNode[]): LatticeNode {
  const [first, ...others] = nodes.map(upperBounds);
  const common = [...(first ?? [])].filter((node) => others.every((set) => set.has(node)));
  const least = common.find((node) => common.every((other) => upperBounds(node).has(other)));
  if (least !== undefined) return least;
  const key = nodes.find((node) => node.startsWith("key<"));
  if (key !== undefined) {
    throw callError("type-mismatch", `dtype=${key} is not a valid dtype for JAX type promotion.`);
  }
  throw callError(
    "type-mismatch",
    `the element types ${[...new Set(nodes)].join(", ")} have no implicit promotion path`,
    "convert one of the arrays with np.astype",
  );
}

/** An element type, and whether it is weak. */
export interface ResultType {
  readonly dtype: DType;
  readonly weakType: boolean;
}

function latticeNode({ dtype, weakType }: ResultType): LatticeNode {
  if (!weakType) return dtype;
  if (isInteger(dtype)) return "weak:int";
  if (isFloat(dtype)) return "weak:float";
  return isComplex(dtype) ? "weak:complex" : dtype;
}

function dtypeOfNode(node: LatticeNode): DType {
  switch (node) {
    case "weak:int":
      return "int32";
    case "weak:float":
      return "float32";
    case "weak:complex":
      return "complex64";
    default:
      return canonicalDtype(node);
  }
}

/** The type that values of these types have together. */
export function latticeResult(types: readonly ResultType[]): ResultType {
  const first = at(types, 0);
  const allWeak = types.every(({ weakType }) => weakType);
  if (new Set(types.map(({ dtype }) => dtype)).size === 1) {
    return { dtype: first.dtype, weakType: allWeak && first.dtype !== "bool" };
  }
  if (allWeak) {
    const node = leastUpperBound(types.map(({ dtype }) => dtype));
    return { dtype: dtypeOfNode(node), weakType: node !== "bool" };
  }
  const node = leastUpperBound(types.map(latticeNode));
  return { dtype: dtypeOfNode(node), weakType: node.startsWith("weak:") };
}

/** A JavaScript number that was whole: it may become an integer. */
function isWholeNumber(value: Value): value is WeakScalar {
  return (
    isWeakScalar(value) &&
    value.aval.dtype === "float32" &&
    typeof value.value === "number" &&
    Number.isInteger(value.value) &&
    Math.abs(value.value) < 2 ** 32
  );
}

/** JavaScript has one type of numbers: whole ones that meet only integer arrays are integers. */
function adaptNumbers(values: readonly Value[]): readonly Value[] {
  const arrays = values.filter((value) => !isWeakScalar(value));
  const areIntegers =
    arrays.length > 0 &&
    arrays.some(({ aval }) => isInteger(aval.dtype)) &&
    arrays.every(({ aval }) => isInteger(aval.dtype) || aval.dtype === "bool");
  if (!areIntegers) return values;
  return values.map((value) =>
    isWholeNumber(value) ? { ...value, aval: shapedArray("int32", [], true) } : value,
  );
}

/** The type of the result of combining values, after JavaScript numbers took theirs. */
export function resultTypeOf(values: readonly Value[]): ResultType {
  return latticeResult(adaptNumbers(values).map(({ aval }) => aval));
}

/**
 * The element type that arrays have together. JAX's `jnp.result_type`.
 *
 * @param args arrays, numbers, or names of element types
 */
export function resultType(...args: readonly (ArrayLike | DType)[]): DType {
  const types = args.map((arg): ResultType => {
    if (typeof arg === "string") return { dtype: canonicalDtype(arg), weakType: false };
    return typeOf(arg);
  });
  return latticeResult(types).dtype;
}

/** The element type that two element types have together. JAX's `jnp.promote_types`. */
export function promoteTypes(a: DType, b: DType): DType {
  return resultType(a, b);
}

/** A value of another type; scalars written in the program stay literals. */
export function toType(value: Value, dtype: DType, weakType = false): Value {
  const literal = value as { readonly kind?: unknown; readonly value?: LiteralValue };
  if (literal.kind === "literal" && typeof literal.value === "boolean" && dtype !== "bool") {
    return toType(
      { ...value, aval: shapedArray("float32", [], true), ...numeric(literal.value) },
      dtype,
      weakType,
    );
  }
  return convertValue(value, dtype, weakType);
}

function numeric(value: boolean): { readonly value: number } {
  return { value: Number(value) };
}

/** Values of one type. JAX's `promote_dtypes`. */
export function promoteDtypes(values: readonly Value[]): readonly Value[] {
  const adapted = adaptNumbers(values);
  const { dtype, weakType } = latticeResult(adapted.map(({ aval }) => aval));
  return adapted.map((value) => toType(value, dtype, weakType));
}

/** The floating type of a type: float32 for integers and truth values. */
export function inexactType({ dtype, weakType }: ResultType): ResultType {
  if (isFloat(dtype) || isComplex(dtype)) return { dtype, weakType };
  return { dtype: "float32", weakType };
}

/** Values of one floating or complex type. JAX's `promote_dtypes_inexact`. */
export function promoteInexact(values: readonly Value[]): readonly Value[] {
  const result = inexactType(latticeResult(values.map(({ aval }) => aval)));
  return values.map((value) => toType(value, result.dtype, result.weakType));
}

function rankOf(value: Value): number {
  return value.aval.shape.length;
}

/** A value with dimensions of size 1 in front. */
export function withRank(value: Value, rank: number): Value {
  const { shape } = value.aval;
  const missing = rank - shape.length;
  if (missing <= 0) return value;
  return o.broadcastInDim(
    value,
    [...Array.from({ length: missing }, () => 1), ...shape],
    shape.map((_, axis) => axis + missing),
  );
}

/** Values of one rank; scalars stay as they are when there is one other rank. */
export function promoteShapes(values: readonly Value[]): readonly Value[] {
  const ranks = new Set(values.map(rankOf).filter((rank) => rank > 0));
  if (ranks.size < 2) return values;
  const rank = Math.max(...ranks);
  return values.map((value) => withRank(value, rank));
}

/** The shape that shapes broadcast to. JAX's `jnp.broadcast_shapes`. @throws `shape-mismatch` */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  const given: readonly unknown[] = shapes;
  if (!given.every(Array.isArray)) throw callError("array-shape", "shapes are lists of sizes");
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis): Dim => {
    const sizes = shapes
      .map((shape) => shape[axis - rank + shape.length] ?? 1)
      .filter((size) => size !== 1);
    const size = sizes[0] ?? 1;
    if (sizes.every((other) => dimEquals(other, size))) return size;
    throw callError(
      "shape-mismatch",
      `incompatible shapes for broadcasting: ${shapes.map(printShape).join(", ")}`,
    );
  });
}

/** A value stretched to a shape. */
export function broadcastValue(value: Value, shape: Shape): Value {
  const own = value.aval.shape;
  if (own.length === shape.length && own.every((size, axis) => dimEquals(size, at(shape, axis)))) {
    return value;
  }
  const whole = broadcastShapes(own, shape);
  if (
    whole.length !== shape.length ||
    !whole.every((size, axis) => dimEquals(size, at(shape, axis)))
  ) {
    throw callError(
      "shape-mismatch",
      `incompatible shapes for broadcasting: ${printShape(own)} to ${printShape(shape)}`,
    );
  }
  return o.broadcastInDim(
    value,
    shape,
    own.map((_, axis) => axis + shape.length - own.length),
  );
}

/** Arguments of one type and one rank, ready for an elementwise primitive. */
export function promoteArguments(args: readonly unknown[]): readonly Value[] {
  return promoteShapes(promoteDtypes(args.map(arrayValue)));
}

/** As `promoteArguments`, for functions whose results are floating. */
export function promoteArgumentsInexact(args: readonly unknown[]): readonly Value[] {
  return promoteShapes(promoteInexact(args.map(arrayValue)));
}

/** True for types that have an order and are counted. */
export function isBoolean(value: Value): boolean {
  return kindOf(value.aval.dtype) === "bool";
}
