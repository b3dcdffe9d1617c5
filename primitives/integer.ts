/**
 * Bitwise operations and shifts on integers of all widths, and the logical ones on bools.
 */
import { bitsOf, kindOf, type DType } from "../src/ir/dtypes.js";
import type { NoParams } from "../src/ir/params.js";
import { none, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import * as bits from "./bitMath.js";
import { accepts, elementwise, type Accepted } from "./factories.js";
import * as integers from "./integerMath.js";
import { at } from "./support.js";
import * as words from "./wordMath.js";
import type { Word } from "./wordMath.js";

interface BitwiseSpec {
  readonly accepts: readonly Accepted[];
  readonly tfjs: (tf: Tf, args: readonly Tensor[], dtype: DType) => Tensor;
  readonly words: (tf: Tf, args: readonly Word[]) => Word;
  /** On the bits as BigInts of the type's width. */
  readonly fold: (args: readonly bigint[], width: number) => bigint;
}

/** A record that maps bits to bits: no derivative, exact folding. */
function bitwise(name: string, spec: BitwiseSpec): Primitive<NoParams> {
  return elementwise<NoParams>({
    name,
    accepts: spec.accepts,
    tangents: "zero",
    transpose: none(`${name} is not linear`),
    manyNodes: "TensorFlow.js has no bitwise op: each of the four bytes goes through a table.",
    tfjs: (tf, args, { dtype }) => spec.tfjs(tf, args, dtype),
    words: (tf, args) => spec.words(tf, args),
    fold: (args, dtype) => {
      const width = dtype === "bool" ? 1 : bitsOf(dtype);
      const patterns = args.map((value) => BigInt.asUintN(width, BigInt(value)));
      const result = BigInt.asUintN(width, spec.fold(patterns, width));
      const value = kindOf(dtype) === "signed" ? BigInt.asIntN(width, result) : result;
      return Number(value);
    },
  });
}

const oneArgument = [accepts.boolOrInteger];
const twoArguments = [accepts.boolOrInteger, accepts.boolOrInteger];

export const not = bitwise("not", {
  accepts: oneArgument,
  tfjs: (tf, args, dtype) =>
    dtype === "bool" ? tf.unary("LogicalNot", at(args, 0)) : bits.bitNot(tf, at(args, 0), dtype),
  words: (tf, args) => words.notWord(tf, at(args, 0)),
  fold: (args) => ~at(args, 0),
});

export const and = bitwise("and", {
  accepts: twoArguments,
  tfjs: (tf, args, dtype) =>
    dtype === "bool"
      ? tf.binary("LogicalAnd", at(args, 0), at(args, 1))
      : bits.bitAnd(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.andWords(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) & at(args, 1),
});

export const or = bitwise("or", {
  accepts: twoArguments,
  tfjs: (tf, args, dtype) =>
    dtype === "bool"
      ? tf.binary("LogicalOr", at(args, 0), at(args, 1))
      : bits.bitOr(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.orWords(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) | at(args, 1),
});

export const xor = bitwise("xor", {
  accepts: twoArguments,
  tfjs: (tf, args, dtype) =>
    dtype === "bool"
      ? tf.binary("NotEqual", at(args, 0), at(args, 1))
      : bits.bitXor(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.xorWords(tf, at(args, 0), at(args, 1)),
  fold: (args) => at(args, 0) ^ at(args, 1),
});

export const populationCount = bitwise("population_count", {
  accepts: [accepts.integer],
  tfjs: (tf, args, dtype) => bits.populationCount(tf, at(args, 0), dtype),
  words: (tf, args) => words.populationCount(tf, at(args, 0)),
  fold: (args) => BigInt(at(args, 0).toString(2).replaceAll("0", "").length),
});

export const clz = bitwise("clz", {
  accepts: [accepts.integer],
  tfjs: (tf, args, dtype) => bits.countLeadingZeros(tf, at(args, 0), dtype),
  words: (tf, args) => words.leadingZeros(tf, at(args, 0)),
  fold: (args, width) => {
    const value = at(args, 0);
    return BigInt(width - (value === 0n ? 0 : value.toString(2).length));
  },
});

const integersOnly = [accepts.integer, accepts.integer];

export const shiftLeft = bitwise("shift_left", {
  accepts: integersOnly,
  tfjs: (tf, args, dtype) => integers.shiftLeft(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.shiftLeft(tf, at(args, 0), at(args, 1)),
  fold: (args, width) => {
    const [value, amount] = [at(args, 0), at(args, 1)];
    return amount >= width ? 0n : value << amount;
  },
});

export const shiftRightLogical = bitwise("shift_right_logical", {
  accepts: integersOnly,
  tfjs: (tf, args, dtype) => integers.shiftRightLogical(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.shiftRight(tf, at(args, 0), at(args, 1)),
  fold: (args, width) => {
    const [value, amount] = [at(args, 0), at(args, 1)];
    return amount >= width ? 0n : value >> amount;
  },
});

export const shiftRightArithmetic = bitwise("shift_right_arithmetic", {
  accepts: integersOnly,
  tfjs: (tf, args, dtype) => integers.shiftRightArithmetic(tf, at(args, 0), at(args, 1), dtype),
  words: (tf, args) => words.shiftRightArithmetic(tf, at(args, 0), at(args, 1)),
  fold: (args, width) => {
    const [value, amount] = [at(args, 0), at(args, 1)];
    return BigInt.asIntN(width, value) >> (amount >= width ? BigInt(width - 1) : amount);
  },
});
