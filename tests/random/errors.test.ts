// Errors about random keys, in JAX's words.
import { beforeAll, expect, test } from "vitest";
import { grad, vmap } from "../../src/api/index.js";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import * as lax from "../../src/lax/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import "../../src/run/install.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { useBackend } from "../support/backends.js";
import { makeKeys, type Keys } from "./cases.js";
import { recorded } from "./recorded.js";

type A = ArrayValue;
let keys: Keys;

beforeAll(async () => {
  await useBackend("cpu");
  keys = makeKeys();
});

/** What is wrong, the code, and the part of JAX's message that is not Python's. */
const wrong: Readonly<Record<string, readonly [run: () => unknown, code: string, text?: string]>> =
  {
    add: [() => np.add(keys.keys, keys.keys), "dtype-mismatch"],
    addLax: [() => lax.add(keys.keys, keys.keys), "dtype-mismatch"],
    mul: [() => lax.mul(keys.keys, keys.keys), "dtype-mismatch"],
    neg: [() => np.negative(keys.keys), "dtype-mismatch"],
    sin: [() => lax.sin(keys.keys), "dtype-mismatch"],
    lt: [() => lax.lt(keys.keys, keys.keys), "dtype-mismatch"],
    max: [
      () => lax.max(keys.keys, keys.keys),
      "dtype-mismatch",
      "max does not accept dtype key<fry> at position 0. Accepted dtypes at position 0 are subtypes of integer",
    ],
    reduceSum: [() => lax.reduceSum(keys.keys, [0]), "dtype-mismatch"],
    convert: [() => lax.convertElementType(keys.keys, "uint32"), "dtype-mismatch"],
    clamp: [
      () => lax.clamp(keys.key, keys.key, keys.key),
      "dtype-mismatch",
      "clamp does not accept dtype key<fry> at position 0.",
    ],
    where: [() => np.where(true, keys.key, 0), "type-mismatch"],
    grad: [
      () => grad((k: A) => random.normal(k))(keys.key),
      "grad-dtype",
      "grad requires real- or complex-valued inputs (input dtype that is a sub-dtype of np.inexact), but got key<fry>.",
    ],
    splitMany: [
      () => random.split(keys.keys),
      "invalid-key",
      "split accepts a single key, but was given a key array of shape (3,) != ()",
    ],
    normalMany: [
      () => random.normal(keys.keys),
      "invalid-key",
      "normal accepts a single key, but was given a key array of shape (3,) != ()",
    ],
    foldInMany: [
      () => random.foldIn(keys.key, np.arange(3)),
      "invalid-parameter",
      "fold_in accepts a scalar, but was given an array of",
    ],
    floatKey: [() => random.normal(np.zeros([2])), "invalid-key"],
    keyMany: [
      () => random.key(np.zeros([2], { dtype: "int32" })),
      "invalid-parameter",
      "key accepts a scalar seed, but was given an array of shape (2,) != ()",
    ],
    poissonRbg: [
      () => random.poisson(random.key(0, { impl: "rbg" }), 3),
      "invalid-parameter",
      "poisson",
    ],
    branches: [
      () =>
        lax.cond(
          true,
          () => keys.key,
          () => keys.raw,
        ),
      "branch-mismatch",
      "cond",
    ],
  };

function errorOf(run: () => unknown): Jax2TfjsError {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error;
    throw error;
  }
  throw new Error("no error");
}

test("every recorded error is here", () => {
  expect(Object.keys(wrong).sort()).toEqual(Object.keys(recorded.errors).sort());
});

test.each(Object.keys(wrong))("%s", (name) => {
  const [run, code, text] = wrong[name] ?? [() => null, ""];
  const error = errorOf(run);
  const words = recorded.errors[name] ?? "";
  if (text !== undefined) expect(words.replaceAll("`", "")).toContain(text.replaceAll("`", ""));
  expect(error.message).toContain(text ?? words);
  expect(error.code).toBe(code);
});

test("generators that are not here, words that are no keys, and sizes", () => {
  const impl = "philox4x32" as unknown as random.RandomImpl;
  expect(errorOf(() => random.key(0, { impl })).message).toContain("is not supported");
  const none = "dice" as unknown as random.RandomImpl;
  expect(errorOf(() => random.key(0, { impl: none })).message).toContain("unrecognized PRNG");
  expect(errorOf(() => random.key(1.5)).code).toBe("invalid-parameter");
  expect(errorOf(() => random.wrapKeyData(Uint32Array.of(1, 2, 3))).code).toBe("invalid-key");
  expect(errorOf(() => random.wrapKeyData(keys.key)).code).toBe("invalid-key");
  expect(errorOf(() => random.split(keys.key, -1)).code).toBe("invalid-parameter");
  expect(errorOf(() => random.bits(keys.key, [2], { dtype: "int32" })).code).toBe(
    "invalid-parameter",
  );
  expect(errorOf(() => random.gamma(keys.key, [1, 2], { shape: [3] })).code).toBe("shape-mismatch");
  expect(errorOf(() => lax.sort(keys.keys)).message).toContain("sort does not accept dtype");
  expect(errorOf(() => vmap((k: A) => lax.cumsum(k))(random.split(keys.key, [2, 2]))).code).toBe(
    "dtype-mismatch",
  );
});

test("an operation on keys that has no words", () => {
  const error = errorOf(() => random.keyData(lax.empty([2], "key<fry>")));
  expect(error.code).toBe("unsupported-key-operation");
});
