/**
 * Joins matrix products: several products of one array with different weights (the gates of a
 * recurrent cell) become one with the weights side by side, and products of all steps of a sequence
 * with the same weight one product of the whole sequence.
 */
import { broadcastInDim } from "../../primitives/shape.js";
import { concatenate, slice, unstack } from "../../primitives/slice.js";
import { dimEquals, type Dim, type Shape } from "../ir/dims.js";
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
import { erased, type Primitive } from "../ir/primitive.js";
import type { DotDimensionNumbers, Params } from "../ir/params.js";
import { mapPrograms } from "../ir/cleanup.js";

/**
 * Joined weights are put together anew at each call, so that each stays replaceable by name: worth
 * it only where many products share the copy, as the steps of an unrolled loop do.
 */
const minUses = 4;

/** `x [..., k]` times `weight [k, n]`, the weight an input or constant of the program. */
interface Product {
  readonly equation: Equation;
  readonly x: Var;
  readonly weight: Var;
  /** The `add` of a bias vector, if that is the only use of the product. */
  readonly biased: { readonly equation: Equation; readonly bias: Var } | null;
}

interface Context {
  readonly definitions: ReadonlyMap<Atom, Equation>;
  readonly users: ReadonlyMap<Atom, readonly Equation[]>;
  readonly given: ReadonlySet<Atom>;
  readonly returned: ReadonlySet<Atom>;
  readonly order: ReadonlyMap<Equation, number>;
}

/** The product that the program computes first: the joined one takes its place. */
function earliest(
  products: readonly Product[],
  order: ReadonlyMap<Equation, number>,
): Product | undefined {
  const place = ({ equation }: Product): number => order.get(equation) ?? 0;
  return products.toSorted((a, b) => place(a) - place(b))[0];
}

function contextOf({ jaxpr }: ClosedJaxpr): Context {
  const definitions = new Map<Atom, Equation>();
  const users = new Map<Atom, Equation[]>();
  for (const equation of jaxpr.equations) {
    for (const output of equation.outputs) definitions.set(output, equation);
    for (const input of equation.inputs) {
      const known = users.get(input);
      if (known === undefined) users.set(input, [equation]);
      else known.push(equation);
    }
  }
  const given = new Set<Atom>([...jaxpr.constvars, ...jaxpr.invars]);
  const order = new Map(jaxpr.equations.map((equation, index) => [equation, index]));
  return { definitions, users, given, returned: new Set<Atom>(jaxpr.outvars), order };
}

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

function asProduct(equation: Equation, context: Context): Product | null {
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

/** `sum = x + bias` with the bias spread over the last dimension. */
function biasEquations(like: Equation, x: Var, bias: Var, sum: Var): readonly Equation[] {
  const { shape } = x.aval;
  const spread = newVar({ ...bias.aval, shape });
  const params = { shape, broadcast_dimensions: [shape.length - 1] };
  return [
    equationLike(like, erased(broadcastInDim), [bias], [spread], params),
    { ...like, inputs: [x, spread], outputs: [sum] },
  ];
}

function equationLike(
  like: Equation,
  primitive: Primitive,
  inputs: readonly Atom[],
  outputs: readonly Var[],
  params: Params,
): Equation {
  return { primitive, inputs, outputs, params, source: like.source };
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

/** Products of every piece of an `unstack` with one weight: one product, then the `unstack`. */
function joinSteps(program: ClosedJaxpr): ClosedJaxpr {
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
