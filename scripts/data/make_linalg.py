"""Writes tests/data/linalg.json.gz: equations of the primitives of linear algebra with JAX's results:
small matrices of every kind (tall, wide, batched, complex, singular, graded, already triangular).

    python scripts/data/make_linalg.py [--seed N] [--out FILE]

Needs jax. Recorded with jax 0.10.2 on the CPU.
"""

import argparse
import gzip
import json
import pathlib

import jax
import numpy as np
from jax import lax
from jax._src.lax import linalg


def number(value):
    """A number as JSON can hold it: NaN and infinities are strings."""
    if isinstance(value, float) and not np.isfinite(value):
        return "nan" if np.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def encode(array):
    array = np.asarray(array)
    values = np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array
    # The shortest decimals that read back as the same float32.
    flat = values.ravel()
    data = [number(float(str(v)) if flat.dtype == np.float32 else v.item()) for v in flat]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}


class Generator:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.cases = []

    def add(self, primitive, inputs, **params):
        inputs = [np.asarray(value) for value in inputs]
        outputs = primitive.bind(*[jax.numpy.asarray(value) for value in inputs], **params)
        if not isinstance(outputs, (list, tuple)):
            outputs = [outputs]
        self.cases.append({
            "name": primitive.name,
            "params": params,
            "inputs": [encode(value) for value in inputs],
            "outputs": [encode(value) for value in outputs],
        })

    def matrix(self, *shape, dtype="float32"):
        values = self.rng.standard_normal(shape)
        if dtype == "complex64":
            values = values + 1j * self.rng.standard_normal(shape)
        return values.astype(dtype)

    def triangular(self, *shape, dtype="float32"):
        """Well-conditioned: the diagonal dominates. The other triangle is filled as well."""
        n = shape[-1]
        return (self.matrix(*shape, dtype=dtype) + 3 * np.eye(n)).astype(dtype)

    def definite(self, *shape, dtype="float32"):
        a = self.matrix(*shape, dtype=dtype)
        return (a @ adjoint(a) + 0.5 * np.eye(shape[-1])).astype(dtype)

    def selfadjoint(self, *shape, dtype="float32"):
        a = self.matrix(*shape, dtype=dtype)
        return ((a + adjoint(a)) / 2).astype(dtype)

    def unitary(self, n, dtype="float32"):
        return np.linalg.qr(self.matrix(n, n, dtype=dtype).astype("complex128"))[0].astype(
            dtype) if dtype == "complex64" else np.linalg.qr(self.matrix(n, n))[0]

    def spectrum(self, values, dtype="float32"):
        """A self-adjoint matrix with these eigenvalues."""
        q = self.unitary(len(values), dtype)
        return ((q * np.asarray(values)) @ adjoint(q)).astype(dtype)

    def all(self):
        for dtype in ["float32", "complex64"]:
            self.factorizations(dtype)
            self.solvers(dtype)
            self.spectral(dtype)
        self.pivots()
        self.updates()

    def factorizations(self, dtype):
        m = lambda *shape: self.matrix(*shape, dtype=dtype)
        for shape in [(1, 1), (2, 2), (5, 5), (2, 3, 4, 4), (33, 33)]:
            self.add(linalg.cholesky_p, [self.definite(*shape, dtype=dtype)])
        indefinite = self.definite(2, 3, 3, dtype=dtype)
        indefinite[1] = -indefinite[1]
        self.add(linalg.cholesky_p, [indefinite])
        self.add(linalg.cholesky_p, [np.zeros((2, 2), dtype)])

        for shape in [(1, 1), (1, 4), (4, 1), (2, 2), (6, 6), (3, 5), (5, 3), (2, 2, 4, 4), (20, 20)]:
            self.add(linalg.lu_p, [m(*shape)])
        ties = np.array([[1, 2, 3], [1, -1, 2], [-1, 4, 0]], dtype)
        self.add(linalg.lu_p, [ties])
        self.add(linalg.lu_p, [np.stack([ties, ties.T])])
        self.add(linalg.lu_p, [np.ones((4, 4), dtype)])
        self.add(linalg.lu_p, [np.eye(4, dtype=dtype)[[2, 0, 3, 1]]])
        self.add(linalg.lu_p, [np.zeros((3, 3), dtype)])

        shapes = [(1, 1), (1, 3), (3, 1), (2, 2), (6, 4), (4, 6), (5, 5), (2, 3, 4, 3)]
        for shape in shapes:
            self.add(linalg.geqrf_p, [m(*shape)])
            for full in [True, False]:
                self.add(linalg.qr_p, [m(*shape)], pivoting=False, full_matrices=full,
                         use_magma=None)
        self.add(linalg.geqrf_p, [np.eye(4, dtype=dtype)])
        self.add(linalg.geqrf_p, [np.triu(m(4, 4))])
        self.add(linalg.geqrf_p, [np.zeros((3, 2), dtype)])
        dependent = m(5, 4)
        dependent[:, 2] = 0
        self.add(linalg.geqrf_p, [dependent])
        for shape in [(5, 4), (4, 6), (5, 5), (2, 4, 3)]:
            order = np.zeros(shape[:-2] + shape[-1:], "int32")
            self.add(linalg.geqp3_p, [m(*shape), order], use_magma=None)
            self.add(linalg.qr_p, [m(*shape)], pivoting=True, full_matrices=False, use_magma=None)
        for shape, k in [((5, 5), 5), ((6, 4), 4), ((6, 6), 4), ((4, 3), 0), ((2, 5, 3), 3)]:
            a = m(*shape)
            r, taus = linalg.geqrf(a)
            taus = taus[..., :k]
            self.add(linalg.householder_product_p, [r, taus])
            for left in [True, False]:
                for transpose in [True, False]:
                    c = m(*shape[:-2], shape[-2], 3) if left else m(*shape[:-2], 3, shape[-2])
                    self.add(linalg.ormqr_p, [r, taus, c], left=left, transpose=transpose)

        for shape in [(1, 1), (2, 2), (3, 3), (6, 6), (2, 3, 4, 4)]:
            self.add(linalg.hessenberg_p, [m(*shape)])
            for lower in [True, False]:
                self.add(linalg.tridiagonal_p, [m(*shape)], lower=lower)
        self.add(linalg.hessenberg_p, [np.triu(m(5, 5))])
        self.add(linalg.tridiagonal_p, [np.diag(np.diag(m(4, 4)))], lower=True)

    def solvers(self, dtype):
        m = lambda *shape: self.matrix(*shape, dtype=dtype)
        for left in [True, False]:
            for lower in [True, False]:
                for transpose, conjugate in [(False, False), (True, False), (True, True)]:
                    for unit in [True, False]:
                        a = self.triangular(2, 5, 5, dtype=dtype)
                        if unit:
                            a = (a / 4).astype(dtype)
                        b = m(2, 5, 3) if left else m(2, 3, 5)
                        self.add(linalg.triangular_solve_p, [a, b], left_side=left, lower=lower,
                                 transpose_a=transpose, conjugate_a=conjugate, unit_diagonal=unit)
        for n in [1, 2, 37]:
            for left, lower, transpose in [(True, True, False), (True, False, False),
                                           (False, True, False), (False, False, True),
                                           (True, True, True)]:
                a = m(n, n) / n + 2 * np.eye(n)
                b = m(n, 2) if left else m(2, n)
                self.add(linalg.triangular_solve_p, [a.astype(dtype), b], left_side=left,
                         lower=lower, transpose_a=transpose, conjugate_a=False,
                         unit_diagonal=False)
        for batch, n, k in [((), 1, 1), ((), 2, 2), ((), 3, 1), ((2,), 6, 2), ((), 40, 1),
                            ((2, 2), 5, 3)]:
            dl, d, du = m(*batch, n), m(*batch, n) + 3, m(*batch, n)
            self.add(linalg.tridiagonal_solve_p, [dl, d.astype(dtype), du, m(*batch, n, k)],
                     perturb_singular=False)
        # Needs exchanges of rows.
        self.add(linalg.tridiagonal_solve_p,
                 [np.ones(4, dtype), np.zeros(4, dtype), np.ones(4, dtype) * 2, m(4, 1)],
                 perturb_singular=False)

    def spectral(self, dtype):
        m = lambda *shape: self.matrix(*shape, dtype=dtype)
        eigh = dict(sort_eigenvalues=True, subset_by_index=None, algorithm=None)
        for shape in [(1, 1), (2, 2), (3, 3), (2, 2, 4, 4), (7, 7), (12, 12)]:
            for lower in [True, False]:
                self.add(linalg.eigh_p, [m(*shape)], lower=lower, **eigh)
        special = [
            np.eye(5), np.zeros((3, 3)), np.ones((4, 4)), np.diag([3.0, -1, 2, 2]),
            self.spectrum([1, 1, 1, 2, 2, 5], dtype), self.spectrum([1e-6, 1e-3, 1, 1e3], dtype),
            self.spectrum([-1, 1, -1, 1], dtype), 1e-12 * self.selfadjoint(4, 4, dtype=dtype),
            1e12 * self.selfadjoint(4, 4, dtype=dtype),
        ]
        for a in special:
            self.add(linalg.eigh_p, [a.astype(dtype)], lower=True, **eigh)

        svd = dict(subset_by_index=None, algorithm=None)
        for shape in [(1, 1), (1, 3), (3, 1), (2, 2), (5, 3), (3, 5), (6, 6), (2, 2, 4, 3), (9, 2)]:
            for full in [True, False]:
                self.add(linalg.svd_p, [m(*shape)], full_matrices=full, compute_uv=True, **svd)
            self.add(linalg.svd_p, [m(*shape)], full_matrices=True, compute_uv=False, **svd)
        low_rank = m(6, 2) @ m(2, 5)
        zero_column = m(5, 3)
        zero_column[:, 1] = 0
        special = [np.eye(4), np.zeros((3, 2)), np.ones((4, 3)), low_rank, zero_column,
                   self.spectrum([1e-5, 1e-3, 1, 10], dtype), self.unitary(5, dtype),
                   1e-12 * m(4, 3), 1e12 * m(3, 4)]
        for a in special:
            self.add(linalg.svd_p, [np.asarray(a).astype(dtype)], full_matrices=True,
                     compute_uv=True, **svd)

        eig = dict(enable_eigvec_derivs=False, implementation=None)
        for shape in [(1, 1), (2, 2), (3, 3), (2, 4, 4), (8, 8)]:
            for left, right in [(True, True), (False, True), (False, False)]:
                self.add(linalg.eig_p, [m(*shape)], compute_left_eigenvectors=left,
                         compute_right_eigenvectors=right, **eig)
        rotation = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 2]])
        special = [np.eye(4), np.diag([1.0, 2, 3]), rotation, np.triu(m(5, 5)),
                   np.eye(4)[[1, 2, 3, 0]], self.selfadjoint(5, 5, dtype=dtype),
                   np.zeros((3, 3)), self.spectrum([1, 1, 2, 2, 2], dtype),
                   np.array([[2.0, 1], [0, 2]])]
        for a in special:
            self.add(linalg.eig_p, [np.asarray(a).astype(dtype)],
                     compute_left_eigenvectors=False, compute_right_eigenvectors=True, **eig)

        for shape in [(1, 1), (2, 2), (3, 3), (2, 4, 4), (7, 7)]:
            self.add(linalg.schur_p, [m(*shape)], compute_schur_vectors=True,
                     sort_eig_vals=False, select_callable=None)
        for a in [np.eye(3), rotation, np.triu(m(4, 4))]:
            self.add(linalg.schur_p, [np.asarray(a).astype(dtype)], compute_schur_vectors=True,
                     sort_eig_vals=False, select_callable=None)

    def pivots(self):
        for batch, k, m in [((), 1, 1), ((), 1, 3), ((), 3, 3), ((), 4, 7), ((2, 3), 5, 5),
                            ((), 40, 41)]:
            highs = np.broadcast_to(m, batch + (k,))
            pivots = self.rng.integers(np.arange(k), highs).astype("int32")
            self.add(linalg.lu_pivots_to_permutation_p, [pivots], permutation_size=m)

    def updates(self):
        for n in [1, 2, 5]:
            r = np.triu(self.triangular(n, n))
            self.add(linalg.cholesky_update_p, [r.astype("float32"), self.matrix(n)])
        self.add(linalg.cholesky_update_p, [np.eye(3, dtype="float32"), np.zeros(3, "float32")])
        for shape in [(3, 4), (2, 4, 2)]:
            n = shape[-2]
            c = self.matrix(*shape[:-1], n)
            self.add(linalg.symmetric_product_p, [self.matrix(*shape), c], alpha=2.0, beta=-0.5)


def adjoint(a):
    return np.conj(np.swapaxes(a, -1, -2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="tests/data/linalg.json.gz")
    options = parser.parse_args()
    generator = Generator(options.seed)
    generator.all()
    text = json.dumps({"jax": jax.__version__, "cases": generator.cases}, separators=(",", ":"))
    path = pathlib.Path(options.out)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{path}: {len(generator.cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
