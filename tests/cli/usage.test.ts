// The outside of the command line: help, wrong usage, exit codes, and what loads at start-up.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { runCli } from "../support/cli.js";
import { repositoryRoot } from "../support/paths.js";

const commands = ["convert", "inspect", "run", "verify", "conformance"];

test("--help lists the commands", async () => {
  const { code, stdout, stderr } = await runCli(["--help"]);
  expect(code).toBe(0);
  expect(stderr).toBe("");
  for (const command of commands) expect(stdout).toContain(`  ${command} `);
  expect(stdout).toContain("Exit codes");
});

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as {
    version: string;
  };
  const { code, stdout } = await runCli(["--version"]);
  expect([code, stdout.trim()]).toEqual([0, version]);
});

describe.each(commands)("%s", (command) => {
  test("--help has a description, options and examples", async () => {
    const { code, stdout } = await runCli([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: jax2tfjs ${command}`);
    expect(stdout).toContain("Examples:\n  jax2tfjs ");
    expect(stdout).toContain("--verbose");
    expect(stdout).toContain("--json");
  });

  test("without arguments is wrong usage", async () => {
    const { code, stdout, stderr } = await runCli([command]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: (missing required argument|required option)/);
  });
});

test.each([
  ["no command", []],
  ["an unknown command", ["transform"]],
  ["an unknown option", ["convert", "a", "b", "--quantize"]],
  ["too many arguments", ["convert", "a", "b", "c"]],
  ["an unknown backend", ["convert", "a", "b", "--backends", "cpu,gpu"]],
  ["a bad number", ["convert", "a", "b", "--unroll", "-1"]],
  ["a bad shard size", ["convert", "a", "b", "--shard-bytes", "many"]],
  ["bad sizes", ["convert", "a", "b", "--set", "b"]],
  ["a bad tolerance", ["verify", "a", "--reference", "r", "--rtol", "x"]],
  ["verify without reference", ["verify", "a"]],
  ["a trace of a graph", ["run", "a", "--trace"]],
  ["an unknown transformation", ["conformance", ".", "--transform", "sum"]],
])("%s is wrong usage: exit code 2", async (_, args) => {
  const { code, stdout, stderr } = await runCli(args);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).not.toContain("    at ");
  expect(stderr).not.toBe("");
});

test("errors have a stack with --verbose alone", async () => {
  const quiet = await runCli(["inspect", "no/such/file"]);
  expect(quiet.code).toBe(1);
  expect(quiet.stderr).toMatch(/^error file-open: the artifact no\/such\/file cannot be read/);
  expect(quiet.stderr).not.toContain("    at ");
  const verbose = await runCli(["inspect", "no/such/file", "--verbose"]);
  expect(verbose.code).toBe(1);
  expect(verbose.stderr).toContain("    at ");
});

test("a path below a file", async () => {
  for (const command of [["inspect"], ["run"], ["conformance"]]) {
    const { code, stderr } = await runCli([...command, "package.json/no"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error file-open: /)]);
  }
});

test("errors are data with --json", async () => {
  const { code, stdout, stderr } = await runCli(["inspect", "no/such/file", "--json"]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: "file-open",
      message: expect.stringContaining("no/such/file") as string,
      details: {},
    },
  });
  expect(stderr).toMatch(/^error file-open/);
});

/** All files that a source reaches by static imports that remain at run time, packages included. */
function staticImports(start: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    if (!path.startsWith(repositoryRoot)) return;
    const parsed = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest);
    for (const statement of parsed.statements) {
      const declares = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
      if (!declares || statement.moduleSpecifier === undefined) continue;
      const isType = ts.isExportDeclaration(statement)
        ? statement.isTypeOnly
        : statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      if (isType || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
      const name = statement.moduleSpecifier.text;
      visit(name.startsWith(".") ? join(dirname(path), name.replace(/\.js$/, ".ts")) : name);
    }
  };
  visit(join(repositoryRoot, start));
  return reached;
}

test.each(["src/cli/main.ts", "src/cli/convert.ts", "src/cli/inspect.ts"])(
  "%s does not load tfjs",
  (start) => {
    const packages = [...staticImports(start)].filter((path) => path.startsWith("@tensorflow/"));
    expect(packages).toEqual([]);
  },
);
