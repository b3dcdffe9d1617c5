/** `einsum`: sums of products named by letters, as a series of contractions of pairs. */
import { dimEquals, printShape, type Dim } from "../ir/dims.js";
import type { Value } from "../ir/ops.js";
import { at, invalid } from "../lax/arguments.js";
import type { ArrayValue } from "../trace/arrays.js";
import { o } from "../trace/trace.js";
import { contract } from "./contractions.js";
import { arrayValue, out, type NestedArray } from "./convert.js";
import { promoteDtypes } from "./promotion.js";

const letters = (names: string): string[] => Array.from(names);

/** An operand with a letter for each dimension. */
interface Operand {
  readonly value: Value;
  readonly names: string;
}

/** The letters that `...` stands for; users cannot write them. */
const batchLetters = "αβγδεζηθ";

interface Subscripts {
  readonly inputs: readonly string[];
  readonly output: string;
}

function parse(subscripts: string, ranks: readonly number[]): Subscripts {
  const [left = "", right, ...more] = subscripts.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  if (more.length > 0 || terms.length !== ranks.length) {
    throw invalid(`einsum subscripts "${subscripts}" are not for ${ranks.length} operands`);
  }
  const spread = terms.map((term, index) => expandEllipsis(term, at(ranks, index), subscripts));
  const batch = spread.reduce(
    (most, { batch: own }) => (own.length > most.length ? own : most),
    {
      names: "",
      batch: "",
    }.batch,
  );
  const inputs = spread.map(({ names }) => names);
  const output = right === undefined ? implicitOutput(inputs, batch) : right.replace("...", batch);
  const known = new Set(inputs.join(""));
  if (letters(output).some((name) => !known.has(name)) || new Set(output).size !== output.length) {
    throw invalid(`einsum output "${right ?? ""}" must name dimensions of the inputs, each once`);
  }
  return { inputs, output };
}

function expandEllipsis(
  term: string,
  rank: number,
  subscripts: string,
): { readonly names: string; readonly batch: string } {
  const letters = term.replace("...", "");
  const count = rank - letters.length;
  const hasEllipsis = term.includes("...");
  if (!/^[a-zA-Z]*$/.test(letters) || count < 0 || (!hasEllipsis && count !== 0)) {
    throw invalid(`einsum subscripts "${subscripts}": "${term}" does not fit rank ${rank}`);
  }
  if (count > batchLetters.length) throw invalid("einsum: `...` stands for too many dimensions");
  // Aligned at the right, as broadcasting is.
  const batch = batchLetters.slice(batchLetters.length - count);
  return { names: term.replace("...", batch), batch };
}

function implicitOutput(inputs: readonly string[], batch: string): string {
  const all = letters(inputs.join("")).filter((name) => !batch.includes(name));
  const once = all.filter((name) => all.indexOf(name) === all.lastIndexOf(name));
  return batch + [...new Set(once)].sort().join("");
}

const count = (names: string, name: string): number => names.split(name).length - 1;

function sumNames(operand: Operand, names: readonly string[]): Operand {
  if (names.length === 0) return operand;
  const axes = names.map((name) => operand.names.indexOf(name));
  const kept = letters(operand.names)
    .filter((name) => !names.includes(name))
    .join("");
  return { value: o.reduceSum(operand.value, axes), names: kept };
}

/** A letter several times in one operand is its diagonal. */
function takeDiagonals(operand: Operand, keep: string): Operand {
  let { value, names } = operand;
  for (const name of new Set(names)) {
    if (count(names, name) < 2) continue;
    const axes = letters(names).flatMap((other, axis) => (other === name ? [axis] : []));
    const { shape, dtype } = value.aval;
    const indices = axes.map((axis) => o.iota("uint32", shape, axis));
    const mask = indices
      .slice(1)
      .map((index, place) => o.eq(at(indices, place), index))
      .reduce((whole, part) => o.and(whole, part));
    const diagonal = o.selectN(mask, o.full(shape, 0, dtype), value);
    const isKept = keep.includes(name);
    value = o.reduceSum(diagonal, isKept ? axes.slice(0, -1) : axes);
    const last = names.lastIndexOf(name);
    names = letters(names)
      .filter((other, axis) => other !== name || (isKept && axis === last))
      .join("");
  }
  return { value, names };
}

/** Dimensions of size 1 that meet larger ones are dropped: they broadcast. */
function dropSingletons(operand: Operand, other: Operand): Operand {
  const size = (of: Operand, name: string): Dim | undefined =>
    of.value.aval.shape[of.names.indexOf(name)];
  const dropped = letters(operand.names).flatMap((name, axis) =>
    at(operand.value.aval.shape, axis) === 1 &&
    other.names.includes(name) &&
    size(other, name) !== 1
      ? [axis]
      : [],
  );
  if (dropped.length === 0) return operand;
  const names = letters(operand.names)
    .filter((_, axis) => !dropped.includes(axis))
    .join("");
  return { value: o.squeeze(operand.value, dropped), names };
}

function arrange(operand: Operand, result: string): Operand {
  if (operand.names === result) return operand;
  const permutation = letters(result).map((name) => operand.names.indexOf(name));
  return { value: o.transpose(operand.value, permutation), names: result };
}

function reduceOne(operand: Operand, summed: readonly string[], result: string): Operand {
  const unique = summed.filter((name) => count(operand.names, name) === 1);
  return arrange(takeDiagonals(sumNames(operand, unique), result), result);
}

function contractPair(first: Operand, second: Operand, summed: string[], result: string): Operand {
  let [left, right] = [dropSingletons(first, second), dropSingletons(second, first)];
  const alone = (own: Operand, other: Operand): string[] =>
    summed.filter((name) => count(own.names, name) === 1 && !other.names.includes(name));
  const [leftAlone, rightAlone] = [alone(left, right), alone(right, left)];
  [left, right] = [sumNames(left, leftAlone), sumNames(right, rightAlone)];
  left = takeDiagonals(left, result + right.names);
  right = takeDiagonals(right, result + left.names);
  const both = (name: string): boolean => left.names.includes(name) && right.names.includes(name);
  const contracted = summed.filter(both);
  const batch = letters(result).filter(both);
  const rest = (own: Operand): string =>
    letters(own.names)
      .filter((name) => !contracted.includes(name) && !batch.includes(name))
      .join("");
  const places = (own: Operand, names: readonly string[]): number[] =>
    names.map((name) => own.names.indexOf(name));
  // The operands are exchanged where that puts the result in order.
  const isInOrder = batch.join("") + rest(left) + rest(right) === result;
  const [a, b] = isInOrder ? [left, right] : [right, left];
  const value = contract(a.value, b.value, [
    [places(a, contracted), places(b, contracted)],
    [places(a, batch), places(b, batch)],
  ]);
  return arrange({ value, names: batch.join("") + rest(a) + rest(b) }, result);
}

function checkSizes(operands: readonly Operand[]): void {
  const sizes = new Map<string, Dim>();
  for (const { value, names } of operands) {
    letters(names).forEach((name, axis) => {
      const size = at(value.aval.shape, axis);
      const known = sizes.get(name);
      if (known === undefined || known === 1) sizes.set(name, size);
      else if (size !== 1 && !dimEquals(size, known)) {
        const shapes = operands.map((operand) => printShape(operand.value.aval.shape)).join(", ");
        throw invalid(`einsum: sizes of "${name}" differ: ${shapes}`);
      }
    });
  }
}

/** How many elements the contraction of two operands has, for choosing the next pair. */
function pairCost(first: Operand, second: Operand): number {
  const sizes = new Map<string, number>();
  for (const { value, names } of [first, second]) {
    letters(names).forEach((name, axis) => {
      const size = at(value.aval.shape, axis);
      sizes.set(name, Math.max(sizes.get(name) ?? 1, typeof size === "number" ? size : 64));
    });
  }
  return [...sizes.values()].reduce((product, size) => product * size, 1);
}

function cheapestPair(operands: readonly Operand[]): readonly [number, number] {
  let best: readonly [number, number] = [0, 1];
  let lowest = Infinity;
  for (let i = 0; i < operands.length; i++) {
    for (let j = i + 1; j < operands.length; j++) {
      const cost = pairCost(at(operands, i), at(operands, j));
      if (cost < lowest) [best, lowest] = [[i, j], cost];
    }
  }
  return best;
}

/**
 * Sums of products in Einstein's notation: `einsum("bij,bjk->bik", x, y)`; `...` stands for batch
 * dimensions. Several operands are contracted in pairs, the cheapest first. JAX's `jnp.einsum`.
 *
 * @throws Jax2TfjsError `invalid-parameter` for subscripts that do not fit the operands
 */
export function einsum(subscripts: string, ...arrays: readonly NestedArray[]): ArrayValue {
  const given: unknown = subscripts;
  if (typeof given !== "string" || arrays.length === 0) {
    throw invalid('einsum takes a text such as "ij,jk->ik", then arrays');
  }
  const values = promoteDtypes(arrays.map(arrayValue));
  const { inputs, output } = parse(
    subscripts,
    values.map(({ aval }) => aval.shape.length),
  );
  let operands = values.map((value, index): Operand => ({ value, names: at(inputs, index) }));
  checkSizes(operands);
  while (operands.length > 1) {
    const [i, j] = cheapestPair(operands);
    const [left, right] = [at(operands, i), at(operands, j)];
    const rest = operands.filter((_, index) => index !== i && index !== j);
    const wanted = output + rest.map(({ names }) => names).join("");
    const all = [...new Set(right.names + left.names)];
    const summed = all.filter((name) => !wanted.includes(name)).sort();
    const kept = all.filter((name) => wanted.includes(name)).join("");
    const isLast = rest.length === 0;
    operands = [...rest, contractPair(right, left, summed, isLast ? output : kept)];
  }
  const last = at(operands, 0);
  if (last.names === output) return out(last.value);
  const summed = [...new Set(last.names)].filter((name) => !output.includes(name)).sort();
  return out(reduceOne(last, summed, output).value);
}
