/**
 * Types and batching that the primitives of linear algebra share. Used by the records of linalg/.
 */
import type { ShapedArray } from "../../src/ir/aval.js";
import { dimEquals, printShape, type Dim, type Shape } from "../../src/ir/dims.js";
import { isComplex, type DType } from "../../src/ir/dtypes.js";
import type { BatchRule, Primitive } from "../../src/ir/primitive.js";
import { accepts, batchToFront, checkAccepted, checkCount, checkSameTypes } from "../factories.js";
import { at, shapeMismatch } from "../support.js";

/** Batch dimensions, and the sizes of each operand after them. */
export interface Operands {
  readonly batch: Shape;
  readonly sizes: readonly Shape[];
  readonly dtype: DType;
}

/**
 * Splits the shapes of operands into batch dimensions and the last `ranks` ones.
 *
 * @throws Jax2TfjsError `shape-mismatch`, `dtype-mismatch`, `invalid-parameter`
 */
export function operandsOf(
  name: string,
  inputs: readonly ShapedArray[],
  ranks: readonly number[],
): Operands {
  checkCount(name, inputs, ranks.length);
  checkAccepted(
    name,
    inputs.map(() => accepts.floatOrComplex),
    inputs,
  );
  checkSameTypes(name, inputs);
  const { batch, sizes } = splitShapes(name, inputs, ranks);
  return { batch, sizes, dtype: at(inputs, 0).dtype };
}

/** Batch dimensions and sizes alone, whatever the dtypes. */
export function splitShapes(
  name: string,
  inputs: readonly ShapedArray[],
  ranks: readonly number[],
): { readonly batch: Shape; readonly sizes: readonly Shape[] } {
  const split = inputs.map(({ shape }, index) => {
    const rank = at(ranks, index);
    if (shape.length < rank) {
      throw shapeMismatch(
        `Input ${index} to ${name} must have rank at least ${rank}, but got ` +
          `shape=${printShape(shape)}`,
      );
    }
    const outer = shape.length - rank;
    return { batch: shape.slice(0, outer), sizes: shape.slice(outer) };
  });
  const { batch } = at(split, 0);
  if (split.some((other) => other.batch.length !== batch.length)) {
    const counts = split.map((other) => other.batch.length).join(", ");
    throw shapeMismatch(
      `All inputs to ${name} must have the same number of batch dimensions, ` +
        `but got [${counts}] batch dimensions for the inputs.`,
    );
  }
  const same = (other: Shape): boolean =>
    batch.every((dim, axis) => dimEquals(dim, at(other, axis)));
  if (!split.every((other) => same(other.batch))) {
    const list = inputs.map(({ shape }) => printShape(shape)).join(", ");
    throw shapeMismatch(`All inputs to ${name} must have the same batch dimensions, got ${list}`);
  }
  return { batch, sizes: split.map((other) => other.sizes) };
}

/** Rows and columns of an operand. */
export function sizesOf({ sizes }: Pick<Operands, "sizes">, index: number): readonly [Dim, Dim] {
  const [rows = 1, columns = 1] = at(sizes, index);
  return [rows, columns];
}

/** The type of singular values and of eigenvalues of self-adjoint matrices. */
export function realPart(dtype: DType): DType {
  if (!isComplex(dtype)) return dtype;
  return dtype === "complex128" ? "float64" : "float32";
}

/** JAX's rule for all of them: a further batch dimension in front of every operand. */
export function linalgBatch<P>(self: () => Primitive<P>): BatchRule<P> {
  return (o, inputs, dims, params) => {
    const place = dims.findIndex((dim) => dim !== null);
    const size = at(at(inputs, place).aval.shape, dims[place] ?? 0);
    const moved = inputs.map((value, index) => {
      const dim = dims[index] ?? null;
      if (dim !== null) return batchToFront(o, value, dim);
      const { shape } = value.aval;
      return o.broadcastInDim(
        value,
        [size, ...shape],
        shape.map((_, axis) => axis + 1),
      );
    });
    const outputs = o.bind(self(), moved, params);
    return { outputs, dims: outputs.map(() => 0) };
  };
}

/** Sizes multiplied, symbolic ones left out: for counts of operations. */
export function knownCount(shape: Shape): number {
  return shape.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1);
}
