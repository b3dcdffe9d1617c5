/**
 * Reductions, cumulative sums, arg-reductions and softmax.
 */
import { dimEquals, shapeSize, type Dim, type Shape } from "../../ir/dims.js";
import type { Tensor, Tf } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import type { ElementwiseOps } from "./elementwise.js";
import { needsCare } from "./integerTranspose.js";
import { groupDimensions, type ShapeOps } from "./shape.js";

export type ReduceOps = Pick<Tf, "reduce" | "argReduce" | "cumulative" | "softmax" | "logSoftmax">;

type ReduceOp = Parameters<Tf["reduce"]>[0];

/** wasm adds naively in float32: longer sums are carried out in two stages there. */
const longSum = 4096;

const identities: Readonly<Record<ReduceOp, number>> = {
  Sum: 0,
  Prod: 1,
  Max: -Infinity,
  Min: Infinity,
  Mean: NaN,
  All: 1,
  Any: 0,
};

/** The divisor of `size` nearest to its square root, or 1. */
function middleDivisor(size: number): number {
  for (let divisor = Math.floor(Math.sqrt(size)); divisor > 1; divisor--) {
    if (size % divisor === 0) return divisor;
  }
  return 1;
}

export function reduceOps(
  core: GraphCore,
  shapes: ShapeOps,
  elementwise: ElementwiseOps,
): ReduceOps {
  const gpu = core.targets("webgl", "webgpu");
  const wasm = core.targets("wasm");

  const reducedShape = (shape: Shape, axes: readonly number[], keepDims: boolean): Shape =>
    keepDims
      ? shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
      : shape.filter((_, axis) => !axes.includes(axis));

  function identity(op: ReduceOp, x: Tensor, shape: Shape): Tensor {
    const value = identities[op];
    const limit = op === "Max" ? -(2 ** 31) : 2 ** 31 - 1;
    const finite = x.dtype === "int32" && !Number.isFinite(value) ? limit : value;
    return elementwise.fill(shape, finite, x.dtype);
  }

  function emitReduce(op: ReduceOp, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
    const shape = reducedShape(x.shape, axes, keepDims);
    const inputs = [x, core.numbers(axes, "int32", [axes.length])];
    return core.emitOne(op, inputs, { keep_dims: { b: keepDims } }, { dtype: x.dtype, shape });
  }

  /**
   * The axes of integers brought to the end, where the kernel of webgpu would do so with its own
   * transposition, which is wrong for integers; null where it need not.
   */
  function axesLast(x: Tensor, axes: readonly number[]): Tensor | null {
    const rank = x.shape.length;
    if (rank < 3 || !needsCare(core, x)) return null;
    const kept = x.shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
    const order = [...kept, ...[...axes].sort((a, b) => a - b)];
    return order.every((axis, index) => axis === index) ? null : shapes.transpose(x, order);
  }

  const reduce: Tf["reduce"] = (op, x, axes, keepDims = false) => {
    const shape = reducedShape(x.shape, axes, keepDims);
    if (axes.length === 0) return x;
    if (axes.some((axis) => x.shape[axis] === 0)) return identity(op, x, shape);
    if (axes.every((axis) => x.shape[axis] === 1)) return shapes.reshape(x, shape);
    const moved = axesLast(x, axes);
    if (moved !== null) {
      const last = axes.map((_, index) => x.shape.length - axes.length + index);
      return shapes.reshape(reduce(op, moved, last), shape);
    }
    if ((op === "Sum" || op === "Mean") && wasm && x.dtype === "float32") {
      const staged = longSumStage(x, axes);
      if (staged !== null) {
        const sum = shapes.reshape(reduce("Sum", staged.x, staged.axes, false), shape);
        if (op === "Sum") return sum;
        return elementwise.binary("RealDiv", sum, elementwise.scalar(staged.total, "float32"));
      }
    }
    if (x.shape.length <= 6 || !gpu) return emitReduce(op, x, axes, keepDims);
    const groups = groupDimensions(
      x.shape.length,
      (left, right) => axes.includes(left) === axes.includes(right),
    );
    const viewed = shapes.reshape(
      x,
      groups.map((group) => shapeSize(group.map((axis) => x.shape[axis] ?? 1))),
    );
    const viewedAxes = groups.flatMap((group, index) =>
      axes.includes(group[0] ?? 0) ? [index] : [],
    );
    return shapes.reshape(emitReduce(op, viewed, viewedAxes, false), shape);
  };

  /** Sums part of a long axis first; the rest of the axes is left to the second stage. */
  function longSumStage(
    x: Tensor,
    axes: readonly number[],
  ): { readonly x: Tensor; readonly axes: readonly number[]; readonly total: number } | null {
    const total = shapeSize(axes.map((axis) => x.shape[axis] ?? 1));
    if (typeof total !== "number" || total <= longSum) return null;
    if (axes.length > 1) {
      const first = axes.at(-1) ?? 0;
      const rest = axes.slice(0, -1);
      return { x: reduce("Sum", x, [first], true), axes: [...rest, first], total };
    }
    const axis = axes[0] ?? 0;
    const size = total;
    const inner = middleDivisor(size);
    if (inner === 1) return null;
    const split = [...x.shape.slice(0, axis), size / inner, inner, ...x.shape.slice(axis + 1)];
    const partial = emitReduce("Sum", shapes.reshape(x, split), [axis + 1], false);
    return { x: partial, axes: [axis], total };
  }

  const argReduce: Tf["argReduce"] = (op, x, axis) => {
    const shape = reducedShape(x.shape, [axis], false);
    const moved = axesLast(x, [axis]);
    if (moved !== null) return argReduce(op, moved, x.shape.length - 1);
    const inputs = [x, core.numbers([axis], "int32", [])];
    if (shape.length > 0 || !core.targets("webgpu")) {
      return core.emitOne(op, inputs, {}, { dtype: "int32", shape });
    }
    // webgpu gives shape [1] for a vector: an explicit Reshape makes it a scalar everywhere.
    const result = core.emitOne(op, inputs, {}, { dtype: "int32", shape: [1] });
    return core.emitOne(
      "Reshape",
      [result, core.numbers([], "int32", [0])],
      {},
      {
        dtype: "int32",
        shape,
      },
    );
  };

  const cumulative: Tf["cumulative"] = (op, x, axis, { reverse, exclusive }) => {
    if (x.shape.length === 0) return x;
    // The shader of webgpu that goes backwards is compiled for one length and used for all.
    if (reverse && core.targets("webgpu")) {
      const sums = cumulative(op, shapes.reverse(x, [axis]), axis, { reverse: false, exclusive });
      return shapes.reverse(sums, [axis]);
    }
    const moved = axesLast(x, [axis]);
    if (moved !== null) {
      const rank = x.shape.length;
      const sums = cumulative(op, moved, rank - 1, { reverse, exclusive });
      const places = x.shape.map((_, place) =>
        place < axis ? place : place === axis ? rank - 1 : place - 1,
      );
      return shapes.transpose(sums, places);
    }
    if (x.shape.length <= 4 || !gpu) {
      const attrs = { exclusive: { b: exclusive }, reverse: { b: reverse } };
      const inputs = [x, core.numbers([axis], "int32", [])];
      return core.emitOne(op, inputs, attrs, { dtype: x.dtype, shape: x.shape });
    }
    const before = shapeSize(x.shape.slice(0, axis));
    const after = shapeSize(x.shape.slice(axis + 1));
    const viewed = shapes.reshape(x, [before, x.shape[axis] ?? 1, after]);
    return shapes.reshape(cumulative(op, viewed, 1, { reverse, exclusive }), x.shape);
  };

  /** Softmax kernels want a matrix at most: leading dimensions become one. */
  function onLastAxis(op: string, x: Tensor): Tensor {
    const last: Dim = x.shape.at(-1) ?? 1;
    if (x.shape.length <= 4) return core.emitOne(op, [x], {}, { dtype: x.dtype, shape: x.shape });
    const matrix = shapes.reshape(x, [shapeSize(x.shape.slice(0, -1)), last]);
    const result = core.emitOne(op, [matrix], {}, { dtype: x.dtype, shape: matrix.shape });
    return dimEquals(last, result.shape[1] ?? 0) ? shapes.reshape(result, x.shape) : result;
  }

  return {
    reduce,
    argReduce,
    cumulative,
    softmax: (x) => onLastAxis("Softmax", x),
    logSoftmax: (x) => onLastAxis("LogSoftmax", x),
  };
}
