/**
 * The lax-like methods (`Ops`) over any interpreter: a jaxpr being built, or tracers. Transformation
 * rules, composite tfjs rules and the importer build programs with it.
 */
import * as binary from "../../primitives/binary.js";
import * as compare from "../../primitives/compare.js";
import * as complexNumbers from "../../primitives/complex.js";
import * as convert from "../../primitives/convert.js";
import * as integer from "../../primitives/integer.js";
import * as iota from "../../primitives/iota.js";
import * as select from "../../primitives/select.js";
import * as special from "../../primitives/special.js";
import * as unary from "../../primitives/unary.js";
import { shapedArray } from "../ir/aval.js";
import type { HostArray } from "../ir/hostArray.js";
import type { Literal } from "../ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../ir/ops.js";
import type { NoParams } from "../ir/params.js";
import type { Primitive } from "../ir/primitive.js";
import { structuralOps } from "./structuralOps.js";

/** What `createOps` needs: adding an equation, and turning an array into a value. */
export interface OpsInterpreter {
  bind<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): readonly Value[];
  constant(value: HostArray): Value;
  /** Given by the transformations; building a program needs none. */
  readonly programs?: ProgramTransforms;
}

const noTransforms = (): never => {
  throw new Error("internal error: inner programs are transformed only under a transformation");
};
const withoutTransforms: ProgramTransforms = {
  build: noTransforms,
  jvp: noTransforms,
  split: noTransforms,
  transpose: noTransforms,
  batch: noTransforms,
};

/** The one result of an equation. */
export function single(values: readonly Value[]): Value {
  const [value] = values;
  if (value === undefined) throw new Error("internal error: an equation without results");
  return value;
}

const noParams: NoParams = {};

/**
 * The methods that rules build programs with.
 *
 * Scalars made by `literal` are literals of the jaxpr (`kind: "literal"`), which every interpreter
 * takes as inputs of `bind`.
 */
export function createOps(interpreter: OpsInterpreter): Ops {
  const bind: Ops["bind"] = (primitive, inputs, params) =>
    interpreter.bind(primitive, inputs, params);
  const unaryOp = (primitive: Primitive<NoParams>) => (x: Value) =>
    single(bind(primitive, [x], noParams));
  const binaryOp = (primitive: Primitive<NoParams>) => (x: Value, y: Value) =>
    single(bind(primitive, [x, y], noParams));

  const literal: Ops["literal"] = (value, dtype): Literal => ({
    kind: "literal",
    value,
    aval: shapedArray(dtype, []),
  });
  const structural = structuralOps({ bind });

  return {
    programs: interpreter.programs ?? withoutTransforms,
    bind,
    literal,
    constant: (value) => interpreter.constant(value),
    full: (shape, value, dtype) => {
      const scalar = literal(value, dtype);
      return shape.length === 0 ? scalar : structural.broadcastInDim(scalar, shape, []);
    },
    dimAsValue: (dim) =>
      typeof dim === "number" ? literal(dim, "int32") : single(bind(iota.dimAsValue, [], { dim })),
    iota: (dtype, shape, dimension) => single(bind(iota.iota, [], { dtype, shape, dimension })),

    neg: unaryOp(unary.neg),
    sign: unaryOp(unary.sign),
    abs: unaryOp(unary.abs),
    floor: unaryOp(unary.floor),
    ceil: unaryOp(unary.ceil),
    round: (x, method) => {
      const rounding_method = method === "away_from_zero" ? "AWAY_FROM_ZERO" : "TO_NEAREST_EVEN";
      return single(bind(unary.round, [x], { rounding_method }));
    },
    isFinite: unaryOp(unary.isFinite),
    exp: unaryOp(unary.exp),
    exp2: unaryOp(unary.exp2),
    expm1: unaryOp(unary.expm1),
    log: unaryOp(unary.log),
    log1p: unaryOp(unary.log1p),
    sin: unaryOp(unary.sin),
    cos: unaryOp(unary.cos),
    tan: unaryOp(unary.tan),
    asin: unaryOp(unary.asin),
    acos: unaryOp(unary.acos),
    atan: unaryOp(unary.atan),
    sinh: unaryOp(unary.sinh),
    cosh: unaryOp(unary.cosh),
    tanh: unaryOp(unary.tanh),
    asinh: unaryOp(unary.asinh),
    acosh: unaryOp(unary.acosh),
    atanh: unaryOp(unary.atanh),
    logistic: unaryOp(unary.logistic),
    sqrt: unaryOp(unary.sqrt),
    rsqrt: unaryOp(unary.rsqrt),
    cbrt: unaryOp(unary.cbrt),
    square: unaryOp(unary.square),
    integerPow: (x, exponent) => single(bind(unary.integerPow, [x], { y: exponent })),
    not: unaryOp(integer.not),
    populationCount: unaryOp(integer.populationCount),
    clz: unaryOp(integer.clz),
    erf: unaryOp(special.erf),
    erfc: unaryOp(special.erfc),
    erfInv: unaryOp(special.erfInv),
    lgamma: unaryOp(special.lgamma),
    digamma: unaryOp(special.digamma),
    real: unaryOp(complexNumbers.real),
    imag: unaryOp(complexNumbers.imag),
    conj: (x) => single(bind(complexNumbers.conj, [x], { input_dtype: x.aval.dtype })),
    complex: binaryOp(complexNumbers.complex),
    add: binaryOp(binary.add),
    sub: binaryOp(binary.sub),
    mul: binaryOp(binary.mul),
    div: binaryOp(binary.div),
    rem: binaryOp(binary.rem),
    max: binaryOp(binary.max),
    min: binaryOp(binary.min),
    pow: binaryOp(binary.pow),
    atan2: binaryOp(binary.atan2),
    nextafter: binaryOp(special.nextafter),
    and: binaryOp(integer.and),
    or: binaryOp(integer.or),
    xor: binaryOp(integer.xor),
    shiftLeft: binaryOp(integer.shiftLeft),
    shiftRightLogical: binaryOp(integer.shiftRightLogical),
    shiftRightArithmetic: binaryOp(integer.shiftRightArithmetic),
    eq: binaryOp(compare.eq),
    ne: binaryOp(compare.ne),
    lt: binaryOp(compare.lt),
    le: binaryOp(compare.le),
    gt: binaryOp(compare.gt),
    ge: binaryOp(compare.ge),
    selectN: (which, ...cases) => single(bind(select.selectN, [which, ...cases], noParams)),
    clamp: (low, x, high) => single(bind(select.clamp, [low, x, high], noParams)),
    convertElementType: (x, dtype, weakType = false) =>
      single(bind(convert.convertElementType, [x], { new_dtype: dtype, weak_type: weakType })),
    bitcastConvertType: (x, dtype) =>
      single(bind(convert.bitcastConvertType, [x], { new_dtype: dtype })),
    reducePrecision: (x, exponentBits, mantissaBits) =>
      single(
        bind(convert.reducePrecision, [x], {
          exponent_bits: exponentBits,
          mantissa_bits: mantissaBits,
        }),
      ),
    stopGradient: unaryOp(iota.stopGradient),
    ...structural,
  };
}
