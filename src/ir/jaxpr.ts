/**
 * The one intermediate representation: typed equations over primitives, with JAX's names. Programs
 * come in by tracing or import, are transformed jaxpr -> jaxpr, and are lowered to TensorFlow nodes.
 */
import type { ShapedArray } from "./aval.js";
import type { SourceLocation } from "./errors.js";
import type { HostArray } from "./hostArray.js";
import type { Params } from "./params.js";
import type { Primitive } from "./primitive.js";

/** A variable, bound once: by the program's inputs or by one equation. Compared by identity. */
export interface Var {
  readonly kind: "var";
  readonly aval: ShapedArray;
}

export interface ComplexNumber {
  readonly re: number;
  readonly im: number;
}

/** 64-bit integers may be bigint; every other integer, float or bool is a number or boolean. */
export type LiteralValue = number | boolean | bigint | ComplexNumber;

/** A scalar written into the equation that uses it. */
export interface Literal {
  readonly kind: "literal";
  readonly value: LiteralValue;
  readonly aval: ShapedArray;
}

export type Atom = Var | Literal;

/** Where an equation comes from, for messages, profiles and node names. */
export interface SourceInfo {
  /** Call stack of the user's program, innermost frame first; may be empty. */
  readonly frames: readonly SourceLocation[];
  /** JAX's name stack, e.g. `jit(apply)/Dense_0/dot_general`. */
  readonly nameStack: string;
}

export interface Equation {
  readonly primitive: Primitive;
  readonly inputs: readonly Atom[];
  readonly outputs: readonly Var[];
  readonly params: Params;
  readonly source: SourceInfo;
}

export interface Jaxpr {
  readonly constvars: readonly Var[];
  readonly invars: readonly Var[];
  readonly equations: readonly Equation[];
  readonly outvars: readonly Atom[];
}

/** A jaxpr together with the values of its constvars. */
export interface ClosedJaxpr {
  readonly kind: "closed-jaxpr";
  readonly jaxpr: Jaxpr;
  readonly consts: readonly HostArray[];
}

export const noSource: SourceInfo = { frames: [], nameStack: "" };

/**
 * The source of an equation inside of a call: JAX leaves the frames of many called functions out, so
 * the caller's stand in, and name stacks are joined.
 */
export function withinCall(call: SourceInfo, inner: SourceInfo): SourceInfo {
  if (call === noSource) return inner;
  const frames = inner.frames.length > 0 ? inner.frames : call.frames;
  const isWhole = inner.nameStack.includes("/") || call.nameStack === "";
  const nameStack = isWhole ? inner.nameStack : `${call.nameStack}/${inner.nameStack}`;
  return { frames, nameStack: inner.nameStack === "" ? call.nameStack : nameStack };
}

/** A fresh variable of the given type. */
export function newVar(aval: ShapedArray): Var {
  return { kind: "var", aval };
}

export function closedJaxpr(jaxpr: Jaxpr, consts: readonly HostArray[] = []): ClosedJaxpr {
  return { kind: "closed-jaxpr", jaxpr, consts };
}

/** True if a parameter value is a program. */
export function isClosedJaxpr(value: unknown): value is ClosedJaxpr {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as { kind?: unknown }).kind === "closed-jaxpr"
  );
}

/** All programs among the parameters of an equation, in order of appearance (lists included). */
export function subJaxprs(params: Params): readonly ClosedJaxpr[] {
  const found: ClosedJaxpr[] = [];
  const visit = (value: unknown): void => {
    if (isClosedJaxpr(value)) found.push(value);
    else if (Array.isArray(value)) value.forEach(visit);
  };
  Object.values(params).forEach(visit);
  return found;
}

/** Number of equations, those of inner programs included. */
export function countEquations(jaxpr: Jaxpr): number {
  return jaxpr.equations.reduce(
    (sum, eqn) =>
      sum + 1 + subJaxprs(eqn.params).reduce((inner, sub) => inner + countEquations(sub.jaxpr), 0),
    0,
  );
}
