/**
 * The derivatives and the batching rule of the scatters. Where several updates may meet in one
 * place, the rules find out which of them made the result. Used by scatter.ts and sliceBatching.ts.
 */
import { mulDims, type Dim, type Shape } from "../src/ir/dims.js";
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { ScatterDimensionNumbers, ScatterParams } from "../src/ir/params.js";
import {
  none,
  type BatchRule,
  type JvpRule,
  type MaybeZero,
  type NoRule,
  type TransposeInput,
  type TransposeRule,
} from "../src/ir/primitive.js";
import { batchAtFront, sizeOfBatch, type BatchDims } from "./batching.js";
import { addTangents, batchToFront } from "./factories.js";
import { inverseGather } from "./gatherTransforms.js";
import { isSurelyUnique } from "./scatterLayout.js";
import { at, invalid } from "./support.js";

/** Which scatter: how an update and the old value make the new one. */
export type ScatterKind = Parameters<Ops["scatter"]>[0];

const zeros = (o: Ops, { aval }: Value): Value => o.full(aval.shape, 0, aval.dtype);
const ones = (o: Ops, { aval }: Value): Value => o.full(aval.shape, 1, aval.dtype);

function unsupported(
  code: "no-jvp-rule" | "no-transpose-rule",
  primitive: "scatter" | "scatter-mul",
  message: string,
): Jax2TfjsError {
  const fix = "promise unique_indices=True where no two updates go to one place";
  return new Jax2TfjsError(code, message, { primitive, fix });
}

/** The parameters of the scatter of one of the derivatives: plain, not the program of the primal. */
function plain(params: ScatterParams, unique: boolean): ScatterParams {
  return { ...params, update_jaxpr: null, unique_indices: unique };
}

// --- forward derivatives -------------------------------------------------------------------------

/** A primal and its tangents, all present; `tangents` are those of operand and updates. */
interface Inputs {
  readonly operand: Value;
  readonly indices: Value;
  readonly updates: Value;
  readonly operandTangent: MaybeZero;
  readonly updatesTangent: MaybeZero;
}

type TangentOf = (o: Ops, inputs: Inputs, result: Value, params: ScatterParams) => MaybeZero;

function jvpWith(kind: ScatterKind, tangentOf: TangentOf): JvpRule<ScatterParams> {
  return (o, primals, tangents, params) => {
    const [operand, indices, updates] = [at(primals, 0), at(primals, 1), at(primals, 2)];
    const result = o.scatter(kind, operand, indices, updates, params);
    const [operandTangent = null, , updatesTangent = null] = tangents;
    if (operandTangent === null && updatesTangent === null) {
      return { primals: [result], tangents: [null] };
    }
    const inputs = { operand, indices, updates, operandTangent, updatesTangent };
    return { primals: [result], tangents: [tangentOf(o, inputs, result, params)] };
  };
}

/** scatter-add and scatter-sub are linear. */
function linearTangent(kind: "add" | "sub"): TangentOf {
  return (o, { operand, indices, updates, operandTangent, updatesTangent }, _result, params) =>
    o.scatter(
      kind,
      operandTangent ?? zeros(o, operand),
      indices,
      updatesTangent ?? zeros(o, updates),
      params,
    );
}

/**
 * A number from 1 on for each update, the same for all elements of its window; and the scatter of
 * these numbers, which shows which update each element of the result comes from (0: none).
 */
function numberUpdates(o: Ops, inputs: Inputs, params: ScatterParams) {
  const { operand, indices, updates } = inputs;
  const { update_window_dims: windows } = params.dimension_numbers;
  const { shape } = updates.aval;
  const places: Shape = shape.map((dim, axis) => (windows.includes(axis) ? 1 : dim));
  const count = places.reduce<Dim>(mulDims, 1);
  const counted = o.add(o.iota("int32", [count], 0), o.full([count], 1, "int32"));
  const numbers = o.broadcastInDim(
    o.reshape(counted, places),
    shape,
    shape.map((_, axis) => axis),
  );
  const none = o.full(operand.aval.shape, 0, "int32");
  return { numbers, winners: o.scatter("replace", none, indices, numbers, params) };
}

/** Replacement: elements that are replaced pass no tangent on, nor do updates that are overwritten. */
const replaceTangent: TangentOf = (o, inputs, _result, params) => {
  const { operand, indices, updates, operandTangent, updatesTangent } = inputs;
  const { update_jaxpr: program } = params;
  if (program !== null && program.jaxpr.outvars[0] !== program.jaxpr.invars[1]) {
    throw new Jax2TfjsError("no-jvp-rule", "scatter_apply JVP not implemented", {
      primitive: "scatter",
    });
  }
  const own = operandTangent ?? zeros(o, operand);
  const given = updatesTangent ?? zeros(o, updates);
  if (isSurelyUnique(indices.aval.shape, params)) {
    return o.scatter("replace", own, indices, given, plain(params, true));
  }
  const derived = plain(params, false);
  const { numbers, winners } = numberUpdates(o, inputs, derived);
  const taking = inverseGather(operand.aval.shape, updates.aval.shape, derived, null);
  const kept = o.eq(winners, o.full(winners.aval.shape, 0, "int32"));
  const wins = o.eq(numbers, o.gather(winners, indices, taking));
  const maskedOwn = operandTangent === null ? own : o.selectN(kept, zeros(o, own), own);
  const maskedGiven = updatesTangent === null ? given : o.selectN(wins, zeros(o, given), given);
  return o.scatter("add", maskedOwn, indices, maskedGiven, derived);
};

/** The product rule, where no element is multiplied by several updates. */
const productTangent: TangentOf = (o, inputs, _result, params) => {
  const { operand, indices, updates, operandTangent, updatesTangent } = inputs;
  const ofOperand =
    operandTangent === null ? null : o.scatter("mul", operandTangent, indices, updates, params);
  if (updatesTangent === null) return ofOperand;
  if (!isSurelyUnique(indices.aval.shape, params)) {
    throw unsupported(
      "no-jvp-rule",
      "scatter-mul",
      "scatter_mul gradients are only implemented if `unique_indices=True`",
    );
  }
  const spread = o.scatter("add", zeros(o, operand), indices, updatesTangent, params);
  return addTangents(o, [ofOperand, o.mul(operand, spread)]);
};

/**
 * Extrema: the tangents of all candidates that equal the result are averaged, the old value among
 * them.
 */
const extremumTangent: TangentOf = (o, inputs, result, params) => {
  const { operand, indices, updates, operandTangent, updatesTangent } = inputs;
  const derived = plain(params, params.unique_indices);
  const taking = inverseGather(operand.aval.shape, updates.aval.shape, derived, null);
  const take = (x: Value): Value => o.gather(x, indices, taking);
  const sumOf = (x: Value): Value => o.scatter("add", zeros(o, operand), indices, x, derived);
  const [one, zero] = [ones(o, updates), zeros(o, updates)];
  const target = take(result);
  const wins = o.eq(updates, target);
  const retained = o.eq(take(operand), target);
  const winners = take(sumOf(o.selectN(wins, zero, one)));
  const withOld = o.div(one, o.add(winners, one));
  const terms: MaybeZero[] = [];
  if (operandTangent !== null) {
    // All updates of an element take away its old tangent's share together.
    const share = o.selectN(retained, zero, withOld);
    const weight = o.div(o.sub(share, one), take(sumOf(one)));
    terms.push(o.mul(take(operandTangent), weight));
  }
  if (updatesTangent !== null) {
    const share = o.selectN(retained, o.div(one, winners), withOld);
    terms.push(o.mul(updatesTangent, o.selectN(wins, zero, share)));
  }
  const change = addTangents(o, terms) ?? zero;
  return o.scatter("add", operandTangent ?? zeros(o, operand), indices, change, derived);
};

/** The forward derivative of a scatter. */
export function scatterJvp(kind: ScatterKind): JvpRule<ScatterParams> {
  switch (kind) {
    case "replace":
      return jvpWith(kind, replaceTangent);
    case "add":
    case "sub":
      return jvpWith(kind, linearTangent(kind));
    case "mul":
      return jvpWith(kind, productTangent);
    case "min":
    case "max":
      return jvpWith(kind, extremumTangent);
  }
}

// --- transposition -------------------------------------------------------------------------------

type PullBack = (
  o: Ops,
  cotangent: Value,
  indices: Value,
  inputs: readonly TransposeInput[],
  params: ScatterParams,
) => Value;

const avalOf = (input: TransposeInput) => (input.kind === "known" ? input.value.aval : input.aval);

function valueOf(input: TransposeInput): Value {
  if (input.kind === "known") return input.value;
  throw new Jax2TfjsError(
    "not-linear",
    "scatter-mul is not linear in operand and updates together",
    {
      primitive: "scatter-mul",
    },
  );
}

/** What was written where: the cotangents of the updates. */
const takeBack: PullBack = (o, cotangent, indices, inputs, params) => {
  const updates = avalOf(at(inputs, 2)).shape;
  return o.gather(cotangent, indices, inverseGather(cotangent.aval.shape, updates, params, 0));
};

function transposeWith(toOperand: PullBack, toUpdates: PullBack): TransposeRule<ScatterParams> {
  return (o, [cotangent = null], inputs, params) => {
    if (cotangent === null) return [null, null, null];
    const indices = at(inputs, 1);
    if (indices.kind === "linear") throw invalid("scatter is not linear in its indices");
    const pull = (input: TransposeInput, rule: PullBack): MaybeZero =>
      input.kind === "known" ? null : rule(o, cotangent, indices.value, inputs, params);
    return [pull(at(inputs, 0), toOperand), null, pull(at(inputs, 2), toUpdates)];
  };
}

function checkUnique(
  primitive: "scatter" | "scatter-mul",
  indices: Value,
  params: ScatterParams,
): void {
  if (isSurelyUnique(indices.aval.shape, params)) return;
  const message =
    primitive === "scatter"
      ? "scatter transpose is only implemented where unique_indices=True"
      : "scatter_mul gradients are only implemented if `unique_indices=True`";
  throw unsupported("no-transpose-rule", primitive, message);
}

const replaceTranspose = transposeWith(
  (o, cotangent, indices, inputs, params) => {
    checkUnique("scatter", indices, params);
    const { shape } = avalOf(at(inputs, 2));
    const nothing = o.full(shape, 0, cotangent.aval.dtype);
    return o.scatter("replace", cotangent, indices, nothing, plain(params, true));
  },
  (o, cotangent, indices, inputs, params) => {
    checkUnique("scatter", indices, params);
    return takeBack(o, cotangent, indices, inputs, params);
  },
);

const productTranspose = transposeWith(
  (o, cotangent, indices, inputs, params) =>
    o.scatter("mul", cotangent, indices, valueOf(at(inputs, 2)), params),
  (o, cotangent, indices, inputs, params) => {
    checkUnique("scatter-mul", indices, params);
    return takeBack(o, o.mul(cotangent, valueOf(at(inputs, 0))), indices, inputs, params);
  },
);

/** The transpose of a scatter. */
export function scatterTranspose(kind: ScatterKind): TransposeRule<ScatterParams> | NoRule {
  switch (kind) {
    case "replace":
      return replaceTranspose;
    case "add":
      return transposeWith((_o, cotangent) => cotangent, takeBack);
    case "sub":
      return transposeWith(
        (_o, cotangent) => cotangent,
        (o, ...rest) => o.neg(takeBack(o, ...rest)),
      );
    case "mul":
      return productTranspose;
    case "min":
    case "max":
      return none(`scatter-${kind} is not linear`);
  }
}

// --- batches -------------------------------------------------------------------------------------

const shifted = (dims: readonly number[]): readonly number[] => dims.map((dim) => dim + 1);

/** `vmap` of scatter, any kind: the operand is repeated so that each row writes into its own. */
export function batchScatter(
  o: Ops,
  kind: ScatterKind,
  inputs: readonly Value[],
  dims: BatchDims,
  params: ScatterParams,
): ReturnType<BatchRule<ScatterParams>> {
  const size = sizeOfBatch(inputs, dims);
  const [operand, updates] = [0, 2].map((index) =>
    batchAtFront(o, at(inputs, index), dims[index] ?? null, size),
  );
  if (operand === undefined || updates === undefined) throw new Error("internal error: no inputs");
  const numbers = params.dimension_numbers;
  const indicesDim = dims[1] ?? null;
  const moved = {
    update_window_dims: shifted(numbers.update_window_dims),
    inserted_window_dims: shifted(numbers.inserted_window_dims),
    scatter_dims_to_operand_dims: shifted(numbers.scatter_dims_to_operand_dims),
    operand_batching_dims: shifted(numbers.operand_batching_dims),
  };
  const [indices, dimension_numbers]: readonly [Value, ScatterDimensionNumbers] =
    indicesDim === null
      ? [
          at(inputs, 1),
          {
            ...moved,
            update_window_dims: [0, ...moved.update_window_dims],
            scatter_indices_batching_dims: numbers.scatter_indices_batching_dims,
          },
        ]
      : [
          batchToFront(o, at(inputs, 1), indicesDim),
          {
            ...moved,
            operand_batching_dims: [0, ...moved.operand_batching_dims],
            scatter_indices_batching_dims: [0, ...shifted(numbers.scatter_indices_batching_dims)],
          },
        ];
  const result = o.scatter(kind, operand, indices, updates, { ...params, dimension_numbers });
  return { outputs: [result], dims: [0] };
}

/** The batching rule of a scatter. */
export function scatterBatch(kind: ScatterKind): BatchRule<ScatterParams> {
  return (o, inputs, dims, params) => batchScatter(o, kind, inputs, dims, params);
}
