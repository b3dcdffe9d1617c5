// The shape-polymorphic programs of the oracle: their specifications, the dimension values of
// their runs, the sizes of outputs, and the calls that JAX refuses, with its messages.
import { describe, expect, it } from "vitest";
import { evaluateDim, parseDim, symbolicScope } from "../../src/ir/dims.js";
import {
  type DimPlan,
  checkCall,
  planFromSpecification,
  shapeFromJson,
  shapeToJson,
  solveDims,
  symbolicShape,
} from "../../src/ir/shapeSpec.js";
import { readOracleText } from "../support/oracle.js";
import { messageOf } from "./recordedDims.js";

type Sizes = readonly (number | string)[];

interface ShapePolyCase {
  readonly name: string;
  readonly specs: readonly (string | null)[];
  readonly constraints: readonly string[];
  readonly inputs: readonly { readonly shape: Sizes }[];
  readonly outputs: readonly { readonly shape: Sizes }[];
  readonly runs: readonly {
    readonly dims: Readonly<Record<string, number>>;
    readonly inputs: readonly { readonly shape: readonly number[] }[];
    readonly outputs: readonly { readonly shape: readonly number[] }[];
  }[];
  readonly errors: readonly {
    readonly inputs: readonly { readonly shape: readonly number[] }[];
    readonly message: string;
    readonly assertion?: string | null;
  }[];
}

const cases = JSON.parse(
  readOracleText("public/shape_poly/cases.json"),
) as readonly ShapePolyCase[];

function shapesOf<T>(arrays: readonly { readonly shape: T }[]): T[] {
  return arrays.map(({ shape }) => shape);
}

/** The plan made from the specifications, and the one that a model's metadata gives. */
function plansOf({ specs, constraints, inputs }: ShapePolyCase): DimPlan[] {
  const scope = symbolicScope(constraints);
  const plan = solveDims(
    inputs.map(({ shape }, i) => {
      const like = shape.map((size) => (typeof size === "number" ? size : null));
      return { name: `args[${i}]`, shape: symbolicShape(specs[i] ?? null, { scope, like }) };
    }),
  );
  expect(plan.arguments.map(({ shape }) => shapeToJson(shape))).toEqual(shapesOf(inputs));
  return [plan, planFromSpecification(plan.specification)];
}

describe("shape-polymorphic programs", () => {
  for (const program of cases) {
    it(program.name, () => {
      const scope = symbolicScope(program.constraints);
      for (const plan of plansOf(program)) {
        for (const run of program.runs) {
          const values = checkCall(plan, shapesOf(run.inputs));
          for (const [name, value] of Object.entries(run.dims)) {
            expect(evaluateDim(parseDim(name, scope), values)).toBe(value);
          }
          const outputs = program.outputs.map(({ shape }) =>
            shapeFromJson(shape, scope).map((dim) => evaluateDim(dim, values)),
          );
          expect(outputs).toEqual(shapesOf(run.outputs));
        }
        for (const { inputs, message, assertion } of program.errors) {
          // A constraint is checked by the program itself; JAX's own message hides which.
          expect(messageOf(() => checkCall(plan, shapesOf(inputs)))).toBe(assertion ?? message);
        }
      }
    });
  }
});
