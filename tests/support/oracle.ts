// The oracle corpus for tests: programs exported from JAX with the results that JAX computed.
// tests/data/oracle holds it packed; it is unpacked on first use into .cache/oracle/<version>, in
// the layout that scripts/oracle/README.md describes.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { packsVersion, unpack } from "../../scripts/data/oraclePacks.js";
import { cacheRoot, repositoryRoot } from "./paths.js";

const packs = join(repositoryRoot, "tests/data/oracle");

let root: string | undefined;

/**
 * Absolute path of the unpacked corpus, with `public/`, `versions/` and `wild/` in it. Several
 * processes may ask at once: each unpacks beside the final folder, and the first rename wins.
 * The environment variable JAX2TFJS_ORACLE names another corpus of the same layout.
 */
export function oracleRoot(): string {
  root ??= process.env.JAX2TFJS_ORACLE ?? unpackOnce();
  return root;
}

function unpackOnce(): string {
  const target = join(cacheRoot, "oracle", packsVersion(packs));
  if (existsSync(target)) return target;
  const temporary = `${target}.${randomUUID()}`;
  mkdirSync(dirname(target), { recursive: true });
  try {
    unpack(packs, temporary);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Bytes of a file of the corpus; `path` is relative to `oracleRoot()`. */
export function readOracle(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(oracleRoot(), path)));
}

/** Text of a file of the corpus; a `.gz` file is decompressed. */
export function readOracleText(path: string): string {
  const bytes = readFileSync(join(oracleRoot(), path));
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** Sorted names of the files and folders in a folder of the corpus. */
export function listOracle(folder: string): string[] {
  return readdirSync(join(oracleRoot(), folder)).sort();
}
