/** CRC-32 as in zip and gzip (polynomial 0xEDB88320), eight bytes a step. Called by zip.ts. */

/** Table k gives the effect of a byte that k more bytes follow. */
const tables = Array.from({ length: 8 }, () => new Uint32Array(256));

function fillTables(): void {
  const [first] = tables;
  if (first === undefined) return;
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ 0xedb88320;
    }
    first[byte] = remainder;
  }
  for (let index = 1; index < tables.length; index++) {
    const previous = tables[index - 1] ?? first;
    const table = tables[index] ?? first;
    for (let byte = 0; byte < 256; byte++) {
      const value = previous[byte] ?? 0;
      table[byte] = (value >>> 8) ^ (first[value & 0xff] ?? 0);
    }
  }
}
fillTables();

/** The checksum of `bytes`; `previous` is the checksum of what came before them. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  const at = (index: number): number => bytes[index] ?? 0;
  const look = (table: Uint32Array, index: number): number => table[index] ?? 0;
  let value = ~previous;
  let index = 0;
  for (; index + 8 <= bytes.length; index += 8) {
    const low =
      value ^ (at(index) | (at(index + 1) << 8) | (at(index + 2) << 16) | (at(index + 3) << 24));
    value =
      look(t7, low & 0xff) ^
      look(t6, (low >>> 8) & 0xff) ^
      look(t5, (low >>> 16) & 0xff) ^
      look(t4, low >>> 24) ^
      look(t3, at(index + 4)) ^
      look(t2, at(index + 5)) ^
      look(t1, at(index + 6)) ^
      look(t0, at(index + 7));
  }
  for (; index < bytes.length; index++)
    value = look(t0, (value ^ at(index)) & 0xff) ^ (value >>> 8);
  return ~value >>> 0;
}
