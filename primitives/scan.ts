/**
 * `scan`: a loop over the leading dimension of arrays, with carried values. It runs as a `while`
 * (`expand`), which passes unroll where it is short; derivatives need it as it is.
 */
import type { ShapedArray } from "../src/ir/aval.js";
import { JaxprBuilder } from "../src/ir/builder.js";
import { dimEquals, printShape, type Dim } from "../src/ir/dims.js";
import type { ClosedJaxpr, Literal, Var } from "../src/ir/jaxpr.js";
import { definePrimitive, type Primitive } from "../src/ir/primitive.js";
import { add, sub } from "./binary.js";
import { jitCall } from "./call.js";
import { lt } from "./compare.js";
import { outAvals, requireSame, whileLoop } from "./control.js";
import { dynamicSlice, dynamicUpdateSlice } from "./dynamic.js";
import { dimAsValue } from "./iota.js";
import { scanSplit } from "./scanSplit.js";
import {
  scanBatch,
  scanJvp,
  scanTranspose,
  type BindScan,
  type ScanParams,
} from "./scanTransforms.js";
import { broadcastInDim, reshape } from "./shape.js";
import { at, invalid, shapeMismatch } from "./support.js";

const withRows = (aval: ShapedArray, length: Dim): ShapedArray => ({
  ...aval,
  shape: [length, ...aval.shape],
});

function scanTypes(
  inputs: readonly ShapedArray[],
  { jaxpr, length, num_consts, num_carry }: ScanParams,
): readonly ShapedArray[] {
  const start = num_consts + num_carry;
  if (inputs.length !== jaxpr.jaxpr.invars.length || inputs.length < start) {
    throw invalid(
      `scan takes ${jaxpr.jaxpr.invars.length} arguments (its body's), got ${inputs.length}`,
    );
  }
  const rows = inputs.slice(start).map((aval): ShapedArray => {
    const [size, ...shape] = aval.shape;
    if (size === undefined || !dimEquals(size, length)) {
      throw shapeMismatch(
        `scan got \`length\` argument of ${String(length)} which disagrees with leading axis ` +
          `sizes of an array of shape ${printShape(aval.shape)}.`,
      );
    }
    return { ...aval, shape };
  });
  const wanted = jaxpr.jaxpr.invars.map((variable) => variable.aval);
  requireSame("scan operands and body arguments", [...inputs.slice(0, start), ...rows], wanted);
  const results = outAvals(jaxpr);
  const carry = inputs.slice(num_consts, start);
  requireSame(
    "scan body function carry input and carry output",
    carry,
    results.slice(0, num_carry),
  );
  return [
    ...results.slice(0, num_carry),
    ...results.slice(num_carry).map((y) => withRows(y, length)),
  ];
}

const literal = (value: number | boolean, aval: ShapedArray): Literal => ({
  kind: "literal",
  value,
  aval: { ...aval, shape: [] },
});

const counterType: ShapedArray = { shape: [], dtype: "int32", weakType: false };
const zero = literal(0, counterType);

/**
 * The loop that a scan is, as a program of the same inputs and results: counts up, reads one row of
 * each scanned array and writes one row of each stacked result.
 */
function expandScan(inputs: readonly ShapedArray[], params: ScanParams): ClosedJaxpr {
  const { jaxpr, length, num_consts, num_carry } = params;
  const whole = new JaxprBuilder();
  const args = inputs.map((aval) => whole.input(aval));
  const consts = args.slice(0, num_consts);
  const carry = args.slice(num_consts, num_consts + num_carry);
  const xs = args.slice(num_consts + num_carry);
  const stacked = outAvals(jaxpr).slice(num_carry);
  // A symbolic length is a value, handed to condition and body.
  const limit = typeof length === "number" ? [] : whole.bind(dimAsValue, [], { dim: length });
  const buffers = stacked.flatMap((aval) => {
    const empty = literal(aval.dtype === "bool" ? false : 0, aval);
    const { shape } = withRows(aval, length);
    return whole.bind(broadcastInDim, [empty], { shape, broadcast_dimensions: [] });
  });
  const start = [...carry, ...buffers];
  // Without steps there is no row that the body could write.
  if (length === 0) return whole.build(start);
  const condition = new JaxprBuilder();
  const testLimit = limit.map(() => condition.input(counterType));
  const tested = condition.input(counterType);
  start.forEach((value) => condition.input(value.aval));
  const bound = testLimit[0] ?? literal(Number(length), counterType);
  const results = whole.bind(whileLoop, [...limit, ...limit, ...consts, ...xs, zero, ...start], {
    cond_nconsts: limit.length,
    cond_jaxpr: condition.build(condition.bind(lt, [tested, bound], {})),
    body_nconsts: limit.length + consts.length + xs.length,
    body_jaxpr: expandedBody(params, limit.length > 0, consts, xs, start),
  });
  return whole.build(results.slice(1));
}

function expandedBody(
  { jaxpr, length, reverse, num_carry }: ScanParams,
  isSymbolic: boolean,
  constTypes: readonly Var[],
  xTypes: readonly Var[],
  startTypes: readonly Var[],
): ClosedJaxpr {
  const body = new JaxprBuilder();
  const input = ({ aval }: Var): Var => body.input(aval);
  const limit = isSymbolic ? body.input(counterType) : literal(Number(length), counterType);
  const [consts, xs] = [constTypes.map(input), xTypes.map(input)];
  const counter = body.input(counterType);
  const state = startTypes.map(input);
  const one = literal(1, counterType);
  let row = counter;
  if (reverse) {
    const last = at(body.bind(sub, [limit, one], {}), 0);
    row = at(body.bind(sub, [last, counter], {}), 0);
  }
  const placeOf = (array: Var): readonly (Var | Literal)[] => [
    row,
    ...array.aval.shape.slice(1).map(() => zero),
  ];
  const rows = xs.flatMap((x) => {
    const shape = x.aval.shape.slice(1);
    const piece = body.bind(dynamicSlice, [x, ...placeOf(x)], { slice_sizes: [1, ...shape] });
    return body.bind(reshape, piece, { new_sizes: shape, dimensions: null });
  });
  const args = [...consts, ...state.slice(0, num_carry), ...rows];
  const results = body.bind(jitCall, args, { name: "body", jaxpr });
  const written = state.slice(num_carry).flatMap((buffer, index) => {
    const y = at(results, num_carry + index);
    const dimensions = y.aval.shape.map((_, axis) => axis + 1);
    const shape = [1, ...y.aval.shape];
    const update = body.bind(broadcastInDim, [y], { shape, broadcast_dimensions: dimensions });
    return body.bind(dynamicUpdateSlice, [buffer, ...update, ...placeOf(buffer)], {});
  });
  const next = body.bind(add, [counter, one], {});
  return body.build([...next, ...results.slice(0, num_carry), ...written]);
}

export type { ScanParams } from "./scanTransforms.js";

export const scan: Primitive<ScanParams> = definePrimitive<ScanParams>({
  name: "scan",
  traits: { keys: true },
  abstractEval: scanTypes,
  jvp: (o, primals, tangents, params) => scanJvp(o, primals, tangents, params, bindScan),
  transpose: (o, cotangents, inputs, params) =>
    scanTranspose(o, cotangents, inputs, params, bindScan),
  batch: (o, inputs, dims, params) => scanBatch(o, inputs, dims, params, bindScan),
  split: (programs, inputs, known, params) => scanSplit(programs, inputs, known, params, bindScan),
  tfjs: (tf, inputs, params) => {
    const avals = inputs.map((input) => input.aval);
    return tf.call(expandScan(avals, params), inputs);
  },
  expand: expandScan,
});

const bindScan: BindScan = (o, { consts, carry, xs }, body, { reverse, length, unroll }) =>
  o.bind(scan, [...consts, ...carry, ...xs], {
    reverse,
    length,
    jaxpr: body,
    num_consts: consts.length,
    num_carry: carry.length,
    linear: [...consts, ...carry, ...xs].map(() => false),
    unroll,
  });
