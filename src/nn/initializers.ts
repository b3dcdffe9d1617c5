/** Initial values of parameters: functions of a key and a shape, as `jax.nn.initializers` has them. */
import type { Shape } from "../ir/dims.js";
import { invalid, optionsOf } from "../lax/arguments.js";
import { full, ones as onesOf, zeros as zerosOf } from "../numpy/creation.js";
import { multiply } from "../numpy/elementwise.js";
import { atIndex } from "../numpy/indexing.js";
import { moveaxis, reshape } from "../numpy/shapes.js";
import * as random from "../random/index.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";

/** Makes float32 parameters of a shape. JAX's `jax.nn.initializers.Initializer`. */
export type Initializer = (key: ArrayLike, shape: readonly number[]) => ArrayValue;

/** All 0. JAX's `jax.nn.initializers.zeros`. */
export const zeros: Initializer = (_key, shape) => zerosOf(shape);
/** All 1. JAX's `jax.nn.initializers.ones`. */
export const ones: Initializer = (_key, shape) => onesOf(shape);

/** All the same. JAX's `jax.nn.initializers.constant`. */
export function constant(value: ArrayLike): Initializer {
  return (_key, shape) => full(shape, value, { dtype: "float32" });
}

/** Numbers from 0 to `scale`. JAX's `jax.nn.initializers.uniform`. */
export function uniform(scale = 1e-2): Initializer {
  return (key, shape) => multiply(random.uniform(key, shape), Math.fround(scale));
}

/** Normal numbers of deviation `stddev`. JAX's `jax.nn.initializers.normal`. */
export function normal(stddev = 1e-2): Initializer {
  return (key, shape) => multiply(random.normal(key, shape), Math.fround(stddev));
}

export interface TruncatedNormalOptions {
  /** In deviations. Default: -2. */
  readonly lower?: number;
  /** In deviations. Default: 2. */
  readonly upper?: number;
}

/** Normal numbers without the rare ones. JAX's `jax.nn.initializers.truncated_normal`. */
export function truncatedNormal(stddev = 1e-2, options: TruncatedNormalOptions = {}): Initializer {
  const { lower = -2, upper = 2 } = optionsOf("truncatedNormal", options, ["lower", "upper"]);
  return (key, shape) =>
    multiply(random.truncatedNormal(key, lower, upper, shape), Math.fround(stddev));
}

export interface FanOptions {
  /** The dimensions of the inputs. Default: the last but one. */
  readonly inAxis?: number | readonly number[];
  /** The dimensions of the outputs. Default: the last. */
  readonly outAxis?: number | readonly number[];
  /** Dimensions of several parameters that do not see each other. Default: none. */
  readonly batchAxis?: number | readonly number[];
}

const product = (sizes: readonly number[]): number =>
  sizes.reduce((total, size) => total * size, 1);

function sizeAlong(shape: readonly number[], axes: number | readonly number[]): number {
  const places = typeof axes === "number" ? [axes] : axes;
  return product(places.map((axis) => shape.at(axis) ?? 1));
}

/** How many numbers one output is made of, and how many one input goes into. */
function fansOf(
  shape: readonly number[],
  { inAxis = -2, outAxis = -1, batchAxis = [] }: FanOptions,
): { readonly fanIn: number; readonly fanOut: number } {
  if (inAxis === -2 && shape.length <= 1) {
    throw invalid(
      `Can't compute input and output sizes of a ${shape.length}-dimensional weights tensor with ` +
        "default inAxis. Must be at least 2D or specify inAxis explicitly.",
    );
  }
  const [inSize, outSize] = [sizeAlong(shape, inAxis), sizeAlong(shape, outAxis)];
  const field = product(shape) / inSize / outSize / sizeAlong(shape, batchAxis);
  return { fanIn: inSize * field, fanOut: outSize * field };
}

export type FanMode = "fan_in" | "fan_out" | "fan_avg" | "fan_geo_avg";

function fanOf(mode: FanMode, fanIn: number, fanOut: number): number {
  switch (mode) {
    case "fan_in":
      return fanIn;
    case "fan_out":
      return fanOut;
    case "fan_avg":
      return (fanIn + fanOut) / 2;
    case "fan_geo_avg":
      return Math.sqrt(fanIn * fanOut);
    default:
      throw invalid(`invalid mode for variance scaling initializer: ${String(mode)}`);
  }
}

/** The deviation of normal numbers between -2 and 2. */
const truncatedDeviation = Math.fround(0.87962566103423978);

/**
 * Numbers whose variance is `scale` over the number of inputs, outputs, or their mean. JAX's
 * `jax.nn.initializers.variance_scaling`.
 */
export function varianceScaling(
  scale: number,
  mode: FanMode,
  distribution: "truncated_normal" | "normal" | "uniform",
  options: FanOptions = {},
): Initializer {
  return (key, shape) => {
    const { fanIn, fanOut } = fansOf(shape, options);
    const variance = Math.fround(scale / fanOf(mode, fanIn, fanOut));
    const root = (x: number): number => Math.fround(Math.sqrt(Math.fround(x)));
    switch (distribution) {
      case "truncated_normal": {
        const stddev = Math.fround(root(variance) / truncatedDeviation);
        return multiply(random.truncatedNormal(key, -2, 2, shape), stddev);
      }
      case "normal":
        return multiply(random.normal(key, shape), root(variance));
      case "uniform":
        return multiply(random.uniform(key, shape, { minval: -1 }), root(3 * variance));
      default:
        throw invalid(
          `invalid distribution for variance scaling initializer: ${String(distribution)}`,
        );
    }
  };
}

const scaling =
  (scale: number, mode: FanMode, distribution: "truncated_normal" | "uniform") =>
  (options: FanOptions = {}): Initializer =>
    varianceScaling(scale, mode, distribution, options);

/** JAX's `jax.nn.initializers.glorot_uniform`. */
export const glorotUniform = scaling(1, "fan_avg", "uniform");
/** JAX's `jax.nn.initializers.xavier_uniform`. */
export const xavierUniform = glorotUniform;
/** JAX's `jax.nn.initializers.glorot_normal`. */
export const glorotNormal = scaling(1, "fan_avg", "truncated_normal");
/** JAX's `jax.nn.initializers.xavier_normal`. */
export const xavierNormal = glorotNormal;
/** JAX's `jax.nn.initializers.lecun_uniform`. */
export const lecunUniform = scaling(1, "fan_in", "uniform");
/** JAX's `jax.nn.initializers.lecun_normal`. */
export const lecunNormal = scaling(1, "fan_in", "truncated_normal");
/** JAX's `jax.nn.initializers.he_uniform`. */
export const heUniform = scaling(2, "fan_in", "uniform");
/** JAX's `jax.nn.initializers.kaiming_uniform`. */
export const kaimingUniform = heUniform;
/** JAX's `jax.nn.initializers.he_normal`. */
export const heNormal = scaling(2, "fan_in", "truncated_normal");
/** JAX's `jax.nn.initializers.kaiming_normal`. */
export const kaimingNormal = heNormal;

export interface OrthogonalOptions {
  /** The dimension of the columns. Default: the last. */
  readonly columnAxis?: number;
}

/** Orthonormal rows or columns. JAX's `jax.nn.initializers.orthogonal`. */
export function orthogonal(scale = 1, options: OrthogonalOptions = {}): Initializer {
  const { columnAxis = -1 } = optionsOf("orthogonal", options, ["columnAxis"]);
  return (key, shape) => {
    if (shape.length < 2) throw invalid("orthogonal initializer requires at least a 2D shape");
    if (shape.includes(0)) return zerosOf(shape);
    const columns = shape.at(columnAxis) ?? 1;
    const place = columnAxis < 0 ? columnAxis + shape.length : columnAxis;
    const matrix = random.orthogonal(key, product(shape) / columns, { m: columns });
    const rows: Shape = [...shape.toSpliced(place, 1), columns];
    return multiply(Math.fround(scale), moveaxis(reshape(matrix, rows), -1, place));
  };
}

/** An orthogonal matrix in the middle of a convolution's kernel, 0 elsewhere. JAX's `jax.nn.initializers.delta_orthogonal`. */
export function deltaOrthogonal(scale = 1, options: OrthogonalOptions = {}): Initializer {
  const { columnAxis = -1 } = optionsOf("deltaOrthogonal", options, ["columnAxis"]);
  return (key, shape) => {
    if (shape.length < 3 || shape.length > 5) {
      throw invalid("Delta orthogonal initializer requires a 3D, 4D or 5D shape.");
    }
    if ((shape.at(-1) ?? 0) < (shape.at(-2) ?? 0)) {
      throw invalid("`fan_in` must be less or equal than `fan_out`. ");
    }
    const matrix = orthogonal(scale, { columnAxis })(key, shape.slice(-2));
    const middle = shape.slice(0, -2).map((size) => Math.floor((size - 1) / 2));
    return atIndex(zerosOf(shape), ...middle).set(matrix);
  };
}
