/**
 * Binds the leaves of a parameter file to those of a program's argument: `f(params, x)` with
 * `--params FILE`. Nothing is read but what must be to check it; the bytes come later, leaf by
 * leaf. Called by convert and by the command line.
 */
import { type DType, storageBytesOf } from "../../ir/dtypes.js";
import { elementCount } from "../../ir/hostArray.js";
import { fitLeaf } from "./convert.js";
import { type ExpectedLeaf, joinPath } from "./expected.js";
import { type Match, matchNames, positionalOrder } from "./matchNames.js";
import { matchTrees } from "./matchTrees.js";
import { ParameterMismatchError, type ParameterProblem } from "./mismatch.js";
import { distinctNames } from "./names.js";
import type { ParameterFile, ParameterLeaf } from "./parameterFile.js";

/** A leaf of the program with its array, in the program's dtype. */
export interface BoundParameter {
  /** The leaf's place among the flattened arguments of the program. */
  readonly position: number;
  /** The program's name for it: its key path joined with "/", made distinct. */
  readonly name: string;
  /** The file's name for it. */
  readonly fileName: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Bytes of the elements in `dtype`. */
  readonly byteLength: number;
  /** The elements, little-endian C order; a view of the file's bytes where possible. */
  read(): Uint8Array;
  /** The same in order, in pieces of a few MiB, each valid until the next is asked for. */
  pieces(): Iterable<Uint8Array>;
}

export interface BindOptions {
  /** Use only the leaves of the file below this path, such as `params` of a training checkpoint. */
  readonly prefix?: string;
  /** What to do about leaves that the program does not take; the default is `error`. */
  readonly surplus?: "error" | "ignore";
}

/**
 * Pairs every expected leaf with a leaf of the file.
 *
 * Names decide: `matchNames` says which differences are forgiven. A file without names (0, 1, … or
 * arr_0, arr_1, …) binds in flattened order. Where the program's own names are unknown (custom
 * pytree nodes) the shape of the tree decides, if it does so without ambiguity.
 *
 * @returns The parameters in the order of `expected`.
 * @throws ParameterMismatchError `params-mismatch` with every leaf that is missing, surplus, or of
 * another shape or dtype; `fitLeaf` says which differences of dtype are none.
 */
export function bindParameters(
  expected: readonly ExpectedLeaf[],
  file: Pick<ParameterFile, "leaves" | "format">,
  options: BindOptions = {},
): readonly BoundParameter[] {
  const leaves = leavesBelow(file.leaves, options.prefix);
  const names = distinctNames(expected.map(({ path }) => joinPath(path)));
  const { match, note } = findMatch(expected, leaves, file.format, options);
  const problems: ParameterProblem[] = [];
  const bound: BoundParameter[] = [];
  const used = new Set(match.values());
  for (const [index, leaf] of expected.entries()) {
    const name = names[index] ?? "";
    const found = leaves[match.get(index) ?? -1];
    if (found === undefined) {
      problems.push({ kind: "missing", name, type: typeText(leaf.dtype, leaf.shape) });
      continue;
    }
    const fit = fitLeaf(leaf, found, file.format);
    if (fit.kind === "fits") bound.push(boundParameter(leaf, name, found, fit));
    else problems.push({ ...fit, name });
  }
  if (options.surplus !== "ignore") {
    for (const [index, leaf] of leaves.entries()) {
      if (used.has(index)) continue;
      problems.push({ kind: "surplus", name: leaf.name, type: typeText(leaf.dtype, leaf.shape) });
    }
  }
  if (problems.length === 0) return bound;
  const prefix = bound.length === expected.length ? sharedPrefix(bound) : undefined;
  throw new ParameterMismatchError(problems, {
    ...(note === undefined ? {} : { note }),
    ...(prefix === undefined ? {} : { prefix }),
  });
}

/** What the file's names have before the program's names, if it is the same for all. */
function sharedPrefix(bound: readonly BoundParameter[]): string | undefined {
  const prefixes = new Set(
    bound.map(({ name, fileName }) =>
      fileName.endsWith(`/${name}`) ? fileName.slice(0, -name.length - 1) : undefined,
    ),
  );
  const [only] = prefixes;
  return prefixes.size === 1 ? only : undefined;
}

function boundParameter(
  { position, dtype }: ExpectedLeaf,
  name: string,
  leaf: ParameterLeaf,
  { shape, reader }: Extract<ReturnType<typeof fitLeaf>, { kind: "fits" }>,
): BoundParameter {
  return {
    position,
    name,
    fileName: leaf.name,
    dtype,
    shape,
    byteLength: elementCount(shape) * storageBytesOf(dtype),
    read: () => reader.read(),
    pieces: () => reader.pieces(),
  };
}

function typeText(dtype: DType, shape: readonly (number | string)[]): string {
  return `${dtype}[${shape.join(",")}]`;
}

/** The leaves below a path, with the path taken off their names. */
function leavesBelow(
  leaves: readonly ParameterLeaf[],
  prefix: string | undefined,
): readonly ParameterLeaf[] {
  if (prefix === undefined || prefix === "") return leaves;
  const start = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return leaves
    .filter(({ name }) => name.startsWith(start))
    .map((leaf) => {
      const name = leaf.name.slice(start.length);
      // A key may contain "/" itself, so the prefix need not end between two entries of the path.
      const depth = leaf.path.findIndex((_, at) => leaf.path.slice(at).join("/") === name);
      const path = depth < 0 ? [name] : leaf.path.slice(depth);
      return { ...leaf, name, path, read: () => leaf.read(), pieces: () => leaf.pieces() };
    });
}

interface FoundMatch {
  readonly match: Match;
  /** What to say about the matching if the leaves do not fit. */
  readonly note?: string;
}

function findMatch(
  expected: readonly ExpectedLeaf[],
  leaves: readonly ParameterLeaf[],
  format: ParameterFile["format"],
  { surplus = "error" }: BindOptions,
): FoundMatch {
  const byName = matchNames(expected, leaves, { guessPart: surplus === "error" });
  if (byName.size === expected.length && byName.size === leaves.length) return { match: byName };
  const unnamed = expected.some(({ path }) => path.some((entry) => typeof entry !== "string"));
  const byTree = unnamed ? matchTrees(expected, leaves, format) : undefined;
  if (byTree !== undefined) return { match: byTree };
  // Of too many arrays without names, none is known to be the surplus one.
  const countable = surplus === "error" || leaves.length === expected.length;
  const order = countable ? positionalOrder(leaves) : undefined;
  if (order !== undefined && leaves.length > 0 && byName.size < expected.length) {
    const note =
      leaves.length === expected.length
        ? "the file has no names, so its arrays are taken in flattened order"
        : `the file has no names and ${leaves.length} arrays; the program takes ${expected.length}`;
    return { match: new Map(expected.map((_, index) => [index, order[index] ?? -1])), note };
  }
  if (!unnamed) return { match: byName };
  return {
    match: byName,
    note:
      "the program has custom pytree nodes without names, which the file's names do not identify; " +
      "export it with dicts or lists instead, or save the leaves in flattened order",
  };
}
