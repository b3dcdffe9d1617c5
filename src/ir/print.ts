/**
 * Prints jaxprs as JAX does: variable names in order of definition, parameters sorted by name, short
 * programs on one line, programs used more than once (or long ones) in front.
 */
import { printAval, type ShapedArray } from "./aval.js";
import { DimExpr, printDim } from "./dims.js";
import { concat, group, join, layOut, lineBreak, nest, type Doc } from "./doc.js";
import { shortName } from "./dtypes.js";
import { isHostArray } from "./hostArray.js";
import {
  isClosedJaxpr,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Jaxpr,
  type Literal,
  type SourceInfo,
  type Var,
} from "./jaxpr.js";
import { HostFunction, LazyProgram, type Params } from "./params.js";

/** The width of JAX's lines. */
const lineWidth = 80;

/** `model.py:41:9 (Dense.__call__)`, the innermost frame; empty if unknown. */
export function printSource(source: SourceInfo): string {
  const frame = source.frames[0];
  if (frame === undefined) return source.nameStack;
  const where = `${frame.file}:${frame.line}:${frame.column}`;
  return frame.functionName === undefined ? where : `${where} (${frame.functionName})`;
}

/** Names of variables and of programs that are printed in front. */
class Names {
  readonly #names = new Map<Var, string>();
  readonly #shared = new Map<Jaxpr, string>();
  readonly #taken = new Set<string>();
  #count = 0;

  /** Variables a, b, …, z, ba, bb, … in the order they are first seen. */
  of(variable: Var): string {
    const known = this.#names.get(variable);
    if (known !== undefined) return known;
    let name = alphabetic(this.#count++);
    while (this.#taken.has(name)) name = alphabetic(this.#count++);
    this.#names.set(variable, name);
    return name;
  }

  /** Marks a variable that nothing reads. */
  drop(variable: Var): void {
    this.#names.set(variable, "_");
  }

  /** Names the variables of a called program as those of the call. */
  suggest(inner: readonly Atom[], outer: readonly Atom[]): void {
    if (inner.length !== outer.length) return;
    const used = new Set<Var>();
    inner.forEach((atom, index) => {
      const like = outer[index];
      if (like?.kind !== "var" || atom.kind !== "var") return;
      if (used.has(like) || this.#names.has(atom)) return;
      used.add(like);
      this.#names.set(atom, this.of(like));
    });
  }

  share(jaxpr: Jaxpr, name: string): void {
    this.#shared.set(jaxpr, name);
    this.#taken.add(name);
  }

  sharedName(jaxpr: Jaxpr): string | undefined {
    return this.#shared.get(jaxpr);
  }

  atom(atom: Atom): string {
    return atom.kind === "var" ? this.of(atom) : printLiteral(atom);
  }
}

function alphabetic(index: number): string {
  let name = "";
  let rest = index;
  do {
    name = String.fromCharCode(97 + (rest % 26)) + name;
    rest = Math.floor(rest / 26);
  } while (rest > 0);
  return name;
}

/** A number as Python prints a float. */
function printFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  const text = Math.abs(value) < 1e-6 || Math.abs(value) >= 1e21 ? expand(value) : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** Without exponent, where JavaScript would write one and Python does not. */
function expand(value: number): string {
  return value.toFixed(20).replace(/0+$/, "");
}

const shortFloat = (value: number): string => printFloat(value).replace(/\.0$/, "");

function printLiteral(literal: Literal): string {
  const { value, aval } = literal;
  const type = printType(aval);
  if (typeof value === "boolean") return `${value ? "True" : "False"}:${type}`;
  if (typeof value === "bigint") return `${value}:${type}`;
  if (typeof value === "object") {
    const [re, im] = [Math.fround(value.re), Math.fround(value.im)];
    if (Object.is(re, 0)) return `${shortFloat(im)}j:${type}`;
    const sign = im < 0 || Object.is(im, -0) ? "" : "+";
    return `(${shortFloat(re)}${sign}${shortFloat(im)}j):${type}`;
  }
  if (aval.dtype === "bool") return `${value === 0 ? "False" : "True"}:${type}`;
  if (aval.dtype.includes("int")) return `${value}:${type}`;
  // JAX prints the number that the literal's own type holds.
  return `${printFloat(aval.dtype === "float32" ? Math.fround(value) : value)}:${type}`;
}

/** JAX does not print weak types in programs. */
function printType(aval: ShapedArray): string {
  return printAval(aval).replace(/^~/, "");
}

function printItems(items: readonly string[]): string {
  return items.length === 1 ? `(${items.join("")},)` : `(${items.join(", ")})`;
}

function printValue(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : printFloat(value);
  if (typeof value === "bigint" || typeof value === "string") return String(value);
  if (value instanceof DimExpr) return printDim(value);
  if (value instanceof LazyProgram) return "<program>";
  if (value instanceof HostFunction) return value.name;
  if (isHostArray(value)) return `${shortName(value.dtype)}[${value.shape.join(",")}]{…}`;
  if (Array.isArray(value)) return printItems(value.map(printValue));
  const entries = Object.entries(value as Record<string, unknown>);
  return `(${entries.map(([key, item]) => `${key}=${printValue(item)}`).join(", ")})`;
}

const listOf = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(printValue).join(", ")}]` : printValue(value);

/** JAX's names for the ways to treat positions out of bounds. */
const scatterModes: Readonly<Record<string, string>> = {
  clip: "GatherScatterMode.CLIP",
  fill: "GatherScatterMode.FILL_OR_DROP",
  promise_in_bounds: "GatherScatterMode.PROMISE_IN_BOUNDS",
};

const roundingMethods: Readonly<Record<string, string>> = {
  AWAY_FROM_ZERO: "0",
  TO_NEAREST_EVEN: "1",
};

/** The name of the class that holds dimension numbers, by what they hold. */
function dimensionNumbers(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  if (Array.isArray(value)) {
    const pairs = value.map((pair: unknown) =>
      Array.isArray(pair) ? `(${pair.map(listOf).join(", ")})` : printValue(pair),
    );
    return printItems(pairs);
  }
  const kinds = [
    ["offset_dims", "Gather"],
    ["update_window_dims", "Scatter"],
    ["lhs_spec", "Conv"],
  ] as const;
  const kind = kinds.find(([key]) => key in value)?.[1];
  return kind === undefined ? null : `${kind}DimensionNumbers${printValue(value)}`;
}

function printParamText(key: string, value: unknown): string {
  if (key === "mode" && typeof value === "string") return scatterModes[value] ?? value;
  if (key === "rounding_method" && typeof value === "string")
    return roundingMethods[value] ?? value;
  if (key === "dimension_numbers") return dimensionNumbers(value) ?? printValue(value);
  return printValue(value);
}

/** Parameters that JAX leaves out where they say nothing. */
function isImplied(primitive: string, key: string, value: unknown): boolean {
  if (value instanceof LazyProgram || value instanceof HostFunction) return true;
  switch (primitive) {
    case "broadcast_in_dim":
      return key === "shape" || (Array.isArray(value) && value.length === 0);
    case "dot_general":
      return value === null;
    case "conv_general_dilated":
      return key === "window_reversal" && value === null;
    case "custom_jvp_call":
    case "custom_vjp_call":
      return key === "num_consts" && value === 0;
    case "scan":
      return key === "linear" && Array.isArray(value) && !value.includes(true);
    default:
      return key === "update_jaxpr" && value === null;
  }
}

function isProgramList(value: unknown): value is readonly ClosedJaxpr[] {
  return Array.isArray(value) && value.length > 0 && value.every(isClosedJaxpr);
}

function paramDoc(key: string, value: unknown, names: Names): Doc {
  if (isClosedJaxpr(value)) return concat(`${key}=`, jaxprDoc(value.jaxpr, names));
  if (!isProgramList(value)) return `${key}=${printParamText(key, value)}`;
  const programs = value.map(({ jaxpr }) => jaxprDoc(jaxpr, names));
  const inner = nest(2, concat("(", lineBreak(""), join(lineBreak(), programs)));
  return concat(`${key}=`, group(concat(inner, lineBreak(""), ")")));
}

function paramsDoc(equation: Equation, names: Names): Doc {
  const params: Params = equation.params;
  const { name } = equation.primitive;
  const keys = Object.keys(params)
    .filter((key) => !isImplied(name, key, params[key]))
    .sort();
  // JAX puts the name of a call first.
  const ordered = keys.includes("name") ? ["name", ...keys.filter((key) => key !== "name")] : keys;
  if (ordered.length === 0) return "";
  const items = ordered.map((key) => paramDoc(key, params[key], names));
  const inner = nest(2, concat("[", lineBreak(""), join(lineBreak(), items)));
  return group(concat(inner, lineBreak(""), "]"));
}

/** Variables beside each other, as many on a line as fit. */
function itemsDoc(items: readonly string[], separator = ""): Doc {
  return nest(2, group(join(concat(separator, group(lineBreak())), items)));
}

function binders(variables: readonly Var[], names: Names): Doc {
  return itemsDoc(variables.map((variable) => `${names.of(variable)}:${printType(variable.aval)}`));
}

function equationDoc(equation: Equation, names: Names): Doc {
  const { inputs, outputs, params } = equation;
  const called = equation.primitive.name === "jit" ? subJaxprs(params)[0]?.jaxpr : undefined;
  if (called !== undefined && names.sharedName(called) === undefined) {
    names.suggest(called.invars, inputs);
    names.suggest(called.outvars, outputs);
  }
  const left = binders(outputs, names);
  const middle = paramsDoc(equation, names);
  const right = itemsDoc(inputs.map((atom) => names.atom(atom)));
  const whole = concat(equation.primitive.name, middle, " ", right);
  return outputs.length === 0 ? whole : concat(left, " = ", whole);
}

function skeleton(jaxpr: Jaxpr, names: Names): Doc {
  const constants = binders(jaxpr.constvars, names);
  const inputs = binders(jaxpr.invars, names);
  const equations = join(
    lineBreak("; "),
    jaxpr.equations.map((equation) => equationDoc(equation, names)),
  );
  const results = itemsDoc(
    jaxpr.outvars.map((atom) => names.atom(atom)),
    ",",
  );
  const end = jaxpr.outvars.length === 1 ? ",)" : ")";
  const body = nest(2, concat(lineBreak(), equations));
  const header = concat("{ lambda ", constants, "; ", inputs, ". let");
  const whole = concat(header, body, lineBreak(), "in (", results, end, " }");
  return group(nest(2, whole));
}

function jaxprDoc(jaxpr: Jaxpr, names: Names): Doc {
  return names.sharedName(jaxpr) ?? skeleton(jaxpr, names);
}

/** Programs with more equations than this are printed in front. */
const longProgram = 10;

/** The programs that are printed in front, with their names. */
function sharedPrograms(whole: Jaxpr): readonly (readonly [name: string, jaxpr: Jaxpr])[] {
  const names = new Map<Jaxpr, string>();
  const uses = new Map<Jaxpr, number>();
  const queue = [whole];
  for (let place = 0; place < queue.length && place < 10_000; place++) {
    const jaxpr = queue[place];
    if (jaxpr === undefined) break;
    const isLong = jaxpr !== whole && jaxpr.equations.length > longProgram;
    uses.set(jaxpr, (uses.get(jaxpr) ?? 0) + (isLong ? 2 : 1));
    for (const { params } of jaxpr.equations) {
      const { name } = params;
      for (const { jaxpr: inner } of subJaxprs(params)) {
        queue.push(inner);
        if (typeof name === "string" && !names.has(inner)) {
          names.set(inner, name.replace(/^[<>]+|[<>]+$/g, ""));
        }
      }
    }
  }
  const counts = new Map<string, number>();
  return [...uses]
    .filter(([, count]) => count > 1)
    .map(([jaxpr]) => {
      const name = names.get(jaxpr) ?? "jaxpr";
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      return [count === 0 ? name : `${name}${count}`, jaxpr] as const;
    });
}

/** Names results that nothing reads `_`. */
function markUnused(jaxpr: Jaxpr, names: Names): void {
  const used = new Set<Atom>(jaxpr.outvars);
  for (const equation of jaxpr.equations.toReversed()) {
    equation.outputs
      .filter((output) => !used.has(output))
      .forEach((output) => {
        names.drop(output);
      });
    equation.inputs.forEach((input) => used.add(input));
  }
}

/** One equation alone, for messages. Variables are named in order of appearance. */
export function printEquation(equation: Equation): string {
  const names = new Names();
  const inputs = equation.inputs
    .filter((atom) => atom.kind === "var")
    .map((atom) => `${names.of(atom)}:${printType(atom.aval)}`);
  const text = layOut(equationDoc(equation, names), lineWidth);
  return inputs.length === 0 ? text : `${text}  where ${[...new Set(inputs)].join(", ")}`;
}

/** Prints equations of one program one after the other, with one set of names for variables. */
export function equationPrinter(): (equation: Equation) => string {
  const names = new Names();
  return (equation) => layOut(equationDoc(equation, names), lineWidth);
}

/**
 * The whole program, as `print(jax.make_jaxpr(f)(…))` shows it. Parameters that only JAX has
 * (shardings, accuracies) are missing; sizes may be dimension expressions.
 */
export function printJaxpr(program: ClosedJaxpr | Jaxpr): string {
  const jaxpr = isClosedJaxpr(program) ? program.jaxpr : program;
  const names = new Names();
  markUnused(jaxpr, names);
  const shared = sharedPrograms(jaxpr);
  shared.forEach(([name, inner]) => {
    names.share(inner, name);
  });
  const inFront = shared.map(([name, inner]) =>
    concat(`let ${name} = `, skeleton(inner, names), " in", lineBreak()),
  );
  return layOut(concat(...inFront, skeleton(jaxpr, names)), lineWidth);
}
