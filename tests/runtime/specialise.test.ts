// Programs whose dimension variables are replaced by sizes: the graph that JAX's own export with
// these sizes gives, node for node (tests/data/fixed_shapes.json.gz).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { convert } from "../../src/convert.js";
import { importExported } from "../../src/import/program.js";
import type { Graph } from "../../src/lower/graph.js";
import { specialise } from "../../src/specialise.js";
import { repositoryRoot } from "../support/paths.js";
import { importCase, shapePolyCase, shapePolyCases } from "./shapePolyCases.js";

interface FixedShapes {
  readonly programs: Readonly<
    Record<string, { readonly dims: Readonly<Record<string, number>>; readonly artifact: string }>
  >;
}

const recorded = JSON.parse(
  gunzipSync(readFileSync(join(repositoryRoot, "tests/data/fixed_shapes.json.gz"))).toString(),
) as FixedShapes;

/** A graph as text in which nodes are numbers in order: names come from source lines. */
function structureOf({ nodes, weights, outputs }: Graph): readonly string[] {
  const numbers = new Map(nodes.map(({ name }, index) => [name, index]));
  const values = new Map(weights.map((weight) => [weight.name, weight]));
  const readName = (reference: string): string => {
    const [name = "", slot = "0"] = reference.split(":");
    return `${numbers.get(name) ?? "?"}:${slot}`;
  };
  const lines = nodes.map(({ name, op, input, attr, outputs: types }) => {
    const weight = values.get(name);
    const value = weight === undefined ? "" : [...weight.source.read().bytes].join();
    const result = types.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`).join();
    return `${op}(${input.map(readName).join()}) ${JSON.stringify(attr)} ${result} ${value}`;
  });
  return [...lines, ...outputs.map(({ tensor }) => `result ${readName(tensor)}`)];
}

const programs = shapePolyCases.flatMap((item) => {
  const fixed = recorded.programs[item.name];
  return fixed === undefined ? [] : [{ name: item.name, ...fixed }];
});

describe("a program for given sizes is the one that JAX exports for them", () => {
  test.each(programs)("$name", ({ name, dims, artifact }) => {
    const program = importCase(shapePolyCase(name));
    // An equality such as `a == 2*b` leaves no variable `a` in the program.
    const isLeft = (variable: string): boolean => program.dimensionVariables.includes(variable);
    const dimensions = new Map(Object.entries(dims).filter(([variable]) => isLeft(variable)));
    const own = convert(program, { dimensions });
    const jax = convert(importExported(new Uint8Array(Buffer.from(artifact, "base64"))));
    expect(structureOf(own.graph)).toEqual(structureOf(jax.graph));
    expect(own.metadata).toMatchObject({ jax2tfjs: { dimensionVariables: [], constraints: [] } });
  });
});

describe("specialise", () => {
  const specialised = (name: string, sizes: Readonly<Record<string, number>>) =>
    specialise(importCase(shapePolyCase(name)), new Map(Object.entries(sizes)));

  test("keeps the variables that are left, and what is said about them", () => {
    const program = specialised("bad_constraint_sum", { a: 3 });
    expect(program.dimensionVariables).toEqual(["b"]);
    expect(program.constraints).toEqual(["b + 3 <= 8"]);
    expect(program.shapeSpecifications).toHaveLength(1);
    expect(program.inputs.map(({ aval }) => String(aval.shape))).toEqual(["3", "b"]);
  });

  test("refuses sizes that the program does not take", () => {
    expect(() => specialised("bad_constraint_ge", { b: 2 })).toThrow(
      "The constraint b >= 4 does not hold for b = 2.",
    );
    expect(() => specialised("bad_square", { c: 2 })).toThrow(
      "the program has no dimension variable c",
    );
    expect(() => specialised("bad_square", { b: 0 })).toThrow(
      "Expected value >= 1 for dimension variable 'b'. Got b=0.",
    );
  });
});
