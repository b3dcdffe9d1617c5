/**
 * A text that is the same for programs that compute the same with the same equations, so that a
 * function that is traced again finds the graph made for it before.
 */
import { printAval } from "../ir/aval.js";
import { DimExpr, hashKey } from "../ir/dims.js";
import { isHostArray } from "../ir/hostArray.js";
import { isClosedJaxpr, type Atom, type ClosedJaxpr, type Var } from "../ir/jaxpr.js";
import { atomKey, Numbering } from "../ir/keys.js";

/** Numbers for arrays and functions that live as long as they do. */
const identities = new WeakMap<object, number>();
let nextIdentity = 0;

function identity(object: object): number {
  const known = identities.get(object);
  if (known !== undefined) return known;
  nextIdentity += 1;
  identities.set(object, nextIdentity);
  return nextIdentity;
}

function valueKey(value: unknown): string {
  if (value instanceof DimExpr) return hashKey(value);
  if (isClosedJaxpr(value)) return `(${programKey(value)})`;
  if (isHostArray(value)) return `#${identity(value)}`;
  if (Array.isArray(value)) return `[${value.map(valueKey).join(",")}]`;
  if (typeof value === "function") return `f${identity(value)}`;
  if (value !== null && typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype) return `#${identity(value)}`;
    return `{${Object.entries(value)
      .map(([key, item]) => `${key}:${valueKey(item)}`)
      .join(",")}}`;
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The key of a program. */
export function programKey({ jaxpr, consts }: ClosedJaxpr): string {
  const numbering = new Numbering();
  const define = (variable: Var): string =>
    `${atomKey(variable, numbering)}:${printAval(variable.aval)}`;
  const read = (atom: Atom): string => atomKey(atom, numbering);
  const lines = jaxpr.equations.map(
    ({ primitive, inputs, outputs, params }) =>
      `${outputs.map(define).join(" ")}=${primitive.name}${valueKey(params)} ${inputs.map(read).join(" ")}`,
  );
  return [
    jaxpr.invars.map(define).join(" "),
    jaxpr.constvars.map(define).join(" "),
    consts.map(valueKey).join(" "),
    ...lines,
    jaxpr.outvars.map(read).join(" "),
  ].join(";");
}
