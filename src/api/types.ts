/** Types of traced functions: what they may be called with, and what derivatives of them are. */
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import type { LeafValue, MapLeaves } from "../tree/pytree.js";

/** What may be passed where a function declares `T`: anything array-like for an array. */
export type Argument<T> = [T] extends [ArrayLike] ? ArrayLike : ArgumentParts<T>;

/** The same for one member of a union after the other. */
type ArgumentParts<T> = T extends ArrayValue
  ? ArrayLike
  : T extends LeafValue | null | undefined
    ? T
    : T extends (...args: never[]) => unknown
      ? T
      : T extends object
        ? { readonly [Key in keyof T]: Argument<T[Key]> }
        : T;

/** The arguments of a transformed function. */
export type Arguments<Args extends readonly unknown[]> = {
  readonly [Index in keyof Args]: Argument<Args[Index]>;
};

/** A pytree of arrays with the containers of `T`: results, gradients, tangents. */
export type Arrays<T> = MapLeaves<T, ArrayValue>;

/** A function that can be traced. Its arguments and results are pytrees of arrays. */
export type Traceable<Args extends readonly unknown[], Result> = (...args: Args) => Result;

/** What options are when none are given. */
export interface NoOptions {
  readonly argnums?: never;
}
