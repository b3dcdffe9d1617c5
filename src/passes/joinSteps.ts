/**
 * Products of all steps of a sequence with the same weight become one product of the sequence.
 */
import { unstack } from "../../primitives/slice.js";
import { dimEquals } from "../ir/dims.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Var,
} from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";
import type { DotDimensionNumbers } from "../ir/params.js";
import {
  asProduct,
  biasEquations,
  contextOf,
  earliest,
  equationLike,
  type Context,
  type Product,
} from "./givenProducts.js";

/** Products of every piece of an `unstack` with one weight: one product, then the `unstack`. */
export function joinSteps(program: ClosedJaxpr): ClosedJaxpr {
  const context = contextOf(program);
  const replaced = new Map<Equation, readonly Equation[]>();
  for (const equation of program.jaxpr.equations) {
    if (equation.primitive.name !== "unstack") continue;
    joinUnstacked(equation, context, replaced);
  }
  if (replaced.size === 0) return program;
  const equations = program.jaxpr.equations.flatMap(
    (equation) => replaced.get(equation) ?? [equation],
  );
  return closedJaxpr({ ...program.jaxpr, equations }, program.consts);
}

function joinUnstacked(
  equation: Equation,
  context: Context,
  replaced: Map<Equation, readonly Equation[]>,
): void {
  const [x] = equation.inputs;
  const axis = Number(equation.params.axis);
  if (x?.kind !== "var" || axis >= x.aval.shape.length - 1) return;
  const byWeight = new Map<Var, Map<Var, Product>>();
  for (const piece of equation.outputs) {
    for (const user of context.users.get(piece) ?? []) {
      const product = asGivenProduct(user, piece, context);
      if (product === null) continue;
      const products = byWeight.get(product.weight) ?? new Map<Var, Product>();
      byWeight.set(product.weight, products.set(piece, product));
    }
  }
  for (const products of byWeight.values()) {
    const ordered = equation.outputs.flatMap((piece) => products.get(piece) ?? []);
    const first = earliest(ordered, context.order);
    if (first === undefined || ordered.length !== equation.outputs.length) continue;
    const source = beforeTransposition(x, axis, context);
    const whole = wholeProduct(first, source.x, source.axis, ordered);
    if (whole.length === 0) continue;
    for (const { equation: own, biased } of ordered) {
      replaced.set(own, []);
      if (biased !== null && hasSharedBias(ordered)) replaced.set(biased.equation, []);
    }
    replaced.set(first.equation, whole);
  }
}

/** The array before a transposition that only moves the axis of the steps. */
function beforeTransposition(
  x: Var,
  axis: number,
  context: Context,
): { readonly x: Var; readonly axis: number } {
  const made = context.definitions.get(x);
  const [inner] = made?.inputs ?? [];
  if (made?.primitive.name !== "transpose" || inner?.kind !== "var") return { x, axis };
  const permutation = made.params.permutation as readonly number[];
  const others = permutation.filter((_, index) => index !== axis);
  const inOrder = others.every((from, index) => index === 0 || from > (others[index - 1] ?? 0));
  const from = permutation[axis] ?? 0;
  return inOrder && from < permutation.length - 1 ? { x: inner, axis: from } : { x, axis };
}

function asGivenProduct(user: Equation, piece: Var, context: Context): Product | null {
  const product = asProduct(user, { ...context, given: withJoined(context) });
  return product?.x === piece ? product : null;
}

/** Weights that exist before any step: inputs, and inputs put side by side. */
function withJoined({ given, definitions }: Context): ReadonlySet<Atom> {
  const result = new Set(given);
  for (const [atom, { primitive, inputs }] of definitions) {
    if (primitive.name === "concatenate" && inputs.every((input) => given.has(input)))
      result.add(atom);
  }
  return result;
}

/** Whether all steps add the same bias to their product. */
function hasSharedBias(ordered: readonly Product[]): boolean {
  const bias = ordered[0]?.biased?.bias;
  return bias !== undefined && ordered.every(({ biased }) => biased?.bias === bias);
}

function wholeProduct(
  first: Product,
  x: Var,
  axis: number,
  ordered: readonly Product[],
): readonly Equation[] {
  const rank = x.aval.shape.length;
  const columns = first.weight.aval.shape[1] ?? 0;
  const piece = first.equation.outputs[0];
  if (piece === undefined || !dimEquals(piece.aval.shape.at(-1) ?? -1, columns)) return [];
  const whole = newVar({ ...piece.aval, shape: [...x.aval.shape.slice(0, -1), columns] });
  const dimensions: DotDimensionNumbers = [
    [[rank - 1], [0]],
    [[], []],
  ];
  const product: Equation = {
    ...first.equation,
    inputs: [x, first.weight],
    outputs: [whole],
    params: { ...first.equation.params, dimension_numbers: dimensions },
  };
  const unstacked = (result: Var, outputs: readonly Var[]): Equation =>
    equationLike(first.equation, erased(unstack), [result], outputs, { axis });
  if (first.biased === null || !hasSharedBias(ordered)) {
    const outputs = ordered.flatMap(({ equation }) => equation.outputs);
    return [product, unstacked(whole, outputs)];
  }
  const sum = newVar(whole.aval);
  const outputs = ordered.flatMap(({ biased }) => biased?.equation.outputs ?? []);
  const biased = biasEquations(first.biased.equation, whole, first.biased.bias, sum);
  return [product, ...biased, unstacked(sum, outputs)];
}
