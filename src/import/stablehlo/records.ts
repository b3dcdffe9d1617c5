/**
 * The records that equations of an imported program refer to, by JAX's names.
 */
import type { Primitive } from "../../ir/primitive.js";
import * as argReduce from "../../../primitives/argReduce.js";
import * as binary from "../../../primitives/binary.js";
import * as call from "../../../primitives/call.js";
import * as compare from "../../../primitives/compare.js";
import * as complex from "../../../primitives/complex.js";
import * as control from "../../../primitives/control.js";
import * as conv from "../../../primitives/conv.js";
import * as convert from "../../../primitives/convert.js";
import * as cumulative from "../../../primitives/cumulative.js";
import * as dot from "../../../primitives/dot.js";
import * as dynamic from "../../../primitives/dynamic.js";
import * as gather from "../../../primitives/gather.js";
import * as integer from "../../../primitives/integer.js";
import * as iota from "../../../primitives/iota.js";
import * as pad from "../../../primitives/pad.js";
import * as reduce from "../../../primitives/reduce.js";
import * as reduceGeneral from "../../../primitives/reduceGeneral.js";
import * as scatter from "../../../primitives/scatter.js";
import * as select from "../../../primitives/select.js";
import * as selectAndScatter from "../../../primitives/selectAndScatter.js";
import * as shape from "../../../primitives/shape.js";
import * as slice from "../../../primitives/slice.js";
import * as sort from "../../../primitives/sort.js";
import * as precision from "../../../primitives/precision.js";
import * as bitcast from "../../../primitives/bitcast.js";
import * as unary from "../../../primitives/unary.js";
import * as window from "../../../primitives/window.js";
import * as windowGeneral from "../../../primitives/windowGeneral.js";

const families: readonly Readonly<Record<string, unknown>>[] = [
  argReduce,
  binary,
  call,
  compare,
  complex,
  control,
  conv,
  convert,
  cumulative,
  dot,
  dynamic,
  gather,
  integer,
  iota,
  pad,
  reduce,
  reduceGeneral,
  scatter,
  select,
  selectAndScatter,
  shape,
  slice,
  sort,
  precision,
  bitcast,
  unary,
  window,
  windowGeneral,
];

function isPrimitive(value: unknown): value is Primitive {
  return typeof value === "object" && value !== null && "abstractEval" in value;
}

const primitives = new Map(
  families.flatMap((family) =>
    Object.values(family)
      .filter(isPrimitive)
      .map((primitive) => [primitive.name, primitive] as const),
  ),
);

/** The record of a primitive, or undefined if there is none. */
export function findPrimitive(name: string): Primitive | undefined {
  return primitives.get(name);
}
