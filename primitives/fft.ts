/**
 * The record of `fft`: Fourier transforms of the last one to three axes, as matrix products.
 */
import { shapedArray, type ShapedArray } from "../src/ir/aval.js";
import { dimEquals, printShape, shapeEquals, shapeSize, type Dim } from "../src/ir/dims.js";
import { isComplex, type DType } from "../src/ir/dtypes.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import { asFloat32, fromNumbers, type HostArray } from "../src/ir/hostArray.js";
import type { Ops, Value } from "../src/ir/ops.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import { batchToFront, checkCount } from "./factories.js";
import { dft, inverseRealDft } from "./fftLowering.js";
import { at, dtypeMismatch, emptyValue, invalid, isEmptyShape, shapeMismatch } from "./support.js";

export type FftType = "FFT" | "IFFT" | "RFFT" | "IRFFT";

export type FftParams = {
  readonly fft_type: string;
  /** Sizes of the transformed (last) axes of the signal; static. */
  readonly fft_lengths: readonly Dim[];
};

function typeOf({ fft_type: type }: FftParams): FftType {
  if (type === "FFT" || type === "IFFT" || type === "RFFT" || type === "IRFFT") return type;
  throw invalid(`Unknown FFT type '${type}'`);
}

function lengthsOf({ fft_lengths: lengths }: FftParams): readonly number[] {
  return lengths.map((length) => {
    if (typeof length === "number" && Number.isInteger(length) && length >= 0) return length;
    throw invalid(`fft_lengths must be constant, got ${printShape(lengths)}`);
  });
}

function checkDtype(type: FftType, dtype: DType): void {
  if (type === "RFFT") {
    if (dtype === "float32" || dtype === "float64") return;
    throw dtypeMismatch(`RFFT input must be float32 or float64, got ${dtype}`);
  }
  if (isComplex(dtype)) return;
  const name = type === "IRFFT" ? "IRFFT" : "FFT";
  throw dtypeMismatch(`${name} input must be complex64 or complex128, got ${dtype}`);
}

function fftType(input: ShapedArray, params: FftParams): ShapedArray {
  const type = typeOf(params);
  const lengths = lengthsOf(params);
  const { shape, dtype } = input;
  const count = lengths.length;
  const last = lengths[count - 1];
  if (last === undefined) throw invalid("fft_lengths is empty");
  if (count > shape.length) {
    throw shapeMismatch(
      `FFT input shape ${printShape(shape)} must have at least as many input dimensions as ` +
        `fft_lengths ${printShape(lengths)}.`,
    );
  }
  checkDtype(type, dtype);
  const minor = shape.slice(shape.length - count);
  const batch = shape.slice(0, shape.length - count);
  if (type === "IRFFT") {
    if (!shapeEquals(minor.slice(0, -1), lengths.slice(0, -1))) {
      throw shapeMismatch(
        `IRFFT input shape ${printShape(shape)} minor dimensions must be equal to all except the ` +
          `last fft_length, got fft_lengths=${printShape(lengths)}`,
      );
    }
    // XLA wants this size; JAX leaves it to XLA.
    const half = Math.floor(last / 2) + 1;
    if (!dimEquals(at(minor, count - 1), half)) {
      throw shapeMismatch(
        `IRFFT input shape ${printShape(shape)} must end in ${half} for the fft_length ${last}`,
      );
    }
    return shapedArray(dtype === "complex128" ? "float64" : "float32", [...batch, ...lengths]);
  }
  if (!shapeEquals(minor, lengths)) {
    throw shapeMismatch(
      `${type === "RFFT" ? "RFFT" : "FFT"} input shape ${printShape(shape)} minor dimensions must ` +
        `be equal to fft_lengths ${printShape(lengths)}`,
    );
  }
  if (type !== "RFFT") return shapedArray(dtype, shape);
  const half = [...lengths.slice(0, -1), Math.floor(last / 2) + 1];
  return shapedArray(dtype === "float64" ? "complex128" : "complex64", [...batch, ...half]);
}

// --- lowering ------------------------------------------------------------------------------------

/** A tensor whose dimensions are known by what they are: axes of the signal, batch or parts. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly Label[];
}

type Label = number | "batch" | "parts";

function arrange(tf: Tf, { tensor, labels }: Labelled, wanted: readonly Label[]): Labelled {
  const permutation = wanted.map((label) => labels.indexOf(label));
  return { tensor: tf.transpose(tensor, permutation), labels: wanted };
}

/** Replaces one axis, brought to the end behind the parts, by its transform. */
function transformAxis(
  tf: Tf,
  x: Labelled,
  axis: number,
  transform: (rows: Tensor) => Tensor,
): Labelled {
  const others = x.labels.filter((label) => label !== axis && label !== "parts");
  const { tensor, labels } = arrange(tf, x, [...others, "parts", axis]);
  const outer = tensor.shape.slice(0, -2);
  const rows = tf.reshape(tensor, [shapeSize(outer), ...tensor.shape.slice(-2)]);
  const result = transform(rows);
  return { tensor: tf.reshape(result, [...outer, ...result.shape.slice(1)]), labels };
}

function isZero(x: Tensor): boolean {
  return x.value !== null && asFloat32(x.value).every((value) => value === 0);
}

/** The parts of the input as one tensor [batch, axes but the last, parts, last axis]. */
function stacked(tf: Tf, input: GraphValue, count: number): Labelled {
  const { shape } = input.aval;
  const outer = shape.slice(0, shape.length - count);
  const inner = shape.slice(shape.length - count);
  const axes = inner.map((_, axis) => axis);
  const view = [shapeSize(outer), ...inner.slice(0, -1), 1, at(inner, count - 1)];
  const { re, im } = tf.pair(input);
  const parts = isZero(im) ? [re] : [re, im];
  const tensors = parts.map((part) => tf.reshape(tf.broadcastTo(part, shape), view));
  return {
    tensor: tf.concat(tensors, count),
    labels: ["batch", ...axes.slice(0, -1), "parts", count - 1],
  };
}

/** The tables of longer transforms would take more memory than a model can. */
const longest = 2 ** 20;

function checkLengths(lengths: readonly number[]): void {
  const length = lengths.find((n) => n > longest);
  if (length === undefined) return;
  throw new Jax2TfjsError("unsupported-size", `an fft of length ${length} is too long`, {
    primitive: "fft",
    fix: `transform at most ${longest} values at a time`,
  });
}

function lowerFft(tf: Tf, input: GraphValue, params: FftParams, out: ShapedArray): GraphValue {
  if (isEmptyShape(out.shape) || isEmptyShape(input.aval.shape)) return emptyValue(tf, out);
  const type = typeOf(params);
  const lengths = lengthsOf(params);
  checkLengths(lengths);
  const last = lengths.length - 1;
  const direction = type === "IFFT" || type === "IRFFT" ? 1 : -1;
  const complexAxis = (x: Labelled, axis: number): Labelled => {
    const n = at(lengths, axis);
    const scale = direction === 1 ? 1 / n : 1;
    return transformAxis(tf, x, axis, (rows) => {
      // Only the half that JAX gives of the spectrum of a real signal.
      const outputs = type === "RFFT" && axis === last ? Math.floor(n / 2) + 1 : n;
      return dft(tf, rows, { n, direction, partsOut: 2, outputs, scale });
    });
  };
  let x = stacked(tf, input, lengths.length);
  // A real result comes from the last axis: it is done at the end, as numpy does.
  const axes = lengths.map((_, axis) => axis).reverse();
  const order = type === "IRFFT" ? [...axes.slice(1), last] : axes;
  for (const axis of order) {
    const isReal = type === "IRFFT" && axis === last;
    x = isReal ? realAxis(tf, x, axis, at(lengths, axis)) : complexAxis(x, axis);
  }
  const outermost = ["parts", "batch", ...lengths.map((_, axis) => axis)] as const;
  const { tensor } = arrange(tf, x, outermost);
  const parts = tf.split(tensor, new Array<number>(out.dtype === "float32" ? 1 : 2).fill(1), 0);
  const [re, im] = parts.map((part) => tf.reshape(part, out.shape));
  if (re === undefined) throw new Error("internal error: fft without result");
  return im === undefined ? tf.value(re, out) : tf.fromPair(re, im, out);
}

function realAxis(tf: Tf, x: Labelled, axis: number, n: number): Labelled {
  return transformAxis(tf, x, axis, (rows) => {
    const missing = rows.shape[1] === 1 ? 1 : 0;
    const complex = tf.pad(
      rows,
      [
        [0, 0],
        [0, missing],
        [0, 0],
      ],
      0,
    );
    return inverseRealDft(tf, complex, n);
  });
}

// --- transposition -------------------------------------------------------------------------------

/** How often each coefficient of the half spectrum stands in the whole one. */
function multiplicities(n: number, value: (count: 1 | 2) => number): HostArray {
  const half = Math.floor(n / 2) + 1;
  const values = Array.from({ length: half }, (_, k) => value(k === 0 || 2 * k === n ? 1 : 2));
  return fromNumbers("float32", [half], values);
}

function timesLast(o: Ops, x: Value, factors: HostArray): Value {
  const rank = x.aval.shape.length;
  const vector = o.convertElementType(o.constant(factors), x.aval.dtype);
  return o.mul(x, o.broadcastInDim(vector, x.aval.shape, [rank - 1]));
}

function transposeFft(o: Ops, ct: Value, params: FftParams): Value {
  const type = typeOf(params);
  const lengths = lengthsOf(params);
  const n = at(lengths, lengths.length - 1);
  const size = lengths.reduce((product, length) => product * length, 1);
  if (type === "RFFT") {
    const halved = timesLast(
      o,
      o.conj(ct),
      multiplicities(n, (count) => 1 / count),
    );
    const result = at(o.bind(fft, [halved], { ...params, fft_type: "IRFFT" }), 0);
    return o.mul(result, o.literal(size, result.aval.dtype));
  }
  if (type === "IRFFT") {
    const spectrum = at(o.bind(fft, [ct], { ...params, fft_type: "RFFT" }), 0);
    return o.conj(
      timesLast(
        o,
        spectrum,
        multiplicities(n, (count) => count / size),
      ),
    );
  }
  return at(o.bind(fft, [ct], params), 0);
}

export const fft: Primitive<FftParams> = definePrimitive<FftParams>({
  name: "fft",
  abstractEval: (inputs, params) => {
    checkCount("fft", inputs, 1);
    return [fftType(at(inputs, 0), params)];
  },
  jvp: (o, primals, [tangent = null], params) => ({
    primals: o.bind(fft, primals, params),
    tangents: tangent === null ? [null] : o.bind(fft, [tangent], params),
  }),
  transpose: (o, [cotangent = null], inputs, params) => [
    cotangent === null || inputs[0]?.kind === "known" ? null : transposeFft(o, cotangent, params),
  ],
  batch: (o, inputs, dims, params) => {
    const front = batchToFront(o, at(inputs, 0), dims[0] ?? 0);
    return { outputs: o.bind(fft, [front], params), dims: [0] };
  },
  tfjs: (tf, inputs, params, outs) => [lowerFft(tf, at(inputs, 0), params, at(outs, 0))],
  limits: [
    {
      when: `an axis longer than ${longest}`,
      effect: "refused",
      why: "transforms are matrix products, whose tables are constants of the model",
    },
  ],
  flops: (inputs, { fft_lengths: lengths }) => {
    const { shape } = at(inputs, 0);
    const numbers = (dims: readonly Dim[]): number =>
      dims.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1);
    const size = numbers(lengths);
    return 5 * size * Math.log2(Math.max(2, size)) * numbers(shape.slice(0, -lengths.length));
  },
});
