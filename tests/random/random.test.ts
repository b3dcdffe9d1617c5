// Keys and distributions against what JAX draws with the same keys.
import { beforeAll, expect, test } from "vitest";
import "../../src/run/install.js";
import { describeOnBackend } from "../support/backends.js";
import { cases, makeKeys, type Keys } from "./cases.js";
import { expectDrawn, recorded } from "./recorded.js";
import { drawnOf } from "./results.js";

test("every recorded case is here", () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(recorded.cases).sort());
});

for (const backend of ["cpu", "wasm"] as const)
  describeOnBackend(backend, () => {
    let keys: Keys;
    beforeAll(() => {
      keys = makeKeys();
    });

    test.each(Object.keys(recorded.cases))("%s", (name) => {
      expectDrawn(name, drawnOf(cases[name]?.(keys)));
    });
  });
