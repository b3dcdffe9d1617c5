/**
 * What eager mode shows of each equation: its text, statistics of its results and the line of the
 * original program; and the search for the first NaN. Called by `run --eager --trace`.
 */
import { Jax2TfjsError } from "../ir/errors.js";
import { equationPrinter, printEquation, printSource } from "../ir/print.js";
import type { EagerValue, EquationEvent } from "../lower/eager.js";
import { describeStatistics, statisticsOf, type Statistics } from "./statistics.js";
import { print } from "./terminal.js";

export interface TraceOptions {
  readonly print: boolean;
  readonly keep: boolean;
  readonly checkNans: boolean;
}

/** One equation of a kept trace. */
export interface TracedEquation {
  readonly equation: string;
  readonly source: string;
  readonly depth: number;
  /** Per result; null for results without elements. */
  readonly outputs: readonly (Statistics | null)[];
}

/** Longer parameters (inner programs) are cut. */
const longestEquation = 160;

export class EquationTrace {
  /** The equations so far, if they are kept. */
  readonly kept: TracedEquation[] | undefined;
  readonly #options: TraceOptions;
  readonly #printEquation = equationPrinter();
  #count = 0;

  constructor(options: TraceOptions) {
    this.#options = options;
    this.kept = options.keep ? [] : undefined;
  }

  /** Called after each equation. @throws Jax2TfjsError `nan-produced` with `checkNans` */
  async add(event: EquationEvent): Promise<void> {
    const outputs: (Statistics | null)[] = [];
    for (const value of event.outputs) outputs.push(await valueStatistics(value));
    if (this.#options.print || this.kept !== undefined) this.#show(event, outputs);
    const hasNaN = outputs.some((statistics) => (statistics?.nanCount ?? 0) > 0);
    if (this.#options.checkNans && hasNaN) await refuseNaN(event, outputs);
  }

  #show({ equation, depth }: EquationEvent, outputs: readonly (Statistics | null)[]): void {
    const text = shorten(this.#printEquation(equation));
    const source = printSource(equation.source);
    this.kept?.push({ equation: text, source, depth, outputs });
    if (!this.#options.print) return;
    const indent = "  ".repeat(depth);
    const values = outputs.map((item) => (item === null ? "empty" : describeStatistics(item)));
    print(
      `${String(this.#count++).padStart(4)}  ${indent}${text}`,
      ...values.map((value) => `      ${indent}  ${value}`),
      ...(source === "" ? [] : [`      ${indent}  ${source}`]),
    );
  }
}

function shorten(text: string): string {
  const line = text.replace(/\s*\n\s*/g, " ");
  return line.length <= longestEquation ? line : `${line.slice(0, longestEquation)}…`;
}

async function valueStatistics(value: EagerValue): Promise<Statistics | null> {
  const values: number[] = [];
  for (const tensor of value.tensors) {
    const data = await tensor.data();
    if (value.tensors.length === 1) return data.length === 0 ? null : statisticsOf(data);
    for (const number of data) values.push(number);
  }
  return values.length === 0 ? null : statisticsOf(values);
}

async function refuseNaN(
  { equation, inputs }: EquationEvent,
  outputs: readonly (Statistics | null)[],
): Promise<void> {
  const described: string[] = [];
  for (const [index, value] of inputs.entries()) {
    const statistics = await valueStatistics(value);
    if (statistics === null) continue;
    if (statistics.nanCount > 0) return;
    described.push(`input ${index}: ${describeStatistics(statistics)}`);
  }
  const count = outputs.reduce((sum, item) => sum + (item?.nanCount ?? 0), 0);
  throw new Jax2TfjsError(
    "nan-produced",
    `${equation.primitive.name} makes ${count} NaN from numbers` +
      described.map((line) => `\n  ${line}`).join(""),
    {
      primitive: equation.primitive.name,
      equation: shorten(printEquation(equation)),
      source: printSource(equation.source),
    },
  );
}
