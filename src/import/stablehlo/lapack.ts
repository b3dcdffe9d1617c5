/**
 * Calls of LAPACK, BLAS and their GPU counterparts, which JAX's linear algebra becomes, as the
 * primitives that they compute. Current calls have their options in a dictionary (`…_ffi`), those
 * of older JAX versions as leading operands. The result `info` is always 0 (success): where a
 * decomposition fails the primitives give NaN themselves, as JAX makes of `info`.
 */
import { kindOf, storageBytesOf } from "../../ir/dtypes.js";
import type { Atom } from "../../ir/jaxpr.js";
import type { MlirOperation, MlirValue } from "../mlir/ir.js";
import { invalidModule, stringAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { configuration } from "./configuration.js";
import { unsupportedOperation } from "./diagnostics.js";
import { tensorType } from "./types.js";
import { constantValue, literal, type Imported } from "./values.js";

/** One call: its data operands, and its options by either way of giving them. */
class LinalgCall {
  readonly data: readonly MlirValue[];

  constructor(
    readonly block: BlockImporter,
    readonly op: MlirOperation,
    readonly routine: string,
  ) {
    this.data = op.operands.filter((operand) => {
      const { shape, dtype } = tensorType(operand.type);
      return shape.length > 0 && ["float", "complex"].includes(kindOf(dtype));
    });
  }

  /** Data operand `index` as an atom. */
  matrix(index: number): Atom {
    const value = this.data[index];
    if (value === undefined) throw invalidModule(`${this.routine} lacks a matrix`);
    return this.block.atom(value);
  }

  /** An option of the dictionary: letters are character codes. */
  #configured(name: string): number | boolean | undefined {
    const attribute = configuration(this.op).get(name);
    if (attribute?.kind === "integer") return Number(attribute.value);
    return attribute?.kind === "bool" ? attribute.value : undefined;
  }

  /** An option: by name, as one of two letters, or as the operand at `place` in older calls. */
  #option(names: readonly string[], place: number): number | boolean {
    for (const name of names) {
      const value = this.#configured(name);
      if (value !== undefined) return value;
    }
    const operand = this.op.operands[place];
    const isOption = operand !== undefined && !this.data.includes(operand);
    const known = isOption ? this.block.knownDims(operand)?.[0] : undefined;
    if (typeof known === "number") return known;
    throw unsupportedOperation(
      this.op,
      this.block.sourceText,
      `${this.routine} is called without its option ${names.join(" or ")}`,
    );
  }

  /** True if the option is the given letter, true, or not 0. */
  flag(letter: string, names: readonly string[], place: number): boolean {
    const value = this.#option(names, place);
    if (typeof value === "boolean") return value;
    // As operands options are 0 and 1; as letters they are character codes.
    return value > 9 ? value === letter.charCodeAt(0) : value !== 0;
  }

  /** A choice among letters; older calls number them. */
  letter(letters: string, names: readonly string[], place: number): string {
    const value = Number(this.#option(names, place));
    const found = value > 9 ? String.fromCharCode(value) : letters[value];
    if (found !== undefined && letters.includes(found)) return found;
    throw invalidModule(`${this.routine} is called with an unknown ${names.join(" or ")}`);
  }

  bind(name: string, inputs: readonly Atom[], params = {}): readonly Atom[] {
    return this.block.bind(name, inputs, params);
  }

  /** The results of the call: those given by place, zeros for the others (`info`, work space). */
  results(given: readonly (readonly [place: number, atom: Atom | undefined])[]): Imported[] {
    const atoms = new Map(given);
    return this.op.results.map((result, place): Imported => {
      const atom = atoms.get(place);
      return atom === undefined ? this.#zeros(result) : { kind: "atom", atom };
    });
  }

  #zeros(result: MlirValue): Imported {
    const { shape, dtype } = tensorType(result.type);
    const zero = constantValue(dtype, [], new Uint8Array(storageBytesOf(dtype)), true);
    const [first] = this.data;
    const batch = first === undefined ? [] : this.block.atom(first).aval.shape;
    const sizes = shape.map((size, axis) => size ?? batch[axis] ?? 1);
    return { ...zero, aval: { ...zero.aval, shape: sizes } };
  }

  /** The conjugate transpose of the last two dimensions. */
  adjoint(x: Atom): Atom {
    const rank = x.aval.shape.length;
    const permutation = x.aval.shape.map((_, axis) => axis);
    permutation.splice(rank - 2, 2, rank - 1, rank - 2);
    const transposed = this.block.bindOne("transpose", [x], { permutation });
    if (kindOf(x.aval.dtype) !== "complex") return transposed;
    return this.block.bindOne("conj", [transposed], {});
  }
}

type Routine = (call: LinalgCall) => readonly Imported[];

const cholesky: Routine = (call) => {
  const x = call.matrix(0);
  if (call.flag("L", ["uplo", "lower"], 0)) {
    return call.results([[0, call.bind("cholesky", [x])[0]]]);
  }
  const [lower] = call.bind("cholesky", [call.adjoint(x)]);
  return call.results([[0, lower && call.adjoint(lower)]]);
};

/** LAPACK counts rows from 1, JAX's primitive from 0. */
const lu: Routine = (call) => {
  const [factors, pivots] = call.bind("lu", [call.matrix(0)]);
  const counted = pivots && call.block.bindOne("add", [pivots, literal(1, "int32")], {});
  return call.results([
    [0, factors],
    [1, counted],
  ]);
};

const qr: Routine = (call) => {
  const [factors, taus] = call.bind("geqrf", [call.matrix(0)]);
  return call.results([
    [0, factors],
    [1, taus],
  ]);
};

const householderProduct: Routine = (call) =>
  call.results([[0, call.bind("householder_product", [call.matrix(0), call.matrix(1)])[0]]]);

/** Columns in order of size; the indices, counted from 1, are given and come back. */
const pivotedQr: Routine = (call) => {
  const order = call.op.operands.find((operand) => !call.data.includes(operand));
  if (order === undefined) throw invalidModule(`${call.routine} lacks the order of the columns`);
  const inputs = [call.matrix(0), call.block.atom(order)];
  const outputs = call.bind("geqp3", inputs, { use_magma: null });
  return call.results(outputs.map((atom, place) => [place, atom]));
};

const multiplyByReflectors: Routine = (call) => {
  const inputs = [0, 1, 2].map((index) => call.matrix(index));
  const params = { left: call.flag("L", ["left"], 3), transpose: call.flag("T", ["transpose"], 4) };
  return call.results([[0, call.bind("ormqr", inputs, params)[0]]]);
};

const choleskyUpdate: Routine = (call) =>
  call.results([[0, call.bind("cholesky_update", [call.matrix(0), call.matrix(1)])[0]]]);

function symmetricEigen(call: LinalgCall, lower: boolean): readonly Imported[] {
  const params = { lower, sort_eigenvalues: true, subset_by_index: null, algorithm: null };
  const [vectors, values] = call.bind("eigh", [call.matrix(0)], params);
  return call.results([
    [0, vectors],
    [1, values],
  ]);
}

const eigh: Routine = (call) => symmetricEigen(call, call.flag("L", ["uplo", "lower"], 0));

/** TPU's options are a text: lower, sorted, sweeps, tolerance. */
const eighOfTpu: Routine = (call) => {
  const options = stringAttribute(call.op, "backend_config", "1");
  return symmetricEigen(call, !options.startsWith("0"));
};

function svd(call: LinalgCall, full: boolean, vectors: boolean): readonly (Atom | undefined)[] {
  return call.bind("svd", [call.matrix(0)], {
    full_matrices: full,
    compute_uv: vectors,
    subset_by_index: null,
    algorithm: null,
  });
}

/** Results: work space, values, left vectors, right vectors. */
const svdLapack: Routine = (call) => {
  // Older calls have the two options of the GPU calls as operands.
  const hasMode = configuration(call.op).has("mode");
  const mode = hasMode ? call.letter("NSA", ["mode"], 0) : undefined;
  const full = mode === undefined ? call.flag("A", ["full_matrices"], 0) : mode === "A";
  const vectors = mode === undefined ? call.flag("V", ["compute_uv"], 1) : mode !== "N";
  const [values, left, right] = svd(call, full, vectors);
  // Wide matrices are decomposed transposed on GPU, which swaps the factors.
  const transposed = configuration(call.op).get("transposed");
  const isSwapped = transposed?.kind === "bool" && transposed.value;
  return call.results([
    [1, values],
    [isSwapped ? 3 : 2, left],
    [isSwapped ? 2 : 3, right],
  ]);
};

/** The Jacobi and polar methods on GPU give the right vectors as columns. */
const svdJacobi: Routine = (call) => {
  const full = call.flag("A", ["full_matrices"], 0);
  const [values, left, right] = svd(call, full, true);
  return call.results([
    [1, values],
    [2, left],
    [3, right && call.adjoint(right)],
  ]);
};

/** Real matrices have their eigenvalues in two results; older calls have work space first. */
const eig: Routine = (call) => {
  const x = call.matrix(0);
  const isReal = kindOf(x.aval.dtype) !== "complex";
  const isOlder = call.op.operands.length > 1;
  const left = call.flag("V", ["compute_left"], 2);
  const right = call.flag("V", ["compute_right"], 3);
  const outputs = call.bind("eig", [x], {
    compute_left_eigenvectors: left,
    compute_right_eigenvectors: right,
    enable_eigvec_derivs: false,
    implementation: null,
  });
  const [values] = outputs;
  const leftVectors = left ? outputs[1] : undefined;
  const rightVectors = right ? outputs[left ? 2 : 1] : undefined;
  const first = isOlder ? (isReal ? 3 : 2) : 0;
  if (!isReal || values === undefined) {
    return call.results([
      [first, values],
      [first + 1, leftVectors],
      [first + 2, rightVectors],
    ]);
  }
  return call.results([
    [first, call.block.bindOne("real", [values], {})],
    [first + 1, call.block.bindOne("imag", [values], {})],
    [first + 2, leftVectors],
    [first + 3, rightVectors],
  ]);
};

const schur: Routine = (call) => {
  const vectors = call.flag("V", ["mode"], 0);
  const [form, basis] = call.bind("schur", [call.matrix(0)], {
    compute_schur_vectors: vectors,
    sort_eig_vals: false,
    select_callable: null,
  });
  return call.results([
    [0, form],
    [1, vectors ? basis : undefined],
  ]);
};

const hessenberg: Routine = (call) => {
  const [form, taus] = call.bind("hessenberg", [call.matrix(0)]);
  return call.results([
    [0, form],
    [1, taus],
  ]);
};

const tridiagonal: Routine = (call) => {
  const lower = call.flag("L", ["uplo", "lower"], 0);
  const outputs = call.bind("tridiagonal", [call.matrix(0)], { lower });
  return call.results(outputs.map((atom, place) => [place, atom]));
};

/** Right-hand sides come last; on cpu the solution is the fourth result, on GPU the only one. */
const tridiagonalSolve: Routine = (call) => {
  const inputs = [0, 1, 2, 3].map((index) => call.matrix(index));
  const [solution] = call.bind("tridiagonal_solve", inputs, { perturb_singular: false });
  return call.results([[call.op.results.length > 1 ? 3 : 0, solution]]);
};

const perturbedTridiagonalSolve: Routine = (call) => {
  const inputs = [0, 1, 2, 3].map((index) => call.matrix(index));
  const [solution] = call.bind("tridiagonal_solve", inputs, { perturb_singular: true });
  return call.results([[0, solution]]);
};

const triangularSolve: Routine = (call) => {
  const transpose = call.letter("NTC", ["trans_x"], 2);
  const [solution] = call.bind("triangular_solve", [call.matrix(0), call.matrix(1)], {
    left_side: call.flag("L", ["side"], 0),
    lower: call.flag("L", ["uplo"], 1),
    transpose_a: transpose !== "N",
    conjugate_a: transpose === "C",
    unit_diagonal: call.flag("U", ["diag"], 3),
  });
  return call.results([[0, solution]]);
};

const pivotsToPermutation: Routine = (call) => {
  const [pivots] = call.op.operands;
  const result = call.op.results[0];
  const size = result && tensorType(result.type).shape.at(-1);
  if (pivots === undefined || size === undefined || size === null) {
    throw invalidModule("a permutation has no size");
  }
  const params = { permutation_size: size };
  const atoms = call.bind("lu_pivots_to_permutation", [call.block.atom(pivots)], params);
  return call.results([[0, atoms[0]]]);
};

const threefry: Routine = (call) => {
  const outputs = call.bind("threefry2x32", call.block.atoms(call.op.operands));
  return call.results(outputs.map((atom, place) => [place, atom]));
};

/** TPU's LU decomposition already has JAX's results. */
const luWithPermutation: Routine = (call) => {
  const outputs = call.bind("lu", [call.matrix(0)]);
  return call.results(outputs.map((atom, place) => [place, atom]));
};

const routines: ReadonlyMap<string, Routine> = new Map([
  ["potrf", cholesky],
  ["getrf", lu],
  ["geqrf", qr],
  ["orgqr", householderProduct],
  ["ungqr", householderProduct],
  ["geqp3", pivotedQr],
  ["ormqr", multiplyByReflectors],
  ["unmqr", multiplyByReflectors],
  ["cholesky_update", choleskyUpdate],
  ["syevd", eigh],
  ["heevd", eigh],
  ["syevj", eigh],
  ["gesdd", svdLapack],
  ["gesvd", svdLapack],
  ["gesvdj", svdJacobi],
  ["gesvdp", svdJacobi],
  ["geev", eig],
  ["gees", schur],
  ["gehrd", hessenberg],
  ["sytrd", tridiagonal],
  ["hetrd", tridiagonal],
  ["gtsv", tridiagonalSolve],
  ["gtsv2", tridiagonalSolve],
  ["tridiagonal_solve_perturbed", perturbedTridiagonalSolve],
  ["trsm", triangularSolve],
  ["lu_pivots_to_permutation", pivotsToPermutation],
  ["threefry2x32", threefry],
  ["LuDecomposition", luWithPermutation],
  ["Qr", qr],
  ["Eigh", eighOfTpu],
  ["ProductOfElementaryHouseholderReflectors", householderProduct],
]);

/** `lapack_sgetrf_ffi`, `blas_strsm`, `cusolver_getrf_ffi`, `cu_threefry2x32_ffi`, `Qr`. */
const targetName =
  /^(?:(?:lapack|blas)_[sdcz]|(?:cu|hip|roc)(?:solver|blas|sparse|hybrid)?_)?(\w+?)(?:_ffi)?$/;

/** The results of a linear algebra call, or undefined if `target` is none. */
export function linalgCall(
  block: BlockImporter,
  op: MlirOperation,
  target: string,
): readonly Imported[] | undefined {
  const routine = targetName.exec(target)?.[1] ?? "";
  return routines.get(routine)?.(new LinalgCall(block, op, routine));
}
