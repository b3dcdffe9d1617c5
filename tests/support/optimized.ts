// Traces a function, optimizes it, and runs it with and without: what the tests of passes compare.
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import { makeJaxpr, ShapeDtypeStruct } from "../../src/api/index.js";
import { kindOf } from "../../src/ir/dtypes.js";
import { isStaticShape } from "../../src/ir/dims.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Graph } from "../../src/lower/graph.js";
import { optimize } from "../../src/passes/optimize.js";
import { lowered, run } from "./runLowered.js";

export interface Compared {
  /** Ops of the optimized graph and its functions, without constants, inputs and outputs. */
  readonly ops: readonly string[];
  /** Results of the optimized program. */
  readonly values: readonly (readonly number[])[];
}

const uncounted: ReadonlySet<string> = new Set(["Const", "Placeholder", "Identity"]);

function opsOf({ nodes, functions }: Graph): readonly string[] {
  const all = [nodes, ...functions.map((definition) => definition.nodes)].flat();
  return all.map(({ op }) => op).filter((op) => !uncounted.has(op));
}

/** Numbers that differ from each other, between -0.5 and 0.5 (integers: 0 to 6). */
function testInput(shape: readonly number[], isInteger: boolean): tf.Tensor {
  const count = shape.reduce((size, dim) => size * dim, 1);
  const values = Array.from({ length: count }, (_, index) =>
    isInteger ? (index * 5) % 7 : 0.5 * Math.sin(index * 12.9898 + 1),
  );
  return tf.tensor(values, [...shape], isInteger ? "int32" : "float32");
}

/** Runs a program as it is and optimized; the results must agree. */
export async function compared(closed: ClosedJaxpr): Promise<Compared> {
  const inputs = closed.jaxpr.invars.map(({ aval: { shape, dtype } }) => {
    if (!isStaticShape(shape)) throw new Error("tests run programs of known sizes");
    return testInput(shape, kindOf(dtype) !== "float");
  });
  const backends = ["cpu", "wasm", "webgl"] as const;
  const graph = lowered(optimize(closed, { level: "full" }), backends);
  const plain = lowered(optimize(closed, { level: "required" }), backends);
  const values = (await run(graph, inputs)).map((array) => Array.from(array));
  const expected = (await run(plain, inputs)).map((array) => Array.from(array));
  tf.dispose(inputs);
  expect(values.map((array) => array.length)).toEqual(expected.map((array) => array.length));
  values.forEach((array, output) => {
    array.forEach((value, index) => {
      const other = expected[output]?.[index] ?? NaN;
      const isSame =
        Object.is(value, other) || Math.abs(value - other) <= 1e-5 * (1 + Math.abs(other));
      expect(isSame, `output ${output}[${index}]: ${value} instead of ${other}`).toBe(true);
    });
  });
  return { ops: opsOf(graph), values };
}

/** A float32 argument. */
export const float = (...shape: number[]): ShapeDtypeStruct =>
  new ShapeDtypeStruct(shape, "float32");

/** An int32 argument. */
export const integer = (...shape: number[]): ShapeDtypeStruct =>
  new ShapeDtypeStruct(shape, "int32");

/** Traces a function for arguments of these types. */
export function traced(
  f: (...args: never[]) => unknown,
  ...args: readonly ShapeDtypeStruct[]
): ClosedJaxpr {
  return makeJaxpr(f as (...args: unknown[]) => unknown)(...args);
}
