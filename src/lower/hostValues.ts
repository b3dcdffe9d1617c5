/**
 * Numbers for the executor and numbers for the GPU. Axes, shapes and the like are read as JavaScript
 * numbers. On webgpu a tensor that was once an operand on the GPU is gone from the CPU's memory, and
 * reading it back at once goes through a canvas: slow, and wrong where canvases are drawn in
 * software. So what is of both kinds, constants and sizes computed from shapes, becomes two nodes.
 */
import type { NodeDef, Weight } from "./graph.js";
import { kernelTable } from "./kernelTable.js";
import { nodeOf, slotOf } from "./prune.js";

/** The nodes of the main graph or of a function, and the references that are its results. */
export interface NodeScope {
  readonly nodes: readonly NodeDef[];
  readonly results: readonly string[];
}

export interface Separated {
  readonly scopes: readonly (readonly NodeDef[])[];
  readonly weights: readonly Weight[];
}

/** Ops whose kernels compute small integers on the CPU when all operands are there. */
const hostOps: ReadonlySet<string> = new Set([
  ...["Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "FloorDiv", "FloorMod", "Neg", "Shape"],
  ...["Cast", "ConcatV2", "Pack", "Reshape", "Slice", "StridedSlice", "GatherV2", "Prod", "Max"],
]);

/** Whether the executor reads the values of an input, not the kernel. */
function isRead(node: NodeDef, index: number): boolean {
  const host = kernelTable[node.op]?.host ?? [];
  return host.includes(index) || host.includes(index - node.input.length);
}

/** Which nodes of a scope are needed where, found from its results. */
class Demand {
  readonly onHost = new Set<string>();
  readonly onDevice: Set<string>;

  constructor({ nodes, results }: NodeScope, constants: ReadonlyMap<string, Weight>) {
    this.onDevice = new Set(results.map(nodeOf));
    for (const node of [...nodes].reverse()) {
      const isHost = this.onHost.has(node.name) && hostOps.has(node.op);
      // What is computed from data stays on the GPU and is read back.
      if (!isHost && !constants.has(node.name)) this.onHost.delete(node.name);
      if (isHost) this.#need(node, (index) => node.op !== "Shape" || isRead(node, index));
      if (!isHost || this.onDevice.has(node.name)) this.#need(node, (at) => isRead(node, at));
    }
  }

  isShared(name: string): boolean {
    return this.onHost.has(name) && this.onDevice.has(name);
  }

  #need(node: NodeDef, isHost: (index: number) => boolean): void {
    node.input.forEach((reference, index) => {
      (isHost(index) ? this.onHost : this.onDevice).add(nodeOf(reference));
    });
  }
}

/**
 * Gives the executor nodes of its own where the GPU uses them, too.
 *
 * @param uniqueName makes a name that no node has
 */
export function separateHostValues(
  scopes: readonly NodeScope[],
  weights: readonly Weight[],
  uniqueName: (hint: string) => string,
): Separated {
  const constants = new Map(
    weights.filter(({ parameter }) => !parameter).map((weight) => [weight.name, weight]),
  );
  const demands = scopes.map((scope) => new Demand(scope, constants));
  // Constants are found by their names in all scopes.
  const twins = new Map<string, string>();
  for (const name of constants.keys()) {
    const [host, device] = [
      demands.some(({ onHost }) => onHost.has(name)),
      demands.some(({ onDevice }) => onDevice.has(name)),
    ];
    if (host && device) twins.set(name, uniqueName(`${name}_host`));
  }
  scopes.forEach(({ nodes }, scope) => {
    for (const { name } of nodes) {
      if (constants.has(name) || demands[scope]?.isShared(name) !== true) continue;
      twins.set(name, uniqueName(`${name}_host`));
    }
  });
  return {
    scopes: scopes.map(({ nodes }, scope) => withTwins(nodes, demands[scope], twins)),
    weights: weights.flatMap((weight) => {
      const name = twins.get(weight.name);
      return name === undefined ? [weight] : [weight, { ...weight, name }];
    }),
  };
}

function withTwins(
  nodes: readonly NodeDef[],
  demand: Demand | undefined,
  twins: ReadonlyMap<string, string>,
): readonly NodeDef[] {
  const rewired = (node: NodeDef, isHost: (index: number) => boolean): readonly string[] =>
    node.input.map((reference, index) => {
      const twin = isHost(index) ? twins.get(nodeOf(reference)) : undefined;
      return twin === undefined || slotOf(reference) > 0 ? reference : twin;
    });
  return nodes.flatMap((node) => {
    const onHost = demand?.onHost.has(node.name) === true;
    const onDevice = demand?.onDevice.has(node.name) === true;
    const asDevice = { ...node, input: rewired(node, (index) => isRead(node, index)) };
    const asHost = {
      ...node,
      name: twins.get(node.name) ?? node.name,
      input: rewired(node, (index) => node.op !== "Shape" || isRead(node, index)),
    };
    if (!onHost) return [asDevice];
    return onDevice ? [asDevice, asHost] : [asHost];
  });
}
