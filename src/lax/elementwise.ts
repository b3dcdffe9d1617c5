/**
 * Elementwise functions of `lax`: arithmetic, comparisons, bits, special functions, selection. They
 * take arrays of one type and shape; scalars go with everything.
 */
import * as binaries from "../../primitives/binary.js";
import * as compare from "../../primitives/compare.js";
import * as incomplete from "../../primitives/incomplete.js";
import * as integers from "../../primitives/integer.js";
import * as primitives from "../../primitives/unary.js";
import { isComplex, isFloat, type DType } from "../ir/dtypes.js";
import type { Value } from "../ir/ops.js";
import type { NoParams } from "../ir/params.js";
import type { Primitive } from "../ir/primitive.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, o, toValue } from "../trace/trace.js";
import {
  at,
  binary,
  bindOne,
  canonicalDtype,
  convertValue,
  indexValue,
  invalid,
  isWeakScalar,
  operands,
  unary,
  unify,
} from "./arguments.js";

const pairOf = (primitive: Primitive<NoParams>) => binary((x, y) => bindOne(primitive, [x, y], {}));
const oneOf = (primitive: Primitive<NoParams>) => unary((x) => bindOne(primitive, [x], {}));

// --- Arithmetic ----------------------------------------------------------------------------------

/** `-x`. JAX's `lax.neg`. */
export const neg = unary(o.neg);
/** -1, 0 or 1; `x / |x|` of complex numbers. JAX's `lax.sign`. */
export const sign = unary(o.sign);
/** JAX's `lax.abs`. */
export const abs = unary(o.abs);
/** JAX's `lax.floor`. */
export const floor = unary(o.floor);
/** JAX's `lax.ceil`. */
export const ceil = unary(o.ceil);
/** True where `x` is neither infinite nor NaN. JAX's `lax.is_finite`. */
export const isFinite = unary(o.isFinite);
/** `x + y`. JAX's `lax.add`. */
export const add = binary(o.add);
/** `x - y`. JAX's `lax.sub`. */
export const sub = binary(o.sub);
/** `x * y`. JAX's `lax.mul`. */
export const mul = binary(o.mul);
/** The upper half of the product of 32-bit integers. JAX's `lax.mulhi`. */
export const mulhi = pairOf(binaries.mulhi);
/** `x / y`; of integers truncated towards zero. JAX's `lax.div`. */
export const div = binary(o.div);
/** The remainder with the sign of `x`. JAX's `lax.rem`. */
export const rem = binary(o.rem);
/** The larger one; NaN if either is. JAX's `lax.max`. */
export const max = binary(o.max);
/** The smaller one; NaN if either is. JAX's `lax.min`. */
export const min = binary(o.min);
/** The angle whose sine and cosine are as `x` to `y`. JAX's `lax.atan2`. */
export const atan2 = binary(o.atan2);
/** The number next to `x1` towards `x2`. JAX's `lax.nextafter`. */
export const nextafter = binary(o.nextafter);
/** `x + y` of derivatives. JAX's `add_any`. */
export const addAny = pairOf(binaries.addAny);

/** What to do with halves: "AWAY_FROM_ZERO" or "TO_NEAREST_EVEN". JAX's `lax.RoundingMethod`. */
export type RoundingMethod = primitives.RoundParams["rounding_method"];

/** JAX's `lax.round`; halves go away from zero by default. */
export function round(
  x: ArrayLike,
  { roundingMethod = "AWAY_FROM_ZERO" }: { readonly roundingMethod?: RoundingMethod } = {},
): ArrayValue {
  return fromValue(bindOne(primitives.round, [toValue(x)], { rounding_method: roundingMethod }));
}

/** `x` to the power `y`; `y` may be of an integer type. JAX's `lax.pow`. */
export function pow(x: ArrayLike, y: ArrayLike): ArrayValue {
  const [base, exponent] = [toValue(x), toValue(y)];
  const isWhole = isWeakScalar(exponent) && Number.isInteger(exponent.value);
  const isReal = isFloat(base.aval.dtype) || isComplex(base.aval.dtype);
  // As in JAX a whole number stays one: negative bases have such powers.
  if (isWhole && isReal) return fromValue(o.pow(base, indexValue(y)));
  if (isWeakScalar(exponent) || isWeakScalar(base)) {
    const [left, right] = unify([base, exponent]);
    if (left !== undefined && right !== undefined) return fromValue(o.pow(left, right));
  }
  return fromValue(o.pow(base, exponent));
}

/** `x` to a constant whole power, by multiplication. JAX's `lax.integer_pow`. */
export function integerPow(x: ArrayLike, y: number): ArrayValue {
  return fromValue(o.integerPow(toValue(x), y));
}

/** `1 / x`. JAX's `lax.reciprocal`. */
export function reciprocal(x: ArrayLike): ArrayValue {
  return integerPow(x, -1);
}

// --- Functions of floating-point numbers ---------------------------------------------------------

/** JAX's `lax.exp`. */
export const exp = unary(o.exp);
/** 2 to the power `x`. JAX's `lax.exp2`. */
export const exp2 = unary(o.exp2);
/** `exp(x) - 1`, exact for small `x`. JAX's `lax.expm1`. */
export const expm1 = unary(o.expm1);
/** JAX's `lax.log`. */
export const log = unary(o.log);
/** `log(1 + x)`, exact for small `x`. JAX's `lax.log1p`. */
export const log1p = unary(o.log1p);
/** JAX's `lax.sin`. */
export const sin = unary(o.sin);
/** JAX's `lax.cos`. */
export const cos = unary(o.cos);
/** JAX's `lax.tan`. */
export const tan = unary(o.tan);
/** JAX's `lax.asin`. */
export const asin = unary(o.asin);
/** JAX's `lax.acos`. */
export const acos = unary(o.acos);
/** JAX's `lax.atan`. */
export const atan = unary(o.atan);
/** JAX's `lax.sinh`. */
export const sinh = unary(o.sinh);
/** JAX's `lax.cosh`. */
export const cosh = unary(o.cosh);
/** JAX's `lax.tanh`. */
export const tanh = unary(o.tanh);
/** JAX's `lax.asinh`. */
export const asinh = unary(o.asinh);
/** JAX's `lax.acosh`. */
export const acosh = unary(o.acosh);
/** JAX's `lax.atanh`. */
export const atanh = unary(o.atanh);
/** `1 / (1 + exp(-x))`. JAX's `lax.logistic`. */
export const logistic = unary(o.logistic);
/** JAX's `lax.sqrt`. */
export const sqrt = unary(o.sqrt);
/** `1 / sqrt(x)`. JAX's `lax.rsqrt`. */
export const rsqrt = unary(o.rsqrt);
/** The cubic root. JAX's `lax.cbrt`. */
export const cbrt = unary(o.cbrt);
/** JAX's `lax.square`. */
export const square = unary(o.square);
/** The error function. JAX's `lax.erf`. */
export const erf = unary(o.erf);
/** `1 - erf(x)`. JAX's `lax.erfc`. */
export const erfc = unary(o.erfc);
/** The inverse of `erf`. JAX's `lax.erf_inv`. */
export const erfInv = unary(o.erfInv);
/** log |gamma(x)|. JAX's `lax.lgamma`. */
export const lgamma = unary(o.lgamma);
/** The derivative of `lgamma`. JAX's `lax.digamma`. */
export const digamma = unary(o.digamma);
/** `exp(-|x|) I0(x)`. JAX's `lax.bessel_i0e`. */
export const besselI0e = oneOf(incomplete.besselI0e);
/** `exp(-|x|) I1(x)`. JAX's `lax.bessel_i1e`. */
export const besselI1e = oneOf(incomplete.besselI1e);
/** The regularized lower incomplete gamma function P(a, x). JAX's `lax.igamma`. */
export const igamma = pairOf(incomplete.igamma);
/** The regularized upper incomplete gamma function Q(a, x). JAX's `lax.igammac`. */
export const igammac = pairOf(incomplete.igammac);
/** The derivative of `igamma` by `a`. JAX's `lax.igamma_grad_a`. */
export const igammaGradA = pairOf(incomplete.igammaGradA);
/** How a gamma sample changes with its shape parameter. JAX's `lax.random_gamma_grad`. */
export const randomGammaGrad = pairOf(incomplete.randomGammaGrad);
/** The polygamma function of order `m`. JAX's `lax.polygamma`. */
export const polygamma = pairOf(incomplete.polygamma);
/** The Hurwitz zeta function. JAX's `lax.zeta`. */
export const zeta = pairOf(incomplete.zeta);

/** The regularized incomplete beta function I_x(a, b). JAX's `lax.betainc`. */
export function betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike): ArrayValue {
  return fromValue(bindOne(incomplete.regularizedIncompleteBeta, operands(a, b, x), {}));
}

// --- Complex numbers -----------------------------------------------------------------------------

/** The real part. JAX's `lax.real`. */
export const real = unary(o.real);
/** The imaginary part. JAX's `lax.imag`. */
export const imag = unary(o.imag);
/** `x + iy`. JAX's `lax.complex`. */
export const complex = binary(o.complex);
/** The conjugate, complex also for real numbers. JAX's `lax.conj`. */
export const conj = unary(o.conj);

// --- Bits ----------------------------------------------------------------------------------------

/** JAX's `lax.bitwise_not`. */
export const bitwiseNot = unary(o.not);
/** JAX's `lax.bitwise_and`. */
export const bitwiseAnd = binary(o.and);
/** JAX's `lax.bitwise_or`. */
export const bitwiseOr = binary(o.or);
/** JAX's `lax.bitwise_xor`. */
export const bitwiseXor = binary(o.xor);
/** The number of bits that are set. JAX's `lax.population_count`. */
export const populationCount = unary(o.populationCount);
/** The number of leading zero bits. JAX's `lax.clz`. */
export const clz = oneOf(integers.clz);
/** `x * 2^y`. JAX's `lax.shift_left`. */
export const shiftLeft = binary(o.shiftLeft);
/** Shifts right, keeping the sign. JAX's `lax.shift_right_arithmetic`. */
export const shiftRightArithmetic = binary(o.shiftRightArithmetic);
/** Shifts right, filling with zeros. JAX's `lax.shift_right_logical`. */
export const shiftRightLogical = binary(o.shiftRightLogical);

// --- Comparisons ---------------------------------------------------------------------------------

/** `x == y`. JAX's `lax.eq`. */
export const eq = binary(o.eq);
/** `x != y`. JAX's `lax.ne`. */
export const ne = binary(o.ne);
/** `x < y`. JAX's `lax.lt`. */
export const lt = binary(o.lt);
/** `x <= y`. JAX's `lax.le`. */
export const le = binary(o.le);
/** `x > y`. JAX's `lax.gt`. */
export const gt = binary(o.gt);
/** `x >= y`. JAX's `lax.ge`. */
export const ge = binary(o.ge);
/** `x == y` in the total order, in which NaN equals itself. JAX's `eq_to`. */
export const eqTo = pairOf(compare.eqTo);
/** `x < y` in the total order. JAX's `lt_to`. */
export const ltTo = pairOf(compare.ltTo);
/** `x <= y` in the total order. JAX's `le_to`. */
export const leTo = pairOf(compare.leTo);

// --- Selection and types -------------------------------------------------------------------------

/** Cases of one type and shape; numbers are repeated for the shape of the others. */
function casesOf(cases: readonly ArrayLike[]): readonly Value[] {
  const values = operands(...cases);
  const shape = values.find((value) => !isNumber(value))?.aval.shape ?? [];
  return values.map((value) =>
    isNumber(value) && shape.length > 0 ? o.broadcastInDim(value, shape, []) : value,
  );
}

const isNumber = (value: Value): boolean => (value as { kind?: unknown }).kind === "literal";

/**
 * `onTrue` where `pred` is true, else `onFalse`.
 *
 * @param pred bool: a scalar, or of the shape of the cases
 *
 * JAX's counterpart is `lax.select`.
 */
export function select(pred: ArrayLike, onTrue: ArrayLike, onFalse: ArrayLike): ArrayValue {
  return fromValue(o.selectN(toValue(pred), ...casesOf([onFalse, onTrue])));
}

/**
 * One of several arrays, element by element.
 *
 * @param which bool (two cases: false, true) or int32: a scalar, or of the shape of the cases
 *
 * JAX's counterpart is `lax.select_n`.
 */
export function selectN(which: ArrayLike, ...cases: readonly ArrayLike[]): ArrayValue {
  if (cases.length === 0) throw invalid("select_n() must have at least one case");
  return fromValue(o.selectN(toValue(which), ...casesOf(cases)));
}

/** `x` within bounds, which are scalars or of the shape of `x`. JAX's `lax.clamp`. */
export function clamp(low: ArrayLike, x: ArrayLike, high: ArrayLike): ArrayValue {
  const values = operands(low, x, high);
  return fromValue(o.clamp(at(values, 0), at(values, 1), at(values, 2)));
}

/** `x` in another element type. JAX's `lax.convert_element_type`. */
export function convertElementType(operand: ArrayLike, newDtype: DType): ArrayValue {
  return fromValue(convertValue(toValue(operand), newDtype));
}

/** The bits of `operand` as another element type. JAX's `lax.bitcast_convert_type`. */
export function bitcastConvertType(operand: ArrayLike, newDtype: DType): ArrayValue {
  return fromValue(o.bitcastConvertType(toValue(operand), canonicalDtype(newDtype)));
}

/** Rounds to a format with fewer bits. JAX's `lax.reduce_precision`. */
export function reducePrecision(
  operand: ArrayLike,
  exponentBits: number,
  mantissaBits: number,
): ArrayValue {
  return fromValue(o.reducePrecision(toValue(operand), exponentBits, mantissaBits));
}
