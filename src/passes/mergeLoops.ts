/**
 * Two loops that do the same with different weights and data, independently of each other, such as
 * the directions of a bidirectional network, become one loop over both: their values travel
 * together, and only products with weights are computed apart. Called by `optimize`.
 */
import { stack, unstack } from "../../primitives/slice.js";
import { evaluateBatched, moveBatchDimension } from "../transform/batch.js";
import { startBuilding, type Building } from "../transform/building.js";
import { removeUnused } from "../ir/cleanup.js";
import { Jax2TfjsError } from "../ir/errors.js";
import {
  closedJaxpr,
  newVar,
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import type { Value } from "../ir/ops.js";
import { erased, type Primitive } from "../ir/primitive.js";
import { expandEquations } from "./expand.js";
import { hoistProducts } from "./hoist.js";
import { pairBodies } from "./pairBodies.js";
import { raiseLoops } from "./raise.js";
import { inputsOf, readScan, scanEquation, Surroundings, type Scan } from "./scans.js";

/** Pairs of loops that one program may have. */
const maxPairs = 8;

/** Bodies with fewer equations are not worth the trouble of taking their results apart. */
const minEquations = 5;

/** What may stand in the body besides elementwise equations: views and products. */
const movable: ReadonlySet<string> = new Set([
  "dot_general",
  "broadcast_in_dim",
  "reshape",
  "squeeze",
  "transpose",
  "slice",
  "concatenate",
  "split",
  "reduce_sum",
  "reduce_max",
  "mean",
]);

/** Puts pairs of loops together; a program without such pairs stays as it is. */
export function mergeLoops(program: ClosedJaxpr): ClosedJaxpr {
  const loops = program.jaxpr.equations.filter(({ primitive: { name } }) =>
    ["while", "scan"].includes(name),
  );
  if (loops.length < 2) return program;
  let current = raiseLoops(program);
  let merged = 0;
  for (; merged < maxPairs; merged++) {
    const next = mergePair(current);
    if (next === null) break;
    current = removeUnused(next);
  }
  return merged === 0 ? program : expandEquations(current);
}

function mergePair(program: ClosedJaxpr): ClosedJaxpr | null {
  const { equations } = program.jaxpr;
  const scans = equations.filter(({ primitive }) => primitive.name === "scan");
  for (const [index, first] of scans.entries()) {
    for (const second of scans.slice(index + 1)) {
      if (!sameLength(first, second) || dependsOn(equations, first, second)) continue;
      const around = new Surroundings();
      const merged = mergeTwo(first, second, around);
      if (merged) return replaced(program, first, second, around);
    }
  }
  return null;
}

const sameLength = (first: Equation, second: Equation): boolean =>
  first.params.length === second.params.length &&
  first.inputs.length === second.inputs.length &&
  first.outputs.length === second.outputs.length;

/** Whether an equation needs results of an earlier one. */
function dependsOn(equations: readonly Equation[], first: Equation, second: Equation): boolean {
  return dependents(equations, first).has(second);
}

function dependents(equations: readonly Equation[], first: Equation): ReadonlySet<Equation> {
  const reached = new Set<Atom>(first.outputs);
  const found = new Set<Equation>();
  for (const equation of equations) {
    if (!equation.inputs.some((atom) => reached.has(atom))) continue;
    found.add(equation);
    for (const output of equation.outputs) reached.add(output);
  }
  return found;
}

/** The program with the surroundings, which hold the merged loop, in the place of both loops. */
function replaced(
  program: ClosedJaxpr,
  first: Equation,
  second: Equation,
  around: Surroundings,
): ClosedJaxpr {
  const { jaxpr, consts } = program;
  const later = dependents(jaxpr.equations, first);
  const place = jaxpr.equations.indexOf(second);
  const isLate = (equation: Equation, index: number): boolean =>
    index < place && later.has(equation);
  const own = jaxpr.equations.filter((equation) => equation !== first && equation !== second);
  const before = jaxpr.equations.filter(
    (equation, index) => index < place && equation !== first && !isLate(equation, index),
  );
  const isBefore = new Set(before);
  return closedJaxpr(
    {
      ...jaxpr,
      constvars: [...jaxpr.constvars, ...around.constvars],
      equations: [
        ...before,
        ...around.equations,
        ...own.filter((equation) => !isBefore.has(equation)),
      ],
    },
    [...consts, ...around.consts],
  );
}

/** Adds one loop in the place of two to the surroundings; false if the two differ. */
function mergeTwo(first: Equation, second: Equation, around: Surroundings): boolean {
  const [plainA, plainB] = [readScan(first, around), readScan(second, around)];
  if (plainA === null || plainB === null) return false;
  if (![plainA, plainB].every(isMergeable)) return false;
  const [a, b] = [hoistProducts(plainA, around), hoistProducts(plainB, around)];
  const pairing = pairBodies(a, b);
  if (pairing === null || a.body.jaxpr.equations.length < minEquations) return false;
  try {
    around.equations.push(...new Merger(a, b, pairing).equations());
    return true;
  } catch (error) {
    // A rule for batches that refuses these shapes: the loops stay apart.
    if (error instanceof Jax2TfjsError) return false;
    throw error;
  }
}

const isMergeable = ({ body }: Scan): boolean =>
  body.jaxpr.equations.some(({ primitive }) => primitive.name === "dot_general") &&
  body.jaxpr.equations.every(
    ({ primitive, params }) =>
      subJaxprs(params).length === 0 &&
      (primitive.traits?.elementwise === true || movable.has(primitive.name)),
  );

/** A value of both loops: the same for both, one for each, or both along a leading dimension. */
type Double =
  | { readonly kind: "shared"; readonly value: Value }
  | {
      readonly kind: "apart";
      readonly values: readonly [Value, Value];
      readonly isProduct: boolean;
    }
  | { readonly kind: "together"; readonly value: Value };

class Merger {
  readonly #building: Building = startBuilding();
  readonly #values = new Map<Var, Double>();
  readonly #stacked = new Map<Double, Double & { readonly kind: "together" }>();
  readonly #parts = new Map<Double, readonly [Value, Value]>();
  readonly #outer: Equation[] = [];

  constructor(
    readonly a: Scan,
    readonly b: Scan,
    readonly pairing: ReadonlyMap<Var, Var>,
  ) {}

  /** What prepares the merged loop, the loop, and what takes its results apart. */
  equations(): readonly Equation[] {
    const { builder } = this.#building;
    const { jaxpr } = this.a.body;
    const own = inputsOf(this.a);
    const consts = own.consts.flatMap((variable, index) => this.#const(variable, index));
    const carry = own.carry.map((variable, index): Atom => {
      const input = builder.input(doubled(variable.aval, 0));
      this.#values.set(variable, { kind: "together", value: input });
      return this.#stack([this.a.carry[index], this.b.carry[index]], 0);
    });
    const rows = own.rows.map((variable, index): Atom => {
      const [x, y] = [this.a.rows[index], this.b.rows[this.#twin(variable, "rows")]];
      const isShared = x !== undefined && x === y;
      const input = builder.input(isShared ? variable.aval : doubled(variable.aval, 0));
      this.#values.set(variable, { kind: isShared ? "shared" : "together", value: input });
      return isShared ? x : this.#stack([x, y], 1);
    });
    for (const equation of jaxpr.equations) this.#equation(equation);
    const results = jaxpr.outvars.map((atom) => this.#together(this.#read(atom)).value);
    const outputs = this.a.outputs.map(({ aval }, index) =>
      newVar(doubled(aval, index < carry.length ? 0 : 1)),
    );
    const { length, like } = this.a;
    const body = builder.build(results);
    this.#outer.push(scanEquation({ body, consts, carry, rows, length, outputs, like }));
    outputs.forEach((output, index) => {
      const [x, y] = [this.a.outputs[index], this.b.outputs[index]];
      if (x === undefined || y === undefined)
        throw new Error("internal error: loop without result");
      const params = { axis: index < carry.length ? 0 : 1 };
      this.#outer.push({
        ...like,
        primitive: erased(unstack),
        inputs: [output],
        outputs: [x, y],
        params,
      });
    });
    return this.#outer;
  }

  /** The place of the second loop's input that corresponds to one of the first. */
  #twin(variable: Var, kind: "consts" | "rows"): number {
    const twin = this.pairing.get(variable);
    return inputsOf(this.b)[kind].findIndex((own) => own === twin);
  }

  #const(variable: Var, index: number): readonly Atom[] {
    const { builder } = this.#building;
    const [x, y] = [this.a.consts[index], this.b.consts[this.#twin(variable, "consts")]];
    if (x === undefined || y === undefined) throw new Error("internal error: loop without input");
    if (x === y) {
      this.#values.set(variable, { kind: "shared", value: builder.input(variable.aval) });
      return [x];
    }
    const values = [builder.input(variable.aval), builder.input(variable.aval)] as const;
    this.#values.set(variable, { kind: "apart", values, isProduct: false });
    return [x, y];
  }

  #stack(parts: readonly (Atom | undefined)[], axis: number): Var {
    const inputs = parts.flatMap((part) => part ?? []);
    const [first] = inputs;
    if (first === undefined || inputs.length !== 2) throw new Error("internal error: no two loops");
    const output = newVar(doubled(first.aval, axis));
    const { like } = this.a;
    const primitive = erased(stack) as Primitive;
    this.#outer.push({ ...like, primitive, inputs, outputs: [output], params: { axis } });
    return output;
  }

  #read(atom: Atom): Double {
    if (atom.kind === "literal") return { kind: "shared", value: atom };
    const value = this.#values.get(atom);
    if (value === undefined) throw new Error("internal error: variable before its definition");
    return value;
  }

  #together(double: Double): Double & { readonly kind: "together" } {
    if (double.kind === "together") return double;
    const known = this.#stacked.get(double);
    if (known !== undefined) return known;
    const parts = double.kind === "shared" ? [double.value, double.value] : double.values;
    const [value] = this.#building.o.bind(stack, parts, { axis: 0 });
    if (value === undefined) throw new Error("internal error: stack without result");
    const made = { kind: "together", value } as const;
    this.#stacked.set(double, made);
    return made;
  }

  #apart(double: Double): readonly [Value, Value] {
    if (double.kind === "shared") return [double.value, double.value];
    if (double.kind === "apart") return double.values;
    const known = this.#parts.get(double);
    if (known !== undefined) return known;
    const [x, y] = this.#building.o.bind(unstack, [double.value], { axis: 0 });
    if (x === undefined || y === undefined) throw new Error("internal error: unstack of two");
    this.#parts.set(double, [x, y]);
    return [x, y];
  }

  #equation(equation: Equation): void {
    const inputs = equation.inputs.map((atom) => this.#read(atom));
    this.#building.builder.source = equation.source;
    if (staysApart(equation, inputs)) {
      const parts = inputs.map((input) => this.#apart(input));
      const of = (side: 0 | 1): readonly Value[] =>
        this.#building.o.bind(
          equation.primitive,
          parts.map((part) => part[side]),
          equation.params,
        );
      const [left, right] = [of(0), of(1)];
      equation.outputs.forEach((output, index) => {
        const [x, y] = [left[index], right[index]];
        if (x === undefined || y === undefined) return;
        const isProduct = equation.primitive.name !== "broadcast_in_dim";
        this.#values.set(output, { kind: "apart", values: [x, y], isProduct });
      });
      return;
    }
    this.#batched(equation, inputs);
  }

  /** The equation once, on values of both loops. */
  #batched(equation: Equation, inputs: readonly Double[]): void {
    const variables = [...new Set(equation.inputs)].filter((atom) => atom.kind === "var");
    const values = variables.map((variable): Double => {
      const double = this.#read(variable);
      return double.kind === "shared" ? double : this.#together(double);
    });
    const isShared = inputs.every(({ kind }) => kind === "shared");
    const program = closedJaxpr({
      constvars: [],
      invars: variables,
      equations: [equation],
      outvars: equation.outputs,
    });
    const results = evaluateBatched(
      this.#building,
      program,
      values.map((double) => (double.kind === "apart" ? double.values[0] : double.value)),
      values.map(({ kind }) => (kind === "shared" ? null : 0)),
    );
    equation.outputs.forEach((output, index) => {
      const value = results.outputs[index];
      if (value === undefined) return;
      const dim = results.dims[index] ?? null;
      this.#values.set(
        output,
        isShared
          ? { kind: "shared", value }
          : { kind: "together", value: moveBatchDimension(this.#building.o, value, dim, 0, 2) },
      );
    });
  }
}

/**
 * Products with weights, and the sums that add a bias to them, are as many nodes apart as they
 * would be together, and faster: the kernels for single matrices are the better ones.
 */
function staysApart({ primitive: { name } }: Equation, inputs: readonly Double[]): boolean {
  const isApart = inputs.some(({ kind }) => kind === "apart");
  if (!isApart) return false;
  if (name === "dot_general") return true;
  const areWeights = inputs.every(({ kind }) => kind !== "together");
  if (name === "broadcast_in_dim") return areWeights;
  const isBias = inputs.some((input) => input.kind === "apart" && input.isProduct);
  const isFree = inputs.some((input) => input.kind === "apart" && !input.isProduct);
  return (
    name === "add" && areWeights && isBias && (isFree || inputs.some((x) => x.kind === "shared"))
  );
}

function doubled(aval: Var["aval"], axis: number): Var["aval"] {
  return { ...aval, shape: aval.shape.toSpliced(axis, 0, 2) };
}
