// Every public name of jax.lax, jax.nn, jax.random and jax.tree is here, or it is said why not:
// docs/jax-in-typescript.md names the same.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { registry } from "../../primitives/index.js";
import * as lax from "../../src/lax/index.js";
import * as nn from "../../src/nn/index.js";
import * as random from "../../src/random/index.js";
import * as tree from "../../src/tree/index.js";
import { repositoryRoot } from "../support/paths.js";

const read = (path: string): string => readFileSync(join(repositoryRoot, path), "utf8");

const recorded = JSON.parse(read("tests/data/names.json")) as Readonly<
  Record<string, readonly string[]>
>;

const modules: Readonly<Record<string, object>> = {
  lax,
  "lax.linalg": lax.linalg,
  nn,
  "nn.initializers": nn.initializers,
  random,
  tree,
  tree_util: tree,
};

/** Functions that are not here, with the words of the docs that say so. */
const absent: Readonly<Record<string, readonly string[]>> = {
  lax: ["after_all", "create_token", "pcast", "precv", "psend", "ragged_all_to_all", "stage"],
  "lax.linalg": ["qdwh"],
  nn: ["get_scaled_dot_general_config"],
  tree: ["static"],
  tree_util: [
    "Partial",
    "default_registry",
    "flatten_one_level",
    "flatten_one_level_with_keys",
    "is_tree_node",
    "register_pytree_node_class",
    "register_pytree_with_keys",
    "register_pytree_with_keys_class",
  ],
};

/** Names in JAX of what is called otherwise here. */
const renamed: Readonly<Record<string, string>> = { keystr: "keyPaths" };

function camelCase(name: string): string {
  // jax.tree_util has every function of jax.tree as tree_map and so on.
  const short = name.replace(/^tree_(?=\w)/, "");
  return renamed[short] ?? short.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Classes and enumerations, which are types and texts in TypeScript; and primitives. */
const isType = (name: string): boolean => /^[A-Z]/.test(name) && name !== "PRNGKey";

test.each(Object.keys(modules))("%s", (module) => {
  const own = new Set(Object.keys(modules[module] ?? {}).map((name) => name.toLowerCase()));
  const missing = (recorded[module] ?? []).filter(
    (name) => !isType(name) && !name.endsWith("_p") && !own.has(camelCase(name).toLowerCase()),
  );
  expect(missing).toEqual((absent[module] ?? []).filter((name) => !isType(name)));
});

/** Primitives of tokens, devices and several devices, and where JAX's name is another. */
const absentPrimitives = [
  "after_all",
  "create_token",
  "dce_sink",
  "device_put",
  "ragged_all_to_all",
  "sharding_constraint",
  "stage",
];
const primitiveNames: Readonly<Record<string, string>> = {
  linear_solve: "custom_linear_solve",
  all_gather: "all_gather",
  psum: "psum",
};

test("every primitive of jax.lax has a record", () => {
  const names = ["lax", "lax.linalg", "random"].flatMap((module) =>
    (recorded[module] ?? []).filter((name) => name.endsWith("_p")).map((name) => name.slice(0, -2)),
  );
  const missing = names.filter((name) => {
    const own = primitiveNames[name] ?? name;
    return !registry.has(own) && !registry.has(own.replace("scatter_", "scatter-"));
  });
  expect(missing.sort()).toEqual(absentPrimitives);
});

test("the docs name what is absent", () => {
  const page = read("docs/jax-in-typescript.md");
  const names = Object.values(absent).flat();
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
