/**
 * Opens a parameter file of any known format, told apart by its content. `readParameters` works on
 * bytes in memory, as in the browser; nodeFile.ts opens files on disk through the same readers.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { type ByteSource, memorySource } from "../../files/byteSource.js";
import { startsAsNpy } from "../../files/npy.js";
import { startsAsZip } from "../../files/zip.js";
import { readFlaxMsgpack, startsAsFlaxMsgpack } from "./flaxMsgpack.js";
import { readNpyParameters, readNpzParameters } from "./numpyFiles.js";
import type { ParameterContents, ParameterFile } from "./parameterFile.js";
import { readSafetensors, startsAsSafetensors } from "./safetensors.js";

const knownFormats = "safetensors, npz (numpy.savez) or Flax msgpack (flax.serialization.to_bytes)";

/** Files that users may take for parameter files, by their first bytes, and what to do. */
const otherFormats: readonly { start: readonly number[]; what: string; fix: string }[] = [
  ...[2, 3, 4, 5].map((protocol) => ({
    start: [0x80, protocol],
    what: "a Python pickle, which is never read because it can run code",
    fix: `load it in Python and save the arrays as ${knownFormats}`,
  })),
  {
    start: [0x89, 0x48, 0x44, 0x46],
    what: "an HDF5 file",
    fix: `load it in Python and save the arrays as ${knownFormats}`,
  },
  { start: [0x1f, 0x8b], what: "compressed with gzip", fix: "uncompress it first" },
  { start: [0x28, 0xb5, 0x2f, 0xfd], what: "compressed with zstd", fix: "uncompress it first" },
  {
    start: [0x47, 0x47, 0x55, 0x46],
    what: "a GGUF file",
    fix: `save the parameters of the JAX program as ${knownFormats}`,
  },
  {
    start: [0x7b],
    what: "a JSON file",
    fix: "give the file with the arrays themselves, not an index of files",
  },
];

/**
 * A map of msgpack may have a brace where the header of safetensors has its first one, but then the
 * length of such a header would be beyond all files.
 */
function isMsgpackMap(start: Uint8Array): boolean {
  return startsAsFlaxMsgpack(start) && start.subarray(4, 8).some((byte) => byte !== 0);
}

/** Reads the structure of a parameter file; its arrays are read on demand. */
export function readParameterSource(source: ByteSource): ParameterContents {
  if (source.byteLength === 0) {
    throw new Jax2TfjsError("file-truncated", `${source.name} is empty`);
  }
  const start = source.read(0, Math.min(source.byteLength, 16));
  if (startsAsZip(start)) return readNpzParameters(source);
  if (startsAsNpy(start)) return readNpyParameters(source);
  if (startsAsSafetensors(start) && !isMsgpackMap(start)) return readSafetensors(source);
  for (const { start: pattern, what, fix } of otherFormats) {
    if (pattern.every((byte, index) => start[index] === byte)) {
      throw new Jax2TfjsError("file-format", `${source.name} is ${what}`, { fix });
    }
  }
  if (startsAsFlaxMsgpack(start)) return readFlaxMsgpack(source);
  throw new Jax2TfjsError("file-format", `${source.name} is no parameter file of a known format`, {
    fix: `save the parameters as ${knownFormats}`,
  });
}

/**
 * Reads a parameter file from memory: safetensors, npz, npy or Flax msgpack, whatever its name.
 * The leaves are views of `bytes` where the format allows it.
 *
 * @param name What to call the file in errors.
 * @throws Jax2TfjsError `file-format` for other formats, `file-truncated`, `file-corrupt`,
 * `file-unsupported` (a dtype or compression that is not read).
 */
export function readParameters(bytes: Uint8Array, name = "the parameter file"): ParameterFile {
  return { ...readParameterSource(memorySource(bytes, name)), close: () => undefined };
}
