// Equations of contractions, convolutions, windows and Fourier transforms, with random parameters.
import type { ReduceWindowParams } from "../../../src/ir/params.js";
import { computations, scalarProgram } from "./reductions.js";
import {
  distinct,
  floats,
  integers,
  signed,
  upTo,
  type Draw,
  type Example,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

const product: Generator = (draw) => {
  const size = (): number => draw.int(1, 3);
  const batch = upTo(draw.int(0, 2)).map(size);
  const contracted = upTo(draw.int(0, 2)).map(size);
  /** Sizes in random order: batch, contracted and free dimensions. */
  const operand = (): { shape: number[]; batch: number[]; contracting: number[] } => {
    const sizes = [...batch, ...contracted, ...upTo(draw.int(0, 2)).map(size)];
    const order = draw.permutation(sizes.length);
    const shape = order.map((place) => sizes[place] ?? 1);
    const places = sizes.map((_, place) => order.indexOf(place));
    return {
      shape,
      batch: places.slice(0, batch.length),
      contracting: places.slice(batch.length, batch.length + contracted.length),
    };
  };
  const [left, right] = [operand(), operand()];
  const dtype = draw.pick(["float32", "float32", "complex64", "int32", "bfloat16"] as const);
  const array = (shape: readonly number[]): Input =>
    dtype === "int32" ? integers(shape, -5, 5) : floats(shape, -1, 1, dtype);
  const preferred = dtype === "bfloat16" && draw.bool() ? "float32" : null;
  return {
    inputs: [array(left.shape), array(right.shape)],
    params: {
      dimension_numbers: [
        [left.contracting, right.contracting],
        [left.batch, right.batch],
      ],
      precision: null,
      preferred_element_type: preferred,
    },
    // Cotangents are rounded to the type of the operands.
    ...(preferred === null ? {} : { tolerance: 1e-2 }),
  };
};

const convolution: Generator = (draw) => {
  const spatial = draw.int(1, 2);
  const groups = draw.int(1, 2);
  const batchGroups = groups === 1 ? draw.int(1, 2) : 1;
  const inputFeatures = draw.int(1, 2);
  const outputFeatures = groups * batchGroups * draw.int(1, 2);
  const factors = (): readonly number[] => upTo(spatial).map(() => draw.int(1, 2));
  const window = upTo(spatial).map(() => draw.int(1, 3));
  const [strides, lhsDilation, rhsDilation] = [factors(), factors(), factors()];
  const padding = window.map(() => [draw.int(-1, 2), draw.int(-1, 2)] as const);
  // Large enough that there is at least one window.
  const sizes = window.map((size, dim) => {
    const reach = (size - 1) * (rhsDilation[dim] ?? 1) + 1;
    const [low, high] = padding[dim] ?? [0, 0];
    return Math.max(2, reach - low - high) + draw.int(0, 2);
  });
  const rank = spatial + 2;
  const specs = upTo(3).map(() => draw.permutation(rank));
  const [lhsSpec = [], rhsSpec = [], outSpec = []] = specs;
  const placed = (spec: readonly number[], values: readonly number[]): readonly number[] =>
    upTo(rank).map((dim) => values[spec.indexOf(dim)] ?? 1);
  const dtype = draw.pick(["float32", "float32", "complex64"] as const);
  const batch = batchGroups * draw.int(1, 2);
  const lhs = placed(lhsSpec, [batch, inputFeatures * groups, ...sizes]);
  const rhs = placed(rhsSpec, [outputFeatures, inputFeatures, ...window]);
  return {
    inputs: [floats(lhs, -1, 1, dtype), floats(rhs, -1, 1, dtype)],
    params: {
      window_strides: strides,
      padding,
      lhs_dilation: lhsDilation,
      rhs_dilation: rhsDilation,
      window_reversal: draw.bool() ? null : upTo(spatial).map(() => draw.bool()),
      dimension_numbers: { lhs_spec: lhsSpec, rhs_spec: rhsSpec, out_spec: outSpec },
      feature_group_count: groups,
      batch_group_count: batchGroups,
      precision: null,
      preferred_element_type: null,
    },
  };
};

interface Windowed {
  readonly shape: readonly number[];
  readonly params: ReduceWindowParams;
}

/** Windows that fit an array; `plain`: without dilation. */
function windows(draw: Draw, { plain = false, gaps = true, pads = true } = {}): Windowed {
  const rank = draw.int(1, 3);
  const dims = upTo(rank);
  const factor = (isFree: boolean): readonly number[] =>
    dims.map(() => (isFree && draw.oneIn(3) ? 2 : 1));
  const window = dims.map(() => draw.int(1, 3));
  const baseDilation = factor(!plain);
  const windowDilation = factor(!plain && gaps);
  const padding = dims.map(() =>
    pads ? ([draw.int(0, 1), draw.int(0, 1)] as const) : ([0, 0] as const),
  );
  const shape = dims.map((dim) => {
    const reach = ((window[dim] ?? 1) - 1) * (windowDilation[dim] ?? 1) + 1;
    const [low, high] = padding[dim] ?? [0, 0];
    return Math.max(1, reach - low - high) + draw.int(0, 2);
  });
  return {
    shape,
    params: {
      window_dimensions: window,
      window_strides: dims.map(() => draw.int(1, 3)),
      padding,
      base_dilation: baseDilation,
      window_dilation: windowDilation,
    },
  };
}

const windowSums: Generator = (draw) => {
  const { shape, params } = windows(draw);
  const dtype = draw.pick(["float32", "float32", "complex64", "int32"] as const);
  const input = dtype === "int32" ? integers(shape, -5, 5) : floats(shape, -1, 1, dtype);
  return { inputs: [input], params };
};

/** Reverse derivatives are refused for windows with gaps, as by JAX. */
const withoutReverse = ({ params }: Windowed): Partial<Example> =>
  params.window_dilation.some((factor) => factor !== 1) ? { reverse: false } : {};

const windowExtrema: Generator = (draw) => {
  const windowed = windows(draw);
  return {
    inputs: [distinct(windowed.shape)],
    params: windowed.params,
    ...withoutReverse(windowed),
  };
};

const generalWindows: Generator = (draw) => {
  // Padding counts as the initial value, which only known operations leave out.
  const { shape, params } = windows(draw, { pads: false });
  const base = { ...params, base_dilation: params.base_dilation.map(() => 1) };
  const names = ["product", "probability", "dual"] as const;
  const jaxpr = computations[draw.pick(names)];
  if (jaxpr === undefined) throw new Error("no computation");
  const count = jaxpr.jaxpr.outvars.length;
  const inputs = [
    ...upTo(count).map(() => signed(shape, 0.5, 1.2)),
    ...upTo(count).map(() => signed([], 0.5, 1.2)),
  ];
  return {
    inputs,
    params: { ...base, jaxpr },
    active: upTo(count),
    batched: upTo(count),
    // JAX's rule leaves the derivatives of what comes before each window out of the reverse mode.
    reverse: false,
    tolerance: 3e-5,
  };
};

/** The shape with one element for each window. */
function windowCounts({ shape, params }: Windowed): readonly number[] {
  return shape.map((size, dim) => {
    const [low, high] = params.padding[dim] ?? [0, 0];
    const reach = Number(params.window_dimensions[dim] ?? 1);
    const padded = size + Number(low) + Number(high);
    return Math.floor((padded - reach) / (params.window_strides[dim] ?? 1)) + 1;
  });
}

function plainWindows({ params }: Windowed) {
  const { window_dimensions, window_strides, padding } = params;
  return { window_dimensions, window_strides, padding };
}

const scatterChosen: Generator = (draw) => {
  const windowed = windows(draw, { plain: true });
  return {
    inputs: [floats(windowCounts(windowed)), distinct(windowed.shape)],
    params: { ...plainWindows(windowed), select_prim: draw.pick(["ge", "le"]) },
    active: [0],
  };
};

const gatherChosen: Generator = (draw) => {
  const windowed = windows(draw, { gaps: draw.oneIn(4) });
  return {
    inputs: [floats(windowed.shape), distinct(windowed.shape)],
    params: { ...windowed.params, select_prim: draw.pick(["ge", "le"]) },
    active: [0],
    ...withoutReverse(windowed),
  };
};

const comparison = scalarProgram(["float32"], (o, [a], [b]) =>
  a === undefined || b === undefined ? [] : [o.ge(a, b)],
);
const addition = scalarProgram(["float32"], (o, [a], [b]) =>
  a === undefined || b === undefined ? [] : [o.add(a, b)],
);

const scatterGenerally: Generator = (draw) => {
  const windowed = windows(draw, { plain: true, pads: false });
  return {
    inputs: [distinct(windowed.shape), floats(windowCounts(windowed)), floats([])],
    params: { ...plainWindows(windowed), select_jaxpr: comparison, scatter_jaxpr: addition },
    batched: [0, 1],
  };
};

const fourier: Generator = (draw) => {
  const lengths = upTo(draw.int(1, 2)).map(() => draw.int(1, 5));
  const type = draw.pick(["FFT", "IFFT", "RFFT", "IRFFT"] as const);
  const last = lengths.at(-1) ?? 1;
  const minor = type === "IRFFT" ? lengths.with(-1, Math.floor(last / 2) + 1) : lengths;
  const shape = [...draw.shape(0, 1), ...minor];
  const dtype = type === "RFFT" ? "float32" : "complex64";
  return {
    inputs: [floats(shape, -1, 1, dtype)],
    params: { fft_type: type, fft_lengths: lengths },
  };
};

export const contractions: Generators = {
  dot_general: product,
  conv_general_dilated: convolution,
  reduce_window_sum: windowSums,
  reduce_window_max: windowExtrema,
  reduce_window_min: windowExtrema,
  reduce_window: generalWindows,
  select_and_scatter_add: scatterChosen,
  select_and_gather_add: gatherChosen,
  select_and_scatter: scatterGenerally,
  fft: fourier,
};
