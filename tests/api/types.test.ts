// The types of transformed functions follow from those of the functions: `tsc` checks this file,
// and every `@ts-expect-error` is a call that must not compile.
import { expectTypeOf, test } from "vitest";
import {
  convert,
  grad,
  jit,
  jvp,
  lax,
  tree,
  valueAndGrad,
  vjp,
  vmap,
  type ArrayLike,
  type ArrayValue,
} from "../../src/index.js";

interface Params {
  readonly layers: readonly { readonly w: ArrayValue; readonly b: ArrayValue }[];
}

const loss = (params: Params, x: ArrayValue): ArrayValue => {
  const [first] = params.layers;
  return first === undefined ? x : lax.reduceSum(lax.add(lax.mul(x, first.w), first.b), [0]);
};
const withAux = (x: ArrayValue): [ArrayValue, { norm: ArrayValue }] => [x, { norm: x }];

test("gradients have the type of the argument", () => {
  const _gradient = grad(loss);
  expectTypeOf<ReturnType<typeof _gradient>>().toEqualTypeOf<{
    layers: { w: ArrayValue; b: ArrayValue }[];
  }>();
  const _second = grad(loss, { argnums: 1 });
  expectTypeOf<ReturnType<typeof _second>>().toEqualTypeOf<ArrayValue>();
  const _both = grad(loss, { argnums: [1, 0] });
  expectTypeOf<ReturnType<typeof _both>[0]>().toEqualTypeOf<ArrayValue>();
  const _aux = grad(withAux, { hasAux: true });
  expectTypeOf<ReturnType<typeof _aux>>().toEqualTypeOf<[ArrayValue, { norm: ArrayValue }]>();
  const _value = valueAndGrad(withAux, { hasAux: true });
  expectTypeOf<ReturnType<typeof _value>[0]>().toEqualTypeOf<[ArrayValue, { norm: ArrayValue }]>();
});

test("transformed functions take whatever stands for an array", () => {
  const square = (x: ArrayValue): ArrayValue => lax.mul(x, x);
  expectTypeOf(grad(square)).parameter(0).toEqualTypeOf<ArrayLike>();
  expectTypeOf(vmap(square)).parameter(0).toEqualTypeOf<ArrayLike>();
  expectTypeOf(jit(square)).parameter(0).toEqualTypeOf<ArrayLike>();
  expectTypeOf(convert(square)).parameter(0).toEqualTypeOf<ArrayLike>();
  expectTypeOf(grad(grad(square)))
    .parameter(0)
    .toEqualTypeOf<ArrayLike>();
});

/** Never runs: these calls are wrong, and are here for the compiler. */
export function wrongCalls(x: ArrayValue): void {
  // @ts-expect-error a text is no array
  lax.sin("1");
  // @ts-expect-error a list is no array
  lax.sin([1, 2]);
  // @ts-expect-error sin takes an array
  lax.sin();
  // @ts-expect-error the gradient takes the arguments of the function
  grad(loss)(x);
  // @ts-expect-error layers is missing
  grad(loss)({}, x);
  // @ts-expect-error b is missing
  grad(loss)({ layers: [{ w: 1 }] }, x);
  // @ts-expect-error argnums is a position
  grad(loss, { argnums: "x" });
  // @ts-expect-error there is no such option
  grad(loss, { argnum: 1 });
  // @ts-expect-error axes are positions
  vmap(loss, { inAxes: ["0"] });
  // @ts-expect-error the tangents are missing
  jvp(loss, [{ layers: [] }, x]);
  // @ts-expect-error a function is needed
  vjp(x, x);
  // @ts-expect-error the result is an array, no number
  const _number: number = lax.sin(x);
  // @ts-expect-error a gradient is a pytree of arrays
  expectTypeOf(grad(loss)({ layers: [] }, x).layers.w);
  // @ts-expect-error the function's argument is a number here
  tree.map((leaf: string) => leaf, [1, 2]);
}
