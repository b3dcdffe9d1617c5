/**
 * Elementwise nodes with broadcasting. Ranks above what the GPU kernels take are collapsed; the
 * types that single backends get wrong (bool on wasm) are routed around.
 */
import { dimEquals, isStaticShape, shapeSize, type Dim, type Shape } from "../../ir/dims.js";
import { asFloat32, asInt32, fromNumbers, type HostArray } from "../../ir/hostArray.js";
import type { Tensor, Tf, TfDtype } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import { groupDimensions, type ShapeOps } from "./shape.js";

export type ElementwiseOps = Pick<Tf, "unary" | "binary" | "select" | "cast" | "scalar" | "fill">;

const predicates: ReadonlySet<string> = new Set([
  "Equal",
  "NotEqual",
  "Less",
  "LessEqual",
  "Greater",
  "GreaterEqual",
  "LogicalAnd",
  "LogicalOr",
  "LogicalNot",
  "IsNan",
  "IsInf",
  "IsFinite",
]);

/** The shape two tensors broadcast to, in TensorFlow's (numpy's) way. */
export function broadcastShapes(core: GraphCore, shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, index) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[shape.length - rank + index] ?? 1;
      if (dim === 1) continue;
      if (result !== 1 && !dimEquals(result, dim)) {
        throw core.error("shape-mismatch", `sizes ${String(result)} and ${String(dim)} differ`);
      }
      result = dim;
    }
    return result;
  });
}

export function elementwiseOps(core: GraphCore, shapes: ShapeOps): ElementwiseOps {
  const gpu = core.targets("webgl", "webgpu");
  const wasm = core.targets("wasm");
  // TensorFlow broadcasts over five groups of dimensions at most.
  const native = core.targets("tensorflow");

  /** Runs `emit` on operands whose common rank is at most `maxRank`, collapsing what is parallel. */
  function withMaxRank(
    operands: readonly Tensor[],
    maxRank: number,
    emit: (operands: readonly Tensor[]) => Tensor,
  ): Tensor {
    const full = broadcastShapes(
      core,
      operands.map((operand) => operand.shape),
    );
    if (full.length <= maxRank) return emit(operands);
    const aligned = operands.map((operand) => [
      ...Array.from({ length: full.length - operand.shape.length }, (): Dim => 1),
      ...operand.shape,
    ]);
    const groups = groupDimensions(full.length, (left, right) =>
      aligned.every((shape) => {
        const spans = (axis: number): boolean => dimEquals(shape[axis] ?? 1, full[axis] ?? 1);
        return spans(left) === spans(right);
      }),
    );
    const small =
      groups.length <= maxRank
        ? operands.map((operand, index) =>
            shapes.reshape(
              operand,
              groups.map((group) => shapeSize(group.map((axis) => aligned[index]?.[axis] ?? 1))),
            ),
          )
        : operands.map((operand) =>
            shapeSize(operand.shape) === 1
              ? shapes.reshape(operand, [])
              : shapes.reshape(shapes.broadcastTo(operand, full), [shapeSize(full)]),
          );
    return shapes.reshape(emit(small), full);
  }

  const resultType = (op: string, dtype: TfDtype): TfDtype => (predicates.has(op) ? "bool" : dtype);

  const unary: Tf["unary"] = (op, x) => {
    const dtype = resultType(op, x.dtype);
    return withMaxRank([x], gpu ? 6 : 8, ([operand = x]) =>
      core.emitOne(op, [operand], {}, { dtype, shape: operand.shape }),
    );
  };

  const binary: Tf["binary"] = (op, x, y) => {
    const folded = foldBinary(op, x, y);
    if (folded !== null) return core.constant(folded, x.dtype);
    const average = averagePool(op, x, y);
    if (average !== null) return average;
    const dtype = resultType(op, x.dtype);
    return withMaxRank([x, y], native ? 5 : gpu || wasm ? 6 : 8, ([left = x, right = y]) =>
      core.emitOne(
        op,
        [left, right],
        {},
        {
          dtype,
          shape: broadcastShapes(core, [left.shape, right.shape]),
        },
      ),
    );
  };

  /** A window sum divided by the window's size: AvgPool itself, not AvgPool * n / n. */
  function averagePool(op: string, x: Tensor, y: Tensor): Tensor | null {
    if (op !== "RealDiv" || y.value === null || y.shape.length > 0) return null;
    const product = core.producer(x);
    const [pooled, factor] = product?.op === "Mul" ? product.inputs : [];
    if (pooled === undefined || factor?.value === null || factor?.shape.length !== 0) return null;
    const isPool = core.producer(pooled)?.op.startsWith("AvgPool") ?? false;
    return isPool && asFloat32(factor.value)[0] === asFloat32(y.value)[0] ? pooled : null;
  }

  const select: Tf["select"] = (condition, x, y) => {
    if (x.dtype === "bool" && wasm) {
      // SelectV2 on bool is wrong on wasm.
      const chosen = binary("LogicalAnd", condition, x);
      const other = binary("LogicalAnd", unary("LogicalNot", condition), y);
      return binary("LogicalOr", chosen, other);
    }
    const operands = [condition, x, y];
    // tfjs-node broadcasts scalars to one element, even where there are none.
    const shape = broadcastShapes(
      core,
      operands.map((operand) => operand.shape),
    );
    if (shape.includes(0)) return fill(shape, 0, x.dtype);
    return withMaxRank(operands, gpu ? 4 : native ? 5 : 8, ([c = condition, a = x, b = y]) =>
      core.emitOne(
        "SelectV2",
        [c, a, b],
        {},
        {
          dtype: x.dtype,
          shape: broadcastShapes(core, [c.shape, a.shape, b.shape]),
        },
      ),
    );
  };

  const cast: Tf["cast"] = (x, dtype) => {
    if (x.dtype === dtype) return x;
    const folded = foldCast(x, dtype);
    if (folded !== null) return core.constant(folded, dtype);
    if (dtype === "bool") return binary("NotEqual", x, scalar(0, x.dtype));
    return withMaxRank([x], gpu ? 6 : 8, ([operand = x]) =>
      core.emitOne("Cast", [operand], { DstT: { type: dtype } }, { dtype, shape: operand.shape }),
    );
  };

  const scalar: Tf["scalar"] = (value, dtype) => core.numbers([Number(value)], dtype, []);

  const fill: Tf["fill"] = (shape, value, dtype) => shapes.broadcastTo(scalar(value, dtype), shape);

  return { unary, binary, select, cast, scalar, fill };
}

/** Larger known operands stay nodes. */
const maxFoldedBytes = 65536;

/** Exact int32 arithmetic on small known operands (indices, sizes). */
function foldBinary(op: string, x: Tensor, y: Tensor): HostArray | null {
  if (x.value?.dtype !== "int32" || y.value?.dtype !== "int32") return null;
  if (!isStaticShape(x.shape) || !isStaticShape(y.shape)) return null;
  const size = Math.max(x.value.bytes.length, y.value.bytes.length);
  const sameShape =
    x.shape.length === 0 || y.shape.length === 0 || x.shape.join() === y.shape.join();
  if (size > maxFoldedBytes || !sameShape) return null;
  const compute = integerFold(op);
  if (compute === null) return null;
  const left = asInt32(x.value, { overflow: "wrap" });
  const right = asInt32(y.value, { overflow: "wrap" });
  const shape = x.shape.length === 0 ? y.shape : x.shape;
  const count = Math.max(left.length, right.length);
  const values = Int32Array.from({ length: count }, (_, index) =>
    compute(left[left.length === 1 ? 0 : index] ?? 0, right[right.length === 1 ? 0 : index] ?? 0),
  );
  return fromNumbers("int32", [...shape], values);
}

function integerFold(op: string): ((a: number, b: number) => number) | null {
  switch (op) {
    case "AddV2":
      return (a, b) => (a + b) | 0;
    case "Sub":
      return (a, b) => (a - b) | 0;
    case "Mul":
      return Math.imul;
    case "Maximum":
      return Math.max;
    case "Minimum":
      return Math.min;
    default:
      return null;
  }
}

function foldCast(x: Tensor, dtype: TfDtype): HostArray | null {
  const value = x.value;
  if (value?.dtype !== x.dtype || value.bytes.length > maxFoldedBytes || !isStaticShape(x.shape))
    return null;
  if (dtype === "float32" && (x.dtype === "int32" || x.dtype === "bool")) {
    return fromNumbers("float32", [...x.shape], asFloat32(value));
  }
  if (dtype === "int32" && x.dtype === "bool") {
    return fromNumbers("int32", [...x.shape], asInt32(value));
  }
  return null;
}
