/**
 * What JAX's messages call the arguments of an exported function: `args[0]['image']`, `kwargs['k']`.
 * Made from the pytree of the arguments, of a program or in a model's metadata.
 */
import type { TreeDescription } from "./pytree.js";

/** Python's `repr` of a string of printable characters. */
function pythonString(text: string): string {
  const escaped = text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replace(/'/g, "\\'")}'` : `"${escaped}"`;
}

function childStep(tree: TreeDescription, index: number): string {
  if (tree.kind === "dict") return `[${pythonString(tree.keys?.[index] ?? "")}]`;
  if (tree.kind !== "custom") return `[${index}]`;
  const field = tree.fields?.[index];
  if (field === undefined) return `[<flat index ${index}>]`;
  return tree.name === "collections.OrderedDict" ? `[${pythonString(field)}]` : `.${field}`;
}

function leafTexts(tree: TreeDescription, path: string): readonly string[] {
  if (tree.kind === "leaf") return [path];
  return (tree.children ?? []).flatMap((child, index) =>
    leafTexts(child, path + childStep(tree, index)),
  );
}

/** The paths of all leaves of `((arg, arg, …), {kwarg: …})`, in flattened order. */
export function argumentPaths(inTree: TreeDescription): readonly string[] {
  const [args, kwargs] = inTree.children ?? [];
  return [
    ...(args === undefined ? [] : leafTexts(args, "args")),
    ...(kwargs === undefined ? [] : leafTexts(kwargs, "kwargs")),
  ];
}
