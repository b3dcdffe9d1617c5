/**
 * Pairs expected leaves with the leaves of a file by name, under ever looser ways to write a name.
 * Called by bind.ts.
 */
import { distinctNames, splitName } from "./names.js";
import { type ExpectedLeaf, joinPath } from "./expected.js";
import type { ParameterLeaf } from "./parameterFile.js";

/** Pairs found: index of the file's leaf by index of the expected leaf. */
export type Match = ReadonlyMap<number, number>;

/** A name as entries, or undefined for a leaf that takes no part in a scheme. */
type Key = readonly string[] | undefined;

interface Keys {
  readonly expected: readonly Key[];
  readonly file: readonly Key[];
}

/** Longest prefix that one side may have and the other lack, such as `opt/0/params`. */
const longestPrefix = 3;

/**
 * The best pairing by name. Schemes are tried from the strictest to the loosest, and the first that
 * pairs everything wins:
 *
 * 1. the key paths themselves, then the names joined with "/", collisions numbered `#1`, `#2`, …
 * 2. without a last entry `value` (an nnx Variable), on either side
 * 3. with "." read as "/"
 * 4. each of these without a prefix that all names of one side have
 *
 * Names that a scheme makes equal are not paired by it. If no scheme pairs everything, the one with
 * the most pairs is returned. With `guessPart` these include pairings with a part of the file alone,
 * which serve to report what was probably meant: two parts may fit equally well.
 */
export function matchNames(
  expected: readonly ExpectedLeaf[],
  leaves: readonly ParameterLeaf[],
  { guessPart }: { readonly guessPart: boolean },
): Match {
  let best: Match = new Map();
  for (const keys of schemes(expected, leaves, guessPart)) {
    const match = pairByKey(keys);
    if (match.size === expected.length && match.size === leaves.length) return match;
    if (match.size > best.size) best = match;
  }
  return best;
}

function* schemes(
  expected: readonly ExpectedLeaf[],
  leaves: readonly ParameterLeaf[],
  guessPart: boolean,
): Generator<Keys> {
  const paths = {
    expected: expected.map(({ path }) => path.map((entry) => joinPath([entry]))),
    file: leaves.map(({ path }) => path),
  };
  const names = {
    expected: distinctNames(expected.map(({ path }) => joinPath(path))).map(splitName),
    // Not the file's numbered names: its order, which numbers them, need not be the program's.
    file: leaves.map(({ path }) => path.flatMap(splitName)),
  };
  for (const { cutDots, dropValue } of looseness) {
    for (const base of [paths, names]) {
      const keys = {
        expected: base.expected.map((key) => rewrite(key, cutDots, dropValue)),
        file: base.file.map((key) => rewrite(key, cutDots, dropValue)),
      };
      yield keys;
      yield* withoutPrefix(keys);
      if (guessPart) yield* partsOfFile(keys);
    }
  }
}

const looseness = [
  { cutDots: false, dropValue: false },
  { cutDots: false, dropValue: true },
  { cutDots: true, dropValue: false },
  { cutDots: true, dropValue: true },
];

function rewrite(key: readonly string[], cutDots: boolean, dropValue: boolean): readonly string[] {
  const cut = cutDots ? key.flatMap((entry) => entry.split(".")) : key;
  return dropValue && cut.length > 1 && cut.at(-1) === "value" ? cut.slice(0, -1) : cut;
}

/** The keys without leading entries that all of one side share. */
function* withoutPrefix({ expected, file }: Keys): Generator<Keys> {
  for (let length = 1; length <= longestPrefix; length++) {
    const shorter = stripShared(expected, length);
    if (shorter !== undefined) yield { expected: shorter, file };
  }
  for (let length = 1; length <= longestPrefix; length++) {
    const shorter = stripShared(file, length);
    if (shorter !== undefined) yield { expected, file: shorter };
  }
}

/** A file of several trees under one roof: each tree alone, its name taken off. */
function* partsOfFile({ expected, file }: Keys): Generator<Keys> {
  const heads = new Set(
    file.map((key) => (key !== undefined && key.length > 1 ? key[0] : undefined)),
  );
  if (heads.size > 16) return;
  for (const head of heads) {
    if (head === undefined) continue;
    yield { expected, file: file.map((key) => (key?.[0] === head ? key.slice(1) : undefined)) };
  }
}

function stripShared(keys: readonly Key[], length: number): readonly Key[] | undefined {
  const prefix = keys[0]?.slice(0, length);
  if (prefix?.length !== length) return undefined;
  const shared = keys.every(
    (key) =>
      key !== undefined &&
      key.length > length &&
      prefix.every((entry, index) => key[index] === entry),
  );
  return shared ? keys.map((key) => key?.slice(length)) : undefined;
}

/** Pairs keys that occur exactly once on each side. */
function pairByKey({ expected, file }: Keys): Match {
  const places = placesByKey(file);
  const match = new Map<number, number>();
  for (const [key, index] of placesByKey(expected)) {
    const place = places.get(key);
    if (index !== undefined && place !== undefined) match.set(index, place);
  }
  return match;
}

/** Index by key; undefined for a key that occurs more than once. */
function placesByKey(keys: readonly Key[]): ReadonlyMap<string, number | undefined> {
  const places = new Map<string, number | undefined>();
  keys.forEach((key, index) => {
    if (key === undefined) return;
    const text = JSON.stringify(key);
    places.set(text, places.has(text) ? undefined : index);
  });
  return places;
}

/**
 * The places of a positional file in order: names 0 … n-1, or arr_0 … as `numpy.savez` gives to
 * arrays without names. Undefined if the names are others.
 */
export function positionalOrder(leaves: readonly ParameterLeaf[]): readonly number[] | undefined {
  const order: number[] = [];
  let style: string | undefined;
  for (const [index, { name }] of leaves.entries()) {
    const parts = /^(|arr_)(0|[1-9]\d*)$/.exec(name);
    const place = Number(parts?.[2] ?? NaN);
    style ??= parts?.[1];
    if (!(place < leaves.length) || parts?.[1] !== style || order[place] !== undefined) {
      return undefined;
    }
    order[place] = index;
  }
  return order;
}
