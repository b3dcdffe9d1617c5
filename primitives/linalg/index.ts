/**
 * The primitives of linear algebra, for the registry.
 */
export { cholesky } from "./cholesky.js";
export { triangularSolve } from "./triangularSolve.js";
export { lu, luPivotsToPermutation } from "./lu.js";
export { geqp3, geqrf, householderProduct, ormqr, qr } from "./qr.js";
export { hessenberg, tridiagonal } from "./hessenberg.js";
export { eigh } from "./eigh.js";
export { svd } from "./svd.js";
export { tridiagonalSolve } from "./tridiagonalSolve.js";
export { choleskyUpdate, symmetricProduct } from "./updates.js";
export { eig } from "./eig.js";
export { schur } from "./schur.js";
