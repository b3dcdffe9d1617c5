/** Jaxprs of traced and transformed functions, as JAX prints them for the same functions. */
import { beforeAll, expect, test } from "vitest";
import { printJaxpr } from "../../src/ir/print.js";
import "../../src/run/install.js";
import { useBackend } from "../support/backends.js";
import { jaxprTable } from "./jaxprTable.js";
import { recorded } from "./recorded.js";

/** Functions whose jaxprs differ from JAX's, with the reason. */
const explained: Readonly<Record<string, string>> = {
  linspace: "JAX also computes the step between the numbers, which nothing uses",
  gradGrad: "JAX keeps the equations of the first derivative that nothing uses",
  vmapUnmapped: "JAX adds the dimension of the batch with broadcast_in_dim, we with reshape",
  linearTransposed: "JAX takes the 2.0 out as a constant; numbers stay literals here",
};

beforeAll(async () => {
  await useBackend("cpu");
});

function printed(name: string): string {
  const program = jaxprTable[name];
  if (program === undefined) throw new Error(`no function ${name}`);
  // JAX adds tangents with add_any where we use add or add_any: the record has add for both.
  return printJaxpr(program()).replaceAll(" = add_any ", " = add ");
}

const names = Object.keys(recorded.jaxprs);

test("every recorded jaxpr is traced here", () => {
  expect(Object.keys(jaxprTable).sort()).toEqual([...names].sort());
});

test.each(names.filter((name) => !(name in explained)))("%s", (name) => {
  expect(printed(name)).toBe(recorded.jaxprs[name]);
});

test.each(Object.entries(explained))("%s differs: %s", (name) => {
  expect(printed(name)).not.toBe(recorded.jaxprs[name]);
});
