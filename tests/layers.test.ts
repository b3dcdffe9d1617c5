// The direction of imports between the folders of the sources, so that the flow of DESIGN.md holds:
//   front ends (trace, import) -> jaxpr -> transform -> passes -> lower
// Stages meet in plain IR: none calls a later one, and the IR knows none of them.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "./support/paths.js";

/** What a layer may import. `packages` are npm packages; node: modules have a rule of their own. */
interface Layer {
  readonly layers: readonly string[];
  readonly packages: readonly string[];
}

/** Every tfjs package that sources may import; never the umbrella package or tfjs-node. */
const tfjs = [
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-converter",
  "@tensorflow/tfjs-backend-cpu",
  "@tensorflow/tfjs-backend-wasm",
];

/** Plain IR, the records, and what programs are built with. */
const vocabulary = ["ir", "primitives", "ops"];

/** The user-facing functions trace their arguments. */
const traced = [...vocabulary, "tree", "trace", "transform", "api"];

/** The layers: `primitives/` and the folders of `src/`. "src" is the files directly in it. */
const layers: Readonly<Record<string, Layer>> = {
  ir: { layers: [], packages: [] },
  primitives: { layers: ["ir"], packages: [] },
  ops: { layers: ["ir", "primitives"], packages: [] },
  files: { layers: ["ir"], packages: ["fflate"] },
  tree: { layers: ["ir"], packages: [] },
  // Front ends: make jaxprs.
  trace: { layers: [...vocabulary, "tree"], packages: [] },
  import: { layers: [...vocabulary, "files", "tree"], packages: ["fflate"] },
  // Stages: jaxpr to jaxpr, jaxpr to nodes.
  transform: { layers: vocabulary, packages: [] },
  passes: { layers: [...vocabulary, "transform"], packages: [] },
  lower: { layers: [...vocabulary, "files"], packages: tfjs },
  // What users call in TypeScript: api's functions (grad, vmap) trace what they get.
  api: { layers: [...vocabulary, "tree", "trace", "transform"], packages: [] },
  lax: { layers: traced, packages: [] },
  numpy: { layers: [...traced, "lax"], packages: [] },
  random: { layers: [...traced, "lax", "numpy"], packages: [] },
  nn: { layers: [...traced, "lax", "numpy", "random"], packages: [] },
  runtime: { layers: ["ir"], packages: tfjs },
};

/** These put the stages together, so they may import every layer. */
const composers = ["src", "run", "node", "cli"];

/** Node-only modules outside src/cli; a file named `*.node.ts` need not be listed. */
const nodeOnlyModules = ["src/import/params/nodeFile.ts"];

/** True for a module that runs in Node only; everything else must work in a browser. */
function isNodeOnly(path: string): boolean {
  return (
    /^src\/(cli|node)\//.test(path) || path.endsWith(".node.ts") || nodeOnlyModules.includes(path)
  );
}

interface SourceFile {
  readonly path: string;
  readonly layer: string;
  readonly imports: readonly string[];
}

/** Files that are a layer of their own. */
const ownLayers: Readonly<Record<string, string>> = {
  "src/lax/ops.ts": "ops",
  "src/lax/structuralOps.ts": "ops",
};

function layerOf(path: string): string {
  const own = ownLayers[path];
  if (own !== undefined) return own;
  const [top = "", folder = "", ...rest] = path.split("/");
  return top === "src" && rest.length > 0 ? folder : top;
}

/** All imported names of a file, type imports and dynamic imports included. */
function readSource(path: string): SourceFile {
  const text = readFileSync(join(repositoryRoot, path), "utf8");
  const imports = ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
  return { path, layer: layerOf(path), imports };
}

const sources: readonly SourceFile[] = ["src", "primitives"].flatMap((top) =>
  readdirSync(join(repositoryRoot, top), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(repositoryRoot, join(entry.parentPath, entry.name)))
    .map((path) => readSource(path.replaceAll("\\", "/"))),
);

/** The repository path that a relative import leads to. */
function resolveImport(file: SourceFile, name: string): string {
  const path = relative(repositoryRoot, join(repositoryRoot, dirname(file.path), name));
  return path.replaceAll("\\", "/").replace(/\.js$/, ".ts");
}

const isRelative = (name: string): boolean => name.startsWith(".");
const isNodeModule = (name: string): boolean => name.startsWith("node:");

/** `package` or `@scope/package` of an import of a file in it. */
function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

test("every folder of the sources has a rule", () => {
  const folders = new Set(sources.map((file) => file.layer));
  const known = new Set([...Object.keys(layers), ...composers]);
  expect([...folders].filter((folder) => !known.has(folder))).toEqual([]);
});

describe.each(Object.entries(layers))("%s", (layer, allowed) => {
  const files = sources.filter((file) => file.layer === layer);

  test(`imports of the sources only ${["itself", ...allowed.layers].join(", ")}`, () => {
    const violations = files.flatMap((file) =>
      file.imports
        .filter(isRelative)
        .map((name) => resolveImport(file, name))
        .filter((target) => ![layer, ...allowed.layers].includes(layerOf(target)))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(violations).toEqual([]);
  });

  test(`imports of packages only ${allowed.packages.join(", ") || "none"}`, () => {
    const violations = files.flatMap((file) =>
      file.imports
        .filter((name) => !isRelative(name) && !isNodeModule(name))
        .filter((name) => !allowed.packages.includes(packageOf(name)))
        .filter(() => !isNodeOnly(file.path))
        .map((name) => `${file.path} imports ${name}`),
    );
    expect(violations).toEqual([]);
  });
});

/** A whole `import type` or `export type` statement leaves nothing behind. */
function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  return ts.isExportDeclaration(statement)
    ? statement.isTypeOnly
    : statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

describe("browsers", () => {
  test("the listed Node-only modules exist", () => {
    const paths = sources.map((file) => file.path);
    expect(nodeOnlyModules.filter((path) => !paths.includes(path))).toEqual([]);
  });

  test("node: modules are imported by Node-only modules alone", () => {
    const violations = sources
      .filter((file) => !isNodeOnly(file.path))
      .flatMap((file) =>
        file.imports.filter(isNodeModule).map((name) => `${file.path} imports ${name}`),
      );
    expect(violations).toEqual([]);
  });

  test("the entry points reach Node-only modules through dynamic imports at most", () => {
    const byPath = new Map(sources.map((file) => [file.path, file]));
    const reached = new Set<string>();
    const visit = (path: string): void => {
      const file = byPath.get(path);
      if (file === undefined || reached.has(path)) return;
      reached.add(path);
      for (const target of staticImports(path)) visit(target);
    };
    const staticImports = (path: string): string[] => {
      const text = readFileSync(join(repositoryRoot, path), "utf8");
      const parsed = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
      const names = parsed.statements.flatMap((statement) =>
        (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) &&
        !isTypeOnly(statement) &&
        statement.moduleSpecifier !== undefined &&
        ts.isStringLiteral(statement.moduleSpecifier)
          ? [statement.moduleSpecifier.text]
          : [],
      );
      const file = byPath.get(path);
      if (file === undefined) return [];
      return names.filter(isRelative).map((name) => resolveImport(file, name));
    };
    visit("src/index.ts");
    visit("src/runtime/index.ts");
    expect([...reached].filter(isNodeOnly)).toEqual([]);
  });
});
