/**
 * Reads the key paths that JAX prints (`jax.tree_util.keystr`): `params['conv']['b'].value`. The
 * arguments of an exported module carry them in their locations, which is how the children of
 * custom nodes get their names. Called by the importer and by tests.
 */
import type { PathEntry } from "./expected.js";

const rootPattern = /[^[.\]]*/y;
const attributePattern = /\.([^[.\]]+)/y;
const flatIndexPattern = /\[<flat index (\d+)>\]/y;
const integerPattern = /\[(-?\d+)\]/y;
const stringPattern = /\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/sy;
const otherKeyPattern = /\[([^'"[\]][^[\]]*)\]/y;

/** A parsed key path: what it starts from (an argument's name, or nothing), and its entries. */
export interface KeyPath {
  readonly root: string;
  readonly entries: readonly PathEntry[];
}

/** Parses a printed key path; undefined if the text is none. */
export function parseKeyPath(text: string): KeyPath | undefined {
  let position = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    position += found?.[0].length ?? 0;
    return found;
  };
  const root = match(rootPattern)?.[0] ?? "";
  const entries: PathEntry[] = [];
  while (position < text.length) {
    const flatIndex = match(flatIndexPattern)?.[1];
    if (flatIndex !== undefined) {
      entries.push({ index: Number(flatIndex) });
      continue;
    }
    const string = match(stringPattern);
    if (string !== null) {
      entries.push(unescapePython(string[1] ?? string[2] ?? ""));
      continue;
    }
    const plain = match(attributePattern) ?? match(integerPattern) ?? match(otherKeyPattern);
    if (plain?.[1] === undefined) return undefined;
    entries.push(plain[1]);
  }
  return { root, entries };
}

const simpleEscapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Undoes Python's `repr` of a string. */
function unescapePython(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gs,
    (whole, two?: string, four?: string, eight?: string, other?: string) => {
      const code = two ?? four ?? eight;
      if (code === undefined) return simpleEscapes[other ?? ""] ?? other ?? whole;
      const point = Number.parseInt(code, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
