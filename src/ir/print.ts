/**
 * Prints jaxprs as JAX does: deterministic variable names in order of definition, parameters
 * sorted by name, inner programs indented.
 */
import { printAval } from "./aval.js";
import { DimExpr, printDim } from "./dims.js";
import { shortName } from "./dtypes.js";
import { isHostArray } from "./hostArray.js";
import {
  isClosedJaxpr,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Jaxpr,
  type Literal,
  type SourceInfo,
  type Var,
} from "./jaxpr.js";
import { LazyProgram, type Params } from "./params.js";

/** `model.py:41:9 (Dense.__call__)`, the innermost frame; empty if unknown. */
export function printSource(source: SourceInfo): string {
  const frame = source.frames[0];
  if (frame === undefined) return source.nameStack;
  const where = `${frame.file}:${frame.line}:${frame.column}`;
  return frame.functionName === undefined ? where : `${where} (${frame.functionName})`;
}

/** Names variables a, b, …, z, ba, bb, … in the order they are first seen, as JAX does. */
class Names {
  readonly #names = new Map<Var, string>();

  of(variable: Var): string {
    const known = this.#names.get(variable);
    if (known !== undefined) return known;
    let index = this.#names.size;
    let name = "";
    do {
      name = String.fromCharCode(97 + (index % 26)) + name;
      index = Math.floor(index / 26);
    } while (index > 0);
    this.#names.set(variable, name);
    return name;
  }

  typed(variable: Var): string {
    return `${this.of(variable)}:${printAval(variable.aval)}`;
  }

  atom(atom: Atom): string {
    return atom.kind === "var" ? this.of(atom) : printLiteral(atom);
  }
}

function printNumber(value: number, isFloat: boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  if (!isFloat) return String(value);
  const text = String(Math.fround(value) === value ? shortestFloat32(value) : value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** The shortest decimal that reads back as the same float32. */
function shortestFloat32(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}

function printLiteral(literal: Literal): string {
  const { value, aval } = literal;
  const type = printAval(aval).replace(/^~/, "");
  if (typeof value === "boolean") return `${value ? "True" : "False"}:${type}`;
  if (typeof value === "bigint") return `${value}:${type}`;
  if (typeof value === "object") {
    return `(${printNumber(value.re, true)}+${printNumber(value.im, true)}j):${type}`;
  }
  return `${printNumber(value, !aval.dtype.includes("int"))}:${type}`;
}

function indent(text: string, by: number): string {
  return text.replace(/\n/g, `\n${" ".repeat(by)}`);
}

function printParam(value: unknown, names: Names): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number")
    return Number.isInteger(value) ? String(value) : printNumber(value, true);
  if (typeof value === "bigint" || typeof value === "string") return String(value);
  if (value instanceof DimExpr) return printDim(value);
  if (isClosedJaxpr(value)) return `{ ${indent(printJaxprBody(value.jaxpr, names), 2)} }`;
  if (value instanceof LazyProgram) return "<program>";
  if (isHostArray(value)) return `${shortName(value.dtype)}[${value.shape.join(",")}]{…}`;
  if (Array.isArray(value)) {
    const items = value.map((item) => printParam(item, names));
    return items.length === 1 ? `(${items.join("")},)` : `(${items.join(", ")})`;
  }
  const entries = Object.entries(value as Record<string, unknown>);
  return `{${entries.map(([key, item]) => `${key}=${printParam(item, names)}`).join(", ")}}`;
}

function printParams(params: Params, names: Names): string {
  const keys = Object.keys(params).sort();
  if (keys.length === 0) return "";
  const inner = keys.map((key) => `${key}=${printParam(params[key], names)}`);
  const flat = `[${inner.join(" ")}]`;
  if (!flat.includes("\n") && flat.length <= 100) return flat;
  return `[\n  ${inner.map((line) => indent(line, 2)).join("\n  ")}\n]`;
}

function printEquationWith(equation: Equation, names: Names): string {
  const params = printParams(equation.params, names);
  const inputs = equation.inputs.map((atom) => names.atom(atom)).join(" ");
  const outputs = equation.outputs.map((variable) => names.typed(variable)).join(" ");
  const right = `${equation.primitive.name}${params}${inputs === "" ? "" : ` ${inputs}`}`;
  return outputs === "" ? right : `${outputs} = ${right}`;
}

/** One equation alone, for messages. Variables are named in order of appearance. */
export function printEquation(equation: Equation): string {
  const names = new Names();
  const inputs = equation.inputs
    .filter((atom) => atom.kind === "var")
    .map((atom) => names.typed(atom));
  const text = printEquationWith(equation, names);
  return inputs.length === 0 ? text : `${text}  where ${[...new Set(inputs)].join(", ")}`;
}

/** Prints equations of one program one after the other, with one set of names for variables. */
export function equationPrinter(): (equation: Equation) => string {
  const names = new Names();
  return (equation) => printEquationWith(equation, names);
}

function printJaxprBody(jaxpr: Jaxpr, names: Names): string {
  const consts = jaxpr.constvars.map((variable) => names.typed(variable)).join(" ");
  const inputs = jaxpr.invars.map((variable) => names.typed(variable)).join(" ");
  const lines = jaxpr.equations.map((equation) => indent(printEquationWith(equation, names), 4));
  const results = jaxpr.outvars.map((atom) => names.atom(atom));
  const outputs = results.length === 1 ? `(${results.join("")},)` : `(${results.join(", ")})`;
  const body = lines.length === 0 ? "let" : `let\n    ${lines.join("\n    ")}\n `;
  const header = [consts, inputs === "" ? ";" : `; ${inputs}`].join("").trim();
  return `lambda ${header}. ${body} in ${outputs}`;
}

/** The whole program, as `print(jax.make_jaxpr(f)(…))` shows it. */
export function printJaxpr(program: ClosedJaxpr | Jaxpr): string {
  const jaxpr = isClosedJaxpr(program) ? program.jaxpr : program;
  return `{ ${printJaxprBody(jaxpr, new Names())} }`;
}
