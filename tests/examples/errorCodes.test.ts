// docs/errors.md lists every code that an error of jax2tfjs can have, and no other.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { repositoryRoot } from "../support/paths.js";

/** Calls whose first argument looks like a code and is none. */
const otherCalls = ["TextDecoder", "scatterPrimitive", "checkUnique"];

/** Texts that an expression can be: a literal, or either side of a conditional. */
function literalsOf(expression: ts.Expression): string[] {
  if (ts.isStringLiteral(expression)) return [expression.text];
  if (!ts.isConditionalExpression(expression)) return [];
  return [...literalsOf(expression.whenTrue), ...literalsOf(expression.whenFalse)];
}

/**
 * Codes that a call makes: the first argument of `new Jax2TfjsError`, and of helpers that pass it on,
 * which are known by the hyphen in the code.
 */
function codesOf(node: ts.Node): string[] {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return [];
  const callee = node.expression.getText();
  const [first] = node.arguments ?? [];
  if (first === undefined || otherCalls.includes(callee)) return [];
  const isError = callee === "Jax2TfjsError";
  const pattern = isError ? /^[a-z0-9-]+$/ : /^[a-z0-9]+(-[a-z0-9]+)+$/;
  return literalsOf(first).filter((text) => pattern.test(text));
}

function thrownCodes(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (node: ts.Node, path: string): void => {
    for (const code of codesOf(node)) found.set(code, path);
    ts.forEachChild(node, (child) => {
      visit(child, path);
    });
  };
  for (const top of ["src", "primitives"]) {
    const folder = join(repositoryRoot, top);
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      const text = readFileSync(join(folder, name), "utf8");
      visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true), `${top}/${name}`);
    }
  }
  return found;
}

test("docs/errors.md lists the codes of the sources", () => {
  const page = readFileSync(join(repositoryRoot, "docs/errors.md"), "utf8");
  const listed = Array.from(page.matchAll(/^\| `([a-z0-9-]+)`/gm), (match) => match[1] ?? "");
  expect(listed.length).toBe(new Set(listed).size);
  const thrown = thrownCodes();
  const unlisted = [...thrown].filter(([code]) => !listed.includes(code));
  expect(unlisted, "codes without an entry, with a file that uses each").toEqual([]);
  const unused = listed.filter((code) => !thrown.has(code));
  expect(unused, "entries that no error has").toEqual([]);
});
