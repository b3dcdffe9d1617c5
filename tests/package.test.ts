// What a user installs: the package depends on exactly what its sources import.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "./support/paths.js";

interface PackageJson {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const packageJson = JSON.parse(
  readFileSync(join(repositoryRoot, "package.json"), "utf8"),
) as PackageJson;

/** Names of the packages that the sources import, statically or when needed. */
function importedPackages(): readonly string[] {
  const names = new Set<string>();
  for (const folder of ["src", "primitives"]) {
    for (const file of readdirSync(join(repositoryRoot, folder), { recursive: true })) {
      if (typeof file !== "string" || !file.endsWith(".ts")) continue;
      const text = readFileSync(join(repositoryRoot, folder, file), "utf8");
      const imports = text.matchAll(
        /^(?:import|export) (?:[^;"]* from )?"([^."][^"]*)";|\bimport\("([^."][^"]*)"\)/gm,
      );
      for (const [, still, late] of imports) names.add(still ?? late ?? "");
    }
  }
  const packages = [...names]
    .filter((name) => !name.startsWith("node:"))
    .map((name) => (name.startsWith("@") ? /^[^/]+\/[^/]+/ : /^[^/]+/).exec(name)?.[0] ?? name);
  return [...new Set(packages)].sort();
}

test("dependencies are what the sources import", () => {
  const { dependencies, peerDependencies, peerDependenciesMeta } = packageJson;
  const optional = Object.keys(peerDependencies);
  const required = importedPackages().filter((name) => !optional.includes(name));
  expect(Object.keys(dependencies).sort()).toEqual(required);
  for (const name of optional) expect(peerDependenciesMeta[name]?.optional).toBe(true);
});
