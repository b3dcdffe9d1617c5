// Makes MLIR bytecode by hand, sound or not: for what no compiler would write.

/** An unsigned varint as MLIR writes it: a length prefix in the low bits of the first byte. */
export function varint(value: number | bigint): number[] {
  const big = BigInt(value);
  for (let extra = 0; extra < 8; extra++) {
    if (big >= 1n << BigInt(7 * (extra + 1))) continue;
    let word = (big << BigInt(extra + 1)) | (1n << BigInt(extra));
    return Array.from({ length: extra + 1 }, () => {
      const byte = Number(word & 0xffn);
      word >>= 8n;
      return byte;
    });
  }
  return [0, ...Array.from({ length: 8 }, (_, i) => Number((big >> BigInt(8 * i)) & 0xffn))];
}

const text = (value: string): number[] => [...new TextEncoder().encode(value)];

function section(id: number, contents: readonly number[]): number[] {
  return [id, ...varint(contents.length), ...contents];
}

export interface ModuleParts {
  /** Encodings of builtin attributes (code and fields), referred to by position. */
  readonly attributes?: readonly (readonly number[])[];
  /** Encodings of builtin types. */
  readonly types?: readonly (readonly number[])[];
  readonly strings?: readonly string[];
  /** Dialect and name of operation 0, instead of `builtin` and `module`. */
  readonly names?: readonly [string, string];
  readonly version?: number;
  readonly producer?: string;
  /** The operation section; the default is an empty module with attribute dictionary 0, if any. */
  readonly operations?: readonly number[];
  /** The whole attribute offset section, instead of one that fits. */
  readonly offsets?: readonly number[];
  readonly extraSections?: readonly (readonly [number, readonly number[]])[];
}

/** Strings 0 and 1 are `builtin` and `module`; operation 0 is `builtin.module`. */
export function moduleBytes(parts: ModuleParts): Uint8Array {
  const strings = [...(parts.names ?? ["builtin", "module"]), ...(parts.strings ?? [])].map(
    (value) => [...text(value), 0],
  );
  const attributes = [unknownLocation, ...(parts.attributes ?? [])];
  const types = parts.types ?? [];
  const entry = (bytes: readonly number[]): number[] => varint(bytes.length * 2 + 1);
  const group = (entries: readonly (readonly number[])[]): number[] =>
    entries.length === 0
      ? []
      : [...varint(0), ...varint(entries.length), ...entries.flatMap(entry)];
  const offsets = parts.offsets ?? [
    ...varint(attributes.length),
    ...varint(types.length),
    ...group(attributes),
    ...group(types),
  ];
  const { version = 6, producer = "test" } = parts;
  return Uint8Array.from([
    ...[0x4d, 0x4c, 0xef, 0x52],
    ...varint(version),
    ...text(producer),
    0,
    ...section(0, [
      ...varint(strings.length),
      ...strings.toReversed().flatMap((bytes) => varint(bytes.length)),
      ...strings.flat(),
    ]),
    ...section(1, [
      ...varint(1),
      ...varint(0),
      ...varint(1),
      ...[...varint(0), ...varint(1), ...varint(3)],
    ]),
    ...section(2, [...attributes.flat(), ...types.flat()]),
    ...section(3, offsets),
    ...section(4, parts.operations ?? emptyModule((parts.attributes ?? []).length > 0)),
    ...(parts.extraSections ?? []).flatMap(([id, contents]) => section(id, contents)),
  ]);
}

const unknownLocation = varint(15);

/** One `builtin.module` without regions, with attribute 1 as its attributes if asked. */
function emptyModule(hasAttributes: boolean): number[] {
  const operation = hasAttributes ? [0x01, ...varint(0), ...varint(1)] : [0x00, ...varint(0)];
  return [...varint(2), ...varint(0), ...operation];
}

/** A region of one block without arguments that contains one module with such a region, and so on. */
export function nestedRegions(depth: number): number[] {
  const operation = (rest: readonly number[]): number[] => [
    ...varint(0),
    0x10,
    ...varint(0),
    ...varint(2),
    ...rest,
  ];
  let region = varint(0);
  for (let i = 0; i < depth; i++) {
    region = [...varint(1), ...varint(0), ...varint(2), ...operation(region)];
  }
  return [...varint(2), ...operation(region)];
}
