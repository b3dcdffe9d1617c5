// Four test projects, told apart by folder; each runs alone with `npx vitest run --project NAME`.
//   unit     everything under tests/ that is not in one of the folders below
//   oracle   tests/oracle/   numbers recorded from JAX (tests/data/oracle)
//   cli      tests/cli/      the built command line, as a process
//   browser  tests/browser/  headless Chromium
// scripts/test.mjs runs them one after the other.
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

const seconds = 1000;

/** Folders under tests/ that are a project of their own. */
const ownFolders = ["oracle", "cli", "browser"];

const isCi = (process.env.CI ?? "") !== "";

export default defineConfig({
  // The examples import the package by its name, as users do; so does `paths` in tsconfig.json.
  resolve: {
    alias: {
      "jax2tfjs/runtime": fileURLToPath(new URL("src/runtime/index.ts", import.meta.url)),
      jax2tfjs: fileURLToPath(new URL("src/index.ts", import.meta.url)),
    },
  },
  test: {
    environment: "node",
    exclude: [...configDefaults.exclude, "**/.cache/**"],
    allowOnly: !isCi,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          // tfjs's own gradients, which its Node build leaves out, are ESM without file endings.
          server: { deps: { inline: [/tfjs-core\/dist\/(?!tf-core)/] } },
          // Tests of memory collect garbage.
          execArgv: ["--expose-gc"],
          include: ["tests/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ownFolders.map((folder) => `tests/${folder}/**`)],
          testTimeout: 30 * seconds,
          hookTimeout: 60 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "oracle",
          include: ["tests/oracle/**/*.test.ts"],
          globalSetup: ["tests/support/unpackOracleSetup.ts"],
          testTimeout: 180 * seconds,
          hookTimeout: 180 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "cli",
          include: ["tests/cli/**/*.test.ts"],
          globalSetup: ["tests/support/buildSetup.ts"],
          testTimeout: 120 * seconds,
          hookTimeout: 180 * seconds,
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["tests/browser/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 180 * seconds,
          hookTimeout: 180 * seconds,
        },
      },
    ],
  },
});
