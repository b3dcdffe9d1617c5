// Shape arithmetic: known integers, dimension expressions, and how JAX writes floor division and
// modulo of sizes.
import { describe, expect, test } from "vitest";
import {
  addDims,
  mulDims,
  negDim,
  printDim,
  subDims,
  symbolicScope,
  variableDim,
} from "../../src/ir/dims.js";
import {
  binaryScalar,
  compareScalars,
  convertScalar,
  dimOf,
  notScalar,
  scalarKey,
  unaryScalar,
  type SymbolicScalar,
} from "../../src/import/stablehlo/symbolicScalar.js";
import { selectScalar } from "../../src/import/stablehlo/symbolicSelect.js";
import type { MlirValue } from "../../src/import/mlir/ir.js";
import { block, integer, integers, printMain, type BlockMaker } from "./stablehloModules.js";

const scope = symbolicScope([]);
const a = variableDim("a", scope);
const b = variableDim("b", scope);

function known(scalar: SymbolicScalar | null): SymbolicScalar {
  if (scalar === null) throw new Error("not known");
  return scalar;
}

const show = (scalar: SymbolicScalar | null): string => {
  if (scalar === null) return "data";
  if (typeof scalar === "boolean") return String(scalar);
  const dim = dimOf(scalar);
  return dim === undefined ? scalarKey(scalar) : printDim(dim);
};

describe("numbers", () => {
  test.each([
    ["add", 2 ** 31 - 1, 1, -(2 ** 31)],
    ["sub", 3, 5, -2],
    ["mul", 65536, 65536, 0],
    ["div", -7, 2, -3],
    ["div", 7, 0, -1],
    ["rem", -7, 2, -1],
    ["rem", -7, 0, -7],
    ["max", -7, 2, 2],
    ["and", 12, 10, 8],
    ["xor", -1, 1, -2],
  ] as const)("%s(%i, %i) = %i in int32", (operation, left, right, expected) => {
    expect(binaryScalar(operation, left, right, "int32")).toBe(expected);
  });

  test("64-bit results are exact or not known", () => {
    expect(binaryScalar("mul", 65536, 65536, "int64")).toBe(2 ** 32);
    expect(binaryScalar("mul", 2 ** 40, 2 ** 40, "int64")).toBe(0);
    expect(binaryScalar("mul", 2 ** 40, 2 ** 20, "int64")).toBeNull();
    expect(convertScalar(2 ** 32 + 5, "int64", "int32")).toBe(5);
  });
});

describe("dimensions", () => {
  test.each([
    ["add", a, 1, "a + 1"],
    ["sub", a, a, "0"],
    ["mul", a, b, "a*b"],
    ["div", mulDims(a, 6), 2, "3*a"],
    ["div", a, 2, "floordiv(a, 2)"],
    ["rem", a, 2, "mod(a, 2)"],
    ["max", a, 0, "a"],
    ["min", a, 0, "0"],
    ["max", a, b, "max(a, b)"],
  ] as const)("%s", (operation, left, right, expected) => {
    expect(show(binaryScalar(operation, left, right, "int32"))).toBe(expected);
  });

  test("signs and absolute values", () => {
    expect(unaryScalar("sign", a, "int32")).toBe(1);
    expect(unaryScalar("sign", negDim(a), "int32")).toBe(-1);
    expect(show(unaryScalar("abs", negDim(a), "int32"))).toBe("a");
    expect(show(unaryScalar("abs", subDims(a, b), "int32"))).toBe("max(- b + a, b - a)");
    expect(show(unaryScalar("neg", a, "int32"))).toBe("- a");
  });

  test("comparisons are decided by bounds", () => {
    expect(compareScalars("ge", a, 1)).toBe(true);
    expect(compareScalars("eq", addDims(a, 1), a)).toBe(false);
    expect(show(compareScalars("lt", a, b))).toMatch(/^lt:bool\(1\*a@\d+,1\*b@\d+\)$/);
    expect(compareScalars("ne", true, false)).toBe(true);
    expect(show(compareScalars("eq", compareScalars("lt", a, b) ?? 0, false))).toMatch(/^not/);
  });

  test("conjunctions with known operands", () => {
    const open = known(compareScalars("lt", a, b));
    expect(binaryScalar("and", open, true, "bool")).toBe(open);
    expect(binaryScalar("and", false, open, "bool")).toBe(false);
    expect(binaryScalar("or", open, true, "bool")).toBe(true);
    expect(binaryScalar("xor", open, false, "bool")).toBe(open);
    expect(notScalar(true)).toBe(false);
  });

  test("a truncating division of unknown sign has an exact form", () => {
    const quotient = binaryScalar("div", subDims(a, 5), 2, "int32");
    expect(show(quotient)).toBe("max(floordiv(a - 5, 2), 0) - max(floordiv(- a + 5, 2), 0)");
  });

  test("expressions do not grow without bound", () => {
    let value: SymbolicScalar | null = known(binaryScalar("div", subDims(a, 5), b, "int32"));
    for (let i = 0; i < 40 && value !== null; i++) {
      value = binaryScalar("xor", value, value, "int32");
    }
    expect(value).toBeNull();
  });
});

describe("selection", () => {
  const difference = subDims(a, 7);
  const quotient = known(binaryScalar("div", difference, 3, "int32"));
  const remainder = known(binaryScalar("rem", difference, 3, "int32"));
  const signsDiffer = known(
    compareScalars("ne", known(unaryScalar("sign", difference, "int32")), 1),
  );
  const hasRemainder = known(compareScalars("ne", remainder, 0));

  test("floor division", () => {
    const predicate = known(binaryScalar("and", signsDiffer, hasRemainder, "bool"));
    const less = known(binaryScalar("sub", quotient, 1, "int32"));
    expect(show(selectScalar(predicate, less, quotient, "int32"))).toBe("floordiv(a - 7, 3)");
    // Without the comparison of signs it is another function.
    expect(show(selectScalar(hasRemainder, less, quotient, "int32"))).toMatch(/^select/);
    // And with another correction, too.
    const more = known(binaryScalar("add", quotient, 1, "int32"));
    expect(show(selectScalar(predicate, more, quotient, "int32"))).toMatch(/^select/);
  });

  test("floor division of what is known to be negative", () => {
    const half = known(binaryScalar("div", negDim(a), 2, "int32"));
    const odd = known(compareScalars("ne", known(binaryScalar("rem", negDim(a), 2, "int32")), 0));
    const less = known(binaryScalar("sub", half, 1, "int32"));
    expect(show(selectScalar(odd, less, half, "int32"))).toBe("floordiv(- a, 2)");
  });

  test("modulo", () => {
    const isNegative = known(compareScalars("lt", remainder, 0));
    const predicate = known(binaryScalar("and", isNegative, hasRemainder, "bool"));
    const corrected = known(binaryScalar("add", remainder, 3, "int32"));
    expect(show(selectScalar(predicate, corrected, remainder, "int32"))).toBe("mod(a - 7, 3)");
    expect(show(selectScalar(hasRemainder, corrected, remainder, "int32"))).toMatch(/^select/);
  });

  test("maximum and minimum", () => {
    const greater = known(compareScalars("gt", a, b));
    expect(show(selectScalar(greater, a, b, "int32"))).toBe("max(a, b)");
    expect(show(selectScalar(greater, b, a, "int32"))).toBe("min(b, a)");
    expect(selectScalar(greater, 4, 4, "int32")).toBe(4);
    expect(selectScalar(true, a, b, "int32")).toBe(a);
  });
});

describe("in modules", () => {
  /** `[size 0 of x, then the numbers]` as a shape operand. */
  const shapeOf = (m: BlockMaker, x: MlirValue, ...sizes: readonly number[]): MlirValue => {
    const size = m.op("get_dimension_size", [x], "i32", { dimension: integer(0) });
    const first = m.op("reshape", [size], "1xi32");
    const rest = sizes.map((value) => m.constant("1xi32", value));
    return m.op("concatenate", [first, ...rest], `${1 + sizes.length}xi32`, {
      dimension: integer(0),
    });
  };

  test("a size flows through reshape, slice, transpose and gather into a shape", () => {
    const text = printMain(["?x4xf32"], (m, x) => {
      const shape = shapeOf(m, x, 4);
      const square = m.op("reshape", [shape], "1x2xi32");
      const turned = m.op("transpose", [square], "2x1xi32", { permutation: integers(1, 0) });
      const flat = m.op("reshape", [turned], "2xi32");
      const reversed = [1, 0].map((start) =>
        m.op("slice", [flat], "1xi32", {
          start_indices: integers(start),
          limit_indices: integers(start + 1),
          strides: integers(1),
        }),
      );
      const target = m.op("concatenate", reversed, "2xi32", { dimension: integer(0) });
      m.return(m.op("dynamic_reshape", [x, target], "4x?xf32"));
    });
    expect(text).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[a,4]. let
          b:f32[4,a] = reshape[dimensions=None new_sizes=(4, a)] a
        in (b,) }"
    `);
  });

  test("a size used as data is dim_as_value, also within a vector", () => {
    const text = printMain(["?x4xf32"], (m, x) => {
      m.return(m.op("convert", [shapeOf(m, x, 4)], "2xf32"));
    });
    expect(text).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[a,4]. let
          b:i32[] = dim_as_value[dim=a]
          c:i32[1] = broadcast_in_dim b
          d:i32[1] = broadcast_in_dim 4:i32[]
          e:i32[2] = concatenate[dimension=0] c d
          f:f32[2] = convert_element_type[new_dtype=float32 weak_type=False] e
        in (f,) }"
    `);
  });

  test("64-bit sizes vanish", () => {
    const text = printMain(["?xf32"], (m, x) => {
      const size = m.op("get_dimension_size", [x], "i32", { dimension: integer(0) });
      const wide = m.op("convert", [size], "i64");
      const twice = m.op("multiply", [wide, m.constant("i64", 2)], "i64");
      const vector = m.op("reshape", [twice], "1xi64");
      const scalar = m.constant("f32", 1);
      m.return(
        m.op("dynamic_broadcast_in_dim", [scalar, vector], "?xf32", {
          broadcast_dimensions: integers(),
        }),
      );
    });
    expect(text).toMatchInlineSnapshot(
      `"{ lambda ; a:f32[a]. let b:f32[2*a] = broadcast_in_dim 1.0:f32[] in (b,) }"`,
    );
  });

  test("a loop variable that never changes is still a known size", () => {
    const text = printMain(["?xf32"], (m, x) => {
      const size = m.op("get_dimension_size", [x], "i32", { dimension: integer(0) });
      const zero = m.constant("i32", 0);
      const types = ["i32", "i32", "?xf32"];
      const results = m.ops("while", [size, zero, x], types, {}, [
        block(types, (c, n, i) => c.return(c.compare("LT", i, n))),
        block(types, (c, n, i, y) => {
          const shape = c.op("reshape", [n], "1xi32");
          const ones = c.op("dynamic_broadcast_in_dim", [c.constant("f32", 1), shape], "?xf32", {
            broadcast_dimensions: integers(),
          });
          const next = c.op("add", [i, c.constant("i32", 1)], "i32");
          c.return(n, next, c.op("add", [y, ones], "?xf32"));
        }),
      ]);
      m.return(results[2] ?? x);
    });
    expect(text).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[a]. let
          _:i32[] b:f32[a] = while[
            body_jaxpr={ lambda ; c:i32[] d:f32[a]. let
                e:i32[] = add c 1:i32[]
                f:f32[a] = add d 1.0:f32[]
              in (e, f) }
            body_nconsts=0
            cond_jaxpr={ lambda ; g:i32[] h:f32[a]. let
                i:i32[] = dim_as_value[dim=a]
                j:bool[] = lt g i
              in (j,) }
            cond_nconsts=0
          ] 0:i32[] a
        in (b,) }"
    `);
  });
});
