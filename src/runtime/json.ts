/**
 * Reads data of unknown type, as model.json holds them: each function gives the value in its type or
 * refuses the model.
 */
import { Jax2TfjsError } from "../ir/errors.js";

export type JsonRecord = Readonly<Record<string, unknown>>;

/** The error about a damaged model.json. */
export function corrupt(reason: string): Jax2TfjsError {
  return new Jax2TfjsError("model-corrupt", `model.json is damaged: ${reason}`, {
    fix: "convert the model again",
  });
}

/** @throws Jax2TfjsError `model-corrupt` */
export function record(value: unknown, what: string): JsonRecord {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonRecord;
  }
  throw corrupt(`${what} is no object`);
}

/** @throws Jax2TfjsError `model-corrupt` */
export function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[];
  throw corrupt(`${what} is no list`);
}

/** @throws Jax2TfjsError `model-corrupt` */
export function text(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw corrupt(`${what} is no text`);
}
