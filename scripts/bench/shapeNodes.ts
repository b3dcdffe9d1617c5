// What symbolic sizes cost in nodes: every model of the corpus that takes them, beside the same model
// converted for one batch. Used by the table of shapes.ts and by tests/oracle/shapeNodes.test.ts.
import { convert } from "../../src/convert.js";
import type { Graph } from "../../src/lower/graph.js";
import { importRecorded } from "../../tests/oracle/convertedModels.js";
import type { RecordedModel } from "../../tests/oracle/recordedModels.js";

/** The batch of the models with fixed sizes; other variables get larger sizes. */
const batch = 8;

export interface ShapeNodes {
  readonly path: string;
  /** The variable that stays symbolic. */
  readonly variable: string;
  /** Nodes at a fixed batch. */
  readonly fixed: number;
  /** Nodes with a symbolic batch, without the checks of input sizes. */
  readonly symbolic: number;
  /** With these checks, as models are converted by default. */
  readonly checked: number;
}

/** Nodes of a graph, those of its functions included. */
export function nodeCount({ nodes, functions }: Graph): number {
  return functions.reduce((sum, definition) => sum + definition.nodes.length, nodes.length);
}

/**
 * The node counts of a model with symbolic batch `b`; other variables are fixed in all of them.
 * Undefined for a model without `b`.
 */
export function shapeNodes({ path }: RecordedModel): ShapeNodes | undefined {
  const { program, parameters } = importRecorded(path);
  const [variable = "b"] = program.dimensionVariables.filter((name) => name === "b");
  if (!program.dimensionVariables.includes(variable)) return undefined;
  const others = program.dimensionVariables.filter((name) => name !== variable);
  const dimensions = new Map(others.map((name, index) => [name, 2 * batch + index]));
  const all = new Map([...dimensions, [variable, batch] as const]);
  const unchecked = ["shape_assertions"] as const;
  return {
    path,
    variable,
    fixed: nodeCount(convert(program, { parameters, dimensions: all }).graph),
    symbolic: nodeCount(
      convert(program, { parameters, dimensions, disabledChecks: unchecked }).graph,
    ),
    checked: nodeCount(convert(program, { parameters, dimensions }).graph),
  };
}

/** How many percent more nodes than `fixed`. */
export function percentMore(nodes: number, fixed: number): number {
  return 100 * (nodes / fixed - 1);
}
