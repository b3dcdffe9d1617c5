/**
 * The inputs and outputs of an imported program: names, key paths, types. Used by program.ts.
 */
import { carriedAval, shapedArray, type ShapedArray } from "../ir/aval.js";
import { isSymbolic, parseDim, printDim, type SymbolicScope } from "../ir/dims.js";
import { isKey, type DType } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { ClosedJaxpr } from "../ir/jaxpr.js";
import type { ExportedAval, ExportedProgram } from "./exported.js";
import type { ExpectedLeaf, PathEntry } from "./params/expected.js";
import { childrenOf, keyPaths, keyPathText, type KeyPath, type PyTreeDef } from "./pytreeDef.js";
import { invalidModule } from "./stablehlo/attributes.js";
import { canonicalDType } from "./stablehlo/types.js";

/** A leaf of the arguments or results. */
export interface ProgramValue {
  /** As JAX names it: `params['Dense_0']['kernel']`, `args[0]`, `result[1]`. */
  readonly name: string;
  /** Keys that lead to the leaf; of an argument its position (or keyword) first. */
  readonly keyPath: readonly string[];
  /** The type in the jaxpr: 64-bit types are computed in 32 bits, keys are their words. */
  readonly aval: ShapedArray;
  /** The element type JAX gave it (`int64`, `key<fry>`, …). */
  readonly dtype: DType;
}

export interface ProgramInput extends ProgramValue {
  /** False for arguments that the function does not look at. */
  readonly used: boolean;
}

/** A pytree as plain JSON data: what of a registered class is known is its name and its fields. */
export type TreeDescription = {
  readonly kind: PyTreeDef["kind"];
  readonly keys?: readonly string[];
  readonly name?: string;
  readonly fields?: readonly string[];
  readonly children?: readonly TreeDescription[];
};

export function describeTree(tree: PyTreeDef): TreeDescription {
  const children = childrenOf(tree).map(describeTree);
  if (tree.kind === "leaf" || tree.kind === "none") return { kind: tree.kind };
  if (tree.kind === "dict") return { kind: tree.kind, keys: tree.keys, children };
  if (tree.kind !== "custom") return { kind: tree.kind, children };
  const { kind, name, fields } = tree;
  return fields === null ? { kind, name, children } : { kind, name, fields, children };
}

/** The type an argument has in the module: keys are their words, float0 is bool. */
export function physicalAval({ shape, dtype }: ExportedAval, scope: SymbolicScope): ShapedArray {
  const dims = shape.map((size) => (typeof size === "number" ? size : parseDim(size, scope)));
  if (isKey(dtype)) return carriedAval(shapedArray(dtype, dims));
  return shapedArray(dtype === "float0" ? "bool" : canonicalDType(dtype), dims);
}

/** The keys as text: `params`, `0`, `mean`. */
function pathEntries(path: KeyPath): readonly string[] {
  return path.map((key) => {
    switch (key.kind) {
      case "key":
        return key.key;
      case "index":
      case "flatIndex":
        return String(key.index);
      case "attribute":
        return key.name;
    }
  });
}

/** The inputs in flattened order; `names` has what the module calls those that it takes. */
export function describeInputs(
  { inTree, inAvals }: ExportedProgram,
  types: readonly ShapedArray[],
  names: ReadonlyMap<number, string | undefined>,
): readonly ProgramInput[] {
  const paths = keyPaths(inTree);
  const prefixes = argumentPrefixes(paths, names);
  return types.map((aval, index) => {
    const path = paths[index] ?? [];
    const used = names.has(index);
    const name = names.get(index) ?? inferredName(path, prefixes);
    // The outermost pair is (positional arguments, keyword arguments).
    const keyPath = pathEntries(path.slice(1));
    return { name, keyPath, aval, dtype: inAvals[index]?.dtype ?? aval.dtype, used };
  });
}

/** Names of arguments (`params` in `params['bias']`), by the text of their place. */
function argumentPrefixes(
  paths: readonly KeyPath[],
  names: ReadonlyMap<number, string | undefined>,
): ReadonlyMap<string, string> {
  const prefixes = new Map<string, string>();
  for (const [index, name] of names) {
    const path = paths[index];
    const rest = path === undefined ? "" : keyPathText(path.slice(2));
    if (path === undefined || name?.endsWith(rest) !== true) continue;
    prefixes.set(keyPathText(path.slice(0, 2)), name.slice(0, name.length - rest.length));
  }
  return prefixes;
}

/** The name of an argument that the module does not take. */
function inferredName(path: KeyPath, prefixes: ReadonlyMap<string, string>): string {
  const [kind, argument] = path;
  const rest = keyPathText(path.slice(2));
  const known = prefixes.get(keyPathText(path.slice(0, 2)));
  if (known !== undefined) return known + rest;
  const isPositional = kind?.kind !== "index" || kind.index === 0;
  return `${isPositional ? "args" : "kwargs"}${keyPathText(argument ? [argument] : [])}${rest}`;
}

/** The outputs in flattened order. */
export function describeOutputs(
  outTree: PyTreeDef,
  outAvals: readonly Pick<ExportedAval, "dtype">[],
  { jaxpr }: ClosedJaxpr,
): readonly ProgramValue[] {
  const paths = keyPaths(outTree);
  if (paths.length !== jaxpr.outvars.length) {
    throw invalidModule(
      `main has ${jaxpr.outvars.length} results, the output tree ${paths.length} leaves`,
    );
  }
  return jaxpr.outvars.map(({ aval }, index) => {
    const path = paths[index] ?? [];
    const name = `result${keyPathText(path)}`;
    const dtype = outAvals[index]?.dtype ?? aval.dtype;
    return { name, keyPath: pathEntries(path), aval, dtype };
  });
}

/** What JAX prints of the symbolic inputs: `args[0].shape = (b, 32)`. */
export function shapeSpecifications(inputs: readonly ProgramInput[]): readonly string[] {
  return inputs
    .filter(({ aval }) => aval.shape.some(isSymbolic))
    .map(({ name, aval: { shape } }) => {
      const sizes = shape.map(printDim).join(", ");
      return `${name}.shape = (${sizes}${shape.length === 1 ? "," : ""})`;
    });
}

/**
 * The leaves of one positional argument, as a parameter file must hold them.
 *
 * @throws Jax2TfjsError `no-such-argument`
 */
export function expectedLeaves(
  inTree: TreeDescription,
  inputs: readonly ProgramInput[],
  argument: number,
): readonly ExpectedLeaf[] {
  const positional = inTree.children?.[0]?.children ?? [];
  const tree = positional[argument];
  if (tree === undefined) {
    throw new Jax2TfjsError(
      "no-such-argument",
      `there is no positional argument ${argument}: the function takes ${positional.length}`,
    );
  }
  const before = positional.slice(0, argument).reduce((sum, other) => sum + countLeaves(other), 0);
  return leavesOf(tree).map((path, index) => {
    const position = before + index;
    const aval = inputs[position]?.aval ?? shapedArray("float32", []);
    const shape = aval.shape.map((size) => (typeof size === "number" ? size : printDim(size)));
    return { path, dtype: aval.dtype, shape, position };
  });
}

function countLeaves(tree: TreeDescription): number {
  if (tree.kind === "leaf") return 1;
  return (tree.children ?? []).reduce((sum, child) => sum + countLeaves(child), 0);
}

function leavesOf(tree: TreeDescription): readonly (readonly PathEntry[])[] {
  if (tree.kind === "leaf") return [[]];
  return (tree.children ?? []).flatMap((child, index) => {
    const entry = entryOfChild(tree, index);
    return leavesOf(child).map((path) => [entry, ...path]);
  });
}

function entryOfChild(tree: TreeDescription, index: number): PathEntry {
  const name = tree.keys?.[index] ?? tree.fields?.[index];
  if (name !== undefined) return name;
  if (tree.kind !== "custom" || tree.name === undefined) return String(index);
  return { index, typeName: tree.name };
}
