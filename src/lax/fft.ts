/** Fourier transforms of `lax`. */
import { fft as fftPrimitive } from "../../primitives/fft.js";
import type { Dim } from "../ir/dims.js";
import { isComplex } from "../ir/dtypes.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { fromValue, toValue } from "../trace/trace.js";
import { bindOne, convertValue } from "./arguments.js";

/** Complex to complex, back, real to complex, and back. */
export type FftType = "FFT" | "IFFT" | "RFFT" | "IRFFT";

/**
 * The Fourier transform over the last axes.
 *
 * @param fftLengths the sizes of the transformed axes in the signal
 *
 * JAX's counterpart is `lax.fft`.
 */
export function fft(x: ArrayLike, fftType: FftType, fftLengths: readonly Dim[]): ArrayValue {
  const type = fftType.toUpperCase();
  const value = toValue(x);
  const isReal = type === "RFFT" || isComplex(value.aval.dtype);
  const signal = isReal ? value : convertValue(value, "complex64");
  return fromValue(bindOne(fftPrimitive, [signal], { fft_type: type, fft_lengths: fftLengths }));
}
