// Reads and writes tar archives (ustar, regular files only): the container of the oracle packs,
// so that `brotli -d < pack | tar x` opens them too. Called by oraclePacks.ts.

const blockSize = 512;

/** A file in an archive: its path (with `/`) and its bytes. */
export interface TarEntry {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A ustar path is `prefix/name`, of at most 155 and 100 bytes. */
function splitPath(path: string): { name: string; prefix: string } {
  if (path.length <= 100) return { name: path, prefix: "" };
  const slash = path.indexOf("/", path.length - 101);
  if (slash < 0 || slash > 155) throw new Error(`path too long for a tar archive: ${path}`);
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) };
}

function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const { name, prefix } = splitPath(path);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  block.write(name, 0, "latin1");
  block.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, "latin1");
  block.write(`${octal(size, 11)}\0${octal(0, 11)}\0`, 124, "latin1");
  block.write("        0", 148, "latin1"); // the checksum counts as spaces; "0" is a regular file
  block.write("ustar\u000000", 257, "latin1");
  block.write(prefix, 345, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, "latin1");
  return block;
}

/** The archive that holds `entries`, in their order, with no dates or owners. */
export function writeTar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const { path, bytes } of entries) {
    parts.push(header(path, bytes.length), bytes);
    parts.push(Buffer.alloc((blockSize - (bytes.length % blockSize)) % blockSize));
  }
  parts.push(Buffer.alloc(2 * blockSize));
  return Buffer.concat(parts);
}

/** The files of an archive made by `writeTar`, in order, as views of `archive`. */
export function readTar(archive: Buffer): TarEntry[] {
  const text = (start: number, end: number): string =>
    archive.toString("latin1", start, end).replace(/\0.*$/s, "");
  const entries: TarEntry[] = [];
  let at = 0;
  const broken = (): Error => new Error(`broken tar archive at byte ${at}`);
  // The end is marked by a block of zeros.
  while (archive[at] !== 0) {
    if (at + blockSize > archive.length) throw broken();
    const prefix = text(at + 345, at + 500);
    const name = text(at, at + 100);
    const size = Number.parseInt(text(at + 124, at + 136), 8);
    const start = at + blockSize;
    if (!(size >= 0) || start + size > archive.length) throw broken();
    const path = prefix === "" ? name : `${prefix}/${name}`;
    entries.push({ path, bytes: archive.subarray(start, start + size) });
    at = start + Math.ceil(size / blockSize) * blockSize;
  }
  return entries;
}
