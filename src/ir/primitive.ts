/**
 * The record of a primitive: its whole life in one place. `primitives/` holds one record per
 * primitive; tracing, transformation and lowering ask the record and know no primitive by name.
 */
import type { ShapedArray } from "./aval.js";
import type { Dim } from "./dims.js";
import type { HostArray } from "./hostArray.js";
import type { ClosedJaxpr } from "./jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "./ops.js";
import type { HostFunction, Params } from "./params.js";
import type { GraphValue, Tf } from "./tf.js";

/** A rule that does not exist, with the reason that the user reads when it is needed. */
export interface NoRule {
  readonly kind: "no-rule";
  readonly reason: string;
}

/** Says that a rule does not exist, and why. */
export function none(reason: string): NoRule {
  return { kind: "no-rule", reason };
}

export function isNoRule(rule: unknown): rule is NoRule {
  return (
    typeof rule === "object" && rule !== null && (rule as { kind?: unknown }).kind === "no-rule"
  );
}

/** Result types from argument types; throws a shape or dtype error in JAX's words. */
export type AbstractEvalRule<P> = (
  inputs: readonly ShapedArray[],
  params: P,
) => readonly ShapedArray[];

/** A tangent or cotangent; null is a symbolic zero. */
export type MaybeZero = Value | null;

/** Forward derivative: results and their tangents. */
export type JvpRule<P> = (
  o: Ops,
  primals: readonly Value[],
  tangents: readonly MaybeZero[],
  params: P,
) => { readonly primals: readonly Value[]; readonly tangents: readonly MaybeZero[] };

/** An argument of a transpose rule: a known value, or the type of the linear one asked for. */
export type TransposeInput =
  | { readonly kind: "known"; readonly value: Value }
  | { readonly kind: "linear"; readonly aval: ShapedArray };

/** Pulls cotangents of the results back to the linear inputs (null for the known ones). */
export type TransposeRule<P> = (
  o: Ops,
  cotangents: readonly MaybeZero[],
  inputs: readonly TransposeInput[],
  params: P,
) => readonly MaybeZero[];

/** `vmap`: inputs with the position of their batch dimension (null: not batched). */
export type BatchRule<P> = (
  o: Ops,
  inputs: readonly Value[],
  dims: readonly (number | null)[],
  params: P,
) => { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] };

/** An equation split by which of its inputs are known. */
export interface SplitEquation {
  /** From the known inputs to the known outputs, then the residuals. */
  readonly known: ClosedJaxpr;
  /** From the residuals, then the unknown inputs, to the unknown outputs. */
  readonly unknown: ClosedJaxpr;
  readonly knownOutputs: readonly boolean[];
}

/**
 * Partial evaluation of an equation with inner programs: what can be computed before its unknown
 * inputs are there. null: nothing. Without the rule, one unknown input makes all outputs unknown.
 */
export type SplitRule<P> = (
  programs: ProgramTransforms,
  inputs: readonly ShapedArray[],
  known: readonly boolean[],
  params: P,
) => SplitEquation | null;

/** Emits TensorFlow nodes: one rule for eager and graph. `outs` are the result types. */
export type TfjsRule<P> = (
  tf: Tf,
  inputs: readonly GraphValue[],
  params: P,
  outs: readonly ShapedArray[],
) => readonly GraphValue[];

/** Something a running program waits for; who drives it waits synchronously or not. */
export interface EagerRequest {
  now(): unknown;
  later(): Promise<unknown>;
}

/** A computation that may have to wait; rules delegate to others with `yield*`. */
export type EagerSteps<Result> = Generator<EagerRequest, Result, unknown>;

/** Runs an inner program with concrete values: what eager control flow is given. */
export interface EagerControl<V> {
  run(program: ClosedJaxpr, args: readonly V[]): EagerSteps<readonly V[]>;
  /** Says that results of `run` are not needed any more. Inputs may be among them: they stay. */
  release(values: readonly V[]): void;
  /** Reads a scalar (predicate or branch index) back from the device. */
  scalar(value: V): EagerSteps<number>;
  /** Calls a function of tfjs; its results have the types given. */
  host(
    call: HostFunction,
    inputs: readonly V[],
    outputs: readonly ShapedArray[],
  ): EagerSteps<readonly V[]>;
}

/**
 * How a primitive with inner programs runs equation by equation: `control` decides which program
 * runs next. Without it, eager mode runs the tfjs rule of the equation as one small graph.
 */
export type EagerRule<P> = <V>(
  control: EagerControl<V>,
  inputs: readonly V[],
  params: P,
) => EagerSteps<readonly V[]>;

/**
 * What an equation computes where random keys are carried as their words (`carriedAval`).
 *
 * @param inputs keys among them as words @param types those of the inputs, keys as keys
 */
export type CarriedRule<P> = (
  o: Ops,
  inputs: readonly Value[],
  params: P,
  types: readonly ShapedArray[],
) => readonly Value[];

/** A documented limit of the tfjs rule, shown in errors, expected failures and docs/SUPPORT.md. */
export interface Limit {
  readonly when: string;
  readonly effect: string;
  readonly why: string;
}

/** Properties that passes read instead of asking for names. */
export interface Traits {
  /** Each result element depends on the elements of the inputs at the same place only. */
  readonly elementwise?: boolean;
  /** Data movement only: no arithmetic. */
  readonly view?: boolean;
  /** An inner program that is simply called with the inputs; the parameter that holds it. */
  readonly inlines?: string;
  /** Calls a function of the host: it can only be run equation by equation. */
  readonly host?: boolean;
  /** Moves random keys as it moves any elements, or hands them to its inner programs. */
  readonly keys?: boolean;
  /** Must not be removed when its results are unused. */
  readonly effectful?: boolean;
}

/** How a primitive that refers to named axes (`psum`) acts in the `vmap` that has the name. */
export interface CollectiveRule<P> {
  /** The names that the equation refers to. */
  axes(params: P): readonly string[];
  /** As the batching rule, over the axis itself: the result no longer refers to it. */
  batch(
    o: Ops,
    inputs: readonly Value[],
    dims: readonly (number | null)[],
    axis: { readonly name: string; readonly size: Dim },
    params: P,
  ): { readonly outputs: readonly Value[]; readonly dims: readonly (number | null)[] };
}

export interface PrimitiveRecord<P> {
  /** As JAX prints it. */
  readonly name: string;
  readonly abstractEval: AbstractEvalRule<P>;
  readonly jvp: JvpRule<P> | NoRule;
  readonly transpose: TransposeRule<P> | NoRule;
  readonly batch: BatchRule<P> | NoRule;
  readonly tfjs: TfjsRule<P> | NoRule;
  readonly eager?: EagerRule<P>;
  readonly split?: SplitRule<P>;
  /** The same as a program of other primitives, which passes put in its place; null: stays. */
  readonly expand?: (inputs: readonly ShapedArray[], params: P) => ClosedJaxpr | null;
  /**
   * For primitives that make random keys or look into them: what takes the equation's place before
   * lowering, which knows no keys. Such a primitive needs no tfjs rule.
   */
  readonly carried?: CarriedRule<P>;
  readonly collective?: CollectiveRule<P>;
  readonly traits?: Traits;
  readonly limits?: readonly Limit[];
  /** Why one equation may become more than 40 TensorFlow nodes. */
  readonly manyNodes?: string;
  /** Floating point operations of one equation, for `inspect`; elementwise: one per element. */
  readonly flops?: (
    inputs: readonly ShapedArray[],
    params: P,
    outs: readonly ShapedArray[],
  ) => number;
  /** Exact value for known inputs, used to fold constants without tfjs (integers, shapes, bits). */
  readonly fold?: (
    inputs: readonly HostArray[],
    params: P,
    outs: readonly ShapedArray[],
  ) => readonly HostArray[] | null;
}

/** A primitive whose parameter type is only known to its own record. */
export type Primitive<P = Params> = PrimitiveRecord<Params> & {
  /** Never set: carries the parameter type, so that `bind` can check it. */
  readonly paramsType?: P | undefined;
};

/**
 * Makes the record of a primitive. Every rule is required: a missing one is a compile error, and
 * `none("why")` is what a reader and a user get to see instead.
 */
export function definePrimitive<P>(record: PrimitiveRecord<P>): Primitive<P> {
  // The one place where P is erased: equations hold params and primitive together, and only
  // `bind`, which is typed by P, makes equations.
  return record as unknown as Primitive<P>;
}

/** Forgets the parameter type, for those who only hand the record on. */
export function erased<P>(primitive: Primitive<P>): Primitive {
  return primitive as Primitive;
}
