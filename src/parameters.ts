/**
 * Binds parameter files to the arguments of an imported program, for `convert` and for running it.
 */
import { bindParameters, type BindOptions, type BoundParameter } from "./import/params/bind.js";
import type { ExpectedLeaf, PathEntry } from "./import/params/expected.js";
import { parseKeyPath } from "./import/params/keyPath.js";
import type { ParameterFile, ParameterLeaf } from "./import/params/parameterFile.js";
import type { Program, ProgramInput } from "./import/program.js";
import { Jax2TfjsError } from "./ir/errors.js";
import { printDim } from "./ir/dims.js";
import { fromNumbers, isHostArray, type HostArray } from "./ir/hostArray.js";
import type { ArrayValue, NumberArray } from "./trace/arrays.js";
import { typeOf } from "./trace/trace.js";
import { flattenWithPath } from "./tree/pytree.js";

/** The arguments of a program: positions and keywords, in order. */
export function argumentNames(program: Program): readonly string[] {
  return [...new Set(program.inputs.map(({ keyPath }) => keyPath[0] ?? ""))];
}

/**
 * The leaves of one argument, as a parameter file must have them.
 *
 * @param argument its position, or its keyword
 * @throws Jax2TfjsError `no-such-argument`
 */
export function expectedLeaves(
  program: Program,
  argument: number | string = 0,
): readonly ExpectedLeaf[] {
  const key = String(argument);
  const leaves = program.inputs.flatMap((input, position): ExpectedLeaf[] => {
    if (input.keyPath[0] !== key) return [];
    const { dtype, shape } = input.aval;
    const sizes = shape.map((dim) => (typeof dim === "number" ? dim : printDim(dim)));
    return [{ path: pathBelow(input), dtype, shape: sizes, position }];
  });
  if (leaves.length > 0 || isEmptyArgument(program, key)) return leaves;
  throw new Jax2TfjsError("no-such-argument", `the program has no argument ${key} with leaves`, {
    fix: `its arguments are ${argumentNames(program).join(", ") || "none"}`,
  });
}

/** An argument may be an empty dict: the weights are constants of the program then. */
function isEmptyArgument({ inTree }: Program, key: string): boolean {
  const [positional, keyword] = inTree.children ?? [];
  const place = keyword?.keys?.indexOf(key) ?? -1;
  const argument = positional?.children?.[Number(key)] ?? keyword?.children?.[place];
  return argument !== undefined && argument.kind !== "leaf";
}

/** The key path from the argument down: names from the module, where custom nodes have them. */
function pathBelow({ name, keyPath }: ProgramInput): readonly PathEntry[] {
  const below = keyPath.slice(1);
  const parsed = parseKeyPath(name)?.entries ?? [];
  // `args[0]['w']` starts with the argument's place, `params['w']` with its name.
  const entries = parsed.slice(parsed.length - below.length);
  return entries.length === below.length && below.length > 0 ? entries : below;
}

export interface BindFileOptions extends BindOptions {
  /** Position or keyword of the argument. Default: 0. */
  readonly argument?: number | string;
}

/**
 * Pairs the leaves of an argument with those of a parameter file.
 *
 * @throws ParameterMismatchError `params-mismatch` with every leaf that is missing, surplus, or of
 * another shape or dtype; Jax2TfjsError `no-such-argument`
 */
export function bindArgument(
  program: Program,
  file: Pick<ParameterFile, "leaves" | "format">,
  options: BindFileOptions = {},
): readonly BoundParameter[] {
  return bindParameters(expectedLeaves(program, options.argument), file, options);
}

/**
 * Pairs the leaves of an argument with the arrays of a pytree, which become named weights of the
 * model: `convert(program, { parameters: bindTree(program, params) })`.
 *
 * @param tree tensors, typed arrays or numbers in the containers that the program was traced with
 * @throws ParameterMismatchError `params-mismatch`; Jax2TfjsError `no-such-argument`, `not-an-array`
 */
export function bindTree(
  program: Program,
  tree: unknown,
  options: BindFileOptions = {},
): readonly BoundParameter[] {
  const leaves = flattenWithPath(tree)[0].map(({ path, value }): ParameterLeaf => {
    const array = hostArrayOf(value);
    const keys = (parseKeyPath(path)?.entries ?? [path]).map(String);
    return {
      name: keys.join("/"),
      path: keys,
      dtype: array.dtype,
      shape: array.shape,
      byteLength: array.bytes.length,
      read: () => array.bytes,
      pieces: () => [array.bytes],
    };
  });
  return bindArgument(program, { leaves, format: "tree" }, options);
}

/** An array of any kind as bytes. */
function hostArrayOf(value: unknown): HostArray {
  if (isHostArray(value)) return value;
  const { dtype, shape } = typeOf(value);
  const numbers =
    typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
      ? [Number(value)]
      : ArrayBuffer.isView(value)
        ? (value as NumberArray)
        : (value as ArrayValue).dataSync();
  return fromNumbers(dtype, shape as readonly number[], numbers);
}
