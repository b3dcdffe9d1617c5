// The format of tests/data/oracle: the oracle corpus in a few packs, each a tar archive compressed
// with brotli. Inside a pack what is compressed by itself in the corpus is stored as a folder with
// its content, so that brotli sees the plain bytes:
//   000.npz          ->  000.npz/in_0.npy, 000.npz/out_0.npy …
//   module.mlir.gz   ->  module.mlir.gz/content
// packs.json lists the packs with their SHA-256. Used by pack_oracle.ts and tests/support/oracle.ts.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzipSync,
} from "node:zlib";
import { unzipSync, zipSync } from "fflate";
import { readTar, writeTar, type TarEntry } from "./tar.js";

/** One line of packs.json. */
export interface PackDescription {
  readonly file: string;
  readonly sha256: string;
  /** Files of the corpus in this pack. */
  readonly files: number;
}

/** The packs, and the folders of the corpus that each holds. */
const packFolders: Readonly<Record<string, readonly string[]>> = {
  "primitives.tar.br": ["public/primitives"],
  "shape_poly.tar.br": ["public/shape_poly"],
  // Together, because a model's parameters are mostly the same in every version.
  "models.tar.br": ["public/models", "versions"],
  "wild.tar.br": ["wild"],
};

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Paths of the files below `folder` of `root`, relative to `root`, with `/`. */
function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => path.slice(root.length).replaceAll("\\", "/").replace(/^\//, ""));
}

/** Files of one kind, and within it of one model or group, are neighbours: they are alike. */
function packOrder(path: string): string {
  const parts = path.split("/");
  const kind = path.slice(path.indexOf(".", path.lastIndexOf("/")));
  return [kind, parts.at(-2) ?? "", path].join("\0");
}

/** What a pack stores for the corpus file `path`. */
function entriesOf(path: string, bytes: Uint8Array): TarEntry[] {
  if (path.endsWith(".npz")) {
    return Object.entries(unzipSync(bytes)).map(([name, array]) => ({
      path: `${path}/${name}`,
      bytes: array,
    }));
  }
  if (path.endsWith(".gz")) return [{ path: `${path}/content`, bytes: gunzipSync(bytes) }];
  return [{ path, bytes }];
}

/**
 * Writes the packs of the corpus in `corpus` to the folder `packs`, and packs.json.
 * Takes about two minutes.
 */
export function writePacks(corpus: string, packs: string): PackDescription[] {
  mkdirSync(packs, { recursive: true });
  const descriptions: PackDescription[] = [];
  for (const [file, folders] of Object.entries(packFolders)) {
    const keyed = folders
      .flatMap((folder) => filesBelow(corpus, folder))
      .map((path) => ({ path, order: packOrder(path) }))
      .sort((a, b) => (a.order < b.order ? -1 : 1));
    const archive = writeTar(
      keyed.flatMap(({ path }) => entriesOf(path, readFileSync(join(corpus, path)))),
    );
    const pack = brotliCompressSync(archive, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
        [constants.BROTLI_PARAM_SIZE_HINT]: archive.length,
      },
    });
    writeFileSync(join(packs, file), pack);
    descriptions.push({ file, sha256: sha256(pack), files: keyed.length });
  }
  writeFileSync(join(packs, "packs.json"), `${JSON.stringify(descriptions, null, 2)}\n`);
  return descriptions;
}

/** The packs listed in `packs`/packs.json. */
export function readPackList(packs: string): PackDescription[] {
  return JSON.parse(readFileSync(join(packs, "packs.json"), "utf8")) as PackDescription[];
}

/** A name for this state of the packs: the start of the SHA-256 of packs.json. */
export function packsVersion(packs: string): string {
  return sha256(readFileSync(join(packs, "packs.json"))).slice(0, 16);
}

/** The corpus files of one pack; `.npz` are stored uncompressed, `.gz` compressed lightly. */
function corpusFiles(archive: Buffer): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const arrays = new Map<string, Record<string, Uint8Array>>();
  for (const { path, bytes } of readTar(archive)) {
    const folder = dirname(path);
    const name = path.slice(folder.length + 1);
    if (folder.endsWith(".npz")) {
      const members = arrays.get(folder) ?? {};
      members[name] = bytes;
      arrays.set(folder, members);
    } else if (folder.endsWith(".gz")) {
      files.set(folder, gzipSync(bytes, { level: 1 }));
    } else {
      files.set(path, bytes);
    }
  }
  const mtime = new Date("1980-01-01T00:00:00");
  for (const [path, members] of arrays) files.set(path, zipSync(members, { level: 0, mtime }));
  return files;
}

/**
 * Writes the corpus that `packs` holds into the folder `target`, in the layout it was packed from.
 * @throws Error when a pack is not the one that packs.json describes.
 */
export function unpack(packs: string, target: string): void {
  for (const { file, sha256: expected, files: count } of readPackList(packs)) {
    const pack = readFileSync(join(packs, file));
    if (sha256(pack) !== expected) throw new Error(`${file} differs from packs.json`);
    const files = corpusFiles(brotliDecompressSync(pack));
    if (files.size !== count) throw new Error(`${file}: ${files.size} files instead of ${count}`);
    const made = new Set<string>();
    for (const [path, bytes] of files) {
      const folder = join(target, dirname(path));
      if (!made.has(folder)) mkdirSync(folder, { recursive: true });
      made.add(folder);
      writeFileSync(join(target, path), bytes);
    }
  }
}
