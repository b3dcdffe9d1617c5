/**
 * Values of command line options: each parser takes the text after the option and throws
 * commander's InvalidArgumentError with what was expected.
 */
import { InvalidArgumentError } from "commander";
import type { Backend } from "../ir/tf.js";
import { safetyChecks, type SafetyCheck } from "../runtime/callSignature.js";

/** Backends that a model can be made for. */
const knownBackends: readonly Backend[] = ["cpu", "wasm", "webgl", "webgpu", "tensorflow"];

/** A whole number of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
  };
}

/** A number of bytes: `4194304`, `4MiB`, `500k`. */
export function byteCount(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)\s*([kmg])?(i)?(b)?$/i.exec(text.trim());
  if (parts?.[1] !== undefined) {
    const base = parts[3] === undefined && parts[4] !== undefined ? 1000 : 1024;
    const power = "kmg".indexOf((parts[2] ?? "").toLowerCase() || "?") + 1;
    const bytes = Math.round(Number(parts[1]) * base ** power);
    if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  }
  throw new InvalidArgumentError("Expected a number of bytes such as 4194304 or 4MiB.");
}

/** A number that is not negative: a tolerance. */
export function tolerance(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a number that is not negative, such as 1e-4.");
}

/** `cpu,wasm,webgl`. */
export function backendList(text: string): readonly Backend[] {
  const names = text.split(",").map((name) => name.trim());
  const backends = names.map((name) => knownBackends.find((backend) => backend === name));
  const known = backends.filter((backend) => backend !== undefined);
  if (known.length === names.length && known.length > 0) return [...new Set(known)];
  throw new InvalidArgumentError(`Expected some of ${knownBackends.join(",")}.`);
}

/** `shape_assertions`, the names of `jax.export.DisabledSafetyCheck`. */
export function checkList(text: string): readonly SafetyCheck[] {
  const names = text.split(",").map((name) => name.trim());
  const known = names.flatMap((name) => safetyChecks.find((check) => check === name) ?? []);
  if (known.length === names.length) return known;
  throw new InvalidArgumentError(`Expected some of ${safetyChecks.join(",")}.`);
}

/** `b=8,seq=128`, adding to sizes given before. */
export function dimensionSizes(
  text: string,
  previous: ReadonlyMap<string, number> | undefined,
): ReadonlyMap<string, number> {
  const sizes = new Map(previous);
  for (const item of text.split(",")) {
    const [, name, size] = /^\s*([A-Za-z_]\w*)\s*=\s*(\d+)\s*$/.exec(item) ?? [];
    if (name === undefined || !Number.isSafeInteger(Number(size)) || Number(size) < 1) {
      throw new InvalidArgumentError("Expected sizes such as b=8 or b=8,seq=128.");
    }
    sizes.set(name, Number(size));
  }
  return sizes;
}

/** Collects the values of an option that may be repeated. */
export function repeated<T>(parse: (text: string) => T): (text: string, previous?: T[]) => T[] {
  return (text, previous = []) => [...previous, parse(text)];
}

/** Comma-separated names, adding to those given before. */
export function nameList(text: string, previous: readonly string[] = []): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes(""))
    throw new InvalidArgumentError("Expected names such as dot_general,conv.");
  return [...previous, ...names];
}
