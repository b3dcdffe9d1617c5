/**
 * Symbolic shapes as text, and the shapes of calls: reads `polymorphic_shapes`, and checks actual
 * shapes against symbolic ones (`checkCall`), which gives the values of the dimension variables.
 * Called by the importer, the command line, the graph writer and, with a specification from a
 * model's metadata, by the runtime. How variables are solved is in dims/solve.ts.
 */
import { Jax2TfjsError } from "./errors.js";
import {
  type Dim,
  type LikeShape,
  type Shape,
  type SymbolicScope,
  isSymbolic,
  parseDim,
  parseShape,
  printDim,
  printShape,
  symbolicScope,
  variablesOf,
} from "./dims.js";
import {
  type DimCheck,
  type DimEquation,
  type DimSolution,
  describeFailure,
  evaluateSymbolically,
  isSatisfied,
  solveEquations,
} from "./dims/solve.js";
import { checkSameScope } from "./dims/expr.js";
import { pythonRepr } from "./dims/parse.js";

export interface SymbolicShapeOptions {
  /** Constraints such as `b >= 4` for a new scope. */
  readonly constraints?: readonly string[];
  /** The scope to use, instead of a new one. */
  readonly scope?: SymbolicScope;
  /** The shape that the placeholders `_` and `...` are filled from; null where unknown. */
  readonly like?: LikeShape;
}

function scopeOf(options: SymbolicShapeOptions): SymbolicScope {
  const { scope, constraints = [] } = options;
  if (scope === undefined) return symbolicScope(constraints);
  if (constraints.length === 0) return scope;
  throw new Jax2TfjsError(
    "invalid-dimension-constraint",
    "Cannot specify both a `scope` and `constraints`.",
    { fix: "give the constraints when the scope is created" },
  );
}

/**
 * A shape from text: dimension expressions with commas between them, parentheses optional. `_`
 * takes one size and a final `...` the remaining ones from `like`; null means `...`. Counterpart
 * of jax.export.symbolic_shape.
 *
 * @throws Jax2TfjsError `dimension-syntax`, with JAX's message and the character at fault;
 * `invalid-dimension-constraint`, `unsatisfiable-dimension-constraint`
 */
export function symbolicShape(spec: string | null, options: SymbolicShapeOptions = {}): Shape {
  const description = spec === null ? "None" : pythonRepr(spec);
  return parseShape(spec ?? "...", scopeOf(options), options.like, description);
}

/**
 * The shapes of several arguments, in one scope. Counterpart of jax.export.symbolic_args_specs for
 * arguments that are flattened already.
 *
 * @param specs one text for all arguments, or one per argument; null means static
 * @param shapes the actual shapes, for placeholders
 */
export function symbolicShapes(
  specs: string | null | readonly (string | null)[],
  shapes: readonly LikeShape[],
  options: Omit<SymbolicShapeOptions, "like"> = {},
): Shape[] {
  const perArgument = typeof specs === "string" || specs === null ? shapes.map(() => specs) : specs;
  if (perArgument.length !== shapes.length) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      `There are ${perArgument.length} polymorphic shapes for ${shapes.length} arguments.`,
    );
  }
  const scope = scopeOf(options);
  return shapes.map((like, i) => symbolicShape(perArgument[i] ?? null, { scope, like }));
}

/** An argument of a program: its name in messages, such as `args[0]`, and its shape. */
export interface ArgumentShape {
  readonly name: string;
  readonly shape: Shape;
}

/** What a plan is made from, as plain data for a model's metadata. */
export interface ShapeSpecification {
  readonly arguments: readonly {
    readonly name: string;
    readonly shape: readonly (number | string)[];
  }[];
  readonly constraints: readonly string[];
}

/** How to check the shapes of a call and to compute the dimension variables from them. */
export interface DimPlan extends DimSolution {
  readonly arguments: readonly ArgumentShape[];
  /** The names of the dimension variables, sorted. */
  readonly variables: readonly string[];
  readonly specification: ShapeSpecification;
}

/**
 * How the dimension variables in the shapes of arguments are computed from actual shapes: one
 * variable at a time, from dimensions that are linear in a single unknown one.
 *
 * @param functionName for the message about scopes
 * @throws Jax2TfjsError `unsolvable-dimensions`, `mixed-symbolic-scopes`,
 * `unknown-dimension-variable` (in a constraint), all with JAX's messages
 */
export function solveDims(
  argumentShapes: readonly ArgumentShape[],
  functionName = "the function",
): DimPlan {
  const scope = commonScope(argumentShapes, functionName);
  const equations: DimEquation[] = [];
  const shapes: string[] = [];
  const variables = new Set<string>();
  for (const { name, shape } of argumentShapes) {
    if (!shape.some(isSymbolic)) continue;
    shapes.push(`${name}.shape = ${printShape(shape)}`);
    shape.forEach((dim, axis) => {
      if (!isSymbolic(dim)) return;
      equations.push({ dim, name: sizeName(name, axis) });
      variablesOf(dim).forEach((variable) => variables.add(variable));
    });
  }
  return {
    ...solveEquations(equations, scope, shapes.join(",")),
    arguments: argumentShapes,
    variables: [...variables].sort(),
    specification: {
      arguments: argumentShapes.map(({ name, shape }) => ({ name, shape: shapeToJson(shape) })),
      constraints: [...(scope?.constraintTexts ?? [])],
    },
  };
}

/** A shape as plain data: expressions become text. */
export function shapeToJson(shape: Shape): (number | string)[] {
  return shape.map((dim) => (isSymbolic(dim) ? printDim(dim) : dim));
}

/** The inverse of `shapeToJson`. */
export function shapeFromJson(shape: readonly (number | string)[], scope: SymbolicScope): Dim[] {
  return shape.map((dim) => (typeof dim === "number" ? dim : parseDim(dim, scope)));
}

/**
 * Checks that data from outside is a specification; its expressions are not read yet.
 *
 * @throws Jax2TfjsError `invalid-shape-specification`
 */
export function parseSpecification(value: unknown): ShapeSpecification {
  const { arguments: specs, constraints } = asRecord(value, "the specification");
  const isText = (item: unknown): item is string => typeof item === "string";
  if (!Array.isArray(constraints) || !constraints.every(isText)) {
    throw invalidSpecification("constraints is not a list of texts");
  }
  if (!Array.isArray(specs)) throw invalidSpecification("arguments is not a list");
  return {
    constraints,
    arguments: specs.map((spec: unknown, i) => {
      const { name, shape } = asRecord(spec, `arguments[${i}]`);
      if (!isText(name)) throw invalidSpecification(`arguments[${i}].name is not a text`);
      if (!Array.isArray(shape) || !shape.every(isSizeOrText)) {
        throw invalidSpecification(`arguments[${i}].shape is not a list of sizes and expressions`);
      }
      return { name, shape };
    }),
  };
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw invalidSpecification(`${what} is not an object`);
}

function isSizeOrText(value: unknown): value is number | string {
  if (typeof value === "string") return true;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function invalidSpecification(reason: string): Jax2TfjsError {
  return new Jax2TfjsError(
    "invalid-shape-specification",
    `The shape specification of the model is damaged: ${reason}.`,
    { fix: "convert the model again" },
  );
}

/** The plan that a specification was taken from, in a new scope. Throws as `solveDims` does. */
export function planFromSpecification(specification: ShapeSpecification): DimPlan {
  const scope = symbolicScope(specification.constraints);
  return solveDims(
    specification.arguments.map(({ name, shape }) => ({
      name,
      shape: shapeFromJson(shape, scope),
    })),
  );
}

/** The name of an actual size, as messages and JAX's synthetic variables have it. */
function sizeName(argumentName: string, axis: number): string {
  return `${argumentName}.shape[${axis}]`;
}

function commonScope(
  argumentShapes: readonly ArgumentShape[],
  functionName: string,
): SymbolicScope | undefined {
  let first: { readonly scope: SymbolicScope; readonly name: string } | undefined;
  for (const { name, shape } of argumentShapes) {
    for (const dim of shape) {
      if (!isSymbolic(dim)) continue;
      first ??= { scope: dim.scope, name };
      const [self, other] = [`current (from ${first.name}) `, name];
      checkSameScope(first.scope, dim, `when exporting ${functionName}`, self, other);
    }
  }
  return first?.scope;
}

/**
 * Checks the shapes of a call.
 *
 * @param shapes the actual shapes, one per argument of the plan
 * @returns the values of the dimension variables
 * @throws Jax2TfjsError `shape-mismatch` with JAX's message: a rank, a known size, a size that
 * disagrees with its specification, or a constraint
 */
export function checkCall(
  plan: DimPlan,
  shapes: readonly (readonly number[])[],
): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [name, value] of unifyShapes(plan, shapes)) {
    if (typeof value === "number") values.set(name, value);
  }
  return values;
}

/**
 * Like `checkCall` for shapes that may themselves be symbolic, in another scope: the program is
 * called from another program. What cannot be decided is refused, as in JAX.
 */
export function unifyShapes(plan: DimPlan, shapes: readonly Shape[]): ReadonlyMap<string, Dim> {
  checkKnownSizes(plan, shapes);
  const sizes = new Map<string, Dim>();
  plan.arguments.forEach(({ name, shape }, i) => {
    shape.forEach((dim, axis) => {
      const actual = shapes[i]?.[axis];
      if (isSymbolic(dim) && actual !== undefined) sizes.set(sizeName(name, axis), actual);
    });
  });
  for (const check of plan.checks) {
    if (!isSatisfied(check, sizes)) throw failure(plan, check, sizes);
  }
  return new Map(
    plan.variables.map((name) => {
      const value = plan.solution.get(name) ?? 0;
      return [name, evaluateSymbolically(value, sizes)];
    }),
  );
}

function failure(plan: DimPlan, check: DimCheck, sizes: ReadonlyMap<string, Dim>): Jax2TfjsError {
  return new Jax2TfjsError("shape-mismatch", describeFailure(plan, check, sizes));
}

function checkKnownSizes(plan: DimPlan, shapes: readonly Shape[]): void {
  if (shapes.length !== plan.arguments.length) {
    throw new Jax2TfjsError(
      "shape-mismatch",
      `Expected ${plan.arguments.length} arguments and called with ${shapes.length}.`,
    );
  }
  plan.arguments.forEach(({ name, shape }, i) => {
    const actual = shapes[i] ?? [];
    const expectedAndActual = `expected ${printShape(shape)} and called with ${printShape(actual)}`;
    if (actual.length !== shape.length) {
      throw new Jax2TfjsError("shape-mismatch", `Rank mismatch for ${name}: ${expectedAndActual}`);
    }
    shape.forEach((dim, axis) => {
      const size = actual[axis];
      if (typeof size === "number" && (!Number.isSafeInteger(size) || size < 0)) {
        throw new Jax2TfjsError("shape-mismatch", `${sizeName(name, axis)} is ${size}.`);
      }
      if (isSymbolic(dim) || size === dim) return;
      throw new Jax2TfjsError(
        "shape-mismatch",
        `Shape mismatch for ${sizeName(name, axis)} (expected same constant): ${expectedAndActual}`,
      );
    });
  });
}
