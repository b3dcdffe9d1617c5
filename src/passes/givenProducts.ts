/**
 * Products of computed arrays with given weights, and the biases added to them: what the passes that
 * join products look for.
 */
import { broadcastInDim } from "../../primitives/shape.js";
import { newVar, type Atom, type ClosedJaxpr, type Equation, type Var } from "../ir/jaxpr.js";
import { erased, type Primitive } from "../ir/primitive.js";
import type { DotDimensionNumbers, Params } from "../ir/params.js";
import { usesOf, type Uses } from "./uses.js";

/** `x [..., k]` times `weight [k, n]`, the weight an input or constant of the program. */
export interface Product {
  readonly equation: Equation;
  readonly x: Var;
  readonly weight: Var;
  /** The `add` of a bias vector, if that is the only use of the product. */
  readonly biased: { readonly equation: Equation; readonly bias: Var } | null;
}

export interface Context extends Uses {
  readonly given: ReadonlySet<Atom>;
  readonly order: ReadonlyMap<Equation, number>;
}

/** The product that the program computes first: the joined one takes its place. */
export function earliest(
  products: readonly Product[],
  order: ReadonlyMap<Equation, number>,
): Product | undefined {
  const place = ({ equation }: Product): number => order.get(equation) ?? 0;
  return products.toSorted((a, b) => place(a) - place(b))[0];
}

export function contextOf({ jaxpr }: ClosedJaxpr): Context {
  const given = new Set<Atom>([...jaxpr.constvars, ...jaxpr.invars]);
  const order = new Map(jaxpr.equations.map((equation, index) => [equation, index]));
  return { ...usesOf(jaxpr), given, order };
}

export function asProduct(equation: Equation, context: Context): Product | null {
  const [x, weight] = equation.inputs;
  if (equation.primitive.name !== "dot_general" || x?.kind !== "var" || weight?.kind !== "var") {
    return null;
  }
  const [[lhs, rhs], batch] = equation.params.dimension_numbers as DotDimensionNumbers;
  const isPlain =
    lhs.length === 1 &&
    lhs[0] === x.aval.shape.length - 1 &&
    rhs[0] === 0 &&
    weight.aval.shape.length === 2 &&
    batch[0].length === 0;
  if (!isPlain || !context.given.has(weight)) return null;
  return { equation, x, weight, biased: biasOf(equation, context) };
}

function biasOf(equation: Equation, context: Context): Product["biased"] {
  const [output] = equation.outputs;
  const [user, ...others] = output === undefined ? [] : (context.users.get(output) ?? []);
  if (output === undefined || user?.primitive.name !== "add" || others.length > 0) return null;
  if (context.returned.has(output)) return null;
  const other = user.inputs.find((atom) => atom !== output);
  const spread = other === undefined ? undefined : context.definitions.get(other);
  const [bias] = spread?.inputs ?? [];
  const dimensions = spread?.params.broadcast_dimensions as readonly number[] | undefined;
  const isVector =
    spread?.primitive.name === "broadcast_in_dim" &&
    bias?.kind === "var" &&
    bias.aval.shape.length === 1 &&
    dimensions?.[0] === output.aval.shape.length - 1;
  if (!isVector || !context.given.has(bias)) return null;
  return { equation: user, bias };
}

/** `sum = x + bias` with the bias spread over the last dimension. */
export function biasEquations(like: Equation, x: Var, bias: Var, sum: Var): readonly Equation[] {
  const { shape } = x.aval;
  const spread = newVar({ ...bias.aval, shape });
  const params = { shape, broadcast_dimensions: [shape.length - 1] };
  return [
    equationLike(like, erased(broadcastInDim), [bias], [spread], params),
    { ...like, inputs: [x, spread], outputs: [sum] },
  ];
}

export function equationLike(
  like: Equation,
  primitive: Primitive,
  inputs: readonly Atom[],
  outputs: readonly Var[],
  params: Params,
): Equation {
  return { primitive, inputs, outputs, params, source: like.source };
}
