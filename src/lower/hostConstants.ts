/**
 * Constants for the executor and constants for the GPU. Axes, shapes and the like are read as
 * JavaScript numbers. On webgpu a constant that was once an operand on the GPU is gone from the
 * CPU's memory, and reading it back at once goes through a canvas: slow, and wrong where canvases
 * are drawn in software. So constants of both kinds become two.
 */
import type { NodeDef, Weight } from "./graph.js";
import { kernelTable } from "./kernelTable.js";
import { nodeOf } from "./prune.js";

/** The nodes of the main graph or of a function, and the references that are its results. */
export interface NodeScope {
  readonly nodes: readonly NodeDef[];
  readonly results: readonly string[];
}

/** Ops whose kernels compute small integers on the CPU when all operands are there. */
const hostOps: ReadonlySet<string> = new Set([
  ...["Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "FloorDiv", "FloorMod", "Neg"],
  ...["Cast", "ConcatV2", "Pack", "Reshape", "Slice", "StridedSlice", "GatherV2", "Prod", "Max"],
]);

function isHostInput(node: NodeDef, index: number): boolean {
  const host = kernelTable[node.op]?.host ?? [];
  return host.includes(index) || host.includes(index - node.input.length);
}

/** Nodes of a scope whose results only the executor reads, found from the end. */
function hostNodes({ nodes, results }: NodeScope): ReadonlySet<string> {
  const onDevice = new Set(results.map(nodeOf));
  const onHost = new Set<string>();
  for (const node of [...nodes].reverse()) {
    const isHost = hostOps.has(node.op) && onHost.has(node.name) && !onDevice.has(node.name);
    if (!isHost) onHost.delete(node.name);
    node.input.forEach((reference, index) => {
      const name = nodeOf(reference);
      (isHost || isHostInput(node, index) ? onHost : onDevice).add(name);
    });
  }
  return onHost;
}

export interface Separated {
  readonly scopes: readonly (readonly NodeDef[])[];
  readonly weights: readonly Weight[];
}

/**
 * Gives the executor constants of its own where the GPU has them, too.
 *
 * @param uniqueName makes a name that no node has
 */
export function separateHostConstants(
  scopes: readonly NodeScope[],
  weights: readonly Weight[],
  uniqueName: (hint: string) => string,
): Separated {
  const constants = new Map(
    weights.filter(({ parameter }) => !parameter).map((weight) => [weight.name, weight]),
  );
  const hosts = scopes.map(hostNodes);
  const forHost = new Set<string>();
  const forDevice = new Set<string>();
  scopes.forEach(({ nodes, results }, scope) => {
    for (const result of results) forDevice.add(nodeOf(result));
    for (const node of nodes) {
      const isHost = hostOps.has(node.op) && hosts[scope]?.has(node.name) === true;
      node.input.forEach((reference, index) => {
        (isHost || isHostInput(node, index) ? forHost : forDevice).add(nodeOf(reference));
      });
    }
  });
  const copies = new Map<string, Weight>();
  for (const [name, weight] of constants) {
    if (!forHost.has(name) || !forDevice.has(name)) continue;
    copies.set(name, { ...weight, name: uniqueName(`${name}_host`) });
  }
  if (copies.size === 0) return { scopes: scopes.map(({ nodes }) => nodes), weights };
  return {
    scopes: scopes.map(({ nodes }, scope) => withCopies(nodes, hosts[scope] ?? new Set(), copies)),
    weights: weights.flatMap((weight) => {
      const copy = copies.get(weight.name);
      return copy === undefined ? [weight] : [weight, copy];
    }),
  };
}

function withCopies(
  nodes: readonly NodeDef[],
  hosts: ReadonlySet<string>,
  copies: ReadonlyMap<string, Weight>,
): readonly NodeDef[] {
  const used = new Set<string>();
  const kept = new Set<string>();
  const rewritten = nodes.map((node): NodeDef => {
    const isHost = hostOps.has(node.op) && hosts.has(node.name);
    const input = node.input.map((reference, index) => {
      const copy = isHost || isHostInput(node, index) ? copies.get(nodeOf(reference)) : undefined;
      (copy === undefined ? kept : used).add(nodeOf(reference));
      return copy?.name ?? reference;
    });
    return { ...node, input };
  });
  return rewritten.flatMap((node) => {
    const copy = copies.get(node.name);
    if (node.op !== "Const" || copy === undefined || !used.has(node.name)) return [node];
    const twin = { ...node, name: copy.name };
    return kept.has(node.name) ? [node, twin] : [twin];
  });
}
