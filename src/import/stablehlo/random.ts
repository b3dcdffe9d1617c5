/**
 * Finds JAX's hash function, threefry2x32, in a module: as a loop of five groups of rounds (how JAX
 * writes it for cpu, inside of functions of many names), or as a function of straight-line code (for
 * other platforms). Both are recognised by what they compute, on test words, never by a name.
 */
import { shapeEquals } from "../../ir/dims.js";
import { asInt32, fromNumbers, toNumbers, type HostArray } from "../../ir/hostArray.js";
import type { Atom, ClosedJaxpr } from "../../ir/jaxpr.js";
import { threefryWords } from "../../../primitives/threefry.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import type { BlockImporter } from "./blockImporter.js";
import { evaluatePoint } from "./pointwise.js";
import { avalOf, uniformNumber, type Imported } from "./values.js";

/** Key and counter: any words, and those at which sums carry. */
const testWords: readonly (readonly [number, number, number, number])[] = [
  [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
  [0xffffffff, 0x80000000, 0x00000001, 0x7fffffff],
  [0xa4093822, 0x299f31d0, 0x082efa98, 0xec4e6c89],
];
/** The third word of the key is the exclusive or of the others and this. */
const parity = 0x1bd11bda;
/** Iterations after which a loop surely is another one. */
const maxIterations = 8;

const word = (value: number): HostArray => fromNumbers("uint32", [], [value >>> 0]);
const valueOf = (array: HostArray | undefined): number | undefined =>
  array === undefined ? undefined : toNumbers(array)[0];

// --- straight-line code --------------------------------------------------------------------------

/** True if a function of two words of a key and two of a counter is the hash. */
export function isThreefry(program: ClosedJaxpr): boolean {
  const { invars, outvars } = program.jaxpr;
  if (invars.length !== 4 || outvars.length !== 2) return false;
  if (![...invars, ...outvars].every(({ aval }) => aval.dtype === "uint32")) return false;
  const [shape] = outvars.map(({ aval }) => aval.shape);
  const sameShape = outvars.every(
    ({ aval }) => shape !== undefined && shapeEquals(aval.shape, shape),
  );
  const broadcasts = invars.every(
    ({ aval }) => aval.shape.length === 0 || aval.shape.length === shape?.length,
  );
  if (!sameShape || !broadcasts) return false;
  return testWords.every((words) => {
    const results = evaluatePoint(program, words.map(word))?.map(valueOf);
    const expected = threefryWords(...words);
    return results?.[0] === expected[0] && results[1] === expected[1];
  });
}

// --- the loop ------------------------------------------------------------------------------------

/** A loop of the module as it was imported. */
export interface ImportedLoop {
  readonly op: MlirOperation;
  /** Per operand of the operation. */
  readonly initial: readonly Imported[];
  /** Operands that the body changes: the inputs of the programs. */
  readonly carried: readonly number[];
  readonly condition: ClosedJaxpr;
  readonly body: ClosedJaxpr;
}

/** Which operands of the loop are counter and key; the key's words start with the second. */
interface Roles {
  readonly counter: readonly [number, number];
  readonly key: readonly [first: number, second: number, third: number];
  /** The known initial values: loop counters and numbers of places to rotate by. */
  readonly known: ReadonlyMap<number, HostArray>;
}

/** Numbers of places: a constant of four words. Everything else of type uint32 is data. */
function rolesOf({ initial, carried }: ImportedLoop): Roles | null {
  const known = new Map<number, HostArray>();
  const words: number[] = [];
  for (const index of carried) {
    const value = initial[index];
    if (value === undefined) return null;
    const { dtype, shape } = avalOf(value);
    const number = uniformNumber(value);
    if (dtype === "int32" && shape.length === 0 && number !== undefined) {
      known.set(index, fromNumbers("int32", [], [number]));
    } else if (value.kind === "constant" && !value.splat && shape.length === 1 && shape[0] === 4) {
      known.set(index, value.array);
    } else if (dtype === "uint32") {
      words.push(index);
    } else {
      return null;
    }
  }
  const [x0, x1, key1, key2, key0, ...others] = words;
  if (x0 === undefined || x1 === undefined || others.length > 0) return null;
  if (key0 === undefined || key1 === undefined || key2 === undefined) return null;
  return { counter: [x0, x1], key: [key0, key1, key2], known };
}

/** Runs the loop on test words; true if it gives what the rounds of the hash give. */
function computesRounds(loop: ImportedLoop, roles: Roles): boolean {
  return testWords.every(([key0, key1, x0, x1]) => {
    // The loop starts after the key was added for the first time.
    const start = new Map(roles.known);
    start.set(roles.counter[0], word(x0 + key0));
    start.set(roles.counter[1], word(x1 + key1));
    [key0, key1, key0 ^ key1 ^ parity].forEach((value, index) => {
      const place = roles.key[index];
      if (place !== undefined) start.set(place, word(value));
    });
    const places = roles.counter.map((index) => loop.carried.indexOf(index));
    const results = runLoop(
      loop,
      loop.carried.map((index) => start.get(index)).filter((array) => array !== undefined),
    );
    const expected = threefryWords(key0, key1, x0, x1);
    return places.every((place, index) => valueOf(results?.[place]) === expected[index]);
  });
}

function runLoop(loop: ImportedLoop, start: readonly HostArray[]): readonly HostArray[] | null {
  let state: readonly HostArray[] | null = start;
  for (let iteration = 0; iteration <= maxIterations; iteration++) {
    const [goesOn] = evaluatePoint(loop.condition, state) ?? [];
    if (goesOn === undefined) return null;
    if (asInt32(goesOn)[0] === 0) return state;
    state = evaluatePoint(loop.body, state);
    if (state === null) return null;
  }
  return null;
}

/** The operands of nested exclusive ors. */
function xorOperands(block: BlockImporter, value: MlirValue, depth = 0): readonly MlirValue[] {
  const op = block.module.definition(value);
  if (op?.name !== "stablehlo.xor" || depth > 2) return [value];
  return op.operands.flatMap((operand) => xorOperands(block, operand, depth + 1));
}

/** The atom that a value is, or is a broadcast of. */
function sourceAtom(block: BlockImporter, value: MlirValue): Atom {
  const imported = block.value(value);
  return imported.kind === "broadcast" ? imported.source : block.materialise(imported);
}

/** True if the third word of the key is made of the other two in the hash's way. */
function isThirdWord(block: BlockImporter, third: MlirValue, others: readonly Atom[]): boolean {
  const operands = xorOperands(block, third);
  const isParity = (value: MlirValue): boolean => uniformNumber(block.value(value)) === parity;
  const rest = operands
    .filter((value) => !isParity(value))
    .map((value) => sourceAtom(block, value));
  return operands.length === 3 && rest.length === 2 && others.every((atom) => rest.includes(atom));
}

/** A word of the counter without the word of the key that was added to it. */
function withoutKey(block: BlockImporter, sum: MlirValue, key: Atom): Atom {
  const op = block.module.definition(sum);
  const [left, right] = op?.operands ?? [];
  if (op?.name === "stablehlo.add" && left !== undefined && right !== undefined) {
    if (sourceAtom(block, right) === key) return block.atom(left);
    if (sourceAtom(block, left) === key) return block.atom(right);
  }
  return block.bindOne("sub", [block.atom(sum), key], {});
}

/** The results of a loop that is the hash's, or null if it is another one. */
export function importThreefryLoop(
  block: BlockImporter,
  loop: ImportedLoop,
): readonly Imported[] | null {
  const { op, initial } = loop;
  const roles = rolesOf(loop);
  if (roles === null || !computesRounds(loop, roles)) return null;
  const operands = [...roles.counter, ...roles.key].map((index) => op.operands[index]);
  const [x0, x1, key0, key1, key2] = operands;
  if (!x0 || !x1 || !key0 || !key1 || !key2) return null;
  const otherUses = op.results.some(
    (result, index) => !roles.counter.includes(index) && block.module.isUsed(result),
  );
  const key = [key0, key1].map((value) => sourceAtom(block, value));
  const [first, second] = key;
  if (first === undefined || second === undefined) return null;
  if (otherUses || !isThirdWord(block, key2, key)) return null;
  const inputs = [first, second, withoutKey(block, x0, first), withoutKey(block, x1, second)];
  const words = block.bind("threefry2x32", inputs, {});
  const results = [...initial];
  roles.counter.forEach((index, place) => {
    const atom = words[place];
    if (atom !== undefined) results[index] = { kind: "atom", atom };
  });
  return results;
}
