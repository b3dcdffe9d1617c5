// What is wrong in calls of numpy, random and nn functions: each a clear error with the user's line,
// in JAX's words where JAX has some. Code of the error (default: invalid-parameter), and a part of it.
import { beforeAll, describe, expect, test } from "vitest";
import { Jax2TfjsError } from "../../src/ir/errors.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import "../../src/run/install.js";
import type { ArrayValue } from "../../src/trace/arrays.js";
import { useBackend } from "../support/backends.js";

type Wrong = readonly [run: () => unknown, message: string, code?: string];

let [v3, v4, c3, b3, m22, m23, m32, t234, none] = [] as unknown as ArrayValue[] as [
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
  ArrayValue,
];
let key: ArrayValue;
const i3 = new Int32Array([0, 1, 2]);

beforeAll(async () => {
  await useBackend("cpu");
  v3 = np.array([1.5, 2, 3]);
  v4 = np.array([1.5, 2, 3, 4]);
  c3 = np.astype(v3, "complex64");
  b3 = np.greater(v3, 2);
  [m22, m23, m32] = [np.eye(2), np.ones([2, 3]), np.ones([3, 2])];
  t234 = np.ones([2, 3, 4]);
  none = np.zeros([0]);
  key = random.key(0);
});

/** What JavaScript lets pass and TypeScript does not. */
const untyped = (value: unknown): never => value as never;
/** An option that does not exist. */
const misspelled = (): never => untyped({ axes: 0 });

const shapes = "shape-mismatch";
const types = "dtype-mismatch";

const elementwise: Readonly<Record<string, Wrong>> = {
  add: [() => np.add(v3, v4), "incompatible shapes for broadcasting", shapes],
  missing: [() => np.add(v3, untyped(undefined)), "undefined is no array", "not-an-array"],
  bitwise: [() => np.bitwiseAnd(v3, v3), "and does not accept dtype float32", types],
  floor: [() => np.floor(c3), "floor does not accept dtype complex64", types],
  where: [() => np.where(b3, v4, v3), "incompatible shapes for broadcasting", shapes],
  clipShapes: [() => np.clip(v3, v4, 1), "incompatible shapes for broadcasting", shapes],
  clipComplex: [() => np.clip(c3, 0, 1), "Complex values have no ordering and cannot be clipped"],
  round: [() => np.round(v3, 1.5), "whole number of decimals"],
  isclose: [() => np.isclose(v3, v3, misspelled()), "isclose() got an unexpected keyword"],
  nanToNum: [() => np.nanToNum(v3, misspelled()), "nanToNum() got an unexpected keyword"],
  astype: [() => np.astype(v3, untyped("foo")), "data type string foo not understood"],
};

const reductions: Readonly<Record<string, Wrong>> = {
  sum: [() => np.sum(m23, { axis: 2 }), "axis 2 is out of bounds for array of dimension 2"],
  below: [() => np.sum(m23, { axis: -3 }), "axis -3 is out of bounds for array of dimension 2"],
  twice: [() => np.sum(m23, { axis: [0, -2] }), "duplicate value in axes"],
  half: [() => np.sum(m23, { axis: 0.5 }), "an axis must be an integer, got 0.5"],
  text: [() => np.sum(m23, { axis: untyped("x") }), "axes must be integers"],
  option: [() => np.sum(m23, misspelled()), "sum() got an unexpected keyword argument 'axes'"],
  position: [() => np.sum(m23, untyped(0)), "sum() takes its options as an object, got number 0"],
  mean: [() => np.mean(m23, misspelled()), "mean() got an unexpected keyword argument 'axes'"],
  variance: [() => np.var(m23, misspelled()), "var() got an unexpected keyword argument 'axes'"],
  max: [() => np.max(none), "zero-size array to reduction operation max which has no identity"],
  maxOption: [() => np.max(v3, misspelled()), "max() got an unexpected keyword argument 'axes'"],
  argmax: [() => np.argmax(none), "attempt to get argmax of an empty array"],
  argmaxComplex: [() => np.argmax(c3), "argmax does not accept dtype complex64", types],
  argmin: [() => np.argmin(m23, { axis: 2 }), "axis 2 is out of bounds"],
  quantile: [() => np.quantile(v3, 2), "between 0 and 1"],
  quantileComplex: [() => np.quantile(c3, 0.5), "quantile does not support complex input"],
  median: [() => np.median(m23, 3), "axis 3 is out of bounds"],
  cumsum: [() => np.cumsum(m23, 2), "axis 2 is out of bounds"],
  average: [() => np.average(m23, { weights: v3 }), "average needs an axis"],
  trace: [() => np.trace(v3), "trace takes a matrix"],
};

const rearranging: Readonly<Record<string, Wrong>> = {
  reshape: [
    () => np.reshape(v3, [2, 2]),
    "cannot reshape array of shape (3,) into shape (2, 2)",
    shapes,
  ],
  reshapeUnknown: [() => np.reshape(v3, [-1, -1]), "one -1"],
  order: [
    () => np.reshape(v3, [3], { order: untyped("X") }),
    "Unexpected value for 'order' argument: X.",
  ],
  transpose: [() => np.transpose(m23, [0, 0]), "duplicate value in axes: (0, 0)"],
  swapaxes: [() => np.swapaxes(m23, 0, 2), "axis 2 is out of bounds for array of dimension 2"],
  moveaxis: [() => np.moveaxis(m23, [0, 1], [0]), "destination per source"],
  squeeze: [() => np.squeeze(m23, 5), "axis 5 is out of bounds for array of dimension 2"],
  squeezeSize: [() => np.squeeze(m23, 0), "which has size not equal to one", shapes],
  expandDims: [() => np.expandDims(m23, 4), "axis 4 is out of bounds for array of dimension 3"],
  concatenate: [() => np.concatenate([]), "need at least one array to concatenate"],
  scalars: [() => np.concatenate([1, 2]), "zero-dimensional arrays cannot be concatenated"],
  ranks: [() => np.concatenate([m23, v3]), "Cannot concatenate arrays with different", shapes],
  noList: [
    () => np.concatenate(untyped(1)),
    "concatenate takes a list of arrays, got number 1",
    "not-an-array",
  ],
  vstack: [() => np.vstack(untyped(1)), "vstack takes a list of arrays", "not-an-array"],
  stack: [() => np.stack([v3, v4]), "all input arrays must have the same shape", shapes],
  split: [() => np.split(v3, 2), "array split does not result in an equal division"],
  tile: [() => np.tile(v3, -1), "nonnegative", "array-shape"],
  repeat: [() => np.repeat(v3, -1), "repeat by -1"],
  roll: [() => np.roll(m23, 1, 3), "axis 3 is out of bounds for array of dimension 2"],
  rollLists: [() => np.roll(m23, [1, 2], [0, 1, 0]), "lists of the same length"],
  rollObject: [() => np.roll(m23, 1, untyped({ axis: 0 })), "roll takes whole numbers"],
  flip: [() => np.flip(m23, 2), "axis 2 is out of bounds for array of dimension 2"],
  flipObject: [() => np.flip(m23, untyped({ axis: 0 })), "axes must be integers"],
  pad: [
    () => np.pad(v3, untyped([1, 2, 3])),
    "jnp.pad: pad_width with nd=1 has unsupported shape (3,)",
  ],
  padMode: [
    () => np.pad(v3, 1, { mode: untyped("foo") }),
    "Unimplemented padding mode 'foo' for np.pad.",
  ],
  padOption: [
    () => np.pad(v3, 1, { mode: "edge", constantValues: 1 }),
    "unsupported keyword arguments for mode 'edge': {'constant_values'}",
  ],
  broadcastTo: [() => np.broadcastTo(v3, [2, 4]), "(3,)", shapes],
  diag: [() => np.diag(t234), "diag input must be 1d or 2d"],
  diagonal: [() => np.diagonal(v3), "diagonal requires an array of at least two"],
  splitParts: [() => np.split(v3, untyped(v3)), "a number of parts, or a list of positions"],
  padWidths: [() => np.pad(v3, untyped(v3)), "the pad width must be sizes"],
  offset: [
    () => np.diag(v3, 0.5),
    "the offset of a diagonal must be a whole number, got number 0.5",
  ],
  tril: [() => np.tril(v3), "Argument to tril must be at least 2D"],
};

const creation: Readonly<Record<string, Wrong>> = {
  negative: [
    () => np.zeros([-1]),
    "shape must have every element be nonnegative, got (-1).",
    "array-shape",
  ],
  half: [() => np.zeros([2.5]), "Shapes must be 1D sequences", "array-shape"],
  text: [
    () => np.zeros(untyped("a")),
    "Shapes must be 1D sequences of concrete values of integer type, got (string a).",
    "array-shape",
  ],
  dtype: [() => np.zeros([2], { dtype: untyped("float33") }), "float33 not understood"],
  option: [() => np.ones([2], misspelled()), "ones() got an unexpected keyword argument 'axes'"],
  full: [() => np.full([2], v3), "(3,)", shapes],
  arange: [() => np.arange(untyped(undefined)), "arange takes numbers or sizes, got undefined"],
  arangeStep: [() => np.arange(0, 3, 0), "has no end"],
  linspace: [() => np.linspace(0, 1, -1), "linspace of -1 numbers"],
  logspace: [() => np.logspace(0, 1, 3, misspelled()), "logspace() got an unexpected keyword"],
  ragged: [() => np.array([[1, 2], [3]]), "the rows of a nested array", "array-shape"],
  texts: [() => np.array(untyped(["a"])), "is no array", "not-an-array"],
  eyeSize: [() => np.eye(untyped("2")), "got (string 2, string 2)", "array-shape"],
  eye: [() => np.eye(2, 2, misspelled()), "eye() got an unexpected keyword argument 'axes'"],
  meshgrid: [
    () => np.meshgrid([m23, v3]),
    "Arguments to jax.numpy.meshgrid must be 1D, got shapes [(2, 3), (3,)]",
  ],
  indexing: [
    () => np.meshgrid([v3, v3], { indexing: untyped("zz") }),
    "Valid values for indexing are 'xy' and 'ij', got zz",
  ],
};

const contractions: Readonly<Record<string, Wrong>> = {
  matmul: [() => np.matmul(m23, m23), "contracting dimensions", shapes],
  matmulScalar: [() => np.matmul(v3, 2), "matmul takes arrays of one dimension or more"],
  tensordot: [() => np.tensordot(m23, m23, 3), "tensordot over 3 dimensions"],
  tensordotAxes: [() => np.tensordot(m23, m23, [[0], [5]]), "axis 5 is out of bounds"],
  einsumText: [() => np.einsum(untyped(m23), m23), "einsum takes a text"],
  tensordotObject: [() => np.tensordot(m23, m23, untyped({ axes: 1 })), "the axes of each array"],
  einsum: [() => np.einsum("ijk", m23), "ijk"],
  einsumOutput: [() => np.einsum("ij->k", m23), "k"],
  cross: [() => np.cross(v4, v4), "cross takes vectors of three numbers"],
  convolve: [() => np.convolve(m23, v3), "convolve takes vectors"],
  convolveEmpty: [
    () => np.convolve(v3, none),
    "convolve: inputs cannot be empty, got shapes (3,) and (0,).",
  ],
  convolveMode: [
    () => np.convolve(v3, v3, untyped("foo")),
    "mode must be one of ['full', 'same', 'valid']",
  ],
};

const searching: Readonly<Record<string, Wrong>> = {
  sort: [() => np.sort(m23, { axis: 2 }), "axis 2 is out of bounds for array of dimension 2"],
  sortOption: [() => np.sort(v3, misspelled()), "sort() got an unexpected keyword argument"],
  argsort: [() => np.argsort(m23, { axis: -4 }), "axis -4 is out of bounds"],
  searchsorted: [() => np.searchsorted(m23, v3), "searchsorted takes a sorted vector"],
  side: [
    () => np.searchsorted(v3, v3, { side: untyped("foo") }),
    "invalid argument side='foo', expected 'left' or 'right'",
  ],
  method: [
    () => np.searchsorted(v3, v3, untyped({ method: "sort" })),
    "searchsorted() got an unexpected keyword argument 'method'",
  ],
  interp: [() => np.interp(v3, v3, v4), "xp and fp must be one-dimensional arrays of equal size"],
  diff: [() => np.diff(v3, { n: -1 }), "order must be non-negative but got -1"],
  select: [() => np.select(untyped(v3), [v3]), "select takes a list of arrays", "not-an-array"],
  take: [() => np.take(v3, v3), "positions must be integers, got float32"],
  takeAxis: [() => np.take(m23, i3, { axis: 2 }), "axis 2 is out of bounds"],
  takeMode: [() => np.take(v3, i3, { mode: untyped("foo") }), "Invalid mode 'foo' for np.take"],
  takeAlongAxis: [() => np.takeAlongAxis(m23, i3, 0), "take_along_axis needs equal ranks"],
};

const linearAlgebra: Readonly<Record<string, Wrong>> = {
  inv: [() => np.linalg.inv(m23), "Argument to inv must have shape [..., n, n], got (2, 3)"],
  det: [() => np.linalg.det(v3), "Argument to det must have shape [..., n, n], got (3,)"],
  solve: [() => np.linalg.solve(m22, v3), "as many rows in b as in a, got shapes (2, 2) and (3,)"],
  solveScalar: [() => np.linalg.solve(m22, 3), "solve takes no number as right side"],
  solveMatrix: [() => np.linalg.solve(m22, m32), "got shapes (2, 2) and (3, 2)"],
  cholesky: [() => np.linalg.cholesky(m23), "must have shape [..., n, n]"],
  UPLO: [
    () => np.linalg.eigh(m22, { UPLO: untyped("X") }),
    "UPLO must be one of None, 'L', or 'U', got X",
  ],
  norm: [() => np.linalg.norm(v3, { ord: "fro" }), "Invalid order 'fro' for vector norm."],
  matrixNorm: [() => np.linalg.norm(m22, { ord: 3 }), "matrix norm of order 3"],
  normAxes: [() => np.linalg.norm(t234, { axis: [0, 1, 2] }), "norm takes one or two axes"],
  normOption: [() => np.linalg.norm(v3, misspelled()), "norm() got an unexpected keyword"],
  matrixPower: [() => np.linalg.matrixPower(m22, 1.5), "matrix_power by 1.5"],
  qr: [() => np.linalg.qr(v3), "must have rank at least 2", shapes],
  qrMode: [
    () => np.linalg.qr(m23, { mode: untyped("foo") }),
    "Unsupported QR decomposition mode 'foo'",
  ],
  svd: [() => np.linalg.svd(v3), "must have rank at least 2", shapes],
};

const randomNumbers: Readonly<Record<string, Wrong>> = {
  seed: [() => random.key(1.5), "whole number"],
  seedArray: [() => random.key(v3), "scalar seed"],
  impl: [() => random.key(0, { impl: untyped("foo") }), 'unrecognized PRNG implementation "foo"'],
  noKey: [() => random.normal(1), "invalid PRNG key data", "invalid-key"],
  split: [() => random.split(key, -1), "split into -1 keys"],
  option: [() => random.uniform(key, [2], misspelled()), "uniform() got an unexpected keyword"],
  dtype: [() => random.uniform(key, [2], { dtype: "int32" }), "must be a float dtype, got int32"],
  normal: [() => random.normal(key, [2], { dtype: "int32" }), "must be a float or complex dtype"],
  bits: [() => random.bits(key, [2], { dtype: "float32" }), "uint8, uint16 or uint32"],
  randint: [
    () => random.randint(key, [2], 0, 5, { dtype: "float32" }),
    "randint only accepts integer dtypes, got float32",
  ],
  randintShape: [() => random.randint(key, [2], i3, 5), "incompatible shapes", shapes],
  shape: [
    () => random.bernoulli(key, 0.5, untyped({ shape: [2] })),
    "a shape is a list of sizes, got an object",
  ],
  sizes: [
    () => random.laplace(key, untyped([v3])),
    "Shapes must be 1D sequences of concrete values of integer type, got a Tensor among them",
  ],
  splitCount: [() => random.split(key, untyped(v3)), "split into a Tensor keys"],
  bound: [() => random.randint(key, [2], NaN, 5), "the bound NaN of randint is no number"],
  bernoulli: [() => random.bernoulli(key, i3), "must have a floating dtype, got int32"],
  gamma: [() => random.gamma(key, v3, { shape: [2] }), "(2,)", shapes],
  dirichlet: [() => random.dirichlet(key, 1), "dirichlet requires alpha.ndim >= 1"],
  multivariate: [() => random.multivariateNormal(key, v3, m22), "cov.shape == (..., n, n)"],
  poisson: [
    () => random.poisson(key, v3, { dtype: "float32" }),
    "dtype argument to `poisson` must be an int dtype, got float32",
  ],
  geometric: [
    () => random.geometric(key, 0.5, { dtype: "float32" }),
    "dtype argument to `geometric` must be an int dtype, got float32",
  ],
  choice: [
    () => random.choice(key, v3, { shape: [5], replace: false }),
    "Cannot take a larger sample (size 5) than population (size 3) when 'replace=False'",
  ],
  choiceOption: [() => random.choice(key, v3, misspelled()), "choice() got an unexpected keyword"],
};

const networks: Readonly<Record<string, Wrong>> = {
  relu: [() => nn.relu(untyped("a")), "string a is no array", "not-an-array"],
  softmax: [() => nn.softmax(m23, { axis: 2 }), "axis 2 is out of bounds"],
  position: [() => nn.softmax(m23, untyped(0)), "softmax() takes its options as an object"],
  option: [() => nn.softmax(m23, misspelled()), "softmax() got an unexpected keyword"],
  logSoftmax: [() => nn.logSoftmax(m23, { axis: 3 }), "axis 3 is out of bounds"],
  logsumexp: [() => nn.logsumexp(m23, { axis: 3 }), "axis 3 is out of bounds"],
  standardize: [() => nn.standardize(m23, { axis: 3 }), "axis 3 is out of bounds"],
  oneHot: [() => nn.oneHot(i3, 3, { axis: 5 }), "axis 5 is out of bounds"],
  classes: [() => nn.oneHot(i3, untyped("3")), "oneHot of string 3 classes"],
  elu: [() => nn.elu(v3, untyped(null)), "the parameter of elu must be a number, got null"],
  glu: [() => nn.glu(v3), "axis size must be divisible by 2"],
  attention: [
    () => nn.dotProductAttention(t234, t234, t234, untyped({ implementation: "foo" })),
    "dotProductAttention() got an unexpected keyword argument 'implementation'",
  ],
  attentionRank: [() => nn.dotProductAttention(m23, m23, m23), "arrays of 3 or 4 dimensions"],
};

function errorOf(run: () => unknown): Jax2TfjsError {
  try {
    run();
  } catch (error) {
    if (error instanceof Jax2TfjsError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

const families = {
  elementwise,
  reductions,
  rearranging,
  creation,
  contractions,
  searching,
  linearAlgebra,
  randomNumbers,
  networks,
};

describe.each(Object.entries(families))("%s", (_, table) => {
  test.each(Object.entries(table))("%s", (_name, [run, message, code = "invalid-parameter"]) => {
    const error = errorOf(run);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
    expect(error.details.source ?? "").toContain("errors.test.ts");
  });
});

describe("what JAX takes", () => {
  const numbers = (x: ArrayValue): readonly number[] => Array.from(x.dataSync());

  test("complex numbers in order", () => {
    const x = np.add(v3, np.multiply(c3, 0));
    const y = np.astype(np.array([1.5, 3, 2]), "complex64");
    expect(numbers(np.less(x, y))).toEqual([0, 1, 0]);
    expect(numbers(np.greaterEqual(x, y))).toEqual([1, 0, 1]);
  });

  test("a shift of one axis by several numbers", () => {
    expect(numbers(np.roll(v4, [1, 2], 0))).toEqual([2, 3, 4, 1.5]);
  });

  test("elements in the order of Fortran", () => {
    const x = np.reshape(np.arange(6), [2, 3]);
    expect(numbers(np.reshape(x, [3, 2], { order: "F" }))).toEqual([0, 4, 3, 2, 1, 5]);
    expect(numbers(np.reshape(x, [-1], { order: "F" }))).toEqual([0, 3, 1, 4, 2, 5]);
  });
});
