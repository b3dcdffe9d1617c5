/**
 * Special functions of several arguments (incomplete gamma and beta integrals, polygamma, zeta) and
 * the scaled Bessel functions.
 */
import { Jax2TfjsError } from "../src/ir/errors.js";
import type { Ops, Value } from "../src/ir/ops.js";
import type { NoParams } from "../src/ir/params.js";
import { none, type NoRule, type Primitive } from "../src/ir/primitive.js";
import type { Tensor, Tf } from "../src/ir/tf.js";
import {
  accepts,
  constantLike,
  elementwise,
  stretch,
  type ElementwiseSpec,
  type TangentRule,
} from "./factories.js";
import * as math from "./incompleteMath.js";
import { at } from "./support.js";

interface SeveralSpec {
  readonly count: 1 | 2 | 3;
  readonly tangents: NoRule | readonly TangentRule<NoParams>[];
  readonly tfjs: (tf: Tf, args: readonly Tensor[]) => Tensor;
  readonly flops: number;
  readonly limits?: ElementwiseSpec<NoParams>["limits"];
}

function special(name: string, spec: SeveralSpec): Primitive<NoParams> {
  return elementwise<NoParams>({
    name,
    accepts: new Array<typeof accepts.float>(spec.count).fill(accepts.float),
    tangents: spec.tangents,
    transpose: none(`${name} is not linear`),
    tfjs: (tf, args) => spec.tfjs(tf, args),
    flopsPerElement: spec.flops,
    ...(spec.limits === undefined ? {} : { limits: spec.limits }),
  });
}

const bind = (o: Ops, primitive: Primitive<NoParams>, ...inputs: readonly Value[]): Value =>
  at(o.bind(primitive, inputs, {}), 0);

/** A tangent rule for an argument that JAX does not differentiate by. */
const refused =
  (message: string): TangentRule<NoParams> =>
  () => {
    throw new Jax2TfjsError("no-jvp-rule", message);
  };

/** x^(a - 1) e^-x / gamma(a). */
function gammaDensity(o: Ops, a: Value, x: Value): Value {
  const power = o.mul(o.sub(a, constantLike(o, a, 1)), o.log(x));
  return o.exp(o.sub(o.sub(power, x), o.lgamma(a)));
}

const largeArguments = {
  when: "a or x above about 1000",
  effect: "few correct digits, as in JAX",
  why: "exp(a log x - x - lgamma(a)) is taken in float32",
} as const;

export const igammaGradA = special("igamma_grad_a", {
  count: 2,
  tangents: none("igamma_grad_a has no derivative in JAX"),
  tfjs: (tf, args) => math.igammaGradA(tf, at(args, 0), at(args, 1)),
  flops: 600,
  limits: [largeArguments],
});

export const randomGammaGrad = special("random_gamma_grad", {
  count: 2,
  tangents: none("random_gamma_grad has no derivative in JAX"),
  tfjs: (tf, args) => math.randomGammaGrad(tf, at(args, 0), at(args, 1)),
  flops: 600,
});

export const igamma = special("igamma", {
  count: 2,
  tangents: [
    (o, t, primals) => o.mul(t, bind(o, igammaGradA, at(primals, 0), at(primals, 1))),
    (o, t, primals) => o.mul(t, gammaDensity(o, at(primals, 0), at(primals, 1))),
  ],
  tfjs: (tf, args) => math.igamma(tf, at(args, 0), at(args, 1)),
  flops: 500,
  limits: [largeArguments],
});

export const igammac = special("igammac", {
  count: 2,
  tangents: [
    (o, t, primals) => o.neg(o.mul(t, bind(o, igammaGradA, at(primals, 0), at(primals, 1)))),
    (o, t, primals) => o.neg(o.mul(t, gammaDensity(o, at(primals, 0), at(primals, 1)))),
  ],
  tfjs: (tf, args) => math.igammac(tf, at(args, 0), at(args, 1)),
  flops: 500,
  limits: [largeArguments],
});

const betaByParameter = refused("Betainc gradient with respect to a and b not supported.");

export const regularizedIncompleteBeta = special("regularized_incomplete_beta", {
  count: 3,
  tangents: [
    betaByParameter,
    betaByParameter,
    (o, t, primals) => {
      const [a, b, x] = [at(primals, 0), at(primals, 1), at(primals, 2)];
      const one = constantLike(o, x, 1);
      const logBeta = o.sub(o.add(o.lgamma(a), o.lgamma(b)), o.lgamma(o.add(a, b)));
      const left = o.mul(o.sub(b, one), o.log1p(o.neg(x)));
      const right = o.mul(o.sub(a, one), o.log(x));
      return o.mul(o.exp(o.sub(o.add(left, right), logBeta)), t);
    },
  ],
  tfjs: (tf, args) => math.regularizedIncompleteBeta(tf, at(args, 0), at(args, 1), at(args, 2)),
  flops: 500,
});

export const zeta = special("zeta", {
  count: 2,
  tangents: none("zeta has no derivative in JAX"),
  tfjs: (tf, args) => math.zeta(tf, at(args, 0), at(args, 1)),
  flops: 100,
});

export const polygamma: Primitive<NoParams> = special("polygamma", {
  count: 2,
  tangents: [
    refused("polygamma gradient with respect to m is not supported"),
    (o, t, primals) => {
      const m = at(primals, 0);
      return o.mul(t, bind(o, polygamma, o.add(m, constantLike(o, m, 1)), at(primals, 1)));
    },
  ],
  tfjs: (tf, args) => math.polygamma(tf, at(args, 0), at(args, 1)),
  flops: 200,
});

export const besselI1e: Primitive<NoParams> = special("bessel_i1e", {
  count: 1,
  tangents: [
    (o, t, primals, result) => {
      const x = at(primals, 0);
      const epsilon = constantLike(o, x, 2 ** -23);
      const isTiny = o.le(o.abs(x), epsilon);
      const safe = o.selectN(isTiny, x, stretch(o, epsilon, x.aval.shape));
      const inverse = o.add(o.sign(safe), o.div(constantLike(o, x, 1), safe));
      const slope = o.sub(bind(o, besselI0e, safe), o.mul(result, inverse));
      return o.mul(t, o.selectN(isTiny, slope, o.full(x.aval.shape, 0.5, x.aval.dtype)));
    },
  ],
  tfjs: (tf, args) => math.besselI1e(tf, at(args, 0)),
  flops: 40,
});

export const besselI0e: Primitive<NoParams> = special("bessel_i0e", {
  count: 1,
  tangents: [
    (o, t, primals, result) => {
      const x = at(primals, 0);
      return o.mul(t, o.sub(bind(o, besselI1e, x), o.mul(o.sign(x), result)));
    },
  ],
  tfjs: (tf, args) => math.besselI0e(tf, at(args, 0)),
  flops: 40,
});
