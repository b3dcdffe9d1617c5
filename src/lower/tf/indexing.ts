/**
 * Gathers, scatters, top-k and one-hot nodes. Indices must be in bounds: wasm reads and writes
 * stray memory otherwise.
 */
import { mulDims, shapeSize, type Dim } from "../../ir/dims.js";
import type { Tensor, Tf } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import type { DimensionOps } from "./dimensions.js";
import type { ElementwiseOps } from "./elementwise.js";
import type { ShapeOps } from "./shape.js";

export type IndexingOps = Pick<
  Tf,
  "gather" | "gatherNd" | "scatterNd" | "tensorScatterUpdate" | "topK" | "oneHot"
>;

export function indexingOps(
  core: GraphCore,
  dimensions: DimensionOps,
  shapes: ShapeOps,
  elementwise: ElementwiseOps,
): IndexingOps {
  const scalar = (value: number): Tensor => core.numbers([value], "int32", []);

  const gather: Tf["gather"] = (x, indices, axis, batchDims = 0) => {
    const shape: readonly Dim[] = [
      ...x.shape.slice(0, axis),
      ...indices.shape.slice(batchDims),
      ...x.shape.slice(axis + 1),
    ];
    if (batchDims > 0 && core.targets("wasm"))
      return gatherFlat(x, indices, axis, batchDims, shape);
    const attrs = { batch_dims: { i: batchDims } };
    return core.emitOne("GatherV2", [x, indices, scalar(axis)], attrs, { dtype: x.dtype, shape });
  };

  /**
   * A batched gather without batch_dims: the wasm kernel strides over the indices by the batch size
   * instead of the number of indices per batch. Batch and outer dimensions go into the index.
   */
  function gatherFlat(
    x: Tensor,
    indices: Tensor,
    axis: number,
    batchDims: number,
    shape: readonly Dim[],
  ): Tensor {
    const size = x.shape[axis] ?? 1;
    const batch = shapeSize(x.shape.slice(0, batchDims));
    const outer = shapeSize(x.shape.slice(batchDims, axis));
    const inner = x.shape.slice(axis + 1);
    const picks = shapeSize(indices.shape.slice(batchDims));
    const rows = mulDims(batch, outer);
    const flat = shapes.reshape(x, [mulDims(rows, size), ...inner]);
    const begins = dimensions.range(rows, size);
    // Without outer dimensions nothing has to be repeated for them.
    const perRow = outer === 1 ? [batch, picks] : [batch, 1, picks];
    const begin = shapes.reshape(begins, outer === 1 ? [batch, 1] : [batch, outer, 1]);
    const places = elementwise.binary("AddV2", shapes.reshape(indices, perRow), begin);
    return shapes.reshape(gather(flat, places, 0), shape);
  }

  const gatherNd: Tf["gatherNd"] = (x, indices) => {
    const depth = indices.shape.at(-1);
    if (typeof depth !== "number") throw new Error("internal error: symbolic index depth");
    const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
    return core.emitOne("GatherNd", [x, indices], {}, { dtype: x.dtype, shape });
  };

  const scatterNd: Tf["scatterNd"] = (indices, updates, shape) => {
    const inputs = [indices, updates, dimensions.shapeVector(shape)];
    return core.emitOne("ScatterNd", inputs, {}, { dtype: updates.dtype, shape });
  };

  const tensorScatterUpdate: Tf["tensorScatterUpdate"] = (x, indices, updates) => {
    if (x.dtype !== "bool") {
      if (core.targets("webgl")) return selectScattered(x, indices, updates);
      const output = { dtype: x.dtype, shape: x.shape };
      // The cpu kernel writes into its argument, which may be a weight, or a tensor of the user's, or
      // be read by other nodes: each write has a copy of its own.
      const target = core.targets("cpu")
        ? core.emitCopy("Mul", [x, core.numbers([1], x.dtype, [])], {}, output)
        : x;
      return core.emitOne("TensorScatterUpdate", [target, indices, updates], {}, output);
    }
    // TensorScatterUpdate on bool aborts on wasm.
    const asInt = (tensor: Tensor): Tensor => elementwise.cast(tensor, "int32");
    return elementwise.cast(tensorScatterUpdate(asInt(x), indices, asInt(updates)), "bool");
  };

  /**
   * The webgl kernel mixes old and new as `old * (1 - found) + new * found`, or in a form that rounds
   * to the larger of the two: a large old value makes the new one inexact, an infinite one NaN.
   */
  function selectScattered(x: Tensor, indices: Tensor, updates: Tensor): Tensor {
    const depth = indices.shape.at(-1);
    if (typeof depth !== "number") throw new Error("internal error: symbolic index depth");
    const written = scatterNd(indices, updates, x.shape);
    const ones = elementwise.fill(indices.shape.slice(0, -1), 1, "int32");
    const rows = x.shape.slice(0, depth);
    const found = elementwise.binary("Greater", scatterNd(indices, ones, rows), scalar(0));
    const column = shapes.reshape(
      found,
      x.shape.map((size, axis) => (axis < depth ? size : 1)),
    );
    return elementwise.select(column, written, x);
  }

  const topK: Tf["topK"] = (x, k) => {
    const shape = [...x.shape.slice(0, -1), k];
    const [values, indices] = core.emit("TopKV2", [x, dimensions.dim(k)], { sorted: { b: true } }, [
      { dtype: x.dtype, shape },
      { dtype: "int32", shape },
    ]);
    if (values === undefined || indices === undefined) throw new Error("internal error: TopKV2");
    return { values, indices };
  };

  const oneHot: Tf["oneHot"] = (indices, depth) => {
    // wasm writes integer bits for T = float32, so the node is int32 and the caller casts.
    const inputs = [indices, scalar(depth), scalar(1), scalar(0)];
    const shape = [...indices.shape, depth];
    return core.emitOne("OneHot", inputs, { T: { type: "int32" } }, { dtype: "int32", shape });
  };

  return { gather, gatherNd, scatterNd, tensorScatterUpdate, topK, oneHot };
}
