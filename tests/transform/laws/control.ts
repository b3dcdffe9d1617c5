// Equations with inner programs, which are random themselves: loops, branches, calls, functions with
// rules of their own, solutions of systems.
import { triangularSolve } from "../../../primitives/linalg/index.js";
import { shapedArray, type ShapedArray } from "../../../src/ir/aval.js";
import type { ClosedJaxpr } from "../../../src/ir/jaxpr.js";
import type { Ops, Value } from "../../../src/ir/ops.js";
import { LazyProgram } from "../../../src/ir/params.js";
import { isDifferentiable, jvpProgram, vjpProgram } from "../../../src/transform/index.js";
import { at, build } from "../programs.js";
import {
  bools,
  floats,
  integers,
  sampled,
  upTo,
  type Draw,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

const isFloating = ({ aval }: Value): boolean => isDifferentiable(aval.dtype);

/** A function of some of the floating values without steep slopes; they have one shape. */
function expression(draw: Draw, o: Ops, values: readonly Value[]): Value {
  const candidates = values.filter(isFloating);
  let result = draw.pick(candidates);
  for (let count = draw.int(0, 3); count > 0; count--) {
    const other = draw.pick(candidates);
    const kind = draw.pick(["sin", "cos", "mul", "add", "sub"] as const);
    result = kind === "sin" || kind === "cos" ? o[kind](result) : o[kind](result, other);
    const isSum = kind === "add" || kind === "sub";
    if (isSum) result = o.mul(result, o.literal(0.5, "float32"));
  }
  return o.sin(result);
}

/** A result of a random program: an expression, an argument as it is, a number, an integer. */
function result(
  draw: Draw,
  o: Ops,
  values: readonly Value[],
  { shape, dtype }: ShapedArray,
): Value {
  if (!isDifferentiable(dtype)) {
    const whole = values.filter(({ aval }) => aval.dtype === dtype);
    return whole.length === 0 ? o.full(shape, 3, dtype) : draw.pick(whole);
  }
  const kind = draw.int(0, 5);
  if (kind === 0) return draw.pick(values.filter(isFloating));
  return kind === 1 ? o.full(shape, 0.5, dtype) : expression(draw, o, values);
}

/** A program of these types with random results. */
function randomProgram(
  draw: Draw,
  inputs: readonly ShapedArray[],
  outputs: readonly ShapedArray[],
): ClosedJaxpr {
  return build(inputs, (o, values) => outputs.map((aval) => result(draw, o, values, aval)));
}

const f32 = (shape: readonly number[]): ShapedArray => shapedArray("float32", shape);
const i32 = shapedArray("int32", []);

/** The inputs of a program, and how many: floating ones first, then perhaps an integer. */
function signature(draw: Draw): {
  readonly inputs: readonly Input[];
  readonly avals: ShapedArray[];
} {
  const shape = draw.shape(0, 2, 3);
  const count = draw.int(1, 3);
  const inputs = upTo(count).map(() => floats(shape));
  const all = draw.oneIn(3) ? [...inputs, integers([], 0, 5)] : inputs;
  return { inputs: all, avals: all.map((input) => shapedArray(input.dtype, input.shape)) };
}

/** Types of results: of the first input, sometimes an integer too. */
function resultTypes(draw: Draw, avals: readonly ShapedArray[]): readonly ShapedArray[] {
  const types = upTo(draw.int(1, 3)).map(() => at(avals, 0));
  return draw.oneIn(4) ? [...types, i32] : types;
}

function drawProgram(draw: Draw) {
  const { inputs, avals } = signature(draw);
  return { inputs, program: randomProgram(draw, avals, resultTypes(draw, avals)) };
}

/** Sums of multiples of the inputs, in all of which it is linear. */
function drawLinearProgram(draw: Draw) {
  const shape = draw.shape(0, 2, 3);
  const inputs = upTo(draw.int(1, 3)).map(() => floats(shape));
  const program = build(
    inputs.map(() => f32(shape)),
    (o, values) =>
      upTo(draw.int(1, 2)).map(() =>
        values
          .map((value) => o.mul(value, o.literal(draw.int(-2, 2), "float32")))
          .reduce((sum, term) => o.add(sum, term)),
      ),
  );
  return { inputs, program, linear: upTo(inputs.length) };
}

/** A random program, sometimes a linear one. */
const drawAnyProgram = (draw: Draw) =>
  draw.oneIn(3) ? drawLinearProgram(draw) : { ...drawProgram(draw), linear: undefined };

const jit: Generator = (draw) => {
  const { inputs, program, linear } = drawAnyProgram(draw);
  return {
    inputs,
    params: { name: "f", jaxpr: program },
    ...(linear === undefined ? {} : { linear }),
  };
};

const checkpoint: Generator = (draw) => {
  const { inputs, program } = drawProgram(draw);
  const policy = draw.pick([
    null,
    { kind: "everything_saveable" },
    { kind: "nothing_saveable" },
    { kind: "dots_saveable" },
    { kind: "save_only_these_names", names: ["kept"] },
  ] as const);
  const params = { jaxpr: program, prevent_cse: draw.bool(), differentiated: false, policy };
  return { inputs, params };
};

const branches: Generator = (draw) => {
  const { inputs, avals } = signature(draw);
  const count = draw.int(1, 3);
  const types = resultTypes(draw, avals);
  const programs = upTo(count).map(() => randomProgram(draw, avals, types));
  const index = count === 2 && draw.bool() ? bools([]) : integers([], -1, count);
  return { inputs: [index, ...inputs], params: { branches: programs } };
};

/** While i < limit: one step of a random body, to the carried values. */
const loop: Generator = (draw) => {
  const shape = draw.shape(0, 2, 3);
  const [consts, carried] = [draw.int(0, 2), draw.int(1, 3)];
  const limited = draw.bool();
  const state = [i32, ...upTo(carried).map(() => f32(shape))];
  const condition = build([...(limited ? [i32] : []), ...state], (o, values) => {
    const limit = limited ? at(values, 0) : o.literal(draw.int(0, 4), "int32");
    return [o.lt(at(values, limited ? 1 : 0), limit)];
  });
  const body = build([...upTo(consts).map(() => f32(shape)), ...state], (o, values) => [
    o.add(at(values, consts), o.literal(1, "int32")),
    ...upTo(carried).map(() => result(draw, o, values, f32(shape))),
  ]);
  return {
    inputs: [
      ...(limited ? [integers([], 0, 4)] : []),
      ...upTo(consts).map(() => floats(shape)),
      integers([], 0, 2),
      ...upTo(carried).map(() => floats(shape)),
    ],
    params: {
      cond_nconsts: limited ? 1 : 0,
      cond_jaxpr: condition,
      body_nconsts: consts,
      body_jaxpr: body,
    },
    reverse: false,
    tolerance: 3e-5,
  };
};

const scan: Generator = (draw) => {
  const shape = draw.shape(0, 2, 3);
  const length = draw.int(0, 4);
  const [consts, carried, scanned] = [draw.int(0, 2), draw.int(0, 2), draw.int(0, 2)];
  const hasCounter = draw.bool();
  const stacked = draw.int(0, 2);
  const floating = (count: number): ShapedArray[] => upTo(count).map(() => f32(shape));
  const counter = hasCounter ? [i32] : [];
  // At least one floating value, which expressions are made of.
  const constTypes = floating(consts + (carried + scanned === 0 ? 1 : 0));
  const carry = [...counter, ...floating(carried)];
  const avals = [...constTypes, ...carry, ...floating(scanned)];
  const body = build(avals, (o, values) => [
    ...counter.map(() => o.add(at(values, constTypes.length), o.literal(1, "int32"))),
    ...upTo(carried).map(() => result(draw, o, values, f32(shape))),
    ...upTo(stacked).map(() => result(draw, o, values, f32(shape))),
    ...(hasCounter ? [at(values, constTypes.length)] : []),
  ]);
  const inputs = [
    ...constTypes.map(() => floats(shape)),
    ...counter.map(() => integers([], 0, 3)),
    ...upTo(carried).map(() => floats(shape)),
    ...upTo(scanned).map(() => floats([length, ...shape])),
  ];
  return {
    inputs,
    params: {
      reverse: draw.bool(),
      length,
      jaxpr: body,
      num_consts: constTypes.length,
      num_carry: carry.length,
      linear: inputs.map(() => false),
      unroll: 1,
    },
    tolerance: 3e-5,
  };
};

const floatingInputs = ({ jaxpr }: ClosedJaxpr): readonly boolean[] =>
  jaxpr.invars.map(({ aval }) => isDifferentiable(aval.dtype));

/** The rule is the derivative of the function itself. */
const ownForward: Generator = (draw) => {
  const { inputs, program, linear } = drawAnyProgram(draw);
  const all = program.jaxpr.outvars.map(() => true);
  const rule = new LazyProgram(() => jvpProgram(program, floatingInputs(program), all).program);
  return {
    inputs,
    params: { call_jaxpr: program, jvp_jaxpr_fun: rule, num_consts: 0 },
    ...(linear === undefined ? {} : { linear }),
  };
};

const ownBackward: Generator = (draw) => {
  const { inputs, program } = drawProgram(draw);
  const avals = program.jaxpr.invars.map(({ aval }) => aval);
  // Residuals are the arguments.
  const forwards = new LazyProgram(() =>
    build(avals, (o, values) => [...values, ...o.call("f", program, values)]),
  );
  const count = program.jaxpr.outvars.length;
  const backwards = new LazyProgram(() => {
    const { program: pulled } = vjpProgram(program, floatingInputs(program));
    const types = pulled.jaxpr.invars.map(({ aval }) => aval);
    return build(types, (o, values) => o.call("bwd", pulled, values).slice(count));
  });
  return {
    inputs,
    params: { call_jaxpr: program, fwd_jaxpr_thunk: forwards, bwd: backwards, num_consts: 0 },
    plain: program,
  };
};

/** A program of a matrix and a vector. */
function ofMatrix(n: number, body: (o: Ops, matrix: Value, vector: Value) => Value): ClosedJaxpr {
  return build([f32([n, n]), f32([n])], (o, values) => [body(o, at(values, 0), at(values, 1))]);
}

function times(o: Ops, matrix: Value, vector: Value, contracted: 0 | 1): Value {
  return o.dotGeneral(matrix, vector, {
    dimension_numbers: [
      [[contracted], [0]],
      [[], []],
    ],
    precision: null,
    preferred_element_type: null,
  });
}

function solved(o: Ops, matrix: Value, vector: Value, transpose: boolean): Value {
  const column = o.reshape(vector, [...vector.aval.shape, 1]);
  const [solution] = o.bind(triangularSolve, [matrix, column], {
    left_side: true,
    lower: true,
    transpose_a: transpose,
    conjugate_a: false,
    unit_diagonal: false,
  });
  return solution === undefined ? vector : o.squeeze(solution, [1]);
}

/** Lower triangular systems; each of the four programs has the matrix as its constant. */
const linearSolve: Generator = (draw) => {
  const n = draw.int(1, 3);
  const canTranspose = !draw.oneIn(4);
  const matrix = sampled([n, n], (random) =>
    upTo(n * n).map((place) => {
      const [row, column] = [Math.floor(place / n), place % n];
      return row === column ? 1.5 + random() : row > column ? random() - 0.5 : 0;
    }),
  );
  const lowerTriangle = (o: Ops, x: Value): Value => {
    const isLower = o.ge(o.iota("int32", [n, n], 0), o.iota("int32", [n, n], 1));
    return o.selectN(isLower, o.full([n, n], 0, "float32"), x);
  };
  const backwards = {
    vecmat: ofMatrix(n, (o, a, x) => times(o, a, x, 0)),
    transpose_solve: ofMatrix(n, (o, a, b) => solved(o, a, b, true)),
  };
  return {
    inputs: [matrix, floats([n])],
    prepare: (o, [a, b]) => {
      if (a === undefined || b === undefined) return [];
      const lower = lowerTriangle(o, a);
      return [lower, lower, ...(canTranspose ? [lower, lower] : []), b];
    },
    params: {
      matvec: ofMatrix(n, (o, a, x) => times(o, a, x, 1)),
      solve: ofMatrix(n, (o, a, b) => solved(o, a, b, false)),
      ...(canTranspose ? backwards : { vecmat: null, transpose_solve: null }),
      const_lengths: canTranspose ? [1, 1, 1, 1] : [1, 1, 0, 0],
    },
    ...(canTranspose ? {} : { reverse: false as const }),
    tolerance: 3e-5,
  };
};

export const control: Generators = {
  jit,
  checkpoint,
  cond: branches,
  while: loop,
  scan,
  custom_jvp_call: ownForward,
  custom_vjp_call: ownBackward,
  custom_linear_solve: linearSolve,
};
