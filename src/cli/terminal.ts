/**
 * What the commands share with the terminal: results on stdout, messages and progress on stderr,
 * errors as reports without stack traces, numbers for people. Used by every command.
 */
import pc from "picocolors";
import { Jax2TfjsError } from "../ir/errors.js";

/** Colours of stderr; those of stdout are picocolors' own choice. */
const stderrColors = pc.createColors(
  process.stderr.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb",
);

/** Options that every command has. */
export interface CommonOptions {
  readonly verbose?: boolean;
  /** Print JSON for programs instead of text for people. */
  readonly json?: boolean | string;
  readonly quiet?: boolean;
}

/** Prints lines on stdout. */
export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** Prints a value as JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Prints warnings on stderr, unless `quiet`. */
export function printWarnings(warnings: readonly string[], options: CommonOptions): void {
  if (options.quiet === true) return;
  for (const warning of warnings) {
    process.stderr.write(`${stderrColors.yellow("warning")} ${warning}\n`);
  }
}

/** An error as data, for `--json`. */
export function errorData(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
} {
  if (!(error instanceof Jax2TfjsError)) {
    return { code: "internal-error", message: messageOf(error), details: {} };
  }
  const { primitive, equation, source, fix } = error.details;
  const details = Object.entries({ primitive, equation, source, fix });
  return {
    code: error.code,
    message: error.message,
    details: Object.fromEntries(
      details.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Prints an error: a report on stderr, with `--verbose` its stack, with `--json` data on stdout. */
export function printError(error: unknown, options: CommonOptions): void {
  if (options.json === true) printJson({ error: errorData(error) });
  process.stderr.write(`${stderrColors.red("error")} ${reportOf(error)}\n`);
  if (options.verbose !== true || !(error instanceof Error)) return;
  process.stderr.write(`${error.stack ?? error.message}\n`);
  if (error.cause instanceof Error) {
    process.stderr.write(`caused by ${error.cause.stack ?? error.cause.message}\n`);
  }
}

function reportOf(error: unknown): string {
  if (error instanceof Jax2TfjsError) return error.report();
  return (
    `internal-error: ${messageOf(error)}\n` +
    "  fix   this is a fault of jax2tfjs: report it with the output of --verbose"
  );
}

/** A line on stderr that is rewritten as work goes on; nothing where stderr is no terminal. */
export class Progress {
  readonly #enabled: boolean;
  #lastTime = 0;
  #shown = false;

  constructor(options: CommonOptions) {
    this.#enabled = process.stderr.isTTY && options.quiet !== true;
  }

  /** Shows what is being done; at most ten times a second unless `force`. */
  update(text: string, force = false): void {
    if (!this.#enabled) return;
    const now = performance.now();
    if (!force && now - this.#lastTime < 100) return;
    this.#lastTime = now;
    this.#shown = true;
    const width = Math.max(20, process.stderr.columns || 80) - 1;
    process.stderr.write(`\r\x1b[2K${stderrColors.dim(text.slice(0, width))}`);
  }

  /** Removes the line. */
  done(): void {
    if (this.#shown) process.stderr.write("\r\x1b[2K");
    this.#shown = false;
  }
}

/** `27.0 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1.23e-5`, `0`, `nan`: an error or a statistic with three digits. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const magnitude = Math.abs(value);
  return magnitude < 1e-3 || magnitude >= 1e6 ? value.toExponential(2) : value.toPrecision(4);
}

/** `1 equation`, `2 equations`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Rows as aligned columns; a column of numbers only is aligned right. */
export function table(rows: readonly (readonly string[])[], indent = "  "): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const isNumeric = widths.map((_, column) =>
    rows.every((row) => /^[-+\d.,e%]*( (B|[KMGT]iB|s|ms))?$/.test(row[column] ?? "")),
  );
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return isNumeric[column] === true ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${indent}${cells.join("  ")}`.trimEnd();
  });
}
