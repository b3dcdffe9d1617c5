// Equations of the elementwise primitives, with arguments away from kinks, poles and branch cuts.
import type { DType } from "../../../src/ir/dtypes.js";
import { ifLinear } from "./structure.js";
import { integerDTypes } from "./dtypes.js";
import {
  bools,
  complexNumbers,
  distinct,
  floats,
  integers,
  sampled,
  signed,
  sizeOf,
  upTo,
  type Draw,
  type Example,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

type Interval = readonly [low: number, high: number];
type Rectangle = readonly [left: number, right: number, bottom: number, top: number];

/** Where a function of one argument is smooth; `signed`: magnitudes of numbers of both signs. */
interface Domain {
  readonly real?: Interval;
  readonly signed?: Interval;
  readonly complex?: Rectangle;
  readonly integers?: Interval;
  readonly tolerance?: number;
  readonly smooth?: false;
  readonly linear?: true;
}

const everywhere: Domain = { real: [-2, 2], complex: [-1.5, 1.5, -1.5, 1.5] };
const nearZero: Domain = { real: [-0.8, 0.8], complex: [-0.7, 0.7, -0.6, 0.6] };
const rightHalf: Domain = { real: [0.3, 2], complex: [0.3, 2, -1, 1] };

const functions: Readonly<Record<string, Domain>> = {
  abs: { signed: [0.2, 2], complex: [0.3, 2, -1, 1], integers: [-100, 100] },
  acos: nearZero,
  acosh: { real: [1.3, 3], complex: [1.3, 3, -1, 1] },
  asin: nearZero,
  asinh: { real: [-2, 2], complex: [-2, 2, -0.6, 0.6] },
  atan: { real: [-2, 2], complex: [-2, 2, -0.6, 0.6] },
  atanh: nearZero,
  bessel_i0e: { signed: [0.2, 3] },
  bessel_i1e: { signed: [0.2, 3] },
  cbrt: { signed: [0.3, 3] },
  copy_p: { ...everywhere, integers: [-100, 100], linear: true },
  cos: everywhere,
  cosh: everywhere,
  digamma: { real: [0.5, 4], tolerance: 3e-5 },
  erf: { real: [-2, 2] },
  erf_inv: { real: [-0.8, 0.8] },
  erfc: { real: [-2, 2] },
  exp: everywhere,
  exp2: everywhere,
  expm1: everywhere,
  lgamma: { real: [0.5, 4], tolerance: 3e-5 },
  log: rightHalf,
  log1p: { real: [-0.6, 2], complex: [-0.6, 2, -1, 1] },
  logistic: everywhere,
  neg: { ...everywhere, integers: [-100, 100], linear: true },
  rsqrt: rightHalf,
  // JAX's derivative of the direction of a complex number is zero.
  sign: { signed: [0.2, 2], integers: [-3, 3] },
  sin: everywhere,
  sinh: everywhere,
  sqrt: rightHalf,
  square: { ...everywhere, integers: [-10, 10] },
  tan: { real: [-1, 1], complex: [-1, 1, -1, 1] },
  tanh: everywhere,
};

/** An argument of the type that was drawn. */
function argument(domain: Domain, dtype: DType, shape: readonly number[]): Input {
  if (dtype === "complex64") return complexNumbers(shape, domain.complex ?? [-1, 1, -1, 1]);
  if (domain.signed !== undefined) return signed(shape, ...domain.signed, dtype);
  return floats(shape, ...(domain.real ?? [-1, 1]), dtype);
}

/** Mostly float32, sometimes what else the function takes. */
function drawDType(draw: Draw, domain: Domain): DType | "integer" {
  const choices: (DType | "integer")[] = ["float32", "float32", "bfloat16"];
  if (domain.complex !== undefined) choices.push("complex64", "complex64");
  if (domain.integers !== undefined) choices.push("integer");
  return draw.pick(choices);
}

const oneArgument =
  (domain: Domain): Generator =>
  (draw) => {
    const shape = draw.shapeOrEmpty();
    const dtype = drawDType(draw, domain);
    const { smooth, integers: range = [0, 0] } = domain;
    // Constants of rules are rounded to the type.
    const tolerance = dtype === "bfloat16" ? 1e-2 : domain.tolerance;
    const inputs =
      dtype === "integer" ? [integerInput(draw, shape, range)] : [argument(domain, dtype, shape)];
    return {
      inputs,
      ...(domain.linear === true ? ifLinear(inputs) : {}),
      ...(tolerance === undefined ? {} : { tolerance }),
      ...(smooth === undefined ? {} : { smooth }),
    };
  };

function integerInput(draw: Draw, shape: readonly number[], [low, high]: Interval): Input {
  const dtype = draw.pick(low < 0 ? (["int32", "int8"] as const) : integerDTypes);
  return integers(shape, low, high, dtype);
}

/** Numbers whose fraction is not close to a half or a whole. */
const betweenSteps = (shape: readonly number[]): Input =>
  sampled(shape, (random) =>
    upTo(sizeOf(shape)).map(() => {
      const half = Math.floor(8 * random()) / 2 - 2;
      return half + 0.15 + 0.2 * random();
    }),
  );

const steps: Generator = (draw) => ({ inputs: [betweenSteps(draw.shapeOrEmpty())] });

/** Shapes of arguments: equal, or scalars among them. */
export function shapesOf(draw: Draw, count: number): readonly (readonly number[])[] {
  const shape = draw.shapeOrEmpty();
  return upTo(count).map(() => (draw.oneIn(4) ? [] : shape));
}

type Ranges = readonly Interval[];

/** Two or more real arguments, each in an interval. */
const severalArguments =
  (ranges: Ranges, options: Partial<Example> = {}): Generator =>
  (draw) => {
    const shapes = shapesOf(draw, ranges.length);
    const inputs = ranges.map(([low, high], index) => floats(shapes[index] ?? [], low, high));
    return { inputs, ...options };
  };

/** Arithmetic on floats, complex numbers and integers; sums are linear. */
const arithmetic =
  (kindOfFunction: "linear" | "product" | "quotient"): Generator =>
  (draw) => {
    const divides = kindOfFunction === "quotient";
    const linear = kindOfFunction === "linear" ? { linear: [0, 1] } : {};
    const kind = draw.pick(["float", "float", "complex", "integer"]);
    const shapes = shapesOf(draw, 2);
    const [first = [], second = []] = shapes;
    if (kind === "complex") {
      return {
        inputs: [
          complexNumbers(first, [-1.5, 1.5, -1.5, 1.5]),
          complexNumbers(second, [0.5, 1.5, -1, 1]),
        ],
        ...linear,
      };
    }
    if (kind === "integer") {
      const dtype = draw.pick(integerDTypes);
      const low = dtype.startsWith("u") ? 0 : -100;
      const divisor = divides ? 1 : low;
      return { inputs: [integers(first, low, 100, dtype), integers(second, divisor, 100, dtype)] };
    }
    const dtype = draw.pick(["float32", "float32", "bfloat16"] as const);
    const inputs = [floats(first, -2, 2, dtype), signed(second, 0.5, 1.5, dtype)];
    return { inputs, ...linear };
  };

/** Two arrays no element of which equals the one at its place. */
const compared: Generator = (draw) => {
  const [first = [], second = []] = shapesOf(draw, 2);
  if (draw.oneIn(4)) {
    const dtype = draw.pick([...integerDTypes, "bool"] as const);
    return { inputs: [integers(first, 0, 1, dtype), integers(second, 0, 1, dtype)] };
  }
  return { inputs: [distinct(first), distinct(second, "float32", 0.15)] };
};

const remainder: Generator = (draw) => {
  const [first = [], second = []] = shapesOf(draw, 2);
  if (draw.oneIn(3)) {
    const dtype = draw.pick(integerDTypes);
    return { inputs: [integers(first, 0, 100, dtype), integers(second, 1, 100, dtype)] };
  }
  // Quotients stay between whole numbers.
  const dividend = sampled(first, (random) =>
    upTo(sizeOf(first)).map(() => (random() < 0.5 ? -1 : 1) * (3.4 + 0.2 * random())),
  );
  return { inputs: [dividend, floats(second, 0.95, 1.05)] };
};

const bitwise =
  (withBool: boolean): Generator =>
  (draw) => {
    const [first = [], second = []] = shapesOf(draw, 2);
    const dtype = withBool && draw.oneIn(3) ? "bool" : draw.pick(integerDTypes);
    const high = dtype === "bool" ? 1 : 100;
    return { inputs: [integers(first, 0, high, dtype), integers(second, 0, high, dtype)] };
  };

const bits =
  (withBool: boolean): Generator =>
  (draw) => {
    const shape = draw.shapeOrEmpty();
    if (withBool && draw.oneIn(3)) return { inputs: [bools(shape)] };
    return { inputs: [integers(shape, 0, 100, draw.pick(integerDTypes))] };
  };

const shift: Generator = (draw) => {
  const [first = [], second = []] = shapesOf(draw, 2);
  const dtype = draw.pick(integerDTypes);
  return { inputs: [integers(first, 0, 100, dtype), integers(second, 0, 7, dtype)] };
};

const power: Generator = (draw) => {
  const [first = [], second = []] = shapesOf(draw, 2);
  const kind = draw.pick(["real", "complex", "integer"]);
  if (kind === "complex") {
    return {
      inputs: [complexNumbers(first, [0.5, 1.5, -1, 1]), complexNumbers(second, [-1, 1, -1, 1])],
    };
  }
  if (kind === "integer") {
    return { inputs: [signed(first, 0.5, 1.5), integers(second, -2, 3)], tolerance: 3e-5 };
  }
  return { inputs: [floats(first, 0.5, 2), floats(second, -2, 2)], tolerance: 3e-5 };
};

const selection: Generator = (draw) => {
  const count = draw.int(1, 4);
  const shape = draw.shapeOrEmpty();
  const whichShape = draw.bool() ? shape : [];
  const which =
    count === 2 && draw.bool()
      ? bools(whichShape)
      : count > 2
        ? integers(whichShape, 0, count - 1)
        : bools(whichShape);
  const dtype = draw.pick(["float32", "complex64", "int32", "bool"] as const);
  const one = (): Input =>
    dtype === "int32" || dtype === "bool"
      ? integers(shape, 0, 1, dtype)
      : floats(shape, -1, 1, dtype);
  return { inputs: [which, ...upTo(count > 2 ? count : 2).map(one)] };
};

const clamping: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const bound = (): readonly number[] => (draw.bool() ? shape : []);
  if (draw.oneIn(4)) {
    const dtype = draw.pick(integerDTypes);
    const inputs = [integers(bound(), 0, 20, dtype), integers(shape, 0, 100, dtype)];
    return { inputs: [...inputs, integers(bound(), 50, 100, dtype)] };
  }
  const x = sampled(shape, (random) =>
    upTo(sizeOf(shape)).map(() => Math.floor(3 * random()) - 1 + 0.2 * random()),
  );
  return { inputs: [floats(bound(), -0.7, -0.5), x, floats(bound(), 0.5, 0.7)] };
};

const integerPower: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const kind = draw.pick(["real", "complex", "integer"]);
  if (kind === "integer") {
    return { inputs: [integers(shape, -5, 5)], params: { y: draw.int(0, 4) } };
  }
  const params = { y: draw.int(-3, 5) };
  const input =
    kind === "complex" ? complexNumbers(shape, [0.5, 1.2, -0.8, 0.8]) : signed(shape, 0.6, 1.5);
  return { inputs: [input], params, tolerance: 3e-5 };
};

const rounding: Generator = (draw) => ({
  ...steps(draw),
  params: { rounding_method: draw.pick(["AWAY_FROM_ZERO", "TO_NEAREST_EVEN"]) },
});

const shortFloat: Generator = (draw) => ({
  inputs: [floats(draw.shapeOrEmpty())],
  params: draw.pick([
    { exponent_bits: 8, mantissa_bits: 7 },
    { exponent_bits: 5, mantissa_bits: 10 },
  ]),
  smooth: false,
  // Tangents are rounded, too.
  tolerance: 1e-2,
});

const conversion: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const from = draw.pick(["float32", "complex64", "int32", "bool", "float16"] as const);
  const to = draw.pick(["float32", "complex64", "int32", "bool", "uint8", "bfloat16"] as const);
  const isWhole = from === "int32" || from === "bool";
  const isSmooth = (to === "float32" || to === "complex64") && from !== "float16";
  return {
    inputs: [isWhole ? integers(shape, 0, 1, from) : floats(shape, 0.1, 0.9, from)],
    params: { new_dtype: to, weak_type: false },
    ...(isSmooth ? {} : { smooth: false, tolerance: 1e-2 }),
  };
};

const reinterpretation: Generator = (draw) => {
  const shape = draw.shapeOrEmpty();
  const choice = draw.pick([
    ["float32", "int32"],
    ["int32", "float32"],
    ["uint32", "int32"],
    ["int32", "uint8"],
    ["float32", "uint16"],
  ] as const);
  const [from, to] = choice;
  const input =
    from === "float32" ? floats(shape) : integers(shape, 1_000_000_000, 1_050_000_000, from);
  return { inputs: [input], params: { new_dtype: to }, active: [] };
};

const ofComplex: Generator = (draw) => ({
  inputs: [floats(draw.shapeOrEmpty(), -1, 1, "complex64")],
});

const conjugation: Generator = (draw) => {
  const dtype = draw.pick(["float32", "complex64"] as const);
  const inputs = [floats(draw.shapeOrEmpty(), -1, 1, dtype)];
  return { inputs, params: { input_dtype: dtype } };
};

const gammaRanges: Ranges = [
  [0.5, 3],
  [0.5, 4],
];

export const elementwise: Generators = {
  ...Object.fromEntries(
    Object.entries(functions).map(([name, domain]) => [name, oneArgument(domain)]),
  ),
  ...Object.fromEntries(
    ["eq", "eq_to", "ge", "gt", "le", "le_to", "lt", "lt_to", "ne"].map((name) => [name, compared]),
  ),
  ...Object.fromEntries(["and", "or", "xor"].map((name) => [name, bitwise(true)])),
  ...Object.fromEntries(
    ["shift_left", "shift_right_arithmetic", "shift_right_logical"].map((name) => [name, shift]),
  ),
  ceil: steps,
  floor: steps,
  is_finite: steps,
  round: rounding,
  add: arithmetic("linear"),
  add_any: arithmetic("linear"),
  sub: arithmetic("linear"),
  mul: arithmetic("product"),
  div: arithmetic("quotient"),
  rem: remainder,
  max: compared,
  min: compared,
  mulhi: bitwise(false),
  pow: power,
  atan2: severalArguments([
    [0.3, 1.5],
    [-1.5, 1.5],
  ]),
  complex: severalArguments([
    [-1, 1],
    [-1, 1],
  ]),
  nextafter: severalArguments([
    [-1, 1],
    [-1, 1],
  ]),
  igamma: severalArguments(gammaRanges, { tolerance: 1e-4 }),
  igammac: severalArguments(gammaRanges, { tolerance: 1e-4 }),
  igamma_grad_a: severalArguments(gammaRanges, { tolerance: 1e-4 }),
  random_gamma_grad: severalArguments(gammaRanges, { tolerance: 1e-4 }),
  // As in JAX, derivatives by the last argument alone.
  regularized_incomplete_beta: severalArguments(
    [
      [0.5, 2],
      [0.5, 2],
      [0.2, 0.8],
    ],
    { active: [2], tolerance: 1e-4 },
  ),
  zeta: severalArguments([
    [1.5, 4],
    [0.5, 3],
  ]),
  polygamma: (draw) => {
    const [first = [], second = []] = shapesOf(draw, 2);
    const order = sampled(first, (random) =>
      upTo(sizeOf(first)).map(() => Math.floor(3 * random())),
    );
    return { inputs: [order, floats(second, 0.8, 3)], active: [1], tolerance: 1e-4 };
  },
  clz: bits(false),
  population_count: bits(false),
  not: bits(true),
  integer_pow: integerPower,
  reduce_precision: shortFloat,
  convert_element_type: conversion,
  bitcast_convert_type: reinterpretation,
  select_n: selection,
  clamp: clamping,
  real: ofComplex,
  imag: ofComplex,
  conj: conjugation,
};
