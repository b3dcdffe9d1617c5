/**
 * Removes nodes that no result needs: rules may emit what a later choice makes superfluous.
 */
import type { NodeDef } from "./graph.js";

/** `node:slot` as the node's name. */
export function nodeOf(reference: string): string {
  const colon = reference.indexOf(":");
  return colon < 0 ? reference : reference.slice(0, colon);
}

/** `node:slot` as the number of the slot. */
export function slotOf(reference: string): number {
  const colon = reference.indexOf(":");
  return colon < 0 ? 0 : Number(reference.slice(colon + 1));
}

/** The nodes that the given references depend on, in their order; placeholders stay. */
export function pruneNodes(
  nodes: readonly NodeDef[],
  results: readonly string[],
): readonly NodeDef[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const needed = new Set<string>();
  const pending = results.map(nodeOf);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    byName.get(name)?.input.forEach((input) => pending.push(nodeOf(input)));
  }
  return nodes.filter((node) => needed.has(node.name) || node.op === "Placeholder");
}
