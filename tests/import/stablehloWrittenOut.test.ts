// Primitives that JAX writes out as several operations are found again, so that they are
// differentiated as JAX does; what only looks like them is not.
import { expect, test } from "vitest";
import type { MlirBlock, MlirValue } from "../../src/import/mlir/ir.js";
import { block, integers, printMain, type BlockMaker } from "./stablehloModules.js";

const complex = "3xcomplex<f32>";

/** The complex extremum as JAX writes it, by the given directions of the two comparisons. */
function extremum(
  make: BlockMaker,
  [x, y]: readonly [MlirValue, MlirValue],
  [byReal, byImaginary]: readonly [string, string],
  shape = "3x",
): MlirValue {
  const part = (name: string, value: MlirValue): MlirValue => make.op(name, [value], `${shape}f32`);
  const [real, otherReal] = [part("real", x), part("real", y)];
  const [imaginary, otherImaginary] = [part("imag", x), part("imag", y)];
  const predicate = make.op(
    "select",
    [
      make.compare("EQ", real, otherReal, "FLOAT"),
      make.compare(byImaginary, imaginary, otherImaginary, "FLOAT"),
      make.compare(byReal, real, otherReal, "FLOAT"),
    ],
    `${shape}i1`,
  );
  return make.op("select", [predicate, x, y], `${shape}complex<f32>`);
}

/** The last equation of the program. */
const lastOf = (printed: string): string => printed.trim().split("\n").at(-2)?.trim() ?? printed;

const ofTwo = (directions: readonly [string, string]): string =>
  lastOf(
    printMain([complex, complex], (make, x, y) => {
      make.return(extremum(make, [x, y], directions));
    }),
  );

test("maxima and minima of complex numbers", () => {
  expect(ofTwo(["GT", "GT"])).toContain("max a b");
  expect(ofTwo(["LT", "LT"])).toContain("min a b");
  expect(ofTwo(["GT", "LT"])).toContain("select_n");
});

test("reductions of complex numbers by their maximum", () => {
  const body: MlirBlock = block(["complex<f32>", "complex<f32>"], (make, x, y) => {
    make.return(extremum(make, [x, y], ["GT", "GT"], ""));
  });
  const printed = printMain([complex, "complex<f32>"], (make, x, initial) => {
    const attributes = { dimensions: integers(0) };
    make.return(make.op("reduce", [x, initial], "complex<f32>", attributes, [body]));
  });
  expect(printed).toContain("reduce_max[axes=(0,)] a");
});

test("the logistic function", () => {
  const quotient = (numerator: number): string =>
    lastOf(
      printMain(["3xf32"], (make, x) => {
        const one = make.constant("3xf32", 1);
        const exponential = make.op("exponential", [make.op("negate", [x], "3xf32")], "3xf32");
        const divisor = make.op("add", [one, exponential], "3xf32");
        make.return(make.op("divide", [make.constant("3xf32", numerator), divisor], "3xf32"));
      }),
    );
  expect(quotient(1)).toContain("logistic a");
  expect(quotient(2)).toContain("div 2.0");
});

test("powers with integer exponents", () => {
  const printed = printMain(["3xf32", "3xi32"], (make, x, exponent) => {
    const converted = make.op("convert", [exponent], "3xf32");
    make.return(make.op("power", [x, converted], "3xf32"));
  });
  expect(lastOf(printed)).toContain("pow a b");
});

test("bitcasts of floats stay, as derivatives end there", () => {
  const bitcast = (type: string): string =>
    printMain([type], (make, x) => {
      make.return(make.op("bitcast_convert", [x], type));
    });
  expect(bitcast("3xf32")).toContain("bitcast_convert_type[new_dtype=float32] a");
  expect(bitcast("3xi32")).not.toContain("bitcast_convert_type");
});
