/**
 * Rebuilds a program equation by equation while named rows replace what they recognise. Rows look
 * backwards only (at how their inputs were made), so one walk in order of definition applies all;
 * what becomes unused is left to `dce`.
 */
import { JaxprBuilder } from "../ir/builder.js";
import {
  isClosedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type LiteralValue,
  type Var,
} from "../ir/jaxpr.js";
import type { HostArray } from "../ir/hostArray.js";
import type { Ops, Value } from "../ir/ops.js";
import type { ParamValue, Params } from "../ir/params.js";
import { createOps } from "../lax/ops.js";

/** How a row sees the program that has been rebuilt so far. */
export interface Match {
  /** The equation that made a value; undefined for inputs, constants and literals. */
  definition(value: Value): Equation | undefined;
  /** The definition, if it is one of the named primitive. */
  made(value: Value, primitive: string): Equation | undefined;
  /** The scalar a value consists of: a literal, or a literal broadcast to any shape. */
  scalar(value: Value): LiteralValue | undefined;
  /** The array behind a constant of the program. */
  constant(value: Value): HostArray | undefined;
}

/** A rewrite: gives the values that replace the equation's results, or null to leave it alone. */
export interface Row {
  readonly name: string;
  /** Primitives at whose equations the row looks; null: at all of them. */
  readonly primitives: readonly string[] | null;
  readonly rewrite: (o: Ops, equation: Equation, match: Match) => readonly Value[] | null;
}

/** Applies rows everywhere in a program, inner programs first. */
export function rewriteProgram(program: ClosedJaxpr, rows: readonly Row[]): ClosedJaxpr {
  return new Rewriter(rows).program(program);
}

class Rewriter {
  readonly #byPrimitive = new Map<string, readonly Row[]>();
  readonly #done = new Map<ClosedJaxpr, ClosedJaxpr>();

  constructor(readonly rows: readonly Row[]) {}

  program(program: ClosedJaxpr): ClosedJaxpr {
    const known = this.#done.get(program);
    if (known !== undefined) return known;
    const result = new Walk(this, program).run();
    this.#done.set(program, result);
    return result;
  }

  params(params: Params): Params {
    const values = Object.entries(params);
    if (!values.some(([, value]) => holdsProgram(value))) return params;
    return Object.fromEntries(values.map(([key, value]) => [key, this.#param(value)]));
  }

  #param(value: ParamValue): ParamValue {
    if (isClosedJaxpr(value)) return this.program(value);
    return isList(value) ? value.map((item) => this.#param(item)) : value;
  }

  rowsFor(primitive: string): readonly Row[] {
    const known = this.#byPrimitive.get(primitive);
    if (known !== undefined) return known;
    const rows = this.rows.filter((row) => row.primitives?.includes(primitive) ?? true);
    this.#byPrimitive.set(primitive, rows);
    return rows;
  }
}

const isList = (value: ParamValue): value is readonly ParamValue[] => Array.isArray(value);
const holdsProgram = (value: ParamValue): boolean =>
  isClosedJaxpr(value) || (isList(value) && value.some(holdsProgram));

/** One program being rebuilt. */
class Walk implements Match {
  readonly #builder = new JaxprBuilder();
  readonly #ops: Ops;
  readonly #renamed = new Map<Var, Atom>();
  readonly #definitions = new Map<Value, Equation>();
  readonly #arrays = new Map<Value, HostArray>();

  constructor(
    readonly rewriter: Rewriter,
    readonly source: ClosedJaxpr,
  ) {
    this.#ops = createOps({
      bind: (primitive, inputs, params) => {
        const outputs = this.#builder.bind(primitive, inputs, params);
        const made = this.#builder.last();
        if (made !== undefined) for (const output of outputs) this.#definitions.set(output, made);
        return outputs;
      },
      constant: (array) => this.#constant(array),
    });
  }

  run(): ClosedJaxpr {
    const { jaxpr, consts } = this.source;
    for (const variable of jaxpr.invars) {
      this.#renamed.set(variable, this.#builder.input(variable.aval));
    }
    jaxpr.constvars.forEach((variable, index) => {
      const array = consts[index];
      if (array !== undefined) this.#renamed.set(variable, this.#constant(array));
    });
    for (const equation of jaxpr.equations) this.#equation(equation);
    return this.#builder.build(jaxpr.outvars.map((atom) => this.#read(atom)));
  }

  #constant(array: HostArray): Var {
    const variable = this.#builder.constant(array);
    this.#arrays.set(variable, array);
    return variable;
  }

  #read(atom: Atom): Atom {
    if (atom.kind === "literal") return atom;
    const renamed = this.#renamed.get(atom);
    if (renamed === undefined) throw new Error("internal error: variable before its definition");
    return renamed;
  }

  #equation(original: Equation): void {
    const equation: Equation = {
      ...original,
      inputs: original.inputs.map((atom) => this.#read(atom)),
      params: this.rewriter.params(original.params),
      outputs: original.outputs.map((variable) => newVar(variable.aval)),
    };
    this.#builder.source = equation.source;
    for (const row of this.rewriter.rowsFor(equation.primitive.name)) {
      const replacement = row.rewrite(this.#ops, equation, this);
      if (replacement === null) continue;
      original.outputs.forEach((variable, index) => {
        const value = replacement[index];
        if (value !== undefined) this.#renamed.set(variable, value as Atom);
      });
      return;
    }
    this.#builder.push(equation);
    original.outputs.forEach((variable, index) => {
      const copy = equation.outputs[index];
      if (copy === undefined) return;
      this.#renamed.set(variable, copy);
      this.#definitions.set(copy, equation);
    });
  }

  definition(value: Value): Equation | undefined {
    return this.#definitions.get(value);
  }

  made(value: Value, primitive: string): Equation | undefined {
    const definition = this.#definitions.get(value);
    return definition?.primitive.name === primitive ? definition : undefined;
  }

  scalar(value: Value): LiteralValue | undefined {
    const atom = value as Atom;
    if (atom.kind === "literal") return atom.value;
    const broadcast =
      this.made(value, "broadcast_in_dim") ?? this.made(value, "convert_element_type");
    const [input] = broadcast?.inputs ?? [];
    if (input === undefined || broadcast?.primitive.name !== "broadcast_in_dim") return undefined;
    return input.kind === "literal" ? input.value : undefined;
  }

  constant(value: Value): HostArray | undefined {
    return this.#arrays.get(value);
  }
}
