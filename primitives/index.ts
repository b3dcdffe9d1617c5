/**
 * The registry: every primitive by the name that JAX prints. Read by the importer, the parser of
 * printed jaxprs and the documentation; transformations and lowering ask the record itself.
 */
import type { Primitive } from "../src/ir/primitive.js";
import * as argReduce from "./argReduce.js";
import * as binary from "./binary.js";
import * as call from "./call.js";
import * as callTfjs from "./callTfjs.js";
import * as checkpoint from "./checkpoint.js";
import * as collectives from "./collectives.js";
import * as compare from "./compare.js";
import * as complex from "./complex.js";
import * as control from "./control.js";
import * as conv from "./conv.js";
import * as convert from "./convert.js";
import * as cumulative from "./cumulative.js";
import * as customDerivatives from "./customDerivatives.js";
import * as dot from "./dot.js";
import * as dynamic from "./dynamic.js";
import * as fft from "./fft.js";
import * as fused from "./fused.js";
import * as gather from "./gather.js";
import * as incomplete from "./incomplete.js";
import * as integer from "./integer.js";
import * as iota from "./iota.js";
import * as linalg from "./linalg/index.js";
import * as linearSolve from "./linearSolve.js";
import * as pad from "./pad.js";
import * as random from "./random.js";
import * as randomGamma from "./randomGamma.js";
import * as randomKeys from "./randomKeys.js";
import * as reduce from "./reduce.js";
import * as reduceGeneral from "./reduceGeneral.js";
import * as rngBits from "./rngBits.js";
import * as rngUniform from "./rngUniform.js";
import * as scan from "./scan.js";
import * as scatter from "./scatter.js";
import * as select from "./select.js";
import * as selectAndScatter from "./selectAndScatter.js";
import * as shape from "./shape.js";
import * as slice from "./slice.js";
import * as sort from "./sort.js";
import * as special from "./special.js";
import * as unary from "./unary.js";
import * as window from "./window.js";
import * as windowGeneral from "./windowGeneral.js";

/** One line per family: every exported record of the module is registered. */
const families: readonly object[] = [
  unary,
  binary,
  compare,
  integer,
  convert,
  select,
  special,
  incomplete,
  complex,
  iota,
  shape,
  slice,
  pad,
  dynamic,
  reduce,
  reduceGeneral,
  argReduce,
  cumulative,
  dot,
  conv,
  window,
  windowGeneral,
  selectAndScatter,
  gather,
  scatter,
  sort,
  fft,
  linalg,
  random,
  randomKeys,
  randomGamma,
  rngBits,
  rngUniform,
  fused,
  control,
  scan,
  call,
  callTfjs,
  checkpoint,
  customDerivatives,
  collectives,
  linearSolve,
];

function isPrimitive(value: unknown): value is Primitive {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { name?: unknown }).name === "string" &&
    typeof (value as { abstractEval?: unknown }).abstractEval === "function"
  );
}

function collect(): ReadonlyMap<string, Primitive> {
  const records = new Map<string, Primitive>();
  for (const family of families) {
    for (const record of Object.values(family).filter(isPrimitive)) {
      const known = records.get(record.name);
      if (known !== undefined && known !== record) {
        throw new Error(`internal error: two records are named ${record.name}`);
      }
      records.set(record.name, record);
    }
  }
  return records;
}

/** All records by name. */
export const registry: ReadonlyMap<string, Primitive> = collect();
