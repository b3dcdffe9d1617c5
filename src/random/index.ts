/**
 * Random numbers under the names of `jax.random`: for the same key, the numbers that JAX draws
 * (with `jax_threefry_partitionable`, its default).
 */
export {
  bits,
  clone,
  foldIn,
  key,
  keyData,
  keyDtype,
  keyImpl,
  PRNGKey,
  split,
  splitKeys,
  wrapKeyData,
  type KeyOptions,
  type RandomImpl,
} from "./keys.js";
export { uniform, type DrawOptions, type UniformOptions } from "./draws.js";
export {
  bernoulli,
  cauchy,
  exponential,
  gumbel,
  laplace,
  logistic,
  normal,
  rademacher,
  randint,
  truncatedNormal,
  type BernoulliOptions,
  type GumbelOptions,
} from "./basic.js";
export {
  categorical,
  choice,
  permutation,
  type CategoricalOptions,
  type ChoiceOptions,
  type PermutationOptions,
} from "./selection.js";
export {
  ball,
  beta,
  chisquare,
  dirichlet,
  f,
  gamma,
  generalizedNormal,
  loggamma,
  t,
} from "./gammaFamily.js";
export { binomial, geometric, multinomial, poisson } from "./counts.js";
export {
  doubleSidedMaxwell,
  lognormal,
  maxwell,
  multivariateNormal,
  orthogonal,
  pareto,
  rayleigh,
  triangular,
  wald,
  weibullMin,
  type MultivariateNormalOptions,
} from "./transformed.js";
