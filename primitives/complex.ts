/**
 * Making complex numbers and taking them apart: `complex`, `real`, `imag`, `conj`.
 */
import { isComplex, type DType } from "../src/ir/dtypes.js";
import type { NoParams } from "../src/ir/params.js";
import { accepts, constantLike, elementwise } from "./factories.js";
import { float } from "./floatMath.js";
import { at, dtypeMismatch } from "./support.js";
import { realType } from "./unary.js";

function complexType(dtype: DType): DType {
  return dtype === "float64" || dtype === "complex128" ? "complex128" : "complex64";
}

/** Only float32 and float64 have a complex type. */
function checkParts(name: string, dtypes: readonly DType[]): void {
  const other = dtypes.find((dtype) => !/^(float|complex)(32|64|128)$/.test(dtype));
  if (other === undefined) return;
  throw dtypeMismatch(
    `${name} does not accept dtype ${other}. Accepted dtypes are subtypes of float32, float64.`,
  );
}

export const real = elementwise<NoParams>({
  name: "real",
  accepts: [accepts.complex],
  result: realType,
  tangents: [(o, t) => o.real(t)],
  transpose: [(o, ct) => o.complex(ct, constantLike(o, ct, 0))],
  tfjs: (_tf, args) => at(args, 0),
  complex: (_tf, args) => at(args, 0).re,
});

export const imag = elementwise<NoParams>({
  name: "imag",
  accepts: [accepts.complex],
  result: realType,
  tangents: [(o, t) => o.imag(t)],
  transpose: [(o, ct) => o.complex(constantLike(o, ct, 0), o.neg(ct))],
  tfjs: (_tf, args) => at(args, 0),
  complex: (_tf, args) => at(args, 0).im,
});

export const complex = elementwise<NoParams>({
  name: "complex",
  accepts: [accepts.float, accepts.float],
  result: complexType,
  checkTypes: (inputs) =>
    checkParts(
      "complex",
      inputs.map((aval) => aval.dtype),
    ),
  tangents: [
    (o, t) => o.complex(t, constantLike(o, t, 0)),
    (o, t) => o.complex(constantLike(o, t, 0), t),
  ],
  transpose: [(o, ct) => o.real(ct), (o, ct) => o.imag(o.neg(ct))],
  tfjs: (_tf, args) => at(args, 0),
  complex: (tf, _args, { inputs }) => ({
    re: tf.broadcastable(at(inputs, 0)),
    im: tf.broadcastable(at(inputs, 1)),
  }),
});

export type ConjParams = { readonly input_dtype: string };

export const conj = elementwise<ConjParams>({
  name: "conj",
  accepts: [accepts.floatOrComplex],
  result: complexType,
  checkTypes: (inputs) =>
    checkParts(
      "conj",
      inputs.map((aval) => aval.dtype),
    ),
  tangents: [(o, t) => o.conj(t)],
  transpose: [(o, ct, _known, aval) => (isComplex(aval.dtype) ? o.conj(ct) : o.real(ct))],
  tfjs: (_tf, args) => at(args, 0),
  complex: (tf, args, { dtype }) => {
    const { re, im } = at(args, 0);
    return { re, im: isComplex(dtype) ? tf.unary("Neg", im) : float(tf, 0) };
  },
});
