/** The named batch dimensions around the code that is running: what collectives may refer to. */
import { type Dim } from "../ir/dims.js";
import { callError } from "./calls.js";

export interface NamedAxis {
  readonly name: string;
  readonly size: Dim;
}

/** Innermost last. */
let axes: readonly NamedAxis[] = [];

/** The named axes here, for functions that are traced later. */
export function currentAxes(): readonly NamedAxis[] {
  return axes;
}

/** Runs something with other named axes. */
export function withAxes<T>(inner: readonly NamedAxis[], run: () => T): T {
  const outer = axes;
  axes = inner;
  try {
    return run();
  } finally {
    axes = outer;
  }
}

/** Runs something inside of a named axis; without a name, as it is. */
export function withAxis<T>(name: string | undefined, size: Dim, run: () => T): T {
  return name === undefined ? run() : withAxes([...axes, { name, size }], run);
}

/** @throws Jax2TfjsError `unbound-axis` */
export function sizeOfAxis(name: string): Dim {
  const axis = axes.findLast((candidate) => candidate.name === name);
  if (axis !== undefined) return axis.size;
  throw callError(
    "unbound-axis",
    `unbound axis name: ${name}`,
    `call it in a function mapped by vmap(f, { axisName: "${name}" })`,
  );
}
