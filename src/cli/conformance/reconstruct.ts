/**
 * Checks of results that are not unique: decompositions of matrices, whose signs, phases and null
 * spaces are free. What must hold is what the notes of the corpus say. Called by checkCase.ts.
 */
import { kindOf } from "../../ir/dtypes.js";
import { valuesOf, type HostArray } from "../../ir/hostArray.js";
import { compareArrays, type Tolerance } from "../compare.js";
import {
  adjoint,
  at,
  corner,
  distance,
  identity,
  magnitude,
  matricesOf,
  matrix,
  multiply,
  type Matrix,
} from "./matrices.js";

export interface Decomposition {
  /** The group of the case: cholesky, eig, eigh, lu, qr, svd. */
  readonly group: string;
  /** The case's full name: it says which triangle is meant and which results there are. */
  readonly name: string;
  readonly inputs: readonly HostArray[];
  readonly actual: readonly HostArray[];
  readonly expected: readonly HostArray[];
  readonly tolerance: Tolerance;
}

/** What is wrong with a decomposition; empty if nothing is. */
export function checkDecomposition(decomposition: Decomposition): string {
  const { actual, expected, inputs } = decomposition;
  for (const [index, array] of expected.entries()) {
    const found = actual[index];
    const type = ({ dtype, shape }: HostArray): string => `${dtype}[${shape.join(",")}]`;
    if (found === undefined || type(found) !== type(array)) {
      return `output ${index} is ${found === undefined ? "missing" : type(found)}, not ${type(array)}`;
    }
  }
  const check = checks[decomposition.group];
  const [a] = inputs;
  if (check === undefined || a === undefined) return `no check for ${decomposition.group}`;
  if (expected.some(hasNaN)) return sameNaNs(decomposition);
  const matrices = matricesOf(a);
  for (const [batch, input] of matrices.entries()) {
    const problem = check(new Batch(decomposition, batch), input);
    if (problem !== "") return matrices.length > 1 ? `matrix ${batch}: ${problem}` : problem;
  }
  return "";
}

function hasNaN(array: HostArray): boolean {
  const kind = kindOf(array.dtype);
  if (kind !== "float" && kind !== "complex") return false;
  return Array.from(valuesOf(array), Number).some(Number.isNaN);
}

/** A decomposition that failed is NaN in JAX; the numbers beside are not looked at. */
function sameNaNs({ actual, expected }: Decomposition): string {
  const differs = expected.some((array, index) => {
    const found = actual[index];
    return found === undefined || hasNaN(array) !== hasNaN(found);
  });
  return differs ? "NaN where JAX has none, or none where JAX has" : "";
}

/** The results for one matrix of a batch. */
class Batch {
  readonly #decomposition: Decomposition;
  readonly #index: number;

  constructor(decomposition: Decomposition, index: number) {
    this.#decomposition = decomposition;
    this.#index = index;
  }

  get name(): string {
    return this.#decomposition.name;
  }

  get count(): number {
    return this.#decomposition.actual.length;
  }

  output(position: number, vectors = false): Matrix {
    return this.#pick(this.#decomposition.actual, position, vectors);
  }

  recorded(position: number, vectors = false): Matrix {
    return this.#pick(this.#decomposition.expected, position, vectors);
  }

  #pick(arrays: readonly HostArray[], position: number, vectors: boolean): Matrix {
    const array = arrays[position];
    const found = array === undefined ? undefined : matricesOf(array, vectors)[this.#index];
    if (found === undefined) throw new Error(`internal error: no output ${position}`);
    return found;
  }

  /** Says what differs by how much, if it is more than the tolerance allows. */
  close(what: string, actual: Matrix, wanted: Matrix): string {
    const { rtol, atol } = this.#decomposition.tolerance;
    const allowed = Math.max(atol, rtol * Math.max(1, magnitude(wanted)));
    const error = distance(actual, wanted);
    if (error <= allowed) return "";
    return `${what} is off by ${error.toPrecision(3)}; ${allowed.toPrecision(3)} is allowed`;
  }

  orthonormal(what: string, columns: Matrix): string {
    const gram = multiply(adjoint(columns), columns);
    return this.close(`${what}^H ${what}`, gram, identity(columns.columns));
  }
}

type Check = (batch: Batch, a: Matrix) => string;

const first = (...problems: readonly string[]): string =>
  problems.find((problem) => problem !== "") ?? "";

function scaleColumns(m: Matrix, factors: Matrix): Matrix {
  return matrix(m.rows, m.columns, (row, column) => {
    const [re, im] = at(m, row, column);
    const [fRe, fIm] = at(factors, 0, column);
    return [re * fRe - im * fIm, re * fIm + im * fRe];
  });
}

/** The self-adjoint matrix of which one triangle is given. */
function selfAdjoint(a: Matrix, lower: boolean): Matrix {
  return matrix(a.rows, a.columns, (row, column) => {
    if (row === column) return [at(a, row, column)[0], 0];
    if (row > column === lower) return at(a, row, column);
    const [re, im] = at(a, column, row);
    return [re, -im];
  });
}

const cholesky: Check = (batch, a) => {
  const l = batch.output(0);
  const lower = matrix(l.rows, l.columns, (row, column) =>
    column <= row ? at(l, row, column) : [0, 0],
  );
  return first(
    batch.close("the part above the diagonal", l, lower),
    batch.close("L L^H", multiply(l, adjoint(l)), selfAdjoint(a, true)),
  );
};

const eigh: Check = (batch, a) => {
  const v = batch.output(0);
  const w = batch.output(1, true);
  const whole = selfAdjoint(a, !/lower_?=?False/.test(batch.name));
  return first(
    batch.close("w", w, batch.recorded(1, true)),
    batch.orthonormal("v", v),
    batch.close("A v - v diag(w)", multiply(whole, v), scaleColumns(v, w)),
  );
};

/** Pairs each recorded eigenvalue with the nearest computed one. */
function pairEigenvalues(actual: Matrix, recorded: Matrix): Matrix {
  const left = Array.from({ length: actual.columns }, (_, column) => at(actual, 0, column));
  return matrix(1, recorded.columns, (_, column) => {
    const [re, im] = at(recorded, 0, column);
    let nearest = 0;
    left.forEach((value, index) => {
      const best = left[nearest] ?? [NaN, NaN];
      const closer =
        Math.hypot(value[0] - re, value[1] - im) < Math.hypot(best[0] - re, best[1] - im);
      if (closer) nearest = index;
    });
    return left.splice(nearest, 1)[0] ?? [NaN, NaN];
  });
}

function unitColumns(batch: Batch, what: string, m: Matrix): string {
  const norms = matrix(1, m.columns, (_, column) => {
    let sum = 0;
    for (let row = 0; row < m.rows; row++) {
      const [re, im] = at(m, row, column);
      sum += re * re + im * im;
    }
    return [Math.sqrt(sum), 0];
  });
  return batch.close(
    `the norms of ${what}`,
    norms,
    matrix(1, m.columns, () => [1, 0]),
  );
}

const eig: Check = (batch, a) => {
  const w = batch.output(0, true);
  const recorded = batch.recorded(0, true);
  const problems = [batch.close("w", pairEigenvalues(w, recorded), recorded)];
  const hasLeft = batch.name.includes("lefteigenvectors_True");
  const hasRight = batch.name.includes("righteigenvectors_True");
  if (hasLeft) {
    const vl = batch.output(1);
    const left = adjoint(vl);
    const scaled = adjoint(scaleColumns(vl, adjointOfRow(w)));
    problems.push(
      unitColumns(batch, "vl", vl),
      batch.close("vl^H A - diag(w) vl^H", multiply(left, a), scaled),
    );
  }
  if (hasRight) {
    const vr = batch.output(hasLeft ? 2 : 1);
    problems.push(
      unitColumns(batch, "vr", vr),
      batch.close("A vr - vr diag(w)", multiply(a, vr), scaleColumns(vr, w)),
    );
  }
  return first(...problems);
};

/** The conjugate of a row: diag(w) vl^H is the adjoint of vl diag(conj(w)). */
function adjointOfRow(row: Matrix): Matrix {
  return matrix(1, row.columns, (_, column) => {
    const [re, im] = at(row, 0, column);
    return [re, -im];
  });
}

const svd: Check = (batch, a) => {
  const s = batch.output(0, true);
  const sound = batch.close("s", s, batch.recorded(0, true));
  if (sound !== "" || batch.count < 3) return sound;
  const [u, vh] = [batch.output(1), batch.output(2)];
  const rank = s.columns;
  const product = multiply(scaleColumns(corner(u, u.rows, rank), s), corner(vh, rank, vh.columns));
  return first(
    batch.orthonormal("u", u),
    batch.orthonormal("vh^H", adjoint(vh)),
    batch.close("u diag(s) vh", product, a),
  );
};

const qr: Check = (batch, a) => {
  const [q, r] = [batch.output(0), batch.output(1)];
  const upper = matrix(r.rows, r.columns, (row, column) =>
    column >= row ? at(r, row, column) : [0, 0],
  );
  // With pivoting a third result says which columns of A come first.
  const columns = batch.count > 2 ? batch.output(2, true) : undefined;
  const permuted = matrix(a.rows, a.columns, (row, column) =>
    at(a, row, columns === undefined ? column : at(columns, 0, column)[0]),
  );
  return first(
    batch.orthonormal("q", q),
    batch.close("the part of r below the diagonal", r, upper),
    batch.close("q r", multiply(q, r), permuted),
  );
};

const lu: Check = (batch, a) => {
  const packed = batch.output(0);
  const permutation = batch.output(2, true);
  const rank = Math.min(a.rows, a.columns);
  const lower = matrix(a.rows, rank, (row, column) => {
    if (row === column) return [1, 0];
    return row > column ? at(packed, row, column) : [0, 0];
  });
  const upper = matrix(rank, a.columns, (row, column) =>
    column >= row ? at(packed, row, column) : [0, 0],
  );
  const permuted = matrix(a.rows, a.columns, (row, column) =>
    at(a, at(permutation, 0, row)[0], column),
  );
  return batch.close("L U", multiply(lower, upper), permuted);
};

const checks: Readonly<Record<string, Check | undefined>> = { cholesky, eigh, eig, svd, qr, lu };

/** Whether all outputs are close to the recorded ones: then nothing needs to be reconstructed. */
export function allClose({ actual, expected, tolerance }: Decomposition): boolean {
  return expected.every((array, index) => {
    const found = actual[index];
    return found !== undefined && compareArrays(found, array, tolerance).agrees;
  });
}
