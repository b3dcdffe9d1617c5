/**
 * `callTfjs`: functions of tfjs and loaded graph models inside of traced functions. JAX's
 * counterpart was jax2tf's `call_tf`.
 */
import * as tf from "@tensorflow/tfjs-core";
import { callTfjs as callTfjsPrimitive } from "../../primitives/callTfjs.js";
import { callError, nameOf, type ShapeDtypeStruct } from "../api/calls.js";
import { customVjp } from "../api/customDerivatives.js";
import type { ShapedArray } from "../ir/aval.js";
import { isStaticShape } from "../ir/dims.js";
import { isDType, isFloat } from "../ir/dtypes.js";
import { HostFunction } from "../ir/params.js";
import { tfDtypeOf } from "../lower/tf/carriers.js";
import type { ArrayLike, ArrayValue } from "../trace/arrays.js";
import { hostGraph } from "./kernels/hostGraph.js";
import { asValue, fromValue, o } from "../trace/trace.js";

/** A function of tfjs: tensors in, one tensor or a list of them out. */
export type TfjsFunction = (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

/** What `callTfjs` needs of a `GraphModel`. */
export interface TfjsModel {
  predict(inputs: tf.Tensor[]): tf.Tensor | tf.Tensor[] | tf.NamedTensorMap;
  /** Weights by name, as a `GraphModel` has them: they keep their names when saved. */
  readonly weights?: unknown;
}

export interface CallTfjsOptions {
  /**
   * The types of the results. Default: found by running the function once on zeros, when it is
   * traced; needed with symbolic sizes.
   */
  readonly outputShapeDtype?: ShapeDtypeStruct | readonly ShapeDtypeStruct[];
}

const listOf = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

function modelResults(result: ReturnType<TfjsModel["predict"]>): tf.Tensor[] {
  if (result instanceof tf.Tensor) return [result];
  return Array.isArray(result) ? result : Object.values(result);
}

/** Names of a model's weights, by the data of their tensors. */
function weightNames(f: TfjsFunction | TfjsModel): ReadonlyMap<object, string> {
  const names = new Map<object, string>();
  if (typeof f === "function" || typeof f.weights !== "object" || f.weights === null) return names;
  for (const [name, tensors] of Object.entries(f.weights)) {
    for (const tensor of listOf<unknown>(tensors)) {
      if (tensor instanceof tf.Tensor) names.set(tensor.dataId, name);
    }
  }
  return names;
}

/** A function of tensors as the parameter of an equation. */
function hostFunction(
  name: string,
  run: (tensors: readonly tf.Tensor[]) => readonly tf.Tensor[],
  names: ReadonlyMap<object, string>,
): HostFunction {
  // callTfjs makes functions of tensors only.
  const call = (tensors: readonly unknown[]): readonly tf.Tensor[] =>
    run(tensors as readonly tf.Tensor[]);
  return new HostFunction(name, call, (inputs) => hostGraph(name, run, inputs, names));
}

/** The types of the results for arguments of these types. */
function outputTypes(call: HostFunction, inputs: readonly ShapedArray[]): readonly ShapedArray[] {
  let types: readonly ShapedArray[] = [];
  tf.tidy(() => {
    const zeros = inputs.map(({ shape, dtype }) => {
      if (!isStaticShape(shape)) {
        throw callError(
          "call-tfjs",
          `the results of ${call.name} for symbolic sizes are not known`,
          "give outputShapeDtype",
        );
      }
      return tf.zeros([...shape], tfDtypeOf(dtype) ?? "int32");
    });
    const results = call.call(zeros) as readonly tf.Tensor[];
    types = results.map(({ shape, dtype }): ShapedArray => {
      if (isDType(dtype)) return { shape, dtype, weakType: false };
      throw callError("call-tfjs", `${call.name} gives a tensor of type ${dtype}`);
    });
  });
  return types;
}

function requireTensors(name: string, results: readonly unknown[]): readonly tf.Tensor[] {
  return results.map((result) => {
    if (result instanceof tf.Tensor) return result;
    throw callError(
      "call-tfjs",
      `${name} must return tensors of tfjs`,
      "return a tensor or a list",
    );
  });
}

/** The pull-back by tfjs's own gradient: the arguments, then a cotangent per result. */
function backwards(
  forward: HostFunction,
  count: number,
  names: ReadonlyMap<object, string>,
): HostFunction {
  const pullBack = (tensors: readonly tf.Tensor[]): readonly tf.Tensor[] => {
    const [inputs, cotangents] = [tensors.slice(0, count), tensors.slice(count)];
    const active = inputs.filter(({ dtype }) => dtype === "float32");
    const total = (...floats: tf.Tensor[]): tf.Tensor => {
      let next = 0;
      const args = inputs.map((input) =>
        input.dtype === "float32" ? (floats[next++] ?? input) : input,
      );
      const results = forward.call(args) as readonly tf.Tensor[];
      const floating = results.filter(({ dtype }) => dtype === "float32");
      return tf.addN(
        floating.map((result, index) => tf.sum(tf.mul(result, cotangents[index] ?? 0))),
      );
    };
    return tf.grads(total)([...active]);
  };
  return hostFunction(`grad(${forward.name})`, pullBack, names);
}

/**
 * A function of tfjs, or a loaded graph model, as one that traced functions can call. Outside of
 * traces it runs as it is. Reverse derivatives are those of tfjs, whose gradients must be
 * registered (`@tensorflow/tfjs` does); forward derivatives and `vmap` are refused.
 *
 * @returns a function of arrays that gives the one result, or a list of several
 * Saved, its operations become nodes of the graph, and its variables and the model's weights become
 * weights under their names. So what it does must be tensor operations, the same each time: no
 * values read in JavaScript, no random numbers of tfjs.
 *
 * @throws Jax2TfjsError `call-tfjs`: when traced, where the results' types are not known; when
 * saved, for what no graph model holds
 *
 * JAX's counterpart was `jax2tf.call_tf`.
 */
export function callTfjs(
  f: TfjsFunction | TfjsModel,
  { outputShapeDtype }: CallTfjsOptions = {},
): (...args: ArrayLike[]) => ArrayValue | ArrayValue[] {
  const name = typeof f === "function" ? nameOf(f) : "GraphModel";
  const names = weightNames(f);
  const run = (tensors: readonly tf.Tensor[]): readonly tf.Tensor[] => {
    const results =
      typeof f === "function" ? listOf(f(...tensors)) : modelResults(f.predict([...tensors]));
    return requireTensors(name, results);
  };
  const forward = hostFunction(name, run, names);
  const bind = (
    call: HostFunction,
    types: readonly ShapedArray[],
    args: readonly unknown[],
  ): ArrayValue[] => {
    const values = args.map(asValue);
    return o
      .bind(callTfjsPrimitive, values, { function: call, output_types: types })
      .map(fromValue);
  };
  const call = (...args: ArrayValue[]): ArrayValue[] => {
    const inputs = args.map((arg) => asValue(arg).aval);
    const given = outputShapeDtype === undefined ? undefined : listOf(outputShapeDtype);
    const types = given?.map(({ aval }) => aval) ?? outputTypes(forward, inputs);
    return bind(forward, types, args);
  };
  Object.defineProperty(call, "name", { value: name });
  const differentiable = customVjp(call).defvjp(
    (...args: ArrayValue[]) => [call(...args), args] as const,
    (args: ArrayValue[], cotangents: ArrayValue[]) => {
      const types = args.map((arg) => asValue(arg).aval);
      const isActive = types.map(({ dtype }) => isFloat(dtype));
      const floats = types.filter((_, index) => isActive[index] === true);
      const given = cotangents.filter((cotangent) => cotangent.dtype !== "float0");
      const results = bind(backwards(forward, args.length, names), floats, [...args, ...given]);
      let next = 0;
      return isActive.map((active) => (active ? results[next++] : null));
    },
  );
  return (...args) => {
    const results = differentiable(...args);
    const [first] = results;
    return results.length === 1 && first !== undefined ? first : results;
  };
}
