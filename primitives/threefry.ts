/**
 * The Threefry 2x32 hash of 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * 2011) in plain numbers and in graphs. Used by the record of threefry2x32 and by the importer.
 */
import { shapeSize, type Shape } from "../src/ir/dims.js";
import { asInt32 } from "../src/ir/hostArray.js";
import type { GraphValue, Tensor, Tf } from "../src/ir/tf.js";
import {
  columnsOfSums,
  middle,
  planesOfSums,
  sumsOfColumns,
  sumsOfPlanes,
  xorPlanes,
} from "./bitPlanes.js";
import { at } from "./support.js";

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
/** What the third word of the key makes the exclusive or of all three. */
const parity = 0x1bd11bda;
const groups = [0, 1, 2, 3, 4] as const;

const rotateLeft = (x: number, count: number): number => (x << count) | (x >>> (32 - count));

/** The hash of one pair of words; all are taken modulo 2^32, results are >= 0. */
export function threefryWords(
  key0: number,
  key1: number,
  x0: number,
  x1: number,
): readonly [number, number] {
  const key = [key0 | 0, key1 | 0, key0 ^ key1 ^ parity];
  let a = (x0 + key0) | 0;
  let b = (x1 + key1) | 0;
  for (const group of groups) {
    for (const rotation of at(rotations, group % 2)) {
      a = (a + b) | 0;
      b = rotateLeft(b, rotation) ^ a;
    }
    a = (a + at(key, (group + 1) % 3)) | 0;
    b = (b + at(key, (group + 2) % 3) + group + 1) | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** Halves of a word as tensors, low first. */
type Halves = readonly [low: Tensor, high: Tensor];

/** The three words of the key in the form of sums, [3] for one key, [n, 3] for one per element. */
interface KeySchedule {
  /** Sums of words (as columns) plus a word of the key. */
  start(columns: Tensor, word: 0 | 1): Tensor;
  /** What is added to the first word after a group of rounds. */
  first(group: number, sums: Tensor): Tensor;
  /** The second word after a group of rounds, from its planes. */
  second(group: number, planes: Tensor, frame: number): Tensor;
}

const firstWord = (group: number): number => (group + 1) % 3;
const secondWord = (group: number): number => (group + 2) % 3;

/** A small number in the form of sums. */
const sumsOf = (value: number): readonly number[] => [value, 0, value / 65536];

/** What is added to planes' sums after a group, without the key: 1 to 5 and the middle. */
const groupBias = (group: number): readonly number[] =>
  sumsOf(group + 1).map((value, column) => value + (middle[column] ?? 0));

/** One key for all elements, each word of it a tensor [3]. */
function sharedSchedule(tf: Tf, words: readonly Tensor[], seconds: readonly Tensor[]): KeySchedule {
  return {
    start: (columns, word) => sumsOfColumns(tf, columns, word, at(words, word)),
    first: (group, sums) => tf.binary("AddV2", sums, at(words, firstWord(group))),
    second: (group, planes, frame) => sumsOfPlanes(tf, planes, { frame, bias: at(seconds, group) }),
  };
}

const vector = (tf: Tf, values: readonly number[]): Tensor => tf.constant(values, "float32", [3]);

/** A key that is known when the program is converted. */
function knownSchedule(tf: Tf, key0: number, key1: number): KeySchedule {
  const words = [key0, key1, key0 ^ key1 ^ parity].map((word) => [
    word & 65535,
    word >>> 16,
    (word & 65535) / 65536,
  ]);
  const seconds = groups.map((group) => {
    const word = at(words, secondWord(group));
    return vector(
      tf,
      groupBias(group).map((value, column) => value + (word[column] ?? 0)),
    );
  });
  return sharedSchedule(
    tf,
    words.map((word) => vector(tf, word)),
    seconds,
  );
}

/** The third word of the key, from the halves of the other two as columns [n, 4]. */
function thirdWord(tf: Tf, first: Tensor, second: Tensor): Tensor {
  const planes = xorPlanes(tf, first, planesOfSums(tf, second));
  return sumsOfPlanes(tf, planes, { word: parity });
}

/** A scalar key that is data. */
function scalarSchedule(tf: Tf, halves: readonly Tensor[]): KeySchedule {
  const columns = tf.cast(tf.reshape(tf.pack(halves, 0), [1, 4]), "float32");
  const [key0, key1] = [sumsOfColumns(tf, columns, 0), sumsOfColumns(tf, columns, 1)];
  const words = [key0, key1, thirdWord(tf, key0, key1)].map((word) => tf.reshape(word, [3]));
  const seconds = groups.map((group) =>
    tf.binary("AddV2", at(words, secondWord(group)), vector(tf, groupBias(group))),
  );
  return sharedSchedule(tf, words, seconds);
}

/** A key for each element. */
function rowSchedule(tf: Tf, columns: Tensor): KeySchedule {
  const [key0, key1] = [sumsOfColumns(tf, columns, 2), sumsOfColumns(tf, columns, 3)];
  const words = [key0, key1, thirdWord(tf, key0, key1)];
  const plus = (sums: Tensor, word: number): Tensor => tf.binary("AddV2", sums, at(words, word));
  return {
    start: (_, word) => plus(sumsOfColumns(tf, columns, word), word),
    first: (group, sums) => plus(sums, firstWord(group)),
    second: (group, planes, frame) => {
      const bias = tf.constant(groupBias(group), "float32", [3]);
      return plus(sumsOfPlanes(tf, planes, { frame, bias }), secondWord(group));
    },
  };
}

/** The word of a known scalar, or null. */
function knownWord(value: GraphValue): number | null {
  const { carrier } = value;
  const word = (tensor: Tensor): number | null =>
    tensor.value === null ? null : (asInt32(tensor.value, { overflow: "wrap" })[0] ?? null);
  if (carrier.kind === "tensor") return word(carrier.tensor);
  if (carrier.kind === "pair") return null;
  const [high, low] = [word(carrier.high), word(carrier.low)];
  return high === null || low === null ? null : (high << 16) | low;
}

function halvesOf(tf: Tf, value: GraphValue): Halves {
  const { high, low } = tf.limbs(value);
  return [low, high];
}

/** All rounds, on sums of both words; gives the sums of the results. */
function rounds(tf: Tf, schedule: KeySchedule, columns: Tensor): readonly [Tensor, Tensor] {
  let first = schedule.start(columns, 0);
  let second = schedule.start(columns, 1);
  for (const group of groups) {
    let frame = 0;
    let planes = planesOfSums(tf, second, frame);
    for (const [index, rotation] of at(rotations, group % 2).entries()) {
      if (index > 0) second = sumsOfPlanes(tf, planes, { frame });
      first = tf.binary("AddV2", first, second);
      // The same planes, read as those of the rotated word.
      frame = (frame + rotation) % 32;
      planes = xorPlanes(tf, first, planes, frame);
    }
    first = schedule.first(group, first);
    second = schedule.second(group, planes, frame);
  }
  return [first, second];
}

/** The hash of elements: keys and words broadcast to `shape`; the results are limbs. */
export function threefryGraph(
  tf: Tf,
  [key0, key1, x0, x1]: readonly [GraphValue, GraphValue, GraphValue, GraphValue],
  shape: Shape,
): readonly { readonly high: Tensor; readonly low: Tensor }[] {
  const count = shapeSize(shape);
  const flat = (tensor: Tensor): Tensor => tf.reshape(tf.broadcastTo(tensor, shape), [count]);
  const pack = (values: readonly GraphValue[]): Tensor => {
    const tensors = values.flatMap((value) => halvesOf(tf, value)).map(flat);
    return tf.cast(tf.pack(tensors, 1), "float32");
  };
  const oneKey = key0.aval.shape.length === 0 && key1.aval.shape.length === 0;
  const [known0, known1] = [knownWord(key0), knownWord(key1)];
  const columns = pack(oneKey ? [x0, x1] : [x0, x1, key0, key1]);
  const schedule = !oneKey
    ? rowSchedule(tf, columns)
    : known0 !== null && known1 !== null
      ? knownSchedule(tf, known0, known1)
      : scalarSchedule(tf, [...halvesOf(tf, key0), ...halvesOf(tf, key1)]);
  const results = tf.unpack(columnsOfSums(tf, rounds(tf, schedule, columns)), 1);
  return [0, 1].map((index) => ({
    low: tf.reshape(at(results, 2 * index), shape),
    high: tf.reshape(at(results, 2 * index + 1), shape),
  }));
}
