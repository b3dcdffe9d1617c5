/**
 * Builds a jaxpr equation by equation. Used by the importer, by passes and by composite rules (all
 * through the lax-like methods of src/lax/ops.ts); tracing has its own interpreter above it.
 */
import { printAval, type ShapedArray } from "./aval.js";
import { isKey } from "./dtypes.js";
import { Jax2TfjsError } from "./errors.js";
import type { HostArray } from "./hostArray.js";
import {
  closedJaxpr,
  newVar,
  noSource,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type SourceInfo,
  type Var,
} from "./jaxpr.js";
import type { Value } from "./ops.js";
import type { Params } from "./params.js";
import { erased, type Primitive } from "./primitive.js";
import { printSource } from "./print.js";

/** True for a variable or literal of a jaxpr. */
export function isAtom(value: Value): value is Atom {
  const kind = (value as { kind?: unknown }).kind;
  return kind === "var" || kind === "literal";
}

/** A value as an atom of a jaxpr; values of other interpreters do not belong into one. */
export function asAtom(value: Value): Atom {
  if (isAtom(value)) return value;
  throw new Error(`internal error: ${printAval(value.aval)} is no atom of a jaxpr`);
}

/** Throws for random keys unless the primitive takes them. */
function refuseKeys(primitive: Primitive, types: readonly ShapedArray[]): void {
  const { name, traits = {}, carried } = primitive;
  const isMove = traits.keys === true || traits.view === true || traits.inlines !== undefined;
  if (isMove || carried !== undefined) return;
  const key = types.find(({ dtype }) => isKey(dtype));
  if (key === undefined) return;
  throw new Jax2TfjsError("dtype-mismatch", `${name} does not accept dtype ${key.dtype}.`, {
    fix: "random.keyData gives the words of a key",
  });
}

export class JaxprBuilder {
  readonly #invars: Var[] = [];
  readonly #constvars: Var[] = [];
  readonly #consts: HostArray[] = [];
  readonly #equations: Equation[] = [];
  /** Source given to the equations that follow. */
  source: SourceInfo = noSource;

  input(aval: ShapedArray): Var {
    const variable = newVar(aval);
    this.#invars.push(variable);
    return variable;
  }

  /** A captured array as a constant of the program; the same array gives the same variable. */
  constant(value: HostArray): Var {
    const known = this.#consts.indexOf(value);
    const existing = known < 0 ? undefined : this.#constvars[known];
    if (existing !== undefined) return existing;
    const variable = newVar({ shape: value.shape, dtype: value.dtype, weakType: false });
    this.#constvars.push(variable);
    this.#consts.push(value);
    return variable;
  }

  /** Adds an equation; the result types are those of the primitive's own shape rule. */
  bind<P>(primitive: Primitive<P>, inputs: readonly Value[], params: P): readonly Var[] {
    const atoms = inputs.map(asAtom);
    // `Primitive<P>` pairs the record with its parameter type, so the erased view is sound here.
    const record = erased(primitive);
    const plain = params as Params;
    const avals = this.#evaluateTypes(record, atoms, plain);
    const source = this.source;
    return this.append({ primitive: record, inputs: atoms, params: plain, source }, avals);
  }

  /** Adds an equation whose result types are known. */
  append(equation: Omit<Equation, "outputs">, avals: readonly ShapedArray[]): readonly Var[] {
    const outputs = avals.map(newVar);
    this.#equations.push({ ...equation, outputs });
    return outputs;
  }

  /** Adds a finished equation with its own output variables (used by passes that copy programs). */
  push(equation: Equation): void {
    this.#equations.push(equation);
  }

  /** The equation added last. */
  last(): Equation | undefined {
    return this.#equations.at(-1);
  }

  build(outputs: readonly Value[]): ClosedJaxpr {
    return closedJaxpr(
      {
        constvars: this.#constvars,
        invars: this.#invars,
        equations: this.#equations,
        outvars: outputs.map(asAtom),
      },
      this.#consts,
    );
  }

  #evaluateTypes(
    primitive: Primitive,
    inputs: readonly Atom[],
    params: Params,
  ): readonly ShapedArray[] {
    try {
      const types = inputs.map((atom) => atom.aval);
      const results = primitive.abstractEval(types, params);
      refuseKeys(primitive, types);
      return results;
    } catch (error) {
      if (!(error instanceof Jax2TfjsError) || error.details.source !== undefined) throw error;
      throw new Jax2TfjsError(error.code, error.message, {
        primitive: primitive.name,
        source: printSource(this.source),
        ...error.details,
        cause: error,
      });
    }
  }
}
