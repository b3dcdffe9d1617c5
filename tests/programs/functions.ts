/** numpy, random and nn function by function, on inputs that tell their rules apart. */
import { grad, jacrev, vmap } from "../../src/api/index.js";
import * as nn from "../../src/nn/index.js";
import * as np from "../../src/numpy/index.js";
import * as random from "../../src/random/index.js";
import type { ArrayValue } from "../../src/trace/arrays.js";

type A = ArrayValue;

const a23 = (): A =>
  np.array([
    [1.5, -2, 0.25],
    [3, 0.5, -1],
  ]);
const v4 = (): A => np.array([0.5, -1.5, 2.5, 3]);
const i4 = (): A => np.array([7n, -7n, 3n, 0n]);
const ints = (...values: number[]): A => np.array(values, { dtype: "int32" });
const sq = (): A =>
  np.array([
    [4, 1, 0.5],
    [1, 3, -1],
    [0.5, -1, 2],
  ]);
const withNan = (): A => np.array([1, NaN, 2]);

export function numpyElementwise(): unknown {
  const [x, y, i] = [v4(), np.array([2, 2, -2, 0.5]), i4()];
  return [
    ...[np.floorDivide(x, y), np.mod(x, y), np.fmod(x, y), np.floorDivide(i, 2), np.mod(i, 3)],
    ...[np.floorDivide(i, ints(2, 2, -2, 1)), np.round(x), np.round(np.multiply(x, 1.234), 1)],
    ...[np.floor(x), np.ceil(x), np.trunc(x), np.sign(x), np.hypot(x, y), np.logaddexp(x, y)],
    ...[np.arctan2(x, y), np.sinc(x), np.heaviside(x, 0.5), np.log2(np.abs(x))],
    ...[np.log10(np.abs(x)), np.reciprocal(x), np.floatPower(np.abs(x), y), np.power(x, -2)],
    ...[np.exp2(x), np.cbrt(x), np.deg2rad(x), np.rad2deg(x), np.square(x), np.clip(x, -1, 2)],
    ...[np.nanToNum(np.array([NaN, Infinity, 1])), np.isclose(x, np.add(x, 1e-9))],
    np.logicalXor(np.greater(x, 0), np.greater(y, 0)),
    ...[np.bitwiseAnd(i, 5), np.bitwiseOr(i, 8), np.bitwiseXor(i, 3), np.bitwiseNot(i)],
    ...[np.leftShift(i, 2), np.rightShift(i, 1)],
    np.select([np.greater(x, 2), np.greater(x, 0)], [x, np.multiply(x, 10)], -1),
    ...[np.maximum(x, y), np.minimum(x, 0)],
  ];
}

export function numpyReductions(): unknown {
  const a = a23();
  return [
    ...[np.sum(a, { axis: 0 }), np.prod(a, { axis: 1, keepdims: true }), np.mean(a)],
    ...[np.var(a, { axis: 1 }), np.std(a, { ddof: 1 }), np.max(a, { axis: -1 }), np.min(a)],
    ...[np.ptp(a, { axis: 0 }), np.all(np.greater(a, -3)), np.any(np.greater(a, 2), { axis: 0 })],
    ...[np.argmax(a), np.argmin(a, { axis: 1 }), np.argmax(a, { axis: 0, keepdims: true })],
    ...[np.countNonzero(np.greater(a, 0)), np.cumsum(a), np.cumsum(a, 1), np.cumprod(a, 0)],
    ...[np.sum(np.greater(i4(), 0)), np.mean(i4()), np.nansum(withNan()), np.nanmean(withNan())],
    ...[np.nanmax(withNan()), np.average(v4(), { weights: np.array([1, 2, 3, 4]) })],
    ...[np.trace(sq()), np.sum(a, { where: np.greater(a, 0) })],
    np.sum(a, { axis: [0, 1], keepdims: true }),
  ];
}

export function numpyShapes(): unknown {
  const [a, v] = [a23(), v4()];
  return [
    ...[np.reshape(a, [3, -1]), np.ravel(a), np.transpose(a), np.swapaxes(a, 0, 1)],
    np.index(np.moveaxis(np.ones([2, 3, 4]), 0, -1), 0, 0),
    ...[np.expandDims(a, [0, 2]), np.squeeze(np.index(a, null, ":", ":1"))],
    ...[np.concatenate([a, a], 1), np.stack([v, v], 1), np.vstack([v, v]), np.hstack([v, v])],
    ...[np.columnStack([v, v]), np.split(a, 3, 1), np.split(v, [1, 3]), np.tile(v, 2)],
    ...[np.tile(a, [2, 1, 2]), np.repeat(v, 2), np.repeat(a, 2, 1), np.roll(v, 1)],
    ...[np.roll(a, [1, 2], [0, 1]), np.flip(a), np.flip(a, 1), np.pad(a, 1)],
    ...[np.pad(v, [1, 2], { constantValues: 5 }), np.pad(v, 2, { mode: "edge" })],
    ...[np.pad(v, 3, { mode: "reflect" }), np.pad(v, 3, { mode: "wrap" })],
    ...[np.broadcastTo(v, [2, 4]), np.meshgrid([v, np.array([0, 1, 2])])],
    ...[np.eye(2, 3, { k: 1 }), np.tri(3), np.tril(sq(), -1), np.triu(sq()), np.diag(v, 1)],
    ...[np.diag(sq()), np.diagonal(sq(), 1), np.arange(2, 9, 3)],
    ...[np.linspace(0, 1, 4, { endpoint: false }), np.logspace(0, 2, 3), np.full([2, 2], 7)],
    ...[np.identity(2), np.zerosLike(a), np.atleast2d(v)],
  ];
}

export function numpyIndexing(): unknown {
  const [a, v, i] = [a23(), v4(), ints(1, 0, -1)];
  const two = np.index(i, ":2");
  return [
    ...[np.index(a, 1), np.index(a, -1, 0), np.index(a, ":", 1), np.index(a, 0, "::-1")],
    ...[np.index(a, "::-1", "::2"), np.index(a, "...", null, 0), np.index(a, i)],
    ...[np.index(a, ":", i), np.index(a, i, i), np.index(a, 0, i)],
    np.index(a, np.index(i, ":2", null), i),
    ...[np.take(a, i, { axis: 1 }), np.take(v, [0, 9]), np.take(v, [0, 9], { mode: "clip" })],
    ...[np.take(v, [-1, 9], { mode: "wrap" }), np.takeAlongAxis(a, np.argsort(a, { axis: 1 }), 1)],
    ...[np.at(a, 0).set(1), np.at(a, ":", 1).add(np.index(v, ":2"))],
    ...[np.at(a, two, two).multiply(2), np.at(v, [0, 0, 1]).add(1)],
    ...[np.at(v, "1:3").set([8, 9]), np.at(v, "::2").min(0), np.at(v, -1).max(9)],
    ...[np.at(v, ints(10)).set(1), np.at(a, 0, "::-1").set([0, 1, 2])],
  ];
}

export function numpySorting(): unknown {
  const x = np.array([3, -1, 2, -1, NaN, 0]);
  const [v, steps] = [v4(), np.array([0, 1, 2])];
  return [
    ...[np.sort(x), np.argsort(x), np.sort(a23(), { axis: 0 }), np.sort(v, { descending: true })],
    np.argsort(np.array([1, 2, 1]), { descending: true }),
    ...[np.searchsorted(steps, v), np.searchsorted(steps, [1], { side: "right" })],
    ...[np.median(v), np.median(a23(), 1), np.quantile(v, 0.3), np.diff(v), np.diff(v, { n: 2 })],
    np.interp([-1, 0.5, 1.5, 9], steps, [1, 3, 0]),
  ];
}

export function numpyContractions(): unknown {
  const [a, v, s] = [a23(), v4(), sq()];
  const b = np.transpose(a);
  const c = np.divide(np.reshape(np.arange(24), [2, 3, 4]), 10);
  const first = (count: number): A => np.index(v, `:${count}`);
  return [
    ...[np.dot(a, b), np.matmul(c, np.ones([4, 2])), np.matmul(v, np.swapaxes(c, 1, 2))],
    ...[
      np.inner(a, a),
      np.outer(v, first(2)),
      np.vdot(a, a),
      np.tensordot(c, c, [
        [0, 2],
        [0, 2],
      ]),
    ],
    ...[np.einsum("bij,bkj->bik", c, c), np.einsum("ij->ji", a), np.einsum("bij->j", c)],
    ...[np.einsum("ij,jk,kl->il", a, s, b), np.einsum("...j,j", c, v), np.einsum("ii", s)],
    ...[np.kron(a, np.eye(2)), np.cross(np.index(s, 0), np.index(s, 1))],
    ...[np.convolve(v, first(2)), np.convolve(v, first(3), "same")],
    np.convolve(v, first(2), "valid"),
  ];
}

export function numpyLinalg(): unknown {
  const [a, v, s] = [a23(), v4(), sq()];
  const [q, r] = np.linalg.qr(s);
  const corner = np.index(s, ":2", ":2");
  const inv = (m: A): A => np.linalg.inv(m);
  return [
    ...[np.linalg.solve(s, [0, 1, 2]), inv(s), np.linalg.det(s), np.linalg.det(corner)],
    ...[...np.linalg.slogdet(s), np.linalg.cholesky(s), np.abs(r), np.matmul(q, r)],
    ...[np.linalg.eigh(s)[0], np.linalg.svd(a)[1], np.linalg.norm(a)],
    ...[np.linalg.norm(a, { axis: 1 }), np.linalg.norm(v, { ord: 1 })],
    ...[np.linalg.norm(v, { ord: Infinity }), np.linalg.norm(v, { ord: 3 })],
    ...[np.linalg.norm(s, { ord: 1 }), np.linalg.matrixPower(s, 3), np.linalg.pinv(a)],
    ...[grad((m: A) => np.linalg.det(m))(s), grad((m: A) => np.linalg.slogdet(m)[1])(s)],
    jacrev(inv)(corner),
  ];
}

export function randomNumbers(): unknown {
  const k = random.PRNGKey(42);
  const words = (x: A): A => np.astype(x, "int32");
  return [
    ...[words(random.split(k, 3)), words(random.foldIn(k, 7)), words(random.bits(k, [3]))],
    ...[random.uniform(k, [2, 3]), random.uniform(k, [3], { minval: -2, maxval: 5 })],
    ...[random.normal(k, [2, 3]), random.bernoulli(k, 0.3, [6]), random.randint(k, [6], 0, 10)],
    random.randint(k, [3], -1000000, 1000000),
    ...[random.permutation(k, 8), random.permutation(k, sq()), random.gumbel(k, [3])],
    ...[random.exponential(k, [3]), random.laplace(k, [3]), random.truncatedNormal(k, -1, 1, [3])],
    ...[random.categorical(k, sq()), random.categorical(k, sq(), { shape: [2, 3] })],
    random.choice(k, 5, { shape: [3], replace: false }),
    random.choice(k, 3, { shape: [5], p: np.array([0.1, 0.2, 0.7]) }),
    ...[random.rademacher(k, [5]), vmap((key: A) => random.normal(key, [2]))(random.split(k, 2))],
  ];
}

export function nnFunctions(): unknown {
  const [x, a] = [v4(), a23()];
  const slopes = (f: (v: A) => A, at: A): unknown => vmap(grad(f))(at);
  return [
    ...[nn.relu(x), nn.relu6(np.multiply(x, 3)), nn.sigmoid(x), nn.logSigmoid(x), nn.softplus(x)],
    ...[nn.silu(x), nn.softSign(x), nn.gelu(x), nn.gelu(x, { approximate: false })],
    ...[nn.leakyRelu(x), nn.elu(x), nn.selu(x), nn.softmax(a, { axis: 0 }), nn.logSoftmax(a)],
    ...[nn.logsumexp(a, { axis: 1, keepdims: true }), nn.oneHot([0, 2], 3), nn.standardize(a)],
    ...[slopes((v) => nn.relu(v), np.array([-1, 0, 1])), slopes((v) => nn.softplus(v), x)],
    grad((v: A) => nn.logsumexp(v))(x),
  ];
}
