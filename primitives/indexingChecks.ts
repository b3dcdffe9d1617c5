/** Checks on the dimension numbers of gather and scatter, with JAX's messages. */
import { printShape } from "../src/ir/dims.js";
import { invalid } from "./support.js";

export function checkSorted(dims: readonly number[], op: string, name: string): void {
  if (dims.some((dim, place) => dim < (dims[place - 1] ?? dim))) {
    throw invalid(`${name} in ${op} op must be sorted; got ${printShape(dims)}`);
  }
}

export function checkInRange(
  dims: readonly number[],
  rank: number,
  op: string,
  name: string,
): void {
  const wrong = dims.find((dim) => !(Number.isInteger(dim) && dim >= 0 && dim < rank));
  if (wrong !== undefined) {
    throw invalid(`Invalid ${name} set in ${op} op; valid range is [0, ${rank}); got: ${wrong}.`);
  }
}

export function checkNoDuplicates(dims: readonly number[], op: string, name: string): void {
  if (new Set(dims).size !== dims.length) {
    throw invalid(`${name} in ${op} op must not repeat; got: ${printShape(dims)}.`);
  }
}

export function checkDisjoint(
  [first, second]: readonly [readonly number[], readonly number[]],
  op: string,
  [firstName, secondName]: readonly [string, string],
): void {
  if (first.some((dim) => second.includes(dim))) {
    throw invalid(
      `${firstName} and ${secondName} in ${op} op must be disjoint; got: ${printShape(first)} and ` +
        `${printShape(second)}.`,
    );
  }
}
