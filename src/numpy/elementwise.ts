/** Elementwise functions of `numpy`: arithmetic, comparison, logic, rounding, selection. */
import { shapedArray } from "../ir/aval.js";
import { isComplex, isFloat, isInteger, type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import { callError } from "../api/calls.js";
import { canonicalDtype, invalid, isWeakScalar, optionsOf } from "../lax/arguments.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { arrayValue, callNamedOne, listOf, out } from "./convert.js";
import {
  broadcastShapes,
  broadcastValue,
  promoteArguments,
  promoteArgumentsInexact,
  promoteDtypes,
  promoteShapes,
  toType,
} from "./promotion.js";

type Input = ArrayLike;

const one = (op: (x: Value) => Value) => (x: Input) => out(op(arrayValue(x)));

/** Functions whose results are floating: integers become float32. */
const inexact =
  (op: (x: Value) => Value) =>
  (x: Input): ArrayValue =>
    out(op(promoted(promoteArgumentsInexact([x]))));

function promoted(values: readonly Value[]): Value {
  const [value] = values;
  if (value === undefined) throw new Error("internal error: no argument");
  return value;
}

function pair(values: readonly Value[]): readonly [Value, Value] {
  const [x, y] = values;
  if (x === undefined || y === undefined) throw new Error("internal error: two arguments");
  return [x, y];
}

const two =
  (op: (x: Value, y: Value) => Value, ofBooleans = op) =>
  (x: Input, y: Input): ArrayValue => {
    const [left, right] = pair(promoteArguments([x, y]));
    return out((left.aval.dtype === "bool" ? ofBooleans : op)(left, right));
  };

const twoInexact =
  (op: (x: Value, y: Value) => Value) =>
  (x: Input, y: Input): ArrayValue =>
    out(op(...pair(promoteArgumentsInexact([x, y]))));

/** A scalar of the type of a value. */
export function scalarLike(value: Value, number: number): Value {
  const { dtype } = value.aval;
  return o.literal(isComplex(dtype) ? { re: number, im: 0 } : number, dtype);
}

// --- Arithmetic ----------------------------------------------------------------------------------

/** `x + y`; of truth values, whether either holds. JAX's `jnp.add`. */
export const add = two(o.add, o.or);
/** `x - y`. JAX's `jnp.subtract`. */
export const subtract = two(o.sub);
/** `x * y`; of truth values, whether both hold. JAX's `jnp.multiply`. */
export const multiply = two(o.mul, o.and);
/** `x / y`, floating for integers too. JAX's `jnp.divide`. */
export const divide = twoInexact(o.div);
/** JAX's `jnp.true_divide`. */
export const trueDivide = divide;
/** The larger one; NaN if either is. JAX's `jnp.maximum`. */
export const maximum = two(o.max);
/** The smaller one; NaN if either is. JAX's `jnp.minimum`. */
export const minimum = two(o.min);
/** `-x`. JAX's `jnp.negative`. */
export const negative = one(o.neg);
/** `x`. JAX's `jnp.positive`. */
export const positive = one((x) => x);
/** JAX's `jnp.abs`. */
export const abs = one((x) =>
  x.aval.dtype === "bool" || x.aval.dtype.startsWith("uint") ? x : o.abs(x),
);
/** JAX's `jnp.absolute`. */
export const absolute = abs;
/** -1, 0 or 1. JAX's `jnp.sign`. */
export const sign = one(o.sign);
/** `x * x`. JAX's `jnp.square`. */
export const square = one(o.square);
/** `1 / x`. JAX's `jnp.reciprocal`. */
export const reciprocal = inexact((x) => o.integerPow(x, -1));

/** How a quotient rounds down: the sign of the remainder tells where truncation went up. */
function floorDivideValues(x: Value, y: Value): Value {
  const { dtype } = x.aval;
  if (dtype === "bool" || dtype.startsWith("uint")) return o.div(x, y);
  if (isInteger(dtype)) {
    const quotient = o.div(x, y);
    const zero = scalarLike(x, 0);
    const crosses = o.and(o.ne(o.sign(x), o.sign(y)), o.ne(o.rem(x, y), zero));
    return selectValues(crosses, o.sub(quotient, scalarLike(x, 1)), quotient);
  }
  const remainder = o.rem(x, y);
  const isZero = o.eq(y, scalarLike(y, 0));
  const whole = whereValues(isZero, x, o.sub(x, remainder));
  const quotient = o.div(whole, y);
  const crosses = o.and(o.ne(remainder, scalarLike(y, 0)), o.ne(o.sign(y), o.sign(remainder)));
  const lowered = o.sub(quotient, scalarLike(quotient, 1));
  return o.round(selectValues(crosses, lowered, quotient), "away_from_zero");
}

/** `x / y` rounded down. JAX's `jnp.floor_divide`. */
export function floorDivide(x: Input, y: Input): ArrayValue {
  return out(callAfterAdapting("floor_divide", x, y, floorDivideValues));
}

/** Calls a named function of two arrays, whose types it promotes inside as JAX does. */
function callAfterAdapting(
  name: string,
  x: Input,
  y: Input,
  op: (x: Value, y: Value) => Value,
): Value {
  return callNamedOne(
    name,
    "",
    (left, right) => op(...pair(promoteShapes(promoteDtypes([left, right])))),
    adapted([x, y]),
  );
}

/** Arguments where whole JavaScript numbers beside integers are integers. */
function adapted(args: readonly Input[]): readonly Value[] {
  const values = args.map(arrayValue);
  const integers = values.some((value) => !isWeakScalar(value) && isInteger(value.aval.dtype));
  const floats = values.some((value) => !isWeakScalar(value) && !isInteger(value.aval.dtype));
  if (!integers || floats) return values;
  return values.map((value) =>
    isWeakScalar(value) && Number.isInteger(value.value)
      ? { ...value, aval: shapedArray("int32", [], true) }
      : value,
  );
}

function remainderValues(x: Value, y: Value): Value {
  const rest = o.rem(x, y);
  const zero = scalarLike(rest, 0);
  const isNonzero = o.ne(rest, zero);
  const crosses = o.and(o.ne(o.lt(rest, zero), o.lt(y, zero)), isNonzero);
  return selectValues(crosses, o.add(rest, y), rest);
}

/** The remainder with the sign of `y`. JAX's `jnp.remainder`. */
export function remainder(x: Input, y: Input): ArrayValue {
  return out(callAfterAdapting("remainder", x, y, remainderValues));
}
/** JAX's `jnp.mod`. */
export const mod = remainder;
/** The remainder with the sign of `x`. JAX's `jnp.fmod`. */
export const fmod = two(o.rem);

/**
 * `x` to the power `y`. A whole number as `y` multiplies (`integer_pow`), as in JAX, where it must be
 * a Python int: write `np.float32(2)` for the general power. JAX's `jnp.power`.
 */
export function power(x: Input, y: Input): ArrayValue {
  if ((typeof y === "number" || typeof y === "bigint") && Number.isInteger(Number(y))) {
    const base = arrayValue(x);
    if (!isWeakScalar(base) && base.aval.dtype !== "bool") {
      return out(o.integerPow(base, Number(y)));
    }
  }
  return out(o.pow(...pair(promoteArguments([x, y]))));
}
/** The power as floating numbers. JAX's `jnp.float_power`. */
export const floatPower = twoInexact(o.pow);

// --- Functions of real and complex numbers -------------------------------------------------------

/** JAX's `jnp.exp`. */
export const exp = inexact(o.exp);
/** JAX's `jnp.exp2`. */
export const exp2 = inexact(o.exp2);
/** `exp(x) - 1`, accurate near 0. JAX's `jnp.expm1`. */
export const expm1 = inexact(o.expm1);
/** JAX's `jnp.log`. */
export const log = inexact(o.log);
/** `log(1 + x)`, accurate near 0. JAX's `jnp.log1p`. */
export const log1p = inexact(o.log1p);
/** JAX's `jnp.log2`. */
export const log2 = inexact((x) => o.div(o.log(x), o.log(scalarLike(x, 2))));
/** JAX's `jnp.log10`. */
export const log10 = inexact((x) => o.div(o.log(x), o.log(scalarLike(x, 10))));
/** JAX's `jnp.sqrt`. */
export const sqrt = inexact(o.sqrt);
/** JAX's `jnp.cbrt`. */
export const cbrt = inexact(o.cbrt);
/** JAX's `jnp.sin`. */
export const sin = inexact(o.sin);
/** JAX's `jnp.cos`. */
export const cos = inexact(o.cos);
/** JAX's `jnp.tan`. */
export const tan = inexact(o.tan);
/** JAX's `jnp.arcsin`. */
export const arcsin = inexact(o.asin);
/** JAX's `jnp.arccos`. */
export const arccos = inexact(o.acos);
/** JAX's `jnp.arctan`. */
export const arctan = inexact(o.atan);
/** JAX's `jnp.sinh`. */
export const sinh = inexact(o.sinh);
/** JAX's `jnp.cosh`. */
export const cosh = inexact(o.cosh);
/** JAX's `jnp.tanh`. */
export const tanh = inexact(o.tanh);
/** JAX's `jnp.arcsinh`. */
export const arcsinh = inexact(o.asinh);
/** JAX's `jnp.arccosh`. */
export const arccosh = inexact(o.acosh);
/** JAX's `jnp.arctanh`. */
export const arctanh = inexact(o.atanh);
/** The angle of the point (`x`, `y`). JAX's `jnp.arctan2`. */
export const arctan2 = twoInexact(o.atan2);
/** JAX's `jnp.floor`. */
export const floor = inexact(o.floor);
/** JAX's `jnp.ceil`. */
export const ceil = inexact(o.ceil);
/** Rounds towards zero. JAX's `jnp.trunc`. */
export const trunc = inexact((x) => o.selectN(o.lt(x, scalarLike(x, 0)), o.floor(x), o.ceil(x)));
/** `sqrt(x² + y²)`. JAX's `jnp.hypot`. */
export const hypot = twoInexact((x, y) => {
  const [a, b] = [o.abs(x), o.abs(y)];
  const large = o.max(a, b);
  const small = o.min(a, b);
  const isZero = o.eq(large, scalarLike(large, 0));
  const ratio = o.div(small, selectValues(isZero, onesLike(large), large));
  return o.mul(large, o.sqrt(o.add(scalarLike(large, 1), o.square(ratio))));
});
/** `log(exp(x) + exp(y))` without overflow. JAX's `jnp.logaddexp`. */
export const logaddexp = twoInexact((x, y) => {
  const largest = o.max(x, y);
  const difference = o.sub(x, y);
  const isNan = o.ne(difference, difference);
  const sum = o.add(x, y);
  return selectValues(isNan, sum, o.add(largest, o.log1p(o.exp(o.neg(o.abs(difference))))));
});

/** Rounds to the nearest number with that many decimals, halves to even. JAX's `jnp.round`. */
export function round(x: Input, decimals = 0): ArrayValue {
  if (!Number.isInteger(decimals)) {
    throw invalid(`round takes a whole number of decimals, got ${String(decimals)}`);
  }
  return out(
    callNamedOne(
      "round",
      String(decimals),
      (value) => {
        if (isInteger(value.aval.dtype)) return value;
        if (decimals === 0) return o.round(value, "to_nearest_even");
        const factor = scalarLike(value, 10 ** decimals);
        return o.div(o.round(o.mul(value, factor), "to_nearest_even"), factor);
      },
      [arrayValue(x)],
    ),
  );
}
/** Rounds to the nearest whole number, halves to even. JAX's `jnp.rint`. */
export const rint = inexact((x) => o.round(x, "to_nearest_even"));

/** Degrees as radians. JAX's `jnp.deg2rad`. */
export const deg2rad = inexact((x) => o.mul(x, scalarLike(x, Math.PI / 180)));
/** Radians as degrees. JAX's `jnp.rad2deg`. */
export const rad2deg = inexact((x) => o.mul(x, scalarLike(x, 180 / Math.PI)));
/** `sin(πx) / (πx)`, 1 at 0. JAX's `jnp.sinc`. */
export const sinc = inexact((x) => {
  const isZero = o.eq(x, scalarLike(x, 0));
  const angle = o.mul(scalarLike(x, Math.PI), x);
  const safe = selectValues(isZero, onesLike(x), angle);
  return selectValues(isZero, onesLike(x), o.div(o.sin(safe), safe));
});
/** 0 below, 1 above, `y` at zero. JAX's `jnp.heaviside`. */
export const heaviside = twoInexact((x, y) => {
  const zero = scalarLike(x, 0);
  const step = selectValues(o.lt(x, zero), o.full(x.aval.shape, 0, x.aval.dtype), onesLike(x));
  return whereValues(o.eq(x, zero), y, step);
});

function onesLike(x: Value): Value {
  return o.full(x.aval.shape, 1, x.aval.dtype);
}

// --- Complex numbers -----------------------------------------------------------------------------

/** The real part. JAX's `jnp.real`. */
export const real = one((x) => (isComplex(x.aval.dtype) ? o.real(x) : x));
/** The imaginary part. JAX's `jnp.imag`. */
export const imag = one((x) =>
  isComplex(x.aval.dtype) ? o.imag(x) : o.full(x.aval.shape, 0, x.aval.dtype),
);
/** JAX's `jnp.conjugate`. */
export const conjugate = one((x) => (isComplex(x.aval.dtype) ? o.conj(x) : x));
/** JAX's `jnp.conj`. */
export const conj = conjugate;
/** The angle of a complex number. JAX's `jnp.angle`. */
export const angle = inexact((x) =>
  isComplex(x.aval.dtype)
    ? o.atan2(o.imag(x), o.real(x))
    : o.atan2(o.full(x.aval.shape, 0, x.aval.dtype), x),
);

// --- Comparison and logic ------------------------------------------------------------------------

/** `x == y`. JAX's `jnp.equal`. */
export const equal = two(o.eq);
/** `x != y`. JAX's `jnp.not_equal`. */
export const notEqual = two(o.ne);

/** Complex numbers are ordered by their real parts, then by their imaginary ones. */
const ordered = (op: (x: Value, y: Value) => Value): ((x: Input, y: Input) => ArrayValue) =>
  two((x, y) => {
    if (!isComplex(x.aval.dtype)) return op(x, y);
    const [left, right] = [o.real(x), o.real(y)];
    return selectValues(o.eq(left, right), op(o.imag(x), o.imag(y)), op(left, right));
  });

/** `x < y`. JAX's `jnp.less`. */
export const less = ordered(o.lt);
/** `x <= y`. JAX's `jnp.less_equal`. */
export const lessEqual = ordered(o.le);
/** `x > y`. JAX's `jnp.greater`. */
export const greater = ordered(o.gt);
/** `x >= y`. JAX's `jnp.greater_equal`. */
export const greaterEqual = ordered(o.ge);

/** A condition: everything but zero holds. */
export function toBoolean(x: Value): Value {
  return x.aval.dtype === "bool" ? x : o.ne(x, scalarLike(x, 0));
}

const logical =
  (op: (x: Value, y: Value) => Value) =>
  (x: Input, y: Input): ArrayValue =>
    out(op(...pair(promoteShapes([x, y].map((value) => toBoolean(arrayValue(value)))))));

/** JAX's `jnp.logical_and`. */
export const logicalAnd = logical(o.and);
/** JAX's `jnp.logical_or`. */
export const logicalOr = logical(o.or);
/** JAX's `jnp.logical_xor`. */
export const logicalXor = logical(o.xor);
/** JAX's `jnp.logical_not`. */
export const logicalNot = one((x) => o.not(toBoolean(x)));
/** Bit by bit. JAX's `jnp.bitwise_and`. */
export const bitwiseAnd = two(o.and);
/** Bit by bit. JAX's `jnp.bitwise_or`. */
export const bitwiseOr = two(o.or);
/** Bit by bit. JAX's `jnp.bitwise_xor`. */
export const bitwiseXor = two(o.xor);
/** Bit by bit. JAX's `jnp.bitwise_not`. */
export const bitwiseNot = one(o.not);
/** `x << y`. JAX's `jnp.left_shift`. */
export const leftShift = two(o.shiftLeft);
/** `x >> y`, with the sign kept. JAX's `jnp.right_shift`. */
export const rightShift = two((x, y) =>
  x.aval.dtype.startsWith("uint") ? o.shiftRightLogical(x, y) : o.shiftRightArithmetic(x, y),
);

const falseLike = (x: Value): Value => o.full(x.aval.shape, false, "bool");

/** JAX's `jnp.isnan`. */
export const isnan = one((x) =>
  isFloat(x.aval.dtype) || isComplex(x.aval.dtype) ? o.ne(x, x) : falseLike(x),
);
/** Neither infinite nor NaN. JAX's `jnp.isfinite`. */
export const isfinite = one((x) => {
  if (isFloat(x.aval.dtype)) return o.isFinite(x);
  if (isComplex(x.aval.dtype)) return o.and(o.isFinite(o.real(x)), o.isFinite(o.imag(x)));
  return o.full(x.aval.shape, true, "bool");
});
/** JAX's `jnp.isinf`. */
export const isinf = one((x) =>
  isFloat(x.aval.dtype) ? o.eq(o.abs(x), scalarLike(x, Infinity)) : falseLike(x),
);

/** `|x - y| <= atol + rtol * |y|`. JAX's `jnp.isclose`. */
export function isclose(
  x: Input,
  y: Input,
  options: { readonly rtol?: number; readonly atol?: number } = {},
): ArrayValue {
  const { rtol = 1e-5, atol = 1e-8 } = optionsOf("isclose", options, ["rtol", "atol"]);
  const close = lessEqual(abs(subtract(x, y)), add(atol, multiply(rtol, abs(y))));
  const finite = logicalAnd(isfinite(x), isfinite(y));
  return logicalOr(logicalAnd(finite, close), equal(x, y));
}

// --- Selection -----------------------------------------------------------------------------------

/** `whenTrue` where the condition holds. */
export function selectValues(condition: Value, whenTrue: Value, whenFalse: Value): Value {
  return o.selectN(condition, whenFalse, whenTrue);
}

function whereBody(condition: Value, x: Value, y: Value): Value {
  const test = toBoolean(condition);
  const [left, right] = pair(promoteDtypes([x, y]));
  const shape = broadcastShapes(test.aval.shape, left.aval.shape, right.aval.shape);
  const wide = test.aval.shape.length === 0 ? test : broadcastValue(test, shape);
  return o.selectN(wide, broadcastValue(right, shape), broadcastValue(left, shape));
}

/** `where` on values, as a named call. */
export function whereValues(condition: Value, x: Value, y: Value): Value {
  return callNamedOne("_where", "", whereBody, [condition, x, y]);
}

/**
 * `x` where the condition holds, else `y`. The derivative flows into both branches, as in JAX: a NaN
 * in the branch that is not taken is avoided by a safe value in its input. JAX's `jnp.where`.
 */
export function where(condition: Input, x: Input, y: Input): ArrayValue {
  const [left, right] = pair(adapted([x, y]));
  return out(whereValues(arrayValue(condition), left, right));
}

/** Options of `clip`. */
export interface ClipOptions {
  readonly min?: Input | null;
  readonly max?: Input | null;
}

/** Limits values to a range; null for no limit. JAX's `jnp.clip`. */
export function clip(x: Input, min: Input | null, max: Input | null = null): ArrayValue {
  const bounds = [min, max].filter((bound) => bound !== null);
  if ([x, ...bounds].some((value) => isComplex(arrayValue(value).aval.dtype))) {
    throw invalid(
      "Clip received a complex value either through the input or the min/max keywords. Complex " +
        "values have no ordering and cannot be clipped. Please convert to a real value or array " +
        "by taking the real or imaginary components via np.real/imag respectively.",
    );
  }
  const key = `${min === null ? "" : "min"} ${max === null ? "" : "max"}`;
  const body = (value: Value, ...given: Value[]): Value => {
    const rest = [...given];
    let result = value;
    if (min !== null) {
      const bound = rest.shift() ?? value;
      const [low, current] = pair(promoteShapes(promoteDtypes([bound, result])));
      result = o.max(low, current);
    }
    if (max !== null) {
      const bound = rest.shift() ?? value;
      const [high, current] = pair(promoteShapes(promoteDtypes([bound, result])));
      result = o.min(high, current);
    }
    return result;
  };
  return out(callNamedOne("clip", key, body, adapted([x, ...bounds])));
}

/** NaN and infinities replaced by numbers. JAX's `jnp.nan_to_num`. */
export function nanToNum(
  x: Input,
  options: { readonly nan?: number; readonly posinf?: number; readonly neginf?: number } = {},
): ArrayValue {
  const {
    nan = 0,
    posinf = 3.4028234663852886e38,
    neginf = -3.4028234663852886e38,
  } = optionsOf("nanToNum", options, ["nan", "posinf", "neginf"]);
  const body = (value: Value): Value => {
    if (!isFloat(value.aval.dtype)) return value;
    const replace = (test: Value, number: number, old: Value): Value =>
      whereValues(test, scalarLike(old, number), old);
    const whole = replace(o.ne(value, value), nan, value);
    const below = replace(o.eq(whole, scalarLike(whole, Infinity)), posinf, whole);
    return replace(o.eq(below, scalarLike(below, -Infinity)), neginf, below);
  };
  return out(callNamedOne("nan_to_num", `${nan} ${posinf} ${neginf}`, body, [arrayValue(x)]));
}

// --- Types ---------------------------------------------------------------------------------------

/**
 * The array with another element type; fractions are cut off. JAX's `jnp.astype`.
 *
 * @throws Jax2TfjsError `invalid-parameter` for a name that is no element type
 */
export function astype(x: Input, dtype: DType): ArrayValue {
  const value = arrayValue(x);
  const to = canonicalDtype(dtype);
  const isToReal = isComplex(value.aval.dtype) && !isComplex(to);
  return out(toType(isToReal ? o.real(value) : value, to));
}

/** Piecewise: the value of the first condition that holds. JAX's `jnp.select`. */
export function select(
  conditions: readonly Input[],
  choices: readonly Input[],
  otherwise: ArrayLike = 0,
): ArrayValue {
  listOf("select", conditions);
  listOf("select", choices);
  if (conditions.length !== choices.length || choices.length === 0) {
    throw callError(
      "invalid-parameter",
      `select takes a choice per condition, got ${conditions.length} and ${choices.length}`,
    );
  }
  return conditions.reduceRight<ArrayValue | ArrayLike>(
    (rest, condition, index) => where(condition, choices[index] ?? 0, rest),
    otherwise,
  ) as ArrayValue;
}
