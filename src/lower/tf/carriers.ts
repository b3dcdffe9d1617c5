/**
 * How values of the jaxpr travel through the graph (DESIGN: carriers): which tensors stand for a
 * value, conversions between the forms, and pending broadcasts. The one place that decides.
 */
import { printAval, type ShapedArray } from "../../ir/aval.js";
import { dimEquals, isStaticShape, type Shape } from "../../ir/dims.js";
import { kindOf, shortName, type DType } from "../../ir/dtypes.js";
import { asInt32, fromNumbers } from "../../ir/hostArray.js";
import type { GraphValue, Tensor, Tf, TfDtype } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";
import type { ElementwiseOps } from "./elementwise.js";
import type { ShapeOps } from "./shape.js";

export type CarrierOps = Pick<
  Tf,
  "tensor" | "broadcastable" | "value" | "pair" | "fromPair" | "limbs" | "fromLimbs"
>;

/** The tfjs type that holds a JAX dtype; null for what no tensor holds. */
export function tfDtypeOf(dtype: DType): TfDtype | null {
  switch (kindOf(dtype)) {
    case "bool":
      return "bool";
    case "signed":
    case "unsigned":
      return "int32";
    case "float":
      return "float32";
    case "complex":
      return "complex64";
    // A float0 array holds nothing; int32 zeros stand for it, as in JAX's own conversions.
    case "float0":
      return "int32";
    case "token":
    case "key":
      return null;
  }
}

function broadcastsTo(shape: Shape, target: Shape): boolean {
  const offset = target.length - shape.length;
  return (
    offset >= 0 &&
    shape.every((dim, axis) => dim === 1 || dimEquals(dim, target[offset + axis] ?? 0))
  );
}

export function carrierOps(
  core: GraphCore,
  shapes: ShapeOps,
  elementwise: ElementwiseOps,
): CarrierOps {
  const gpu = core.targets("webgl", "webgpu");

  function broadcastable(value: GraphValue): Tensor {
    const { carrier, aval } = value;
    switch (carrier.kind) {
      case "tensor":
        return carrier.tensor;
      case "pair": {
        const output = { dtype: "complex64", shape: aval.shape } as const;
        const parts = [carrier.re, carrier.im].map((part) => shapes.broadcastTo(part, aval.shape));
        return core.emitOne("Complex", parts, {}, output);
      }
      case "limbs": {
        const factor = elementwise.scalar(65536, "int32");
        const high = gpu ? signedHalf(carrier.high) : carrier.high;
        return elementwise.binary("AddV2", elementwise.binary("Mul", high, factor), carrier.low);
      }
    }
  }

  /** Upper halves as signed numbers: where int32 is float32, small negative ones stay exact. */
  function signedHalf(high: Tensor): Tensor {
    const half = elementwise.scalar(32768, "int32");
    const raised = elementwise.binary("AddV2", high, half);
    const factor = elementwise.scalar(65536, "int32");
    return elementwise.binary("Sub", elementwise.binary("FloorMod", raised, factor), half);
  }

  /** The halves of known words. */
  function knownLimbs(tensor: Tensor): { readonly high: Tensor; readonly low: Tensor } | null {
    const { value, shape } = tensor;
    if (value === null || !isStaticShape(shape)) return null;
    const words = asInt32(value, { overflow: "wrap" });
    const half = (pick: (word: number) => number): Tensor =>
      core.constant(fromNumbers("int32", [...shape], Int32Array.from(words, pick)), "int32");
    return { high: half((word) => word >>> 16), low: half((word) => word & 65535) };
  }

  const value: Tf["value"] = (tensor, aval) => {
    const expected = tfDtypeOf(aval.dtype);
    if (tensor.dtype !== expected || !broadcastsTo(tensor.shape, aval.shape)) {
      const found = `${tensor.dtype}[${tensor.shape.map(String).join(",")}]`;
      throw core.error(
        "internal-rule-type",
        `a tfjs rule gave ${found} for a value of type ${printAval(aval)}`,
        "this is a bug of jax2tfjs; please report it with the equation",
      );
    }
    return { aval, carrier: { kind: "tensor", tensor } };
  };

  const pair: Tf["pair"] = (input) => {
    const { carrier } = input;
    if (carrier.kind === "pair") return carrier;
    const tensor = broadcastable(input);
    if (tensor.dtype !== "complex64") {
      return { re: elementwise.cast(tensor, "float32"), im: elementwise.scalar(0, "float32") };
    }
    const output = { dtype: "float32", shape: tensor.shape } as const;
    return {
      re: core.emitOne("Real", [tensor], {}, output),
      im: core.emitOne("Imag", [tensor], {}, output),
    };
  };

  const limbs: Tf["limbs"] = (input) => {
    const { carrier, aval } = input;
    if (carrier.kind === "limbs") return carrier;
    const tensor = broadcastable(input);
    if (tensor.dtype !== "int32") {
      throw core.error("internal-rule-type", `no 16-bit limbs of ${shortName(aval.dtype)}`);
    }
    const known = knownLimbs(tensor);
    if (known !== null) return known;
    const factor = elementwise.scalar(65536, "int32");
    const low = elementwise.binary("FloorMod", tensor, factor);
    const rest = elementwise.binary("Sub", tensor, low);
    const high = elementwise.binary("FloorDiv", rest, factor);
    return { high: elementwise.binary("FloorMod", high, factor), low };
  };

  return {
    tensor: (input) => shapes.broadcastTo(broadcastable(input), input.aval.shape),
    broadcastable,
    value,
    pair,
    fromPair: (re, im, aval) => ({ aval, carrier: { kind: "pair", re, im } }),
    limbs,
    fromLimbs: (high, low, aval) => ({ aval, carrier: { kind: "limbs", high, low } }),
  };
}

/** The tensors of a value, each of the whole shape: what crosses the border of a function. */
export function carrierTensors(tf: Tf, value: GraphValue): readonly Tensor[] {
  switch (value.carrier.kind) {
    case "tensor":
      return [tf.tensor(value)];
    case "pair":
      return [value.carrier.re, value.carrier.im].map((part) =>
        tf.broadcastTo(part, value.aval.shape),
      );
    case "limbs":
      return [value.carrier.high, value.carrier.low].map((part) =>
        tf.broadcastTo(part, value.aval.shape),
      );
  }
}

/** True for words that no int32 tensor holds exactly on all target backends. */
function needsLimbs(tf: Tf, dtype: DType): boolean {
  return dtype === "uint32" && !tf.exactIntegers;
}

/**
 * The form in which values of a type cross borders: complex numbers as pairs, uint32 as limbs where
 * int32 is not exact, all else as tensors.
 */
export function canonicalValue(tf: Tf, value: GraphValue): GraphValue {
  if (needsLimbs(tf, value.aval.dtype)) {
    const { high, low } = tf.limbs(value);
    return tf.fromLimbs(high, low, value.aval);
  }
  if (kindOf(value.aval.dtype) !== "complex") {
    return value.carrier.kind === "tensor" ? value : tf.value(tf.tensor(value), value.aval);
  }
  const { re, im } = tf.pair(value);
  return tf.fromPair(re, im, value.aval);
}

/** How many tensors a canonical value of a type consists of, and their type. */
export function carrierTypes(tf: Tf, aval: ShapedArray): readonly TfDtype[] {
  if (needsLimbs(tf, aval.dtype)) return ["int32", "int32"];
  if (kindOf(aval.dtype) === "complex") return ["float32", "float32"];
  return [tfDtypeOf(aval.dtype) ?? "int32"];
}

/** Puts a value together again from the tensors of its canonical form. */
export function fromCarrierTensors(
  tf: Tf,
  tensors: readonly Tensor[],
  aval: ShapedArray,
): GraphValue {
  const [first, second] = tensors;
  if (first === undefined) throw new Error("internal error: a value without tensors");
  if (second === undefined) return tf.value(first, aval);
  return kindOf(aval.dtype) === "complex"
    ? tf.fromPair(first, second, aval)
    : tf.fromLimbs(first, second, aval);
}
