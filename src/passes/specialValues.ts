/**
 * Values of special functions on doubles, for the comparison of written-out functions by sample
 * points (probe.ts, prepare.ts).
 */

/** Coefficients of Lanczos' approximation with g = 7. */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];

/** log |gamma(x)|. */
export function lgamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - lgamma(1 - x);
  const z = x - 1;
  const [first = 1, ...others] = lanczos;
  const sum = others.reduce((total, c, index) => total + c / (z + index + 1), first);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The inverse of erf by bisection of the series (DLMF 7.6.1). */
export function erfInv(y: number): number {
  if (Math.abs(y) > 1) return NaN;
  let [low, high] = [-6, 6];
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (erfSeries(middle) < y) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function erfSeries(x: number): number {
  if (Math.abs(x) > 4) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
