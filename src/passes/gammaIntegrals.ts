/**
 * Recognises the incomplete gamma integrals before derivatives: exports write them as two loops,
 * which have no reverse derivative. Candidates start at `a log x - x - lgamma(a)`, the logarithm of
 * the common factor; what follows from a and x alone is compared with P and Q at sample points.
 */
import { igamma, igammac } from "../../primitives/incomplete.js";
import {
  isClosedJaxpr,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { evaluators } from "./probe.js";
import type { Match, Row } from "./rewrite.js";
import { lgamma } from "./specialValues.js";

/** More equations, or steps of a loop, are not looked at. */
const maxEquations = 300;
const maxSteps = 3000;

/** P(a, x) by its series, Q by Lentz' continued fraction (DLMF 8.11.4 and 8.9.2). */
function lowerIntegral(a: number, x: number): number {
  if (Number.isNaN(a) || a < 0 || x < 0 || (a === 0 && x === 0)) return NaN;
  if (x === 0) return 0;
  if (a === 0) return 1;
  const factor = Math.exp(a * Math.log(x) - x - lgamma(a));
  if (x > a + 1) return 1 - factor * upperFraction(a, x);
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < 500; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return factor * sum;
}

function upperFraction(a: number, x: number): number {
  let fraction = 0;
  for (let n = 300; n > 0; n--) fraction = (n * (n - a)) / (x + 2 * n + 1 - a - fraction);
  return 1 / (x + 1 - a - fraction);
}

/** Points on both sides of x = a, and some where there is no value. */
const samples: readonly (readonly [a: number, x: number])[] = [
  [0.5, 0.3],
  [0.7, 2.1],
  [2.3, 0.9],
  [2.2, 3.7],
  [4.1, 9.3],
  [6.5, 5.2],
  [-1.3, 0.7],
  [1.4, -0.6],
  [0, 0],
  [1.2, 0],
];

const functions = [
  { primitive: igamma, value: lowerIntegral },
  { primitive: igammac, value: (a: number, x: number) => 1 - lowerIntegral(a, x) },
];

/** A row that recognises both integrals in one program. */
export function recogniseGammaIntegrals(): Row {
  const pairs = new WeakMap<Match, [a: Value, x: Value][]>();
  return {
    name: "recognise-gamma-integral",
    primitives: ["sub", "select_n"],
    rewrite: (o, equation, match) => {
      const known = pairs.get(match) ?? [];
      pairs.set(match, known);
      if (equation.primitive.name === "sub") {
        const pair = logFactor(equation, match);
        if (pair !== null) known.push(pair);
        return null;
      }
      for (const [a, x] of known) {
        const equations = regionOf(equation, [a, x], match);
        if (equations === null) continue;
        const found = functions.find(({ value }) =>
          samples.every(([p, q]) =>
            agrees(evaluate(equations, [a, x], [p, q], match), value(p, q)),
          ),
        );
        if (found !== undefined) return o.bind(found.primitive, [a, x], {});
      }
      return null;
    },
  };
}

function agrees(found: number | undefined, expected: number): boolean {
  if (found === undefined) return false;
  if (Number.isNaN(expected)) return Number.isNaN(found);
  return Math.abs(found - expected) <= 1e-5 * Math.abs(expected) + 1e-6;
}

/** The a and x of `(a log x - x) - …`. */
function logFactor(equation: Equation, match: Match): [a: Value, x: Value] | null {
  const [left] = equation.inputs;
  if (left === undefined) return null;
  const difference = match.made(left, "sub");
  const [product, x] = difference?.inputs ?? [];
  if (product === undefined || x === undefined) return null;
  const factors = match.made(product, "mul")?.inputs ?? [];
  const isLog = (atom: Atom): boolean => match.made(atom, "log")?.inputs[0] === x;
  const a = factors.find((atom) => !isLog(atom));
  return a !== undefined && factors.some(isLog) ? [a, x] : null;
}

const isEvaluable = ({ primitive, params }: Equation): boolean =>
  primitive.name in evaluators ||
  passedOn.has(primitive.name) ||
  (primitive.name === "while" &&
    subJaxprs(params).every(({ jaxpr }) => jaxpr.equations.every(isEvaluable)));

/** Primitives that hand a number on when there is only one. */
const passedOn = new Set(["broadcast_in_dim", "reshape", "reduce_or", "convert_element_type"]);

/** The equations from the two sources to a result, in order; null if it depends on more. */
function regionOf(
  last: Equation,
  sources: readonly Value[],
  match: Match,
): readonly Equation[] | null {
  const seen = new Set<Equation>();
  const ordered: Equation[] = [];
  const visit = (equation: Equation): boolean => {
    if (seen.has(equation)) return true;
    seen.add(equation);
    if (seen.size > maxEquations || !isEvaluable(equation)) return false;
    for (const atom of equation.inputs) {
      if (atom.kind === "literal" || sources.includes(atom)) continue;
      const definition = match.definition(atom);
      if (definition === undefined || !visit(definition)) return false;
    }
    ordered.push(equation);
    return true;
  };
  const isClosed = visit(last);
  return isClosed && ordered.some(({ primitive }) => primitive.name === "while") ? ordered : null;
}

/** The result of a region of numbers; undefined if it cannot be evaluated. */
function evaluate(
  equations: readonly Equation[],
  sources: readonly Value[],
  point: readonly number[],
  match: Match,
): number | undefined {
  const values = new Map<Value, number>();
  sources.forEach((source, index) => values.set(source, point[index] ?? NaN));
  const last = run(equations, values, (atom) => {
    const scalar = match.scalar(atom);
    return scalar === undefined || typeof scalar === "object" ? undefined : Number(scalar);
  });
  return last?.[0];
}

/** Evaluates equations on numbers; gives the results of the last one. */
function run(
  equations: readonly Equation[],
  values: Map<Value, number>,
  scalar: (atom: Atom) => number | undefined,
): readonly number[] | undefined {
  let last: readonly number[] | undefined;
  for (const equation of equations) {
    const args: number[] = [];
    for (const atom of equation.inputs) {
      const value = atom.kind === "literal" ? Number(atom.value) : values.get(atom);
      const known = value ?? scalar(atom);
      if (known === undefined) return undefined;
      args.push(known);
    }
    const results = runEquation(equation, args);
    if (results === undefined) return undefined;
    equation.outputs.forEach((output, index) => values.set(output, results[index] ?? NaN));
    last = results;
  }
  return last;
}

function runEquation(
  { primitive, params }: Equation,
  args: readonly number[],
): readonly number[] | undefined {
  if (passedOn.has(primitive.name)) return args;
  const power = params.y;
  const evaluator = evaluators[primitive.name];
  if (evaluator !== undefined) {
    return [evaluator(typeof power === "number" ? [...args, power] : args)];
  }
  const { cond_jaxpr: condition, body_jaxpr: body, cond_nconsts, body_nconsts } = params;
  if (!isClosedJaxpr(condition) || !isClosedJaxpr(body)) return undefined;
  const [testCount, constCount] = [Number(cond_nconsts), Number(body_nconsts)];
  const bodyConsts = args.slice(testCount, testCount + constCount);
  let carry: readonly number[] | undefined = args.slice(testCount + constCount);
  for (let step = 0; step < maxSteps; step++) {
    const test = runProgram(condition, [...args.slice(0, testCount), ...carry]);
    if (test === undefined) return undefined;
    if (test[0] === 0) return carry;
    carry = runProgram(body, [...bodyConsts, ...carry]);
    if (carry === undefined) return undefined;
  }
  return undefined;
}

function runProgram(
  { jaxpr }: ClosedJaxpr,
  args: readonly number[],
): readonly number[] | undefined {
  if (jaxpr.constvars.length > 0) return undefined;
  const values = new Map<Value, number>();
  jaxpr.invars.forEach((variable: Var, index) => values.set(variable, args[index] ?? NaN));
  if (jaxpr.equations.length > 0) {
    const done = run(jaxpr.equations, values, () => undefined);
    if (done === undefined) return undefined;
  }
  return jaxpr.outvars.map((atom) =>
    atom.kind === "literal" ? Number(atom.value) : (values.get(atom) ?? NaN),
  );
}
