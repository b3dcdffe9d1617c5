/**
 * Shape and data-movement nodes. Knows up to which rank each kernel is right on each backend
 * and splits or collapses dimensions so that rules need not.
 */
import {
  addDims,
  boundsOf,
  dimEquals,
  isStaticShape,
  isSymbolic,
  mulDims,
  shapeEquals,
  shapeSize,
  subDims,
  type Dim,
  type Shape,
} from "../../ir/dims.js";
import { elementCount, hostArray, valuesOf, type HostArray } from "../../ir/hostArray.js";
import type { AttrValue, Tensor, Tf, TfDtype } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import { needsCare, transposeIntegers } from "./integerTranspose.js";
import type { DimensionOps } from "./dimensions.js";

export type ShapeOps = Pick<
  Tf,
  | "reshape"
  | "broadcastTo"
  | "transpose"
  | "concat"
  | "split"
  | "unpack"
  | "pack"
  | "slice"
  | "stridedSlice"
  | "dynamicSlice"
  | "pad"
  | "reverse"
  | "tile"
>;

/** Up to so many repeated numbers are a constant rather than a node that repeats them. */
const maxRepeated = 1024;

const product = (dims: Shape): Dim => shapeSize(dims);

/** Views `x` as [before, axis, after], applies `apply` there and restores the outer sizes. */
function onAxis(
  reshape: Tf["reshape"],
  x: Tensor,
  axis: number,
  apply: (x: Tensor) => Tensor,
): Tensor {
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const viewed = reshape(x, [product(before), x.shape[axis] ?? 1, product(after)]);
  const result = apply(viewed);
  return reshape(result, [...before, result.shape[1] ?? 1, ...after]);
}

/** Groups adjacent dimensions that `sameGroup` lets travel together. */
export function groupDimensions(
  rank: number,
  sameGroup: (left: number, right: number) => boolean,
): readonly (readonly number[])[] {
  const groups: number[][] = [];
  for (let axis = 0; axis < rank; axis++) {
    const last = groups.at(-1);
    const previous = last?.at(-1);
    if (last !== undefined && previous !== undefined && sameGroup(previous, axis)) last.push(axis);
    else groups.push([axis]);
  }
  return groups;
}

export function shapeOps(core: GraphCore, dimensions: DimensionOps): ShapeOps {
  const gpu = core.targets("webgl", "webgpu");
  const wasm = core.targets("wasm");
  const vector = (values: readonly number[]): Tensor =>
    core.numbers(values, "int32", [values.length]);

  /** int32 vector of sizes; -1 stands for the one symbolic size where that is enough. */
  function shapeInput(shape: Shape, allowUnknown: boolean): Tensor {
    const symbolic = shape.filter(isSymbolic).length;
    const hasZero = shape.includes(0);
    if (symbolic === 0) return vector(shape as readonly number[]);
    if (symbolic === 1 && allowUnknown && !hasZero) {
      return vector(shape.map((dim) => (isSymbolic(dim) ? -1 : dim)));
    }
    return dimensions.shapeVector(shape);
  }

  /** A reshape that only adds or drops sizes of 1 needs no arithmetic on symbolic sizes. */
  function moveOnes(x: Tensor, shape: Shape): Tensor | null {
    const isOne = (dim: Dim): boolean => dim === 1;
    const isLong = (dim: Dim): boolean => dim !== 1;
    if (!shapeEquals(x.shape.filter(isLong), shape.filter(isLong))) return null;
    const output = { dtype: x.dtype, shape };
    if (!shape.some(isOne)) {
      const dropped = x.shape.flatMap((dim, axis) => (isOne(dim) ? [axis] : []));
      return core.emitOne("Squeeze", [x], { axis: { listI: dropped } }, output);
    }
    if (x.shape.some(isOne) || shape.filter(isOne).length > 1) return null;
    const axis = core.numbers([shape.findIndex(isOne)], "int32", []);
    return core.emitOne("ExpandDims", [x, axis], {}, output);
  }

  const reshape: Tf["reshape"] = (x, shape) => {
    if (shapeEquals(x.shape, shape)) return x;
    const known = x.value;
    if (known !== null && isStaticShape(shape)) {
      return core.constant({ ...known, shape: [...shape] }, x.dtype);
    }
    const producer = core.producer(x);
    const origin = producer?.op === "Reshape" ? producer.inputs[0] : undefined;
    if (origin !== undefined) return reshape(origin, shape);
    const ones = shape.filter(isSymbolic).length > 1 ? moveOnes(x, shape) : null;
    if (ones !== null) return ones;
    return core.emitOne("Reshape", [x, shapeInput(shape, true)], {}, { dtype: x.dtype, shape });
  };

  /** A few known numbers, repeated; null for many or unknown ones. */
  function smallBroadcast({ value, shape: from }: Tensor, shape: Shape): HostArray | null {
    if (value === null || !isStaticShape(shape) || !isStaticShape(from)) return null;
    const count = elementCount(shape);
    if (count === 0 || count > maxRepeated) return null;
    const width = value.bytes.length / elementCount(from);
    const bytes = new Uint8Array(count * width);
    for (let flat = 0; flat < count; flat++) {
      let [rest, index, stride] = [flat, 0, 1];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const [size, own] = [shape[axis] ?? 1, from[axis] ?? 1];
        if (own !== 1) index += (rest % size) * stride;
        stride *= own;
        rest = Math.floor(rest / size);
      }
      bytes.set(value.bytes.subarray(index * width, (index + 1) * width), flat * width);
    }
    return hostArray(value.dtype, [...shape], bytes);
  }

  const broadcastTo: Tf["broadcastTo"] = (x, shape) => {
    if (shapeEquals(x.shape, shape)) return x;
    const rank = shape.length;
    const aligned = reshape(x, [
      ...Array.from({ length: rank - x.shape.length }, () => 1),
      ...x.shape,
    ]);
    if (shapeEquals(aligned.shape, shape)) return aligned;
    const known = smallBroadcast(aligned, shape);
    if (known !== null) return core.constant(known, x.dtype);
    if (product(x.shape) === 1 && (!gpu || x.value !== null)) {
      // One element: Fill needs no rank and no copy loop. It reads the element in JavaScript, for which
      // a GPU would have to stop.
      const scalar = reshape(x, []);
      return core.emitOne(
        "Fill",
        [shapeInput(shape, false), scalar],
        { T: { type: x.dtype } },
        {
          dtype: x.dtype,
          shape,
        },
      );
    }
    const output = { dtype: x.dtype, shape };
    const isStretched = (axis: number): boolean =>
      !dimEquals(aligned.shape[axis] ?? 1, shape[axis] ?? 1);
    const stretched = shape.filter((_, axis) => isStretched(axis));
    // BroadcastTo leaves its operand as it is where sizes of 1 only become 0; and Tile needs to know
    // no other sizes than the new ones.
    const mayBeEmpty = stretched.some((dim) => boundsOf(dim)[0] <= 0);
    if (mayBeEmpty && isStaticShape(shape)) return core.numbers([], x.dtype, shape);
    if (mayBeEmpty || (isStaticShape(stretched) && !isStaticShape(shape))) {
      const repeats = shape.map((dim, axis) => (isStretched(axis) ? dim : 1));
      return core.emitOne("Tile", [aligned, shapeInput(repeats, false)], {}, output);
    }
    return core.emitOne("BroadcastTo", [aligned, shapeInput(shape, false)], {}, output);
  };

  const transpose: Tf["transpose"] = (x, permutation) => {
    const shape = permutation.map((axis) => x.shape[axis] ?? 1);
    const moved = permutation.filter((axis) => x.shape[axis] !== 1);
    if (moved.every((axis, index) => index === 0 || axis > (moved[index - 1] ?? -1))) {
      return reshape(x, shape);
    }
    const producer = core.producer(x);
    const origin = producer?.op === "Transpose" ? producer.inputs[0] : undefined;
    const inner = producer?.inputs[1]?.value;
    if (origin !== undefined && inner !== null && inner !== undefined) {
      const first = Array.from(valuesOf(inner), Number);
      return transpose(
        origin,
        permutation.map((axis) => first[axis] ?? 0),
      );
    }
    if (needsCare(core, x)) return transposeIntegers(core, { reshape, transpose }, x, permutation);
    if (permutation.length > 6) return transposeCollapsed(x, permutation, shape);
    const output = { dtype: x.dtype, shape };
    return core.emitOne("Transpose", [x, vector(permutation)], {}, output);
  };

  /** One dimension at a time comes to its place, in a view of rank 4. */
  function transposeInSteps(x: Tensor, permutation: readonly number[], shape: Shape): Tensor {
    const order = x.shape.map((_, axis) => axis);
    const size = (axes: readonly number[]): Dim => product(axes.map((axis) => x.shape[axis] ?? 1));
    let result = x;
    for (const [place, axis] of permutation.entries()) {
      const from = order.indexOf(axis);
      if (from === place) continue;
      const [done, between] = [size(order.slice(0, place)), size(order.slice(place, from))];
      const [own, rest] = [size([axis]), size(order.slice(from + 1))];
      const viewed = reshape(result, [done, between, own, rest]);
      const output = { dtype: x.dtype, shape: [done, own, between, rest] };
      result = core.emitOne("Transpose", [viewed, vector([0, 2, 1, 3])], {}, output);
      order.splice(from, 1);
      order.splice(place, 0, axis);
    }
    return reshape(result, shape);
  }

  /** Dimensions that stay next to each other move as one. */
  function transposeCollapsed(x: Tensor, permutation: readonly number[], shape: Shape): Tensor {
    const groups = groupDimensions(
      permutation.length,
      (left, right) => (permutation[right] ?? 0) === (permutation[left] ?? 0) + 1,
    );
    if (groups.length > 6 && gpu) return transposeInSteps(x, permutation, shape);
    const sources = groups.map((group) => group.map((position) => permutation[position] ?? 0));
    const order = sources
      .map((source, index) => ({ first: source[0] ?? 0, index }))
      .sort((a, b) => a.first - b.first);
    const collapsed = order.map(({ index }) =>
      product((sources[index] ?? []).map((axis) => x.shape[axis] ?? 1)),
    );
    const newPermutation = sources.map((_, index) =>
      order.findIndex((entry) => entry.index === index),
    );
    const viewed = reshape(x, collapsed);
    const output = {
      dtype: x.dtype,
      shape: newPermutation.map((axis) => collapsed[axis] ?? 1),
    };
    const moved = core.emitOne("Transpose", [viewed, vector(newPermutation)], {}, output);
    return reshape(moved, shape);
  }

  const concat: Tf["concat"] = (tensors, axis) => {
    const first = tensors[0];
    if (first === undefined) throw new Error("internal error: concat of nothing");
    const parts = tensors.filter((tensor) => tensor.shape[axis] !== 0);
    const [only] = parts;
    if (only === undefined) return first;
    if (parts.length === 1) return only;
    const size = parts.reduce<Dim>((sum, part) => addDims(sum, part.shape[axis] ?? 0), 0);
    const shape = first.shape.map((dim, index) => (index === axis ? size : dim));
    if (shape.length <= 6) {
      const axisInput = core.numbers([axis], "int32", []);
      return core.emitOne(
        "ConcatV2",
        [...parts, axisInput],
        { N: { i: parts.length } },
        { dtype: first.dtype, shape },
      );
    }
    const before = product(first.shape.slice(0, axis));
    const after = product(first.shape.slice(axis + 1));
    const viewed = parts.map((part) => reshape(part, [before, part.shape[axis] ?? 1, after]));
    return reshape(concat(viewed, 1), shape);
  };

  const split: Tf["split"] = (x, sizes, axis) => {
    if (sizes.length === 1) return [x];
    const outputs = sizes.map((size) => ({
      dtype: x.dtype,
      shape: x.shape.map((dim, index) => (index === axis ? size : dim)),
    }));
    const place = core.numbers([axis], "int32", []);
    if (sizes.every((size) => size === sizes[0])) {
      return core.emit("Split", [place, x], { num_split: { i: sizes.length } }, outputs);
    }
    return core.emit("SplitV", [x, vector(sizes), place], {}, outputs);
  };

  const unpack: Tf["unpack"] = (x, axis) => {
    const count = x.shape[axis];
    if (typeof count !== "number") throw core.error("symbolic-size", "unstack needs a known size");
    const shape = x.shape.filter((_, index) => index !== axis);
    if (count === 1) return [reshape(x, shape)];
    if (shape.length > 5) {
      const sizes = Array.from({ length: count }, () => 1);
      return split(x, sizes, axis).map((piece) => reshape(piece, shape));
    }
    const outputs = Array.from({ length: count }, () => ({ dtype: x.dtype, shape }));
    return core.emit("Unpack", [x], { axis: { i: axis } }, outputs);
  };

  const pack: Tf["pack"] = (tensors, axis) => {
    const [first] = tensors;
    if (first === undefined) throw new Error("internal error: stack of nothing");
    const shape = first.shape.toSpliced(axis, 0, tensors.length);
    if (tensors.length === 1 || first.shape.length > 5) {
      const unit = first.shape.toSpliced(axis, 0, 1);
      return concat(
        tensors.map((tensor) => reshape(tensor, unit)),
        axis,
      );
    }
    return core.emitOne("Pack", tensors, { axis: { i: axis } }, { dtype: first.dtype, shape });
  };

  const slice: Tf["slice"] = (x, begin, size) => {
    const whole = x.shape.every((dim, axis) => dimEquals(dim, size[axis] ?? -1));
    if (whole) return x;
    const toEnd = size.map((dim, axis) =>
      isSymbolic(dim) && dimEquals(addDims(begin[axis] ?? 0, dim), x.shape[axis] ?? 0) ? -1 : dim,
    );
    const groups = groupDimensions(x.shape.length, (left, right) => {
      const full = (axis: number): boolean => dimEquals(size[axis] ?? 0, x.shape[axis] ?? 0);
      return full(left) && full(right);
    });
    if (x.shape.length > 6 && groups.length < x.shape.length) {
      const pick = (dims: Shape, group: readonly number[]): Dim =>
        group.length === 1 ? (dims[group[0] ?? 0] ?? 0) : product(group.map((a) => dims[a] ?? 1));
      const viewed = reshape(
        x,
        groups.map((group) => pick(x.shape, group)),
      );
      const begins = groups.map((group) => (group.length === 1 ? (begin[group[0] ?? 0] ?? 0) : 0));
      const sizes = groups.map((group) => pick(size, group));
      return reshape(slice(viewed, begins, sizes), size);
    }
    const inputs = [x, shapeInput(begin, false), shapeInput(toEnd, false)];
    return core.emitOne("Slice", inputs, {}, { dtype: x.dtype, shape: size });
  };

  const dynamicSlice: Tf["dynamicSlice"] = (x, begin, size) => {
    const inputs = [x, begin, shapeInput(size, false)];
    return core.emitOne("Slice", inputs, {}, { dtype: x.dtype, shape: size });
  };

  /** Every `stride`-th element along one axis of a [before, n, after] view, first one included. */
  function everyNth(x: Tensor, stride: number, count: Dim): Tensor {
    const [before = 1, , after = 1] = x.shape;
    const shape = [before, count, after];
    if (x.dtype === "float32") {
      const attrs = {
        begin_mask: { i: 7 },
        end_mask: { i: 7 },
        ellipsis_mask: { i: 0 },
        new_axis_mask: { i: 0 },
        shrink_axis_mask: { i: 0 },
      };
      const inputs = [x, vector([0, 0, 0]), vector([0, 0, 0]), vector([1, stride, 1])];
      return core.emitOne("StridedSlice", inputs, attrs, { dtype: x.dtype, shape });
    }
    // StridedSlice on wasm gives float32 for every type; a gather does not.
    const steps = core.emitOne(
      "Mul",
      [dimensions.range(count), vector([stride])],
      {},
      {
        dtype: "int32",
        shape: [count],
      },
    );
    const inputs = [x, steps, core.numbers([1], "int32", [])];
    return core.emitOne("GatherV2", inputs, { batch_dims: { i: 0 } }, { dtype: x.dtype, shape });
  }

  /** All axes at once, where StridedSlice is right on every target. */
  function stridedNode(
    x: Tensor,
    begin: Shape,
    end: Shape,
    strides: readonly number[],
    shape: Shape,
  ): Tensor {
    const mask = (isWhole: (axis: number) => boolean): AttrValue => ({
      i: x.shape.reduce<number>((bits, _, axis) => bits + (isWhole(axis) ? 2 ** axis : 0), 0),
    });
    const toEnd = (axis: number): boolean => dimEquals(end[axis] ?? 0, x.shape[axis] ?? 0);
    const attrs = {
      begin_mask: mask((axis) => begin[axis] === 0),
      end_mask: mask(toEnd),
      ellipsis_mask: { i: 0 },
      new_axis_mask: { i: 0 },
      shrink_axis_mask: { i: 0 },
    };
    const ends = end.map((dim, axis) => (toEnd(axis) ? 0 : dim));
    const inputs = [x, shapeInput(begin, false), shapeInput(ends, false), vector(strides)];
    return core.emitOne("StridedSlice", inputs, attrs, { dtype: x.dtype, shape });
  }

  const stridedSlice: Tf["stridedSlice"] = (x, begin, end, strides) => {
    if (x.dtype === "float32" && x.shape.length <= 4 && strides.some((stride) => stride > 1)) {
      const shape = end.map((limit, axis) =>
        dimensions.ceilDivide(subDims(limit, begin[axis] ?? 0), strides[axis] ?? 1),
      );
      return stridedNode(x, begin, end, strides, shape);
    }
    const sizes = end.map((limit, axis) => subDims(limit, begin[axis] ?? 0));
    let result = slice(x, begin, sizes);
    strides.forEach((stride, axis) => {
      if (stride === 1) return;
      const size = sizes[axis] ?? 0;
      const count = dimensions.ceilDivide(size, stride);
      result = onAxis(reshape, result, axis, (viewed) => everyNth(viewed, stride, count));
    });
    return result;
  };

  const padValue = (value: number | boolean, dtype: TfDtype): Tensor =>
    core.numbers([Number(value)], dtype, []);

  function emitPad(
    x: Tensor,
    padding: readonly (readonly [Dim, Dim])[],
    value: number | boolean,
  ): Tensor {
    const shape = x.shape.map((dim, axis) =>
      addDims(addDims(dim, padding[axis]?.[0] ?? 0), padding[axis]?.[1] ?? 0),
    );
    const flat = padding.flat();
    const amounts = isStaticShape(flat)
      ? core.numbers(flat, "int32", [padding.length, 2])
      : reshape(dimensions.shapeVector(flat), [padding.length, 2]);
    const inputs = [x, amounts, padValue(value, x.dtype)];
    return core.emitOne("PadV2", inputs, {}, { dtype: x.dtype, shape });
  }

  /** Pads one axis by concatenation. */
  function extend(
    x: Tensor,
    axis: number,
    amounts: readonly [Dim, Dim],
    value: number | boolean,
  ): Tensor {
    const block = (amount: Dim): readonly Tensor[] => {
      const shape = x.shape.map((dim, other) => (other === axis ? amount : dim));
      return amount === 0 ? [] : [broadcastTo(padValue(value, x.dtype), shape)];
    };
    return concat([...block(amounts[0]), x, ...block(amounts[1])], axis);
  }

  const pad: Tf["pad"] = (x, padding, value) => {
    const padded = padding
      .map(([low, high], axis) => (low === 0 && high === 0 ? -1 : axis))
      .filter((axis) => axis >= 0);
    if (padded.length === 0) return x;
    // PadV2 of wasm takes its value as a float32: 2^31 - 1 would become -2^31.
    if (wasm && x.dtype === "int32" && Math.fround(Number(value)) !== value) {
      return padded.reduce(
        (result, axis) => extend(result, axis, padding[axis] ?? [0, 0], value),
        x,
      );
    }
    const maxRank = gpu ? 4 : wasm ? 6 : 8;
    if (x.shape.length <= maxRank) return emitPad(x, padding, value);
    let result = x;
    for (const axis of padded) {
      const amount = padding[axis] ?? [0, 0];
      result = onAxis(reshape, result, axis, (viewed) =>
        emitPad(viewed, [[0, 0], amount, [0, 0]], value),
      );
    }
    return result;
  };

  const reverse: Tf["reverse"] = (x, axes) => {
    const real = axes.filter((axis) => x.shape[axis] !== 1);
    if (real.length === 0) return x;
    if (x.dtype === "bool" && wasm) {
      const asInt = core.emitOne(
        "Cast",
        [x],
        { DstT: { type: "int32" } },
        {
          dtype: "int32",
          shape: x.shape,
        },
      );
      const zero = core.numbers([0], "int32", []);
      return core.emitOne(
        "NotEqual",
        [reverse(asInt, real), zero],
        {},
        {
          dtype: "bool",
          shape: x.shape,
        },
      );
    }
    if (x.shape.length <= 4 || !gpu) {
      return core.emitOne("ReverseV2", [x, vector(real)], {}, { dtype: x.dtype, shape: x.shape });
    }
    return real.reduce(
      (result, axis) => onAxis(reshape, result, axis, (viewed) => reverse(viewed, [1])),
      x,
    );
  };

  const tile: Tf["tile"] = (x, repeats) => {
    if (repeats.every((count) => count === 1)) return x;
    const shape = x.shape.map((dim, axis) => mulDims(dim, repeats[axis] ?? 1));
    const inputs = [x, shapeInput(repeats, false)];
    return core.emitOne("Tile", inputs, {}, { dtype: x.dtype, shape });
  };

  return {
    reshape,
    broadcastTo,
    transpose,
    concat,
    split,
    unpack,
    pack,
    slice,
    stridedSlice,
    dynamicSlice,
    pad,
    reverse,
    tile,
  };
}
