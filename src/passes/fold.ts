/**
 * Constant folding with the primitives' own exact host rules: index arithmetic, masks, loop
 * counters. Values that tfjs would compute differently per backend are never folded here, because
 * only records with an exact rule have one.
 */
import { isStaticShape } from "../ir/dims.js";
import { isComplex, kindOf } from "../ir/dtypes.js";
import { elementCount, fromNumbers, valuesOf, type HostArray } from "../ir/hostArray.js";
import {
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Literal,
  type LiteralValue,
  type Var,
} from "../ir/jaxpr.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";

/** Larger results stay computed: a constant costs download, an iota or a broadcast nothing. */
export const maxFoldedElements = 16384;

/** A literal as an array of shape (). */
export function literalArray(literal: Literal): HostArray {
  const { value, aval } = literal;
  if (typeof value === "object") return fromNumbers(aval.dtype, [], [value.re, value.im]);
  if (typeof value === "bigint") return fromNumbers(aval.dtype, [], [value]);
  if (isComplex(aval.dtype)) return fromNumbers(aval.dtype, [], [Number(value), 0]);
  return fromNumbers(aval.dtype, [], [Number(value)]);
}

/** A one-element array as the value of a literal; undefined for what no literal holds. */
export function scalarOf(array: HostArray): LiteralValue | undefined {
  if (kindOf(array.dtype) === "key") return undefined;
  const values = valuesOf(array);
  if (isComplex(array.dtype)) return { re: Number(values[0]), im: Number(values[1]) };
  const value = values[0];
  if (value === undefined) return undefined;
  return kindOf(array.dtype) === "bool" ? Number(value) !== 0 : value;
}

/** Evaluates one equation on the host; null if it has no exact rule or its sizes are not known. */
export function foldEquation(
  equation: Equation,
  inputs: readonly HostArray[],
): readonly HostArray[] | null {
  const { primitive, params, outputs } = equation;
  if (primitive.fold === undefined || primitive.traits?.effectful === true) return null;
  const avals = outputs.map((variable) => variable.aval);
  const small = avals.every(
    ({ shape }) => isStaticShape(shape) && elementCount(shape) <= maxFoldedElements,
  );
  return small ? primitive.fold(inputs, params, avals) : null;
}

/**
 * Evaluates a program on the host where inputs may be unknown (null).
 *
 * @returns per output its value, or null where it depends on something unknown
 */
export function evaluateOnHost(
  program: ClosedJaxpr,
  args: readonly (HostArray | null)[],
): readonly (HostArray | null)[] {
  const { jaxpr, consts } = program;
  const values = new Map<Var, HostArray | null>();
  jaxpr.invars.forEach((variable, index) => values.set(variable, args[index] ?? null));
  jaxpr.constvars.forEach((variable, index) => values.set(variable, consts[index] ?? null));
  const read = (atom: Atom): HostArray | null =>
    atom.kind === "literal" ? literalArray(atom) : (values.get(atom) ?? null);
  for (const equation of jaxpr.equations) {
    const inputs = equation.inputs.map(read);
    const known = inputs.filter((input) => input !== null);
    const results = known.length < inputs.length ? null : evaluateEquation(equation, known);
    equation.outputs.forEach((variable, index) => values.set(variable, results?.[index] ?? null));
  }
  return jaxpr.outvars.map(read);
}

function evaluateEquation(
  equation: Equation,
  inputs: readonly HostArray[],
): readonly (HostArray | null)[] | null {
  const key = equation.primitive.traits?.inlines;
  const [inner] = key === undefined ? [] : subJaxprs(equation.params);
  if (inner !== undefined) return evaluateOnHost(inner, inputs);
  return foldEquation(equation, inputs);
}

/** A literal spread to a shape, if the atom is known at all. */
function isSpread(atom: Atom, match: Match): boolean {
  return atom.kind === "var" && match.scalar(atom) !== undefined;
}

/** Up to so many numbers put side by side become a constant. */
const maxShort = 256;

/** A few numbers put side by side, such as the sizes of a shape. */
function isShort({ primitive, outputs: [output] }: Equation): boolean {
  const shape = output?.aval.shape ?? [];
  if (primitive.name !== "concatenate" || !isStaticShape(shape)) return false;
  return elementCount(shape) <= maxShort;
}

/** The value of an atom that is a literal, a constant, or one of these spread to a shape. */
export function knownArray(atom: Atom, match: Match): HostArray | undefined {
  if (atom.kind === "literal") return literalArray(atom);
  const spread = match.made(atom, "broadcast_in_dim");
  const [source] = spread?.inputs ?? [];
  if (spread === undefined || source === undefined) return match.constant(atom);
  const array = source.kind === "literal" ? literalArray(source) : match.constant(source);
  return array === undefined ? undefined : foldEquation(spread, [array])?.[0];
}

/** An equation that repeats its only input. */
function spreads({ primitive, inputs: [input, ...others], outputs }: Equation): boolean {
  const shape = outputs[0]?.aval.shape ?? [];
  if (input === undefined || others.length > 0) return false;
  if (input.kind === "literal") return shape.length > 0;
  if (primitive.name !== "broadcast_in_dim") return false;
  return withoutUnits(shape) > withoutUnits(input.aval.shape);
}

/** Whether all elements have the same bytes. */
function isConstant({ shape, bytes }: HostArray): boolean {
  const count = elementCount(shape);
  const width = bytes.length / Math.max(count, 1);
  return count > 0 && bytes.every((byte, index) => byte === bytes[index % width]);
}

const withoutUnits = (shape: readonly unknown[]): number => shape.filter((dim) => dim !== 1).length;

/** An array as a value; where all elements are the same, a literal spread to its shape. */
export function knownValue(o: Ops, array: HostArray): Value {
  const scalar = isConstant(array) ? scalarOf(array) : undefined;
  return scalar === undefined ? o.constant(array) : o.full(array.shape, scalar, array.dtype);
}

/** Replaces equations whose inputs are all known by their values. */
export const foldConstants: Row = {
  name: "fold-constants",
  primitives: null,
  rewrite: (o, equation, match) => {
    if (equation.primitive.fold === undefined) return null;
    const inputs: HostArray[] = [];
    for (const atom of equation.inputs) {
      const array = knownArray(atom, match);
      if (array === undefined) return null;
      inputs.push(array);
    }
    // Alone, spread scalars stay spread.
    const { inputs: atoms } = equation;
    const isUniform = atoms.length > 0 && atoms.every((atom) => isSpread(atom, match));
    if (isUniform && !isShort(equation)) return null;
    // What is only spread out stays small: the graph broadcasts it for nothing.
    if (spreads(equation)) return null;
    const results = foldEquation(equation, inputs);
    return results?.map((array) => knownValue(o, array)) ?? null;
  },
};
