// The tests of one part of the corpus' models: each converts with its parameters, symbolic sizes
// kept, and matches JAX as a saved model and equation by equation, on every backend of Node; or it
// fails at conversion as its row of `expectedFailures.ts` says.
import { afterAll, describe, expect, test } from "vitest";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { describeOnBackend, nodeBackends, type NodeBackend } from "../support/backends.js";
import { checkEager, checkGraph, Conversions } from "./convertedModels.js";
import { expectedFailures } from "./expectedFailures.js";
import { recordedModels, type RecordedModel } from "./recordedModels.js";

/** The error that an action must throw. */
function errorOf(action: () => unknown): Jax2TfjsError {
  try {
    action();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error;
    throw error;
  }
  throw new Error("it converts: take its row out of expectedFailures.ts");
}

export interface ModelTestOptions {
  /** Models that run eagerly on this backend; the others are too slow there for every test run. */
  readonly eager: (model: RecordedModel, backend: NodeBackend) => boolean;
}

export function testModels(
  part: "public" | "versions" | "wild",
  { eager }: ModelTestOptions,
): void {
  const models = recordedModels(part);
  const convertible = models.filter(({ path }) => expectedFailures[path] === undefined);
  const failing = models.flatMap((model) => {
    const failure = expectedFailures[model.path];
    return failure === undefined ? [] : [{ ...model, failure }];
  });
  const conversions = new Conversions();
  afterAll(() => {
    conversions.dispose();
  });

  test.each(failing)("$path is refused: $failure.why", (model) => {
    const { code, details } = errorOf(() => conversions.get(model));
    expect({ code, primitive: details.primitive }).toEqual({
      code: model.failure.code,
      primitive: model.failure.primitive,
    });
    expect(details.equation).toBeTypeOf("string");
    expect(details.source).toMatch(/:\d+/);
  });

  describe("conversion", () => {
    test.each(convertible)("$path keeps inputs, outputs and symbolic sizes", (model) => {
      const { graph } = conversions.get(model).model;
      const [run] = model.meta.ref;
      expect(new Set(graph.inputs.map(({ position }) => position)).size).toBe(run?.inputs.length);
      expect(new Set(graph.outputs.map(({ position }) => position)).size).toBe(run?.outputs.length);
      const symbolic = graph.inputs.some(({ shape }) => shape.includes(-1));
      expect(symbolic).toBe(
        model.meta.poly?.some((specification) => specification !== "") ?? false,
      );
    });
  });

  for (const backend of nodeBackends) {
    describeOnBackend(backend, () => {
      test.each(convertible)("$path saved", async (model) => {
        await checkGraph(model, conversions.get(model));
      });
      const stepwise = convertible.filter((model) => eager(model, backend));
      test.each(stepwise)("$path eager", async (model) => {
        await checkEager(model, conversions.get(model), backend);
      });
    });
  }
}
