/**
 * Spectrograms: transforms of short real signals become products with tables at the level of the
 * program, so that windows join the tables and the power of a spectrum needs no square root.
 */
import { dftMatrix } from "../../primitives/dftTables.js";
import { isComplex } from "../ir/dtypes.js";
import { asFloat32, fromNumbers, type HostArray } from "../ir/hostArray.js";
import type { Equation } from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { DotDimensionNumbers } from "../ir/params.js";
import type { Match, Row } from "./rewrite.js";
import { inputAt, numbersParam } from "./simplify.js";

/** Longer transforms are left to the rule of `fft`, which splits them. */
const longest = 180;

/** `x [..., n]` times `matrix [n, k]`. */
function times(o: Ops, x: Value, matrix: Value): Value {
  const dimensions: DotDimensionNumbers = [
    [[x.aval.shape.length - 1], [0]],
    [[], []],
  ];
  return o.dotGeneral(x, matrix, {
    dimension_numbers: dimensions,
    precision: null,
    preferred_element_type: "float32",
  });
}

/** Some columns of a matrix. */
function columns(matrix: HostArray, start: number, count: number): HostArray {
  const [rows = 0, width = 0] = matrix.shape;
  const source = asFloat32(matrix);
  const values = Float32Array.from(
    { length: rows * count },
    (_, index) => source[Math.floor(index / count) * width + start + (index % count)] ?? 0,
  );
  return fromNumbers("float32", [rows, count], values);
}

/** The transform of short real rows as two products. */
const realTransform: Row = {
  name: "real-transform",
  primitives: ["fft"],
  rewrite: (o, equation) => {
    const [n = 0, ...others] = numbersParam(equation, "fft_lengths");
    const x = inputAt(equation, 0);
    const isShort = others.length === 0 && n > 1 && n <= longest;
    if (equation.params.fft_type !== "RFFT" || !isShort || x.aval.dtype !== "float32") return null;
    if (x.aval.shape.includes(0)) return null;
    const outputs = Math.floor(n / 2) + 1;
    const matrix = dftMatrix({ n, direction: -1, partsIn: 1, partsOut: 2, outputs, scale: 1 });
    const part = (start: number): Value => times(o, x, o.constant(columns(matrix, start, outputs)));
    return [o.complex(part(0), part(outputs))];
  },
};

/** The constant vector along the last axis that a value spreads. */
function constantRow(value: Value, match: Match): HostArray | undefined {
  const spread = match.made(value, "broadcast_in_dim");
  if (spread === undefined) return undefined;
  const source = inputAt(spread, 0);
  const array = match.constant(source);
  const axes = numbersParam(spread, "broadcast_dimensions");
  const isRow =
    source.aval.shape.filter((size) => size !== 1).length === 1 &&
    source.aval.shape.at(-1) === value.aval.shape.at(-1) &&
    axes.at(-1) === value.aval.shape.length - 1;
  return isRow && array?.dtype === "float32" ? array : undefined;
}

/** The matrix with each row multiplied by a number, rounded once. */
function scaledRows(matrix: HostArray, row: HostArray): HostArray {
  const [factors, source] = [asFloat32(row), asFloat32(matrix)];
  const width = matrix.shape[1] ?? 1;
  const values = source.map((value, index) => value * (factors[Math.floor(index / width)] ?? 0));
  return fromNumbers("float32", matrix.shape, values);
}

/** `(x * window) @ table` with both constant: `x @ (window * table)`. */
export const windowedProduct: Row = {
  name: "windowed-product",
  primitives: ["dot_general"],
  rewrite: (o, equation, match) => {
    const [lhs, rhs] = [inputAt(equation, 0), inputAt(equation, 1)];
    const table = match.constant(rhs);
    const product = match.made(lhs, "mul");
    const [[left, right], [batch]] = equation.params.dimension_numbers as DotDimensionNumbers;
    const isRowTimesMatrix =
      left.length === 1 &&
      left[0] === lhs.aval.shape.length - 1 &&
      right[0] === 0 &&
      batch.length === 0;
    if (product === undefined || table?.dtype !== "float32" || table.shape.length !== 2)
      return null;
    if (!isRowTimesMatrix) return null;
    for (const [x, factor] of bothOrders(product)) {
      const row = constantRow(factor, match);
      if (row !== undefined) return [times(o, x, o.constant(scaledRows(table, row)))];
    }
    return null;
  },
};

function bothOrders(equation: Equation): readonly (readonly [Value, Value])[] {
  const [x, y] = [inputAt(equation, 0), inputAt(equation, 1)];
  return [
    [x, y],
    [y, x],
  ];
}

/** The parts of a number that was made of them. */
const partOfComplex: Row = {
  name: "part-of-complex",
  primitives: ["real", "imag"],
  rewrite: (_, equation, match) => {
    const made = match.made(inputAt(equation, 0), "complex");
    if (made === undefined) return null;
    const part = inputAt(made, equation.primitive.name === "real" ? 0 : 1);
    const out = equation.outputs[0]?.aval;
    return part.aval.shape.length === out?.shape.length ? [part] : null;
  },
};

/** `abs(z) ** 2` without the root: the same up to rounding, but for numbers that hold both inf and NaN. */
const power: Row = {
  name: "power",
  primitives: ["mul", "integer_pow", "square"],
  rewrite: (o, equation, match) => {
    const x = inputAt(equation, 0);
    const isSquare =
      equation.primitive.name === "mul"
        ? inputAt(equation, 1) === x
        : equation.primitive.name === "square" || equation.params.y === 2;
    const made = match.made(x, "abs");
    const z = made === undefined ? undefined : inputAt(made, 0);
    if (!isSquare || z === undefined || !isComplex(z.aval.dtype)) return null;
    const parts = match.made(z, "complex");
    const [re, im] =
      parts === undefined ? [o.real(z), o.imag(z)] : [inputAt(parts, 0), inputAt(parts, 1)];
    return [o.add(o.mul(re, re), o.mul(im, im))];
  },
};

/** `windowedProduct` comes after these. */
export const spectraRows: readonly Row[] = [realTransform, partOfComplex, power];
