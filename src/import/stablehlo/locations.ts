/**
 * MLIR locations as source information: JAX writes the name stack around the call stack of the
 * user's Python program. Used for each imported equation and for argument names.
 */
import type { SourceLocation } from "../../ir/errors.js";
import { noSource, type SourceInfo } from "../../ir/jaxpr.js";
import type { MlirLocation } from "../mlir/ir.js";

/** Deeper stacks are cut: messages show the innermost frame, and no program needs more. */
const MAX_FRAMES = 64;

const known = new WeakMap<MlirLocation, SourceInfo>();

/** The frames of a call stack, innermost first. */
function collectFrames(location: MlirLocation, frames: SourceLocation[]): void {
  let functionName: string | undefined;
  let current = location;
  // Names nest and call sites chain to the caller: both are followed without recursion.
  while (frames.length < MAX_FRAMES) {
    if (current.kind === "name") {
      functionName = current.name;
      current = current.child;
    } else if (current.kind === "callSite") {
      if (current.callee.kind === "callSite") {
        // Unusual nesting: its inner frames come first.
        const inner: SourceLocation[] = [];
        const callee = current.callee;
        collectInner(callee, inner, 0);
        frames.push(...inner.slice(0, MAX_FRAMES - frames.length));
      } else {
        pushFrame(current.callee, frames);
      }
      functionName = undefined;
      current = current.caller;
    } else if (current.kind === "fused") {
      const first = current.locations[0];
      if (first === undefined) return;
      current = first;
    } else {
      if (current.kind === "file") frames.push(fileFrame(current, functionName));
      return;
    }
  }
}

function collectInner(location: MlirLocation, frames: SourceLocation[], depth: number): void {
  if (location.kind !== "callSite" || depth > MAX_FRAMES) {
    pushFrame(location, frames);
    return;
  }
  collectInner(location.callee, frames, depth + 1);
  collectInner(location.caller, frames, depth + 1);
}

function pushFrame(location: MlirLocation, frames: SourceLocation[]): void {
  let current = location;
  let functionName: string | undefined;
  for (let depth = 0; depth < MAX_FRAMES && current.kind === "name"; depth++) {
    functionName = current.name;
    current = current.child;
  }
  if (current.kind === "file") frames.push(fileFrame(current, functionName));
}

function fileFrame(
  location: MlirLocation & { readonly kind: "file" },
  functionName: string | undefined,
): SourceLocation {
  const place = { file: location.file, line: location.line, column: location.column };
  return functionName === undefined ? place : { ...place, functionName };
}

/**
 * Name stack and frames of a location. JAX's outermost name is the name stack (older versions add
 * the printed parameters in brackets, which are dropped); the names inside are function names.
 */
export function sourceOf(location: MlirLocation): SourceInfo {
  const cached = known.get(location);
  if (cached !== undefined) return cached;
  let outer = location;
  if (outer.kind === "fused" && outer.locations[0] !== undefined) outer = outer.locations[0];
  let nameStack = "";
  if (outer.kind === "name") {
    nameStack = outer.name.replace(/\[[^]*$/, "");
    outer = outer.child;
  }
  const frames: SourceLocation[] = [];
  collectFrames(outer, frames);
  const source = nameStack === "" && frames.length === 0 ? noSource : { frames, nameStack };
  known.set(location, source);
  return source;
}

/** The name that a location gives to an argument (`params['kernel']`), if it has one. */
export function nameOf(location: MlirLocation): string | undefined {
  return location.kind === "name" && location.name !== "" ? location.name : undefined;
}
