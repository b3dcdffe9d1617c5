/**
 * Derivatives and batching rules of the primitives that cut, join and pad arrays: slice.ts, pad.ts
 * and dynamic.ts.
 */
import { addDims, dilateDim, negDim, subDims, type Dim } from "../src/ir/dims.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import type {
  BatchRule,
  JvpRule,
  MaybeZero,
  Primitive,
  TransposeRule,
} from "../src/ir/primitive.js";
import { batchAtFront, sizeOfBatch, type BatchDims } from "./batching.js";
import type { DynamicSliceParams } from "./dynamic.js";
import type { PadParams } from "./pad.js";
import { filled, unaryBatch, unaryTranspose } from "./shapeTransforms.js";
import type {
  ConcatenateParams,
  SliceParams,
  SplitParams,
  StackParams,
  TileParams,
  UnstackParams,
} from "./slice.js";
import { at, upTo, withSize } from "./support.js";

/** Pads with zeros around and between the elements. */
export const sliceTranspose = unaryTranspose<SliceParams>(
  (o, cotangent, shape, { start_indices, strides }) => {
    const config = shape.map((size, axis) => {
      const [start, stride] = [at(start_indices, axis), strides?.[axis] ?? 1];
      const end = addDims(start, dilateDim(at(cotangent.aval.shape, axis), stride));
      return [start, subDims(size, end), stride - 1] as const;
    });
    return o.pad(cotangent, o.literal(0, cotangent.aval.dtype), config);
  },
);

export const sliceBatch = (self: () => Primitive<SliceParams>): BatchRule<SliceParams> =>
  unaryBatch(self, (batch, { start_indices, limit_indices, strides }, shape) => ({
    params: {
      start_indices: start_indices.toSpliced(batch, 0, 0),
      limit_indices: limit_indices.toSpliced(batch, 0, at(shape, batch)),
      strides: strides?.toSpliced(batch, 0, 1) ?? null,
    },
    dim: batch,
  }));

/** The values with their batch dimensions at one place: where all have it, else in front. */
function alignedBatches(
  o: Ops,
  inputs: readonly Value[],
  dims: BatchDims,
): { readonly values: readonly Value[]; readonly dim: number } {
  const first = dims[0] ?? null;
  if (first !== null && dims.every((dim) => dim === first)) return { values: inputs, dim: first };
  const size = sizeOfBatch(inputs, dims);
  const values = inputs.map((input, index) => batchAtFront(o, input, dims[index] ?? null, size));
  return { values, dim: 0 };
}

/** The place of an axis after a batch dimension was put in. */
const shiftAxis = (axis: number, batch: number): number => (axis >= batch ? axis + 1 : axis);

/** Each input gets its piece. */
export const concatenateTranspose: TransposeRule<ConcatenateParams> = (
  o,
  [cotangent = null],
  inputs,
  { dimension },
) => {
  let next: Dim = 0;
  return inputs.map((input): MaybeZero => {
    const { shape } = input.kind === "known" ? input.value.aval : input.aval;
    const start = next;
    next = addDims(start, at(shape, dimension));
    if (cotangent === null || input.kind === "known") return null;
    const whole = cotangent.aval.shape;
    const zeros = whole.map(() => 0);
    return o.slice(cotangent, withSize(zeros, dimension, start), withSize(whole, dimension, next));
  });
};

export const concatenateBatch =
  (self: () => Primitive<ConcatenateParams>): BatchRule<ConcatenateParams> =>
  (o, inputs, dims, { dimension }) => {
    const { values, dim } = alignedBatches(o, inputs, dims);
    const params = { dimension: shiftAxis(dimension, dim) };
    return { outputs: o.bind(self(), values, params), dims: [dim] };
  };

export const stackTranspose =
  (unstack: () => Primitive<UnstackParams>): TransposeRule<StackParams> =>
  (o, [cotangent = null], inputs, { axis }) => {
    if (cotangent === null) return inputs.map(() => null);
    const pieces = o.bind(unstack(), [cotangent], { axis });
    return inputs.map((input, index) => (input.kind === "known" ? null : at(pieces, index)));
  };

export const stackBatch =
  (self: () => Primitive<StackParams>): BatchRule<StackParams> =>
  (o, inputs, dims, { axis }) => {
    const { values, dim } = alignedBatches(o, inputs, dims);
    // The new dimension comes before the batch or behind it.
    const params = { axis: axis <= dim ? axis : axis + 1 };
    return { outputs: o.bind(self(), values, params), dims: [axis <= dim ? dim + 1 : dim] };
  };

/** Cotangents of all pieces; those that are symbolic zeros get the shape that `shapeOf` says. */
function allPieces(
  o: Ops,
  cotangents: readonly MaybeZero[],
  shapeOf: (index: number) => readonly Dim[],
): readonly Value[] | null {
  const some = cotangents.find((cotangent) => cotangent !== null);
  if (some === undefined) return null;
  return cotangents.map((cotangent, index) => {
    return cotangent ?? o.full(shapeOf(index), 0, some.aval.dtype);
  });
}

export const unstackTranspose =
  (stack: () => Primitive<StackParams>): TransposeRule<UnstackParams> =>
  (o, cotangents, inputs, { axis }) => {
    const input = at(inputs, 0);
    if (input.kind === "known") return [null];
    const shape = input.aval.shape.toSpliced(axis, 1);
    const pieces = allPieces(o, cotangents, () => shape);
    return pieces === null ? [null] : o.bind(stack(), pieces, { axis });
  };

export const unstackBatch = (self: () => Primitive<UnstackParams>): BatchRule<UnstackParams> =>
  unaryBatch(self, (batch, { axis }) => ({
    params: { axis: shiftAxis(axis, batch) },
    dim: axis < batch ? batch - 1 : batch,
  }));

export const splitTranspose: TransposeRule<SplitParams> = (
  o,
  cotangents,
  inputs,
  { sizes, axis },
) => {
  const input = at(inputs, 0);
  if (input.kind === "known") return [null];
  const { shape } = input.aval;
  const pieces = allPieces(o, cotangents, (index) => withSize(shape, axis, at(sizes, index)));
  return [pieces === null ? null : o.concatenate(pieces, axis)];
};

export const splitBatch = (self: () => Primitive<SplitParams>): BatchRule<SplitParams> =>
  unaryBatch(self, (batch, { sizes, axis }) => ({
    params: { sizes, axis: shiftAxis(axis, batch) },
    dim: batch,
  }));

/** Sums over the copies. */
export const tileTranspose = unaryTranspose<TileParams>((o, cotangent, shape, { reps }) => {
  const apart = shape.flatMap((size, axis) => [at(reps, axis), size]);
  return o.reduceSum(
    o.reshape(cotangent, apart),
    upTo(shape.length).map((axis) => 2 * axis),
  );
});

export const tileBatch = (self: () => Primitive<TileParams>): BatchRule<TileParams> =>
  unaryBatch(self, (batch, { reps }) => ({
    params: { reps: reps.toSpliced(batch, 0, 1) },
    dim: batch,
  }));

/** Cuts the padding off: the operand gets what is left, the padding value the sum of the rest. */
export const padTranspose: TransposeRule<PadParams> = (
  o,
  [cotangent = null],
  inputs,
  { padding_config },
) => {
  const [operand, padding] = [at(inputs, 0), at(inputs, 1)];
  if (cotangent === null) return [null, null];
  const zero = o.literal(0, cotangent.aval.dtype);
  const cut = o.pad(
    cotangent,
    zero,
    padding_config.map(([low, high]) => [negDim(low), negDim(high), 0] as const),
  );
  const { shape } = cut.aval;
  const steps = padding_config.map(([, , interior]) => interior + 1);
  const isDense = steps.every((step) => step === 1);
  const start = shape.map(() => 0);
  const pulled = isDense ? cut : o.slice(cut, start, shape, steps);
  const total = (x: Value): Value => o.reduceSum(x, upTo(shape.length));
  return [
    operand.kind === "known" ? null : pulled,
    padding.kind === "known" ? null : o.sub(total(cotangent), total(pulled)),
  ];
};

export const padBatch =
  (self: () => Primitive<PadParams>): BatchRule<PadParams> =>
  (o, inputs, dims, { padding_config }) => {
    const [operand, padding] = [at(inputs, 0), at(inputs, 1)];
    const own = dims[0] ?? null;
    const dim = own ?? 0;
    const x = own === null ? batchAtFront(o, operand, null, sizeOfBatch(inputs, dims)) : operand;
    const config = padding_config.toSpliced(dim, 0, [0, 0, 0]);
    if ((dims[1] ?? null) === null) {
      return { outputs: o.bind(self(), [x, padding], { padding_config: config }), dims: [dim] };
    }
    // A padding value for each row: chosen where no element of the operand lies.
    const padded = o.pad(x, o.literal(0, x.aval.dtype), config);
    const { shape } = padded.aval;
    const present = o.pad(o.full(x.aval.shape, true, "bool"), o.literal(false, "bool"), config);
    const output = o.selectN(present, o.broadcastInDim(padding, shape, [dim]), padded);
    return { outputs: [output], dims: [dim] };
  };

/** The starts are no numbers that a derivative goes through. */
export const dynamicSliceJvp: JvpRule<DynamicSliceParams> = (
  o,
  [operand, ...starts],
  [tangent = null],
  { slice_sizes },
) => {
  if (operand === undefined) throw new Error("internal error: dynamic_slice without operand");
  return {
    primals: [o.dynamicSlice(operand, starts, slice_sizes)],
    tangents: [tangent === null ? null : o.dynamicSlice(tangent, starts, slice_sizes)],
  };
};

/** The values of inputs that a rule needs: none of them is linear. */
function knownValues(inputs: Parameters<TransposeRule<NoParams>>[2]): readonly Value[] {
  return inputs.map((input) => {
    if (input.kind === "known") return input.value;
    throw new Error("internal error: linear start index");
  });
}

export const dynamicSliceTranspose: TransposeRule<DynamicSliceParams> = (
  o,
  [cotangent = null],
  [operand, ...starts],
) => {
  const nothing = starts.map(() => null);
  if (cotangent === null || operand?.kind !== "linear") return [null, ...nothing];
  const zeros = o.full(operand.aval.shape, 0, cotangent.aval.dtype);
  return [o.dynamicUpdateSlice(zeros, cotangent, knownValues(starts)), ...nothing];
};

export const dynamicUpdateSliceJvp: JvpRule<NoParams> = (
  o,
  [operand, update, ...starts],
  [operandTangent = null, updateTangent = null],
) => {
  if (operand === undefined || update === undefined) {
    throw new Error("internal error: dynamic_update_slice without operands");
  }
  const primals = [o.dynamicUpdateSlice(operand, update, starts)];
  if (operandTangent === null && updateTangent === null) return { primals, tangents: [null] };
  const into = filled(o, operandTangent, operand);
  return {
    primals,
    tangents: [o.dynamicUpdateSlice(into, filled(o, updateTangent, update), starts)],
  };
};

export const dynamicUpdateSliceTranspose: TransposeRule<NoParams> = (
  o,
  [cotangent = null],
  [operand, update, ...starts],
) => {
  const nothing = starts.map(() => null);
  if (cotangent === null || operand === undefined || update === undefined) {
    return [null, null, ...nothing];
  }
  const places = knownValues(starts);
  const { shape } = update.kind === "known" ? update.value.aval : update.aval;
  const zeros = (): Value => o.full(shape, 0, cotangent.aval.dtype);
  return [
    operand.kind === "known" ? null : o.dynamicUpdateSlice(cotangent, zeros(), places),
    update.kind === "known" ? null : o.dynamicSlice(cotangent, places, shape),
    ...nothing,
  ];
};
