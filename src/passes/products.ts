/**
 * Joins matrix products: several products of one array with different weights (the gates of a
 * recurrent cell) become one with the weights side by side. Called by `optimize`, and for the bodies
 * of loops.
 */
import { broadcastInDim } from "../../primitives/shape.js";
import { concatenate, slice } from "../../primitives/slice.js";
import type { Dim, Shape } from "../ir/dims.js";
import type { ShapedArray } from "../ir/aval.js";
import {
  closedJaxpr,
  newVar,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Literal,
  type Var,
} from "../ir/jaxpr.js";
import { erased } from "../ir/primitive.js";
import { mapPrograms } from "../ir/cleanup.js";
import {
  asProduct,
  biasEquations,
  contextOf,
  earliest,
  equationLike,
  type Context,
  type Product,
} from "./givenProducts.js";
import { joinSteps } from "./joinSteps.js";

/**
 * Joined weights are put together anew at each call, so that each stays replaceable by name: worth
 * it only where many products share the copy, as the steps of an unrolled loop do.
 */
const minUses = 4;

/** Joins products where that makes fewer and larger ones. */
export function joinProducts(program: ClosedJaxpr): ClosedJaxpr {
  const inner = mapInner(program);
  return joinSteps(joinWeights(inner));
}

function mapInner(program: ClosedJaxpr): ClosedJaxpr {
  const equations = program.jaxpr.equations.map((equation) => ({
    ...equation,
    params: mapPrograms(equation.params, joinProducts),
  }));
  return closedJaxpr({ ...program.jaxpr, equations }, program.consts);
}

/**
 * Products of one array, with weights that are used side by side elsewhere too.
 *
 * @param options which values are weights (default: the program's inputs and constants), and how
 * many products must share joined weights (1 for the body of a loop)
 */
export function joinWeights(
  program: ClosedJaxpr,
  options: { readonly given?: ReadonlySet<Atom>; readonly minUses?: number } = {},
): ClosedJaxpr {
  const whole = contextOf(program);
  const context = { ...whole, given: options.given ?? whole.given };
  const uses = options.minUses ?? minUses;
  const byArray = new Map<Var, Product[]>();
  for (const equation of program.jaxpr.equations) {
    const product = asProduct(equation, context);
    if (product === null) continue;
    byArray.set(product.x, [...(byArray.get(product.x) ?? []), product]);
  }
  const numbers = new Map<Var, number>();
  const numberOf = (variable: Var): number => {
    const number = numbers.get(variable) ?? numbers.size;
    numbers.set(variable, number);
    return number;
  };
  const families = new Map<string, (readonly Product[])[]>();
  for (const products of byArray.values()) {
    const used = products.map(({ weight }) => numberOf(weight)).sort((a, b) => a - b);
    const key = used.join();
    if (products.length > 1) families.set(key, [...(families.get(key) ?? []), products]);
  }
  const joiner = new Joiner();
  const many = [...families.values()].filter((family) => family.length >= uses);
  const others = [...families.values()].filter((family) => family.length < uses).flat();
  for (const family of many) {
    const weights = weightOrder(family, context);
    const place = ({ weight }: Product): number => weights.indexOf(weight);
    const isOwn = (product: Product): boolean => place(product) >= 0;
    // An array may meet the weights of several families: the first state of both directions.
    const further = others.map((products) => products.filter(isOwn));
    const whole = further.filter((products) => products.length === weights.length);
    for (const products of [...family, ...whole]) {
      joiner.join(
        products.toSorted((a, b) => place(a) - place(b)),
        context.order,
      );
    }
  }
  return joiner.apply(program);
}

/**
 * The weights of a family in an order in which what follows on their products can follow on several
 * as a whole: by the function that comes after the product, and a sum of it with another one, and
 * then by the place of their use in the program.
 */
function weightOrder(
  family: readonly (readonly Product[])[],
  { users, order }: Context,
): readonly Var[] {
  const usersOf = ({ outputs }: Equation): readonly Equation[] =>
    outputs
      .flatMap((output) => users.get(output) ?? [])
      .toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  const rank = ({ equation, biased }: Product): readonly [string, number] => {
    const [user] = usersOf(biased?.equation ?? equation);
    const [next] = user?.primitive.name === "add" ? usersOf(user) : [user];
    return [next?.primitive.name ?? "", user === undefined ? 0 : (order.get(user) ?? 0)];
  };
  const ranked = (family.at(-1) ?? []).map((product) => ({ product, rank: rank(product) }));
  return ranked
    .toSorted(({ rank: [name, place] }, { rank: [otherName, otherPlace] }) =>
      name === otherName ? place - otherPlace : name < otherName ? -1 : 1,
    )
    .map(({ product }) => product.weight);
}

/** Collects joined products and puts them into the program. */
class Joiner {
  /** Side-by-side weights and biases; they depend on inputs only, so they come first. */
  readonly #prelude: Equation[] = [];
  readonly #sideBySide = new Map<string, Var>();
  readonly #zerosOf = new Map<Dim, Var>();
  readonly #identity = new Map<Var, number>();
  readonly #replaced = new Map<Equation, readonly Equation[]>();

  join(products: readonly Product[], order: ReadonlyMap<Equation, number>): void {
    const first = earliest(products, order);
    if (first === undefined) return;
    const withBias = products.some(({ biased }) => biased !== null);
    const sizes = products.map(({ weight }) => weight.aval.shape[1] ?? 0);
    if (!sizes.every((size) => typeof size === "number")) return;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const weight = this.#concatenated(
      products.map((product) => product.weight),
      1,
      first.equation,
    );
    const shape: Shape = [...first.x.aval.shape.slice(0, -1), total];
    const aval = (of: Equation): ShapedArray => ({
      ...(of.outputs[0]?.aval ?? first.x.aval),
      shape,
    });
    const whole = newVar(aval(first.equation));
    const made: Equation[] = [{ ...first.equation, inputs: [first.x, weight], outputs: [whole] }];
    const result = withBias ? this.#addBias(products, whole, made) : whole;
    let start = 0;
    products.forEach((product, index) => {
      const target = product.biased?.equation ?? product.equation;
      const limit = start + (sizes[index] ?? 0);
      made.push(pieceOf(target, result, start, limit));
      start = limit;
    });
    for (const product of products) {
      this.#replaced.set(product.equation, []);
      if (product.biased !== null) this.#replaced.set(product.biased.equation, []);
    }
    this.#replaced.set(first.equation, made);
  }

  /** Adds the biases side by side, zeros where there is none. */
  #addBias(products: readonly Product[], whole: Var, made: Equation[]): Var {
    const first = products.find(({ biased }) => biased !== null)?.biased;
    if (first === undefined || first === null) return whole;
    const biases = products.map(({ biased, weight }) => biased?.bias ?? this.#zeros(weight, first));
    const bias = this.#concatenated(biases, 0, first.equation);
    const sum = newVar(whole.aval);
    made.push(...biasEquations(first.equation, whole, bias, sum));
    return sum;
  }

  /** Zeros for each column of a weight. */
  #zeros(weight: Var, { equation, bias }: NonNullable<Product["biased"]>): Var {
    const size = weight.aval.shape[1] ?? 0;
    const known = this.#zerosOf.get(size);
    if (known !== undefined) return known;
    const aval = { ...bias.aval, shape: [size] };
    const zeros = newVar(aval);
    const zero: Literal = { kind: "literal", value: 0, aval: { ...aval, shape: [] } };
    const params = { shape: [size], broadcast_dimensions: [] };
    this.#prelude.push(equationLike(equation, erased(broadcastInDim), [zero], [zeros], params));
    this.#zerosOf.set(size, zeros);
    return zeros;
  }

  #concatenated(parts: readonly Var[], dimension: number, like: Equation): Var {
    const key = parts.map((part) => this.#numberOf(part)).join();
    const known = this.#sideBySide.get(key);
    if (known !== undefined) return known;
    const [first] = parts;
    if (first === undefined) throw new Error("internal error: no weights to join");
    const total = parts.reduce((sum, part) => sum + Number(part.aval.shape[dimension]), 0);
    const shape = first.aval.shape.map((size, axis) => (axis === dimension ? total : size));
    const joined = newVar({ ...first.aval, shape });
    this.#prelude.push(equationLike(like, erased(concatenate), parts, [joined], { dimension }));
    this.#sideBySide.set(key, joined);
    return joined;
  }

  #numberOf(variable: Var): number {
    const number = this.#identity.get(variable) ?? this.#identity.size;
    this.#identity.set(variable, number);
    return number;
  }

  apply(program: ClosedJaxpr): ClosedJaxpr {
    if (this.#replaced.size === 0) return program;
    const { jaxpr, consts } = program;
    const rest = jaxpr.equations.flatMap((equation) => this.#replaced.get(equation) ?? [equation]);
    return closedJaxpr({ ...jaxpr, equations: [...this.#prelude, ...rest] }, consts);
  }
}

/** The columns `start` to `limit` of the joined result, under the name of what they replace. */
function pieceOf(target: Equation, whole: Var, start: number, limit: number): Equation {
  const { shape } = whole.aval;
  const last = shape.length - 1;
  return equationLike(target, erased(slice), [whole], target.outputs, {
    start_indices: shape.map((_, axis) => (axis === last ? start : 0)),
    limit_indices: shape.map((size, axis) => (axis === last ? limit : size)),
    strides: null,
  });
}
