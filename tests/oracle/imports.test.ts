// Every artifact of the corpus is imported, from every version of JAX in it, or refused for one of the
// causes that are listed here.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { importExported } from "../../src/import/program.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import { oracleRoot, readOracle } from "../support/oracle.js";

/** Primitives and operations that do not exist yet. One that starts to must leave the list. */
const missing: readonly string[] = [];

/** Why an artifact is refused; undefined if it is not. */
function causeOf(path: string): string | undefined {
  try {
    importExported(readOracle(path));
    return undefined;
  } catch (error) {
    if (!(error instanceof Jax2TfjsError)) throw new Error(`${path} crashes`, { cause: error });
    const { code, message, details } = error;
    const named = details.equation !== undefined && details.source !== undefined;
    if (code !== "unsupported-op" || !named) return `${path}: ${code}: ${message}`;
    return details.primitive ?? message;
  }
}

test("all artifacts are imported or refused for a known cause", () => {
  const paths = readdirSync(oracleRoot(), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".jaxexport"))
    .sort();
  expect(paths.length).toBeGreaterThan(2000);
  const causes = new Set(paths.map(causeOf).filter((cause) => cause !== undefined));
  expect([...causes].sort()).toEqual(missing);
});
