/**
 * Texts that tell equal parameters and atoms apart from others: what passes group equations by.
 */
import { DimExpr, hashKey } from "./dims.js";
import { isHostArray } from "./hostArray.js";
import { isClosedJaxpr, type Atom } from "./jaxpr.js";
import { HostFunction, LazyProgram, type ParamValue } from "./params.js";

/** Identity numbers for what has no useful text: variables, arrays, programs. */
export class Numbering {
  readonly #numbers = new Map<unknown, number>();

  of(item: unknown): number {
    const known = this.#numbers.get(item) ?? this.#numbers.size;
    this.#numbers.set(item, known);
    return known;
  }
}

/** A text that is the same for equal parameters. */
export function paramKey(value: ParamValue, numbering: Numbering): string {
  if (value instanceof DimExpr) return hashKey(value);
  if (value instanceof HostFunction) return `#${numbering.of(value)}`;
  if (isClosedJaxpr(value) || isHostArray(value) || value instanceof LazyProgram)
    return `#${numbering.of(value)}`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value as Readonly<Record<string, ParamValue>>);
    return `{${entries.map(([key, item]) => `${key}:${paramKey(item, numbering)}`).join(",")}}`;
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A text that is the same for equal atoms. */
export function atomKey(atom: Atom, numbering: Numbering): string {
  if (atom.kind === "var") return `v${numbering.of(atom)}`;
  const { value, aval } = atom;
  const text =
    typeof value === "object"
      ? `${value.re},${value.im}`
      : Object.is(value, -0)
        ? "-0"
        : String(value);
  return `${text}:${aval.dtype}`;
}
