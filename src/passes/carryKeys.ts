/**
 * Random keys as what tensors hold of them: a program without types of keys, in which a key array is
 * its uint32 words along one more dimension, the last. Called before all that runs or saves programs.
 */
import { carriedAval } from "../ir/aval.js";
import { JaxprBuilder } from "../ir/builder.js";
import { mapPrograms } from "../ir/cleanup.js";
import { isKey } from "../ir/dtypes.js";
import { Jax2TfjsError } from "../ir/errors.js";
import { hostArray, type HostArray } from "../ir/hostArray.js";
import {
  subJaxprs,
  type Atom,
  type ClosedJaxpr,
  type Equation,
  type Jaxpr,
  type Var,
} from "../ir/jaxpr.js";
import type { Ops, ProgramTransforms, Value } from "../ir/ops.js";
import { isNoRule } from "../ir/primitive.js";
import { printEquation, printSource } from "../ir/print.js";
import { createOps } from "../lax/ops.js";

/** True if a value of the program, or of a program in it, is a key. */
function hasKeys({ jaxpr }: ClosedJaxpr): boolean {
  const atoms = [...jaxpr.invars, ...jaxpr.constvars, ...jaxpr.outvars];
  return atoms.some(isKeyAtom) || equationsHaveKeys(jaxpr);
}

const isKeyAtom = ({ aval }: Atom): boolean => isKey(aval.dtype);

function equationsHaveKeys({ equations }: Jaxpr): boolean {
  return equations.some(
    ({ outputs, params }) => outputs.some(isKeyAtom) || subJaxprs(params).some(hasKeys),
  );
}

interface Building {
  readonly builder: JaxprBuilder;
  readonly o: Ops;
}

const notHere = (): never => {
  throw new Error("internal error: rules of random keys transform no programs");
};

/** Rules of random keys write loops, whose programs are new. */
const programs: ProgramTransforms = {
  build: (avals, body) => {
    const { builder, o } = startBuilding();
    const inputs = avals.map((aval) => builder.input(aval));
    return builder.build(body(o, inputs));
  },
  jvp: notHere,
  split: notHere,
  transpose: notHere,
  batch: notHere,
};

function startBuilding(): Building {
  const builder = new JaxprBuilder();
  const o = createOps({
    bind: (primitive, inputs, params) => builder.bind(primitive, inputs, params),
    constant: (value) => builder.constant(value),
    programs,
  });
  return { builder, o };
}

/** The bytes of keys are those of their words. */
function carriedArray(array: HostArray): HostArray {
  const { dtype, shape } = carriedAval({ ...array, weakType: false });
  return isKey(array.dtype) ? hostArray(dtype, shape as readonly number[], array.bytes) : array;
}

/** A key that nobody reads, which loops start with, as words. */
function carriedLiteral(o: Ops, atom: Atom): Value {
  if (!isKeyAtom(atom)) return atom;
  const { shape } = carriedAval(atom.aval);
  return o.full(shape, 0, "uint32");
}

/**
 * The program on words of keys: inputs, results and constants that are keys are uint32 arrays with
 * one dimension more. A program without keys stays as it is.
 *
 * @throws Jax2TfjsError `unsupported-key-operation` for an equation that cannot act on keys
 */
export function carryKeys(program: ClosedJaxpr): ClosedJaxpr {
  if (!hasKeys(program)) return program;
  const { jaxpr, consts } = program;
  const { builder, o } = startBuilding();
  const values = new Map<Var, Value>();
  jaxpr.constvars.forEach((variable, index) => {
    const array = consts[index];
    if (array !== undefined) values.set(variable, builder.constant(carriedArray(array)));
  });
  for (const variable of jaxpr.invars) {
    values.set(variable, builder.input(carriedAval(variable.aval)));
  }
  const read = (atom: Atom): Value => {
    if (atom.kind === "literal") return carriedLiteral(o, atom);
    const value = values.get(atom);
    if (value === undefined) throw new Error("internal error: variable before its definition");
    return value;
  };
  for (const equation of jaxpr.equations) {
    builder.source = equation.source;
    const results = carryEquation({ builder, o }, equation, equation.inputs.map(read));
    equation.outputs.forEach((variable, index) => {
      const result = results[index];
      if (result !== undefined) values.set(variable, result);
    });
  }
  return builder.build(jaxpr.outvars.map(read));
}

function carryEquation(
  { builder, o }: Building,
  equation: Equation,
  inputs: readonly Value[],
): readonly Value[] {
  const { primitive, params, outputs } = equation;
  const types = equation.inputs.map(({ aval }) => aval);
  const isOnKeys = [...equation.inputs, ...outputs].some(isKeyAtom);
  if (isOnKeys && primitive.carried !== undefined) {
    return primitive.carried(o, inputs, params, types);
  }
  if (!isOnKeys || subJaxprs(params).length > 0) {
    const atoms = inputs.map((value) => value as Atom);
    return builder.append(
      { ...equation, inputs: atoms, params: mapPrograms(params, carryKeys) },
      outputs.map(({ aval }) => carriedAval(aval)),
    );
  }
  return moveWords(o, equation, inputs);
}

/** What moves keys moves each of their words alike: it is batched over them. */
function moveWords(o: Ops, equation: Equation, inputs: readonly Value[]): readonly Value[] {
  const { primitive, params } = equation;
  const dims = equation.inputs.map((atom) => (isKeyAtom(atom) ? atom.aval.shape.length : null));
  if (isNoRule(primitive.batch) || dims.every((dim) => dim === null)) {
    throw new Jax2TfjsError(
      "unsupported-key-operation",
      `${primitive.name} does not act on random keys`,
      { equation: printEquation(equation), source: printSource(equation.source) },
    );
  }
  const result = primitive.batch(o, inputs, dims, params);
  return result.outputs.map((value, index) => {
    const dim = result.dims[index] ?? null;
    const last = value.aval.shape.length - 1;
    if (dim === null || dim === last) return value;
    const axes = value.aval.shape.map((_, axis) => axis).filter((axis) => axis !== dim);
    return o.transpose(value, [...axes, dim]);
  });
}
