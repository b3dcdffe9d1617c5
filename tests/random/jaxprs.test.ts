// Jaxprs of functions that draw, as JAX prints them, and JAX's errors about keys.
import { expect, test } from "vitest";
import { printJaxpr } from "../../src/ir/print.js";
import "../../src/run/install.js";
import { jaxprTable } from "./jaxprTable.js";
import { recorded } from "./recorded.js";

/** Jaxprs that differ from JAX's, with the reason. */
const explained: Readonly<Record<string, string>> = {
  gumbel: "JAX hands the bounds of uniform over as keywords, in the order of the alphabet",
};

const names = Object.keys(recorded.jaxprs);

test("every recorded jaxpr is traced here", () => {
  expect(Object.keys(jaxprTable).sort()).toEqual([...names].sort());
});

function printed(name: string): string {
  const program = jaxprTable[name];
  if (program === undefined) throw new Error(`no function ${name}`);
  return printJaxpr(program());
}

test.each(names.filter((name) => !(name in explained)))("%s", (name) => {
  expect(printed(name)).toBe(recorded.jaxprs[name]);
});

test.each(Object.entries(explained))("%s differs: %s", (name) => {
  expect(printed(name)).not.toBe(recorded.jaxprs[name]);
});
