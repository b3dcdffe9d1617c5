/**
 * One graph for a function of tfjs from its recordings at several sizes: what is equal in all of
 * them stays, what differs must be a size.
 */
import { callError } from "../../api/calls.js";
import type { Dim, Shape } from "../../ir/dims.js";
import type { Jax2TfjsError } from "../../ir/errors.js";
import type { HostGraph, HostNode, HostOperand } from "../../ir/hostGraph.js";
import { arrayEquals, asInt32, type HostArray } from "../../ir/hostArray.js";
import type { SizeFitter } from "./sizes.js";

/**
 * @throws Jax2TfjsError `call-tfjs` if the function does not do the same each time
 */
export function unifyGraphs(
  name: string,
  graphs: readonly HostGraph[],
  fitter: SizeFitter,
): HostGraph {
  return new Unifier(name, fitter).graph(graphs);
}

class Unifier {
  constructor(
    readonly name: string,
    readonly fitter: SizeFitter,
  ) {}

  graph(graphs: readonly HostGraph[]): HostGraph {
    const [first, rest] = this.#split(graphs);
    if (rest.some(({ nodes }) => nodes.length !== first.nodes.length)) throw this.#different();
    return {
      nodes: first.nodes.map((_, index) => this.#node(graphs.map(({ nodes }) => nodes[index]))),
      results: first.results.map((_, index) =>
        this.#operand(graphs.map(({ results }) => results[index])),
      ),
    };
  }

  #node(nodes: readonly (HostNode | undefined)[]): HostNode {
    const [first, rest] = this.#split(nodes);
    const signature = ({ op, attrs, inputs, outputs }: HostNode): string =>
      JSON.stringify([op, attrs, inputs.length, outputs.map(({ dtype }) => dtype)]);
    if (rest.some((node) => signature(node) !== signature(first))) throw this.#different(first.op);
    return {
      ...first,
      inputs: first.inputs.map((_, index) =>
        this.#operand(nodes.map((node) => node?.inputs[index])),
      ),
      outputs: first.outputs.map(({ dtype }, slot) => ({
        dtype,
        shape: this.#sizes(nodes.map((node) => node?.outputs[slot]?.shape)),
      })),
    };
  }

  #operand(operands: readonly (HostOperand | undefined)[]): HostOperand {
    const [first, rest] = this.#split(operands);
    switch (first.kind) {
      case "input":
      case "output": {
        const key = JSON.stringify(first);
        if (rest.some((operand) => JSON.stringify(operand) !== key)) throw this.#different();
        return first;
      }
      case "constant": {
        const values = operands.map((operand) =>
          operand?.kind === "constant" ? operand.value : undefined,
        );
        return this.#constant(values);
      }
      case "weight": {
        const isSame = rest.every(
          (operand) => operand.kind === first.kind && arrayEquals(operand.value, first.value),
        );
        if (!isSame) throw this.#differentConstant();
        return first;
      }
      case "filled": {
        const filled = operands.map((operand) => {
          // A list of one size may have one element, which is no `filled` operand.
          if (operand?.kind === "filled" && operand.value === first.value) return operand.shape;
          throw this.#differentConstant();
        });
        return { ...first, shape: this.#sizes(filled) };
      }
      case "sizes": {
        const sizes = operands.map((operand) =>
          operand?.kind === "sizes" ? operand.sizes : undefined,
        );
        return { ...first, sizes: this.#sizes(sizes) };
      }
    }
  }

  /** An array that is the same each time, or holds sizes. */
  #constant(samples: readonly (HostArray | undefined)[]): HostOperand {
    const [first, rest] = this.#split(samples);
    if (rest.every((value) => arrayEquals(value, first))) return { kind: "constant", value: first };
    const isAlike = samples.every(
      (value) => value?.dtype === "int32" && value.shape.join() === first.shape.join(),
    );
    if (!isAlike) throw this.#differentConstant();
    const values = samples.map((value) => (value === undefined ? [] : Array.from(asInt32(value))));
    return { kind: "sizes", sizes: this.#sizes(values), shape: first.shape };
  }

  #sizes(samples: readonly (Shape | undefined)[]): readonly Dim[] {
    const [first, rest] = this.#split(samples);
    if (rest.some((sizes) => sizes.length !== first.length)) throw this.#different();
    return first.map((_, index) => {
      const values = samples.map((sizes) => Number(sizes?.[index]));
      const dim = this.fitter.fit(values);
      if (dim !== null) return dim;
      throw callError(
        "call-tfjs",
        `a size in ${this.name} is no polynomial of the symbolic sizes (${values.join(", ")} where ` +
          `they are ${this.fitter.environments.map(printEnvironment).join(", ")})`,
        "convert it at fixed sizes",
      );
    });
  }

  #split<T>(all: readonly (T | undefined)[]): readonly [first: T, rest: readonly T[]] {
    const present = all.filter((item) => item !== undefined);
    const [first, ...rest] = present;
    if (first === undefined || present.length < all.length) throw this.#different();
    return [first, rest];
  }

  #different(op?: string): Jax2TfjsError {
    return callError(
      "call-tfjs",
      `${this.name} does not run the same operations each time` +
        (op === undefined ? "" : ` (from ${op} on)`),
      "what depends on sizes in JavaScript, or on chance, cannot be saved",
    );
  }

  #differentConstant(): Jax2TfjsError {
    return callError(
      "call-tfjs",
      `a constant in ${this.name} is not the same each time: it depends on symbolic sizes or on ` +
        "chance, and would be the same for ever in the saved model",
      "convert it at fixed sizes, or draw random numbers with jax2tfjs's random",
    );
  }
}

const printEnvironment = (env: ReadonlyMap<string, number>): string =>
  [...env].map(([name, value]) => `${name} = ${value}`).join(" and ");
