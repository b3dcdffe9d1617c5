// Equations of linear algebra, on matrices that are well away from singular ones and from equal
// eigenvalues. Vectors that are free up to signs are compared through what does not depend on them.
import { isComplex, type DType } from "../../../src/ir/dtypes.js";
import type { Ops, Value } from "../../../src/ir/ops.js";
import {
  floats,
  integers,
  sampled,
  sizeOf,
  upTo,
  type Draw,
  type Generator,
  type Generators,
  type Input,
} from "./draw.js";

const realOrComplex = (draw: Draw): DType =>
  draw.pick(["float32", "float32", "complex64"] as const);

/** Batch dimensions. */
const outer = (draw: Draw): readonly number[] => draw.shape(0, 1, 2);

/** Small numbers, with 1.5, 2.5, 3.5 ... on the diagonals; `falling`: with the largest one first. */
function dominant(shape: readonly number[], dtype: DType = "float32", falling = false): Input {
  const [rows = 1, columns = 1] = shape.slice(-2);
  const width = isComplex(dtype) ? 2 : 1;
  return sampled(
    shape,
    (random) =>
      upTo(sizeOf(shape) * width).map((index) => {
        const place = Math.floor(index / width) % (rows * columns);
        const [row, column] = [Math.floor(place / columns), place % columns];
        const isDiagonal = row === column && index % width === 0;
        const diagonal = (falling ? Math.min(rows, columns) - row : row) + 1.5;
        return (isDiagonal ? diagonal : 0) + 0.3 * (2 * random() - 1);
      }),
    dtype,
  );
}

const square = (draw: Draw): readonly number[] => {
  // Decompositions of four rows take many nodes.
  const n = draw.oneIn(6) ? 4 : draw.int(1, 2);
  return [...outer(draw), n, n];
};

const rectangle = (draw: Draw): readonly number[] => [
  ...outer(draw),
  draw.int(1, 3),
  draw.int(1, 3),
];

function adjoint(o: Ops, x: Value): Value {
  const rank = x.aval.shape.length;
  const order = [...upTo(rank - 2), rank - 1, rank - 2];
  const swapped = o.transpose(x, order);
  return isComplex(x.aval.dtype) ? o.conj(swapped) : swapped;
}

/** (x + x^H) / 2, as JAX's functions give it to the primitives. */
const symmetrized = (o: Ops, [x]: readonly Value[]): readonly Value[] => {
  if (x === undefined) return [];
  const half = o.literal(isComplex(x.aval.dtype) ? { re: 0.5, im: 0 } : 0.5, x.aval.dtype);
  return [o.mul(half, o.add(x, adjoint(o, x)))];
};

function product(o: Ops, x: Value, y: Value): Value {
  const rank = x.aval.shape.length;
  const batch = upTo(rank - 2);
  return o.dotGeneral(x, y, {
    dimension_numbers: [
      [[rank - 1], [rank - 2]],
      [batch, batch],
    ],
    precision: null,
    preferred_element_type: null,
  });
}

/** Columns scaled by the entries of a vector. */
function scaled(o: Ops, matrix: Value, vector: Value): Value {
  const { shape, dtype } = matrix.aval;
  const axes = upTo(shape.length).filter((axis) => axis !== shape.length - 2);
  return o.mul(matrix, o.broadcastInDim(o.convertElementType(vector, dtype), shape, axes));
}

/** Zeros where an entry is not in a triangle. */
function triangle(o: Ops, x: Value, isLower: boolean): Value {
  const { shape, dtype } = x.aval;
  const rank = shape.length;
  const [rows, columns] = [o.iota("int32", shape, rank - 2), o.iota("int32", shape, rank - 1)];
  const inside = isLower ? o.ge(rows, columns) : o.le(rows, columns);
  return o.selectN(inside, o.full(shape, 0, dtype), x);
}

const cholesky: Generator = (draw) => ({
  inputs: [dominant(square(draw), realOrComplex(draw))],
  prepare: symmetrized,
  finish: (o, [factor]) => (factor === undefined ? [] : [triangle(o, factor, true)]),
});

const eigh: Generator = (draw) => ({
  inputs: [dominant(square(draw), realOrComplex(draw))],
  prepare: symmetrized,
  params: { lower: draw.bool(), sort_eigenvalues: true, subset_by_index: null, algorithm: null },
  // V sin(w) V^H and w.
  smooth: (o, [v, w]) =>
    v === undefined || w === undefined
      ? []
      : [product(o, scaled(o, v, o.sin(w)), adjoint(o, v)), w],
  tolerance: 1e-4,
});

const eig: Generator = (draw) => {
  const [left, right] = [draw.bool(), draw.bool()];
  return {
    inputs: [dominant(square(draw), realOrComplex(draw))],
    params: {
      compute_left_eigenvectors: left,
      compute_right_eigenvectors: right,
      enable_eigvec_derivs: true,
      implementation: null,
    },
    // The order of eigenvalues is free, and scales of vectors are.
    smooth: (o, [w]) => (w === undefined ? [] : [o.reduceSum(o.sin(w), [w.aval.shape.length - 1])]),
    tolerance: 2e-4,
  };
};

const svd: Generator = (draw) => {
  const shape = rectangle(draw);
  const [rows = 1, columns = 1] = shape.slice(-2);
  const isSquare = rows === columns;
  const vectors = draw.bool();
  return {
    inputs: [dominant(shape, realOrComplex(draw))],
    params: {
      // There is no derivative of bases beyond the singular vectors.
      full_matrices: isSquare && draw.bool(),
      compute_uv: vectors,
      subset_by_index: null,
      algorithm: null,
    },
    // U sin(s) V^H and s.
    smooth: (o, [s, u, vh]) => {
      if (s === undefined) return [];
      if (u === undefined || vh === undefined) return [s];
      return [product(o, scaled(o, u, o.sin(s)), vh), s];
    },
    tolerance: 1e-4,
  };
};

const lu: Generator = (draw) => ({
  inputs: [dominant(rectangle(draw), realOrComplex(draw))],
});

const pivots: Generator = (draw) => {
  const count = draw.int(1, 4);
  const shape = [...outer(draw), count];
  const input = sampled(
    shape,
    (random) =>
      upTo(sizeOf(shape)).map((index) => {
        const row = index % count;
        return row + Math.floor((count - row) * random());
      }),
    "int32",
  );
  return { inputs: [input], params: { permutation_size: count + draw.int(0, 2) } };
};

const qr: Generator = (draw) => {
  const shape = rectangle(draw);
  const params = { pivoting: draw.oneIn(3), full_matrices: draw.bool(), use_magma: null };
  // Pivots are the columns in order, whose signs do not change.
  return { inputs: [dominant(shape, realOrComplex(draw), true)], params, tolerance: 5e-5 };
};

const reflectors: Generator = (draw) => ({
  inputs: [dominant(rectangle(draw), realOrComplex(draw))],
  tolerance: 5e-5,
});

const pivotedReflectors: Generator = (draw) => {
  const shape = rectangle(draw);
  const free = shape.toSpliced(-2, 1);
  return {
    inputs: [dominant(shape, realOrComplex(draw), true), integers(free, 0, 0)],
    params: { use_magma: null },
    tolerance: 5e-5,
  };
};

/** A matrix with at least as many rows as columns, and scales of reflectors. */
function reflectorInputs(draw: Draw, dtype: DType): readonly [matrix: Input, scales: Input] {
  const columns = draw.int(1, 3);
  const batch = outer(draw);
  const rows = columns + draw.int(0, 2);
  const count = draw.int(1, columns);
  return [
    floats([...batch, rows, columns], -1, 1, dtype),
    floats([...batch, count], 0.2, 1, dtype),
  ];
}

const householder: Generator = (draw) => ({
  inputs: reflectorInputs(draw, realOrComplex(draw)),
  tolerance: 5e-5,
});

const reflected: Generator = (draw) => {
  const dtype = realOrComplex(draw);
  const [matrix, scales] = reflectorInputs(draw, dtype);
  const rows = matrix.shape.at(-2) ?? 1;
  const params = { left: draw.bool(), transpose: draw.bool() };
  const other = draw.int(1, 3);
  const sizes = params.left ? [rows, other] : [other, rows];
  const right = floats([...matrix.shape.slice(0, -2), ...sizes], -1, 1, dtype);
  return { inputs: [matrix, scales, right], params, linear: [2], tolerance: 5e-5 };
};

const triangular: Generator = (draw) => {
  const shape = square(draw);
  const dtype = realOrComplex(draw);
  const n = shape.at(-1) ?? 1;
  const transpose = draw.bool();
  const params = {
    left_side: draw.bool(),
    lower: draw.bool(),
    transpose_a: transpose,
    conjugate_a: isComplex(dtype) && draw.bool(),
    unit_diagonal: draw.bool(),
  };
  const other = draw.int(1, 3);
  const sizes = params.left_side ? [n, other] : [other, n];
  const right = floats([...shape.slice(0, -2), ...sizes], -1, 1, dtype);
  return { inputs: [dominant(shape, dtype), right], params, tolerance: 5e-5 };
};

const tridiagonalSystem: Generator = (draw) => {
  const batch = outer(draw);
  const n = draw.int(1, 4);
  const dtype = realOrComplex(draw);
  const diagonal = (low: number, high: number): Input => floats([...batch, n], low, high, dtype);
  const right = floats([...batch, n, draw.int(1, 3)], -1, 1, dtype);
  return {
    inputs: [diagonal(-0.5, 0.5), diagonal(2, 3), diagonal(-0.5, 0.5), right],
    params: { perturb_singular: false },
    tolerance: 5e-5,
  };
};

const reduced: Generator = (draw) => ({ inputs: [dominant(square(draw))], tolerance: 1e-4 });

export const linalg: Generators = {
  cholesky,
  eig,
  eigh,
  svd,
  lu,
  lu_pivots_to_permutation: pivots,
  qr,
  geqrf: reflectors,
  geqp3: pivotedReflectors,
  householder_product: householder,
  ormqr: reflected,
  triangular_solve: triangular,
  tridiagonal_solve: tridiagonalSystem,
  hessenberg: reduced,
  tridiagonal: (draw) => ({
    ...reduced(draw),
    prepare: symmetrized,
    params: { lower: draw.bool() },
  }),
  schur: (draw) => ({
    ...reduced(draw),
    params: { compute_schur_vectors: draw.bool(), sort_eig_vals: false, select_callable: null },
  }),
  symmetric_product: (draw) => {
    const batch = outer(draw);
    const n = draw.int(1, 3);
    return {
      inputs: [floats([...batch, n, draw.int(1, 3)]), floats([...batch, n, n])],
      params: { alpha: 0.5, beta: draw.pick([0, 2]) },
    };
  },
};
