/**
 * Where an equation comes from: the frames of the user's program, read from the JavaScript stack
 * when someone asks for them. Called by trace.ts for every equation, so taking one must be cheap.
 */
import { Jax2TfjsError, type SourceLocation } from "../ir/errors.js";
import type { SourceInfo } from "../ir/jaxpr.js";
import { printSource } from "../ir/print.js";

/** The folder of this package's code: its frames are left out. */
const ownFolders: readonly string[] = packageFolders(import.meta.url);

function packageFolders(url: string): readonly string[] {
  const match = /^(.*\/)src\/trace\/source\.[jt]s/.exec(url);
  const root = match?.[1];
  // A bundle has everything in one file: then no frame can be told to be ours.
  if (root === undefined) return [];
  return [`${root}src/`, `${root}primitives/`].flatMap((folder) => [
    folder,
    folder.replace(/^file:\/\//, ""),
  ]);
}

const framePattern = /^\s*at (?:async )?(?:(.*?) \()?(.*?):(\d+):(\d+)\)?$/;

function parseFrame(line: string): SourceLocation | null {
  const match = framePattern.exec(line);
  if (match === null) return null;
  const [, functionName, file = "", row, column] = match;
  if (file.startsWith("node:") || ownFolders.some((folder) => file.startsWith(folder))) return null;
  // tfjs's own files, which its source maps put elsewhere, call converted functions back.
  if (/\/node_modules\/|\/tfjs-(?:core|converter|backend-\w+)\/src\//.test(file)) return null;
  const place = { file: file.replace(/^file:\/\//, ""), line: Number(row), column: Number(column) };
  return functionName === undefined ? place : { ...place, functionName };
}

/** Frames of a stack that are the user's, innermost first. */
export function userFrames(stack: string | undefined): readonly SourceLocation[] {
  return (stack ?? "").split("\n").flatMap((line) => parseFrame(line) ?? []);
}

/** The stack at one moment; V8 makes its text only when it is read. */
class StackSource implements SourceInfo {
  readonly nameStack: string;
  readonly #error: Error;
  #frames: readonly SourceLocation[] | undefined;

  constructor(nameStack: string) {
    this.nameStack = nameStack;
    // The user's frames lie below several of ours; only V8 has this limit.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 40;
    this.#error = new Error();
    Error.stackTraceLimit = limit;
  }

  get frames(): readonly SourceLocation[] {
    this.#frames ??= userFrames(this.#error.stack);
    return this.#frames;
  }
}

/** The place of the user's program that is being traced. */
export function callerSource(nameStack: string): SourceInfo {
  return new StackSource(nameStack);
}

/**
 * Runs something on behalf of the user: errors that do not say where they come from get the user's
 * line.
 */
export function atUserLine<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Jax2TfjsError) || (error.details.source ?? "") !== "") throw error;
    const source = printSource(callerSource(""));
    throw new Jax2TfjsError(error.code, error.message, { ...error.details, source });
  }
}
