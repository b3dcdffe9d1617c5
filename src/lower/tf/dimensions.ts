/**
 * Sizes as tensors. Only the kernels that stay on the CPU under WebGL and WebGPU are used, so that
 * shape arithmetic never waits for the GPU; static sizes are constants.
 */
import {
  addDims,
  boundsOf,
  dimEquals,
  floordivDims,
  isSymbolic,
  maxDim,
  mulDims,
  subDims,
  type Dim,
  type DimExpr,
  type Shape,
} from "../../ir/dims.js";
import { toNumbers } from "../../ir/hostArray.js";
import type { Tensor, Tf } from "../../ir/tf.js";
import type { GraphCore } from "../core.js";

export interface DimensionOps extends Pick<Tf, "dim" | "shapeVector" | "range"> {
  ceilDivide(dim: Dim, divisor: number): Dim;
}

/** Finds the tensor that tells the value of a dimension variable. */
export type VariableSource = (name: string) => Tensor;

/** No size is larger. */
const largestSize = 2 ** 31 - 1;

export function dimensionOps(core: GraphCore, variable: VariableSource): DimensionOps {
  const scalar = (value: number): Tensor => core.numbers([value], "int32", []);
  const binary = (op: string, x: Tensor, y: Tensor): Tensor =>
    core.emitOne(op, [x, y], {}, { dtype: "int32", shape: [] });
  const cast = (x: Tensor, dtype: "int32" | "float32"): Tensor =>
    core.emitOne("Cast", [x], { DstT: { type: dtype } }, { dtype, shape: [] });

  /** floor((2 a + 1) / 2 b), which float32 gets right for sizes: FloorDiv has no CPU path on webgl. */
  function floorDivide(x: Tensor, y: Tensor): Tensor {
    const half = core.numbers([0.5], "float32", []);
    const float = { dtype: "float32", shape: [] } as const;
    const numerator = core.emitOne("AddV2", [cast(x, "float32"), half], {}, float);
    const quotient = core.emitOne("RealDiv", [numerator, cast(y, "float32")], {}, float);
    return cast(core.emitOne("Floor", [quotient], {}, float), "int32");
  }

  function operation(
    name: "floordiv" | "mod" | "max" | "min",
    left: Tensor,
    right: Tensor,
  ): Tensor {
    switch (name) {
      case "max":
        return binary("Maximum", left, right);
      case "min":
        return binary("Minimum", left, right);
      case "floordiv":
        return floorDivide(left, right);
      case "mod":
        return binary("Sub", left, binary("Mul", floorDivide(left, right), right));
    }
  }

  function expression(expr: DimExpr): Tensor {
    let sum: Tensor | null = null;
    for (const [term, coefficient] of expr.terms) {
      let product: Tensor | null = coefficient === 1 ? null : scalar(coefficient);
      for (const [factor, exponent] of term.factors) {
        const value =
          factor.kind === "variable"
            ? variable(factor.name)
            : operation(factor.operation, dim(factor.operands[0]), dim(factor.operands[1]));
        for (let power = 0; power < exponent; power++) {
          product = product === null ? value : binary("Mul", product, value);
        }
      }
      const termValue: Tensor = product ?? scalar(1);
      sum = sum === null ? termValue : binary("AddV2", sum, termValue);
    }
    return sum ?? scalar(0);
  }

  const dim = (size: Dim): Tensor => (isSymbolic(size) ? expression(size) : scalar(size));

  /** A scalar as a vector of one element; a size of a tensor is cut from its shape as one. */
  function asVector(size: Tensor): Tensor {
    const vector = { dtype: "int32", shape: [1] } as const;
    const one = core.numbers([1], "int32", [1]);
    const producer = core.producer(size);
    const [shape, axis] = producer?.op === "GatherV2" ? producer.inputs : [];
    if (shape === undefined || core.producer(shape)?.op !== "Shape") {
      return core.emitOne("Reshape", [size, one], {}, vector);
    }
    const begin = core.numbers(axis?.value ? toNumbers(axis.value) : [0], "int32", [1]);
    return core.emitOne("Slice", [shape, begin, one], {}, vector);
  }

  /** The shape by the one of an input that has the same symbolic sizes in the same places. */
  function shapeOfInput(shape: Shape): Tensor | null {
    for (const input of core.sizedInputs) {
      if (input.shape.length !== shape.length) continue;
      const pairs = shape.map((size, axis) => [size, input.shape[axis] ?? 0] as const);
      const fits = (isBound: (size: number, own: number) => boolean): boolean =>
        pairs.every(([size, own]) =>
          isSymbolic(size) || isSymbolic(own) ? dimEquals(size, own) : isBound(size, own),
        );
      const isLarger = fits((size, own) => size >= own);
      if (!isLarger && !fits((size, own) => size <= own)) continue;
      const vector = { dtype: "int32", shape: [shape.length] } as const;
      const own = core.inScope(core.main, () => core.emitOne("Shape", [input], {}, vector));
      if (fits((size, ownSize) => size === ownSize)) return core.bring(own);
      const open = isLarger ? 0 : largestSize;
      const bounds = shape.map((size) => (isSymbolic(size) ? open : size));
      const bound = core.numbers(bounds, "int32", [shape.length]);
      return core.emitOne(isLarger ? "Maximum" : "Minimum", [own, bound], {}, vector);
    }
    return null;
  }

  function shapeVector(shape: Shape): Tensor {
    if (!shape.some(isSymbolic)) {
      return core.numbers(shape as readonly number[], "int32", [shape.length]);
    }
    const ofInput = shape.length > 1 ? shapeOfInput(shape) : null;
    if (ofInput !== null) return ofInput;
    const parts = shape.map((size) =>
      isSymbolic(size) ? asVector(dim(size)) : core.numbers([size], "int32", [1]),
    );
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return only;
    const axis = core.numbers([0], "int32", []);
    return core.emitOne(
      "ConcatV2",
      [...parts, axis],
      { N: { i: parts.length } },
      {
        dtype: "int32",
        shape: [parts.length],
      },
    );
  }

  function range(count: Dim, step: Dim = 1): Tensor {
    if (!isSymbolic(count) && !isSymbolic(step)) {
      const values = Array.from({ length: count }, (_, index) => index * step);
      return core.numbers(values, "int32", [count]);
    }
    const output = { dtype: "int32", shape: [count] } as const;
    if (boundsOf(step)[0] <= 0) {
      return core.emitOne("Mul", [range(count), dim(step)], {}, output);
    }
    const inputs = [scalar(0), dim(mulDims(count, step)), dim(step)];
    return core.emitOne("Range", inputs, { Tidx: { type: "int32" } }, output);
  }

  /** As JAX's stride_dim: symbolic sizes have to come out as the very same expression. */
  const ceilDivide = (size: Dim, divisor: number): Dim =>
    divisor === 1 ? size : maxDim(addDims(floordivDims(subDims(size, 1), divisor), 1), 0);

  return { dim, shapeVector, range, ceilDivide };
}
