/**
 * How dot_general becomes a matrix product: in which order the dimensions of each operand go, and
 * which Transpose and Reshape nodes that takes. Called by dot.ts and integerProducts.ts.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { shapeEquals, shapeSize, type Shape } from "../src/ir/dims.js";
import type { DotDimensionNumbers } from "../src/ir/params.js";
import type { Tensor, Tf } from "../src/ir/tf.js";

/** What to do with one operand before the product. */
export interface OperandPlan {
  /** Null where a reshape is enough. */
  readonly permutation: readonly number[] | null;
  readonly shape: Shape;
  /** The matrix is stored the other way round: `transpose_a` or `transpose_b` of MatMul. */
  readonly transposed: boolean;
}

export interface DotPlan {
  /** `elementwise`: Mul, then Sum over `sumAxes`. `matmul`: operands [batch..., rows, columns]. */
  readonly kind: "elementwise" | "matmul";
  readonly left: OperandPlan;
  readonly right: OperandPlan;
  readonly sumAxes: readonly number[];
  readonly outShape: Shape;
}

export interface PlanOptions {
  /** Only matrix products, and no transposed operands: what integerProducts.ts can cut up. */
  readonly plainMatrices: boolean;
}

/** The dimensions of one operand by role; `contracting` is in the order of the equation. */
interface Roles {
  readonly shape: Shape;
  readonly batch: readonly number[];
  readonly free: readonly number[];
  readonly contracting: readonly number[];
}

function rolesOf(shape: Shape, contracting: readonly number[], batch: readonly number[]): Roles {
  const free = shape
    .map((_, dim) => dim)
    .filter((d) => !contracting.includes(d) && !batch.includes(d));
  return { shape, batch, free, contracting };
}

/** True if no elements move when the dimensions are put in this order: those of size 1 never do. */
function isReshape(shape: Shape, order: readonly number[]): boolean {
  const moving = order.filter((dim) => shape[dim] !== 1);
  return moving.every((dim, index) => index === 0 || dim > (moving[index - 1] ?? 0));
}

const sizes = (shape: Shape, dims: readonly number[]): Shape => dims.map((dim) => shape[dim] ?? 0);
const merged = (shape: Shape, dims: readonly number[]) => shapeSize(sizes(shape, dims));

function moveTo(shape: Shape, order: readonly number[], target: Shape): OperandPlan {
  const permutation = isReshape(shape, order) ? null : order;
  return { permutation, shape: target, transposed: false };
}

function matrixOperand(
  roles: Roles,
  contracting: readonly number[],
  contractedLast: boolean,
  mayTranspose: boolean,
): OperandPlan {
  const { shape, batch, free } = roles;
  const order = (last: boolean): readonly number[] =>
    last ? [...batch, ...free, ...contracting] : [...batch, ...contracting, ...free];
  const target = (last: boolean): Shape => {
    const [rows, columns] = last ? [free, contracting] : [contracting, free];
    return [...sizes(shape, batch), merged(shape, rows), merged(shape, columns)];
  };
  const natural = order(contractedLast);
  const swapped = order(!contractedLast);
  if (mayTranspose && !isReshape(shape, natural) && isReshape(shape, swapped)) {
    return { permutation: null, shape: target(!contractedLast), transposed: true };
  }
  return moveTo(shape, natural, target(contractedLast));
}

/** The orders of the contracted dimensions worth trying: as they lie in the right, in the left. */
function contractionOrders(left: Roles, right: Roles): readonly (readonly number[])[] {
  const indices = left.contracting.map((_, index) => index);
  const by = (dims: readonly number[]): readonly number[] =>
    indices.toSorted((i, j) => (dims[i] ?? 0) - (dims[j] ?? 0));
  return [by(right.contracting), by(left.contracting)];
}

const transposes = (plan: DotPlan): number =>
  Number(plan.left.permutation !== null) + Number(plan.right.permutation !== null);

function matrixPlan(
  tf: Tf,
  left: Roles,
  right: Roles,
  outShape: Shape,
  plainMatrices: boolean,
): DotPlan {
  const hasBatch = left.batch.some((dim) => left.shape[dim] !== 1);
  // The fast matrix product of the wasm backend takes plain matrices only; a Transpose costs less
  // there than its slow path, which products with batch dimensions go through anyway.
  const mayTranspose = !plainMatrices && (hasBatch || !tf.backends.has("wasm"));
  const candidates = contractionOrders(left, right).map((indices): DotPlan => {
    const along = (dims: readonly number[]): readonly number[] => indices.map((i) => dims[i] ?? 0);
    return {
      kind: "matmul",
      left: matrixOperand(left, along(left.contracting), true, mayTranspose),
      right: matrixOperand(right, along(right.contracting), false, mayTranspose),
      sumAxes: [],
      outShape,
    };
  });
  return candidates.reduce((best, plan) => (transposes(plan) < transposes(best) ? plan : best));
}

/** No dimension is contracted: an outer product. */
function outerPlan(left: Roles, right: Roles, outShape: Shape): DotPlan {
  const batch = sizes(left.shape, left.batch);
  const rows = left.free.length === 0 ? [] : [merged(left.shape, left.free)];
  const columns = right.free.length === 0 ? [] : [merged(right.shape, right.free)];
  const one = (present: Shape): Shape => present.map(() => 1);
  return {
    kind: "elementwise",
    left: moveTo(left.shape, [...left.batch, ...left.free], [...batch, ...rows, ...one(columns)]),
    right: moveTo(
      right.shape,
      [...right.batch, ...right.free],
      // Without batch dimensions, broadcasting adds the leading 1.
      batch.length === 0 ? columns : [...batch, ...one(rows), ...columns],
    ),
    sumAxes: [],
    outShape,
  };
}

/** Every dimension is contracted or a batch dimension: scalar products. */
function scalarProductPlan(left: Roles, right: Roles, outShape: Shape): DotPlan {
  const candidates = contractionOrders(left, right).map((indices): DotPlan => {
    const operand = (roles: Roles): OperandPlan => {
      const order = [...roles.batch, ...indices.map((i) => roles.contracting[i] ?? 0)];
      return moveTo(roles.shape, order, sizes(roles.shape, order));
    };
    const sumAxes = indices.map((_, index) => left.batch.length + index);
    return { kind: "elementwise", left: operand(left), right: operand(right), sumAxes, outShape };
  });
  return candidates.reduce((best, plan) => (transposes(plan) < transposes(best) ? plan : best));
}

/** Chooses the layout with the fewest Transpose nodes. */
export function planDot(
  tf: Tf,
  lhs: ShapedArray,
  rhs: ShapedArray,
  numbers: DotDimensionNumbers,
  outShape: Shape,
  options: PlanOptions = { plainMatrices: false },
): DotPlan {
  const [contracting, batch] = numbers;
  const left = rolesOf(lhs.shape, contracting[0], batch[0]);
  const right = rolesOf(rhs.shape, contracting[1], batch[1]);
  if (!options.plainMatrices) {
    if (left.contracting.length === 0) return outerPlan(left, right, outShape);
    if (left.free.length === 0 && right.free.length === 0) {
      return scalarProductPlan(left, right, outShape);
    }
  }
  return matrixPlan(tf, left, right, outShape, options.plainMatrices);
}

function reshapeTo(tf: Tf, tensor: Tensor, shape: Shape): Tensor {
  return shapeEquals(tensor.shape, shape) ? tensor : tf.reshape(tensor, shape);
}

/** Brings an operand into the layout of its plan. */
export function arrangeOperand(tf: Tf, tensor: Tensor, plan: OperandPlan): Tensor {
  const moved = plan.permutation === null ? tensor : tf.transpose(tensor, plan.permutation);
  return reshapeTo(tf, moved, plan.shape);
}

/** The product as the result of the equation. */
export function arrangeResult(tf: Tf, product: Tensor, plan: DotPlan): Tensor {
  return reshapeTo(tf, product, plan.outShape);
}
