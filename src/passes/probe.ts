/**
 * Recognises elementwise functions by what they compute: exports write erf, erfc and gelu as dozens
 * of equations, in forms that change with the version. A region of equations that depends on one
 * value alone is evaluated at sample points and compared with the functions of the table.
 */
import { isAtom } from "../ir/builder.js";
import type { Equation } from "../ir/jaxpr.js";
import { isFloat } from "../ir/dtypes.js";
import type { Ops, Value } from "../ir/ops.js";
import type { Match, Row } from "./rewrite.js";
import { erfInv, lgamma } from "./specialValues.js";

/** Shorter regions are not worth a look, unless they hold a function of the table themselves. */
const minEquations = 12;
const maxEquations = 160;

type Numbers = readonly number[];
type Evaluate = (args: Numbers) => number;

const flag = (value: boolean): number => (value ? 1 : 0);

/** The elementwise primitives that such regions consist of, on doubles. */
export const evaluators: Readonly<Record<string, Evaluate>> = {
  add: ([a = 0, b = 0]) => a + b,
  sub: ([a = 0, b = 0]) => a - b,
  mul: ([a = 0, b = 0]) => a * b,
  div: ([a = 0, b = 0]) => a / b,
  max: ([a = 0, b = 0]) => Math.max(a, b),
  min: ([a = 0, b = 0]) => Math.min(a, b),
  neg: ([a = 0]) => -a,
  abs: ([a = 0]) => Math.abs(a),
  sign: ([a = 0]) => Math.sign(a),
  exp: ([a = 0]) => Math.exp(a),
  log: ([a = 0]) => Math.log(a),
  log1p: ([a = 0]) => Math.log1p(a),
  sqrt: ([a = 0]) => Math.sqrt(a),
  rsqrt: ([a = 0]) => 1 / Math.sqrt(a),
  square: ([a = 0]) => a * a,
  integer_pow: ([a = 0, n = 1]) => a ** n,
  tanh: ([a = 0]) => Math.tanh(a),
  floor: ([a = 0]) => Math.floor(a),
  sin: ([a = 0]) => Math.sin(a),
  cos: ([a = 0]) => Math.cos(a),
  tan: ([a = 0]) => Math.tan(a),
  is_finite: ([a = 0]) => flag(Number.isFinite(a)),
  lt: ([a = 0, b = 0]) => flag(a < b),
  le: ([a = 0, b = 0]) => flag(a <= b),
  gt: ([a = 0, b = 0]) => flag(a > b),
  ge: ([a = 0, b = 0]) => flag(a >= b),
  eq: ([a = 0, b = 0]) => flag(a === b),
  ne: ([a = 0, b = 0]) => flag(a !== b),
  and: ([a = 0, b = 0]) => flag(a !== 0 && b !== 0),
  or: ([a = 0, b = 0]) => flag(a !== 0 || b !== 0),
  not: ([a = 0]) => flag(a === 0),
  select_n: ([which = 0, a = 0, b = 0]) => (which === 0 ? a : b),
  clamp: ([low = 0, x = 0, high = 0]) => Math.min(Math.max(x, low), high),
  erfc: ([a = 0]) => erfc(a),
  erf: ([a = 0]) => 1 - erfc(a),
  erf_inv: ([a = 0]) => erfInv(a),
  lgamma: ([a = 0]) => lgamma(a),
};

/** erfc by its series near 0 and its continued fraction beyond (DLMF 7.6.1 and 7.9.2). */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** A function of one number that regions are compared with. */
export interface KnownFunction {
  readonly name: string;
  readonly value: (x: number) => number;
  readonly build: (o: Ops, x: Value) => Value;
  /** Absolute error that its approximations may have; 1e-9 if left out. */
  readonly error?: number;
}

const literal = (o: Ops, value: number, like: Value): Value => o.literal(value, like.aval.dtype);

/** The functions looked for, the more telling first. */
const table: readonly KnownFunction[] = [
  {
    // jax.nn.gelu(approximate=False): absolute errors of erf are scaled by x, as JAX's own are.
    name: "gelu",
    value: (x) => (x / 2) * erfc(-x / Math.SQRT2),
    build: (o, x) => {
      const scaled = o.mul(x, literal(o, Math.SQRT1_2, x));
      const factor = o.add(o.erf(scaled), literal(o, 1, x));
      return o.mul(o.mul(x, literal(o, 0.5, x)), factor);
    },
  },
  { name: "erfc", value: erfc, build: (o, x) => o.erfc(x) },
  { name: "erf", value: (x) => 1 - erfc(x), build: (o, x) => o.erf(x) },
];

/** Irregular points that meet every branch of the usual approximations. */
const samples: Numbers = [
  -5.3, -4.1, -3.02, -2.47, -2.03, -1.96, -1.31, -1.02, -0.97, -0.61, -0.33, -0.107, -0.0113,
  0.0171, 0.093, 0.29, 0.51, 0.77, 0.93, 0.99, 1.01, 1.24, 1.73, 1.97, 2.02, 2.31, 2.9, 3.3, 4.2,
  5.1,
];

/** Equations between a value and the one value that it is a function of. */
interface Region {
  readonly source: Value;
  readonly equations: readonly Equation[];
}

/** Immediate dominators of the values of a program that is being rebuilt. */
class Dominators {
  readonly #immediate = new Map<Value, Value | null>();
  readonly #depth = new Map<Value, number>();

  constructor(readonly match: Match) {}

  /** The nearest value through which everything that `value` depends on passes; null if none. */
  immediate(value: Value): Value | null {
    const known = this.#immediate.get(value);
    if (known !== undefined) return known;
    const common = this.common(regionInputs(this.match.definition(value), this.match));
    this.#immediate.set(value, common);
    this.#depth.set(value, common === null ? 0 : this.#depthOf(common) + 1);
    return common;
  }

  /** The nearest value that all of these are functions of (one of them itself, perhaps). */
  common(inputs: readonly Value[] | null): Value | null {
    const [first, ...rest] = inputs ?? [];
    let common = first ?? null;
    for (const input of rest) common = common === null ? null : this.#nearest(common, input);
    return common;
  }

  #depthOf(value: Value): number {
    this.immediate(value);
    return this.#depth.get(value) ?? 0;
  }

  #nearest(left: Value, right: Value): Value | null {
    let [a, b]: [Value | null, Value | null] = [left, right];
    while (a !== null && b !== null && a !== b) {
      if (this.#depthOf(a) >= this.#depthOf(b)) a = this.immediate(a);
      else b = this.immediate(b);
    }
    return a === b ? a : null;
  }
}

/** The inputs that are no literals, of an equation that can be evaluated; null for others. */
function regionInputs(equation: Equation | undefined, match: Match): readonly Value[] | null {
  if (equation === undefined || !(equation.primitive.name in evaluators)) return null;
  return equation.inputs.filter((atom) => match.scalar(atom) === undefined);
}

function regionOf(value: Value, source: Value, match: Match): Region | null {
  const equations = new Set<Equation>();
  const pending = [value];
  const ordered: Equation[] = [];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const equation = match.definition(next);
    if (next === source || equation === undefined || equations.has(equation)) continue;
    equations.add(equation);
    ordered.push(equation);
    if (equations.size > maxEquations) return null;
    pending.push(...(regionInputs(equation, match) ?? []));
  }
  return { source, equations: ordered };
}

/** The value of a region's result at a point. */
function evaluateAt(value: Value, region: Region, point: number, match: Match): number {
  const values = new Map<Value, number>([[region.source, point]]);
  const visit = (target: Value): number => {
    const known = values.get(target) ?? scalarNumber(target, match);
    if (known !== undefined) return known;
    const equation = match.definition(target);
    const evaluate = equation === undefined ? undefined : evaluators[equation.primitive.name];
    if (equation === undefined || evaluate === undefined) return NaN;
    const args = equation.inputs.map(visit);
    const power = equation.params.y;
    const result = evaluate(typeof power === "number" ? [...args, power] : args);
    values.set(target, result);
    return result;
  };
  return visit(value);
}

function scalarNumber(value: Value, match: Match): number | undefined {
  const scalar = isAtom(value) && value.kind === "literal" ? value.value : match.scalar(value);
  return scalar === undefined || typeof scalar === "object" ? undefined : Number(scalar);
}

function recognise(
  value: Value,
  region: Region,
  match: Match,
  functions: readonly KnownFunction[],
): KnownFunction | undefined {
  return functions.find((known) =>
    samples.every((point) => {
      const expected = known.value(point);
      const found = evaluateAt(value, region, point, match);
      if (Number.isNaN(expected)) return Number.isNaN(found);
      return Math.abs(found - expected) <= 1e-5 * Math.abs(expected) + (known.error ?? 1e-9);
    }),
  );
}

/** A row that recognises the functions of the table, and further ones, in one program. */
export function recogniseFunctions(further: readonly KnownFunction[] = []): Row {
  const functions = [...table, ...further];
  const dominators = new WeakMap<Match, Dominators>();
  return {
    name: "recognise-function",
    primitives: ["mul", "select_n", "sub", "add"],
    rewrite: (o, equation, match) => {
      const [output] = equation.outputs;
      if (output === undefined || !isFloat(output.aval.dtype)) return null;
      const own = dominators.get(match) ?? new Dominators(match);
      dominators.set(match, own);
      const source = own.common(regionInputs(equation, match));
      if (source === null || !sameShape(source, output)) return null;
      const region = regionWith(equation, source, match);
      if (region === null || !isWorthALook(region)) return null;
      const found = recognise(output, region, matchWith(match, output, equation), functions);
      return found === undefined ? null : [found.build(o, source)];
    },
  };
}

/** The equation looked at is not part of the rebuilt program yet; here it is. */
function matchWith(match: Match, output: Value, equation: Equation): Match {
  return {
    definition: (value) => (value === output ? equation : match.definition(value)),
    made: (value, primitive) => match.made(value, primitive),
    scalar: (value) => match.scalar(value),
    constant: (value) => match.constant(value),
  };
}

function regionWith(equation: Equation, source: Value, match: Match): Region | null {
  const [output] = equation.outputs;
  return output === undefined ? null : regionOf(output, source, matchWith(match, output, equation));
}

function isWorthALook({ equations }: Region): boolean {
  if (equations.length >= minEquations) return true;
  const found = new Set(["erfc", "erf_inv"]);
  return equations.length > 2 && equations.some(({ primitive }) => found.has(primitive.name));
}

const sameShape = (a: Value, b: Value): boolean =>
  a.aval.dtype === b.aval.dtype && a.aval.shape.length === b.aval.shape.length;
