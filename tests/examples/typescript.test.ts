// The program of docs/jax-in-typescript.md, run as a user would.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "../support/paths.js";

test("the program prints what it should", () => {
  const folder = mkdtempSync(join(tmpdir(), "jax2tfjs-typescript-"));
  try {
    const script = join(repositoryRoot, "examples/snippets/typescript.ts");
    const model = join(folder, "model");
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--import", "tsx", script, model],
      { cwd: repositoryRoot, encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatchInlineSnapshot(`
      "w, b: 2.00 1.00
      { lambda ; a:f32[]. let
          _:f32[] = sin a
          b:f32[] = cos a
          c:f32[] = mul 1.0:f32[] b
        in (c,) }
      per example: [ 4, 1, 1 ]
      d(t^5)/dt at 2: 80
      noise: [ 4, 1 ]
      log1pexp' at 100: 1
      trained by tfjs: 2.33
      weights of a function of tfjs: shift
      saved: true
      "
    `);
    expect(readdirSync(model)).toEqual(["group1-shard1of1.bin", "model.json"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
