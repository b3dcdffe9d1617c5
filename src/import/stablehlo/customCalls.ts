/**
 * Custom calls by target: shape assertions, annotations that one device ignores, the operations that
 * JAX has no StableHLO for, and messages for those that cannot run outside of Python.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import { printDim, type Dim } from "../../ir/dims.js";
import type { Atom } from "../../ir/jaxpr.js";
import type { MlirOperation } from "../mlir/ir.js";
import { invalidModule, stringAttribute, symbolsAttribute } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import { printOperation } from "./diagnostics.js";
import { elementwise, unaryNames } from "./elementwise.js";
import { configuration, configurationNumber } from "./configuration.js";
import { linalgCall } from "./lapack.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { blockExpressions, blockOf, isOnArguments } from "./regions.js";
import { importIdentity } from "./shapes.js";
import { importDynamicRngBitGenerator } from "./linalg.js";
import { isDim, type SymbolicScalar } from "./symbolicScalar.js";
import { avalOf, knownElements, type Imported } from "./values.js";
import { importDynamicReduceWindow } from "./windows.js";

/** A value of the message of a shape assertion, as an expression. */
function printScalar(scalar: SymbolicScalar): string {
  if (isDim(scalar)) return printDim(scalar);
  if (typeof scalar === "boolean") return String(scalar);
  return `${scalar.operation}(${scalar.operands.map(printScalar).join(", ")})`;
}

function printKnown(value: Imported): string {
  const known = knownElements(value);
  return known === null ? "a computed value" : known.elements.map(printScalar).join(", ");
}

/** Kept as data: what is checked is checked again from the shape specifications. */
const importShapeAssertion: OperationImporter = (block, op) => {
  const [condition, ...values] = op.operands.map((operand) => block.value(operand));
  block.module.shapeAssertions.push({
    message: stringAttribute(op, "error_message", ""),
    condition: condition === undefined ? "" : printKnown(condition),
    values: values.map(printKnown),
  });
  return [];
};

/** Elements along the reduced dimension of the results, which need not be `top_k` of them. */
function resultSize(block: BlockImporter, op: MlirOperation, axis: number): Dim {
  const type = op.results[0]?.type;
  const size = type?.kind === "tensor" ? type.shape[axis] : undefined;
  if (typeof size === "number") return size;
  // The form for symbolic sizes has k as an operand, before the shapes of the results.
  const [k] = op.operands.length > 4 ? block.dims(op, 4) : [];
  return k ?? configurationNumber(op, "top_k");
}

/** Approximate top-k: the exact one is one of its results. */
const importApproxTopK: OperationImporter = (block, op) => {
  const [name] = symbolsAttribute(op, "called_computations");
  if (name === undefined) throw invalidModule("ApproxTopK lacks its comparator");
  const body = blockOf(block.module.function(name).regions[0]);
  const [comparator] = blockExpressions(block, body);
  const axis = configurationNumber(op, "reduction_dim");
  const params = { k: resultSize(block, op, axis), axis };
  const x = block.atom(block.operand(op, 0));
  if (isOnArguments(comparator, "compare GT", 0, 1)) return block.emit(op, "top_k", [x], params);
  if (!isOnArguments(comparator, "compare LT", 0, 1)) throw unsupported(block, op);
  return smallest(block, x, params);
};

function smallest(
  block: BlockImporter,
  x: Atom,
  params: { readonly k: Dim; readonly axis: number },
): readonly Imported[] {
  const negated = block.bindOne("neg", [x], {});
  const [values, indices] = block.bind("top_k", [negated], params);
  if (values === undefined || indices === undefined) throw new Error("internal error: top_k");
  return [
    { kind: "atom", atom: block.bindOne("neg", [values], {}) },
    { kind: "atom", atom: indices },
  ];
}

/** `mhlo.topk` of older JAX versions: the last axis, with the attributes `k` and `largest`. */
const importMhloTopK: OperationImporter = (block, op) => {
  const x = block.atom(block.operand(op, 0));
  const largest = configuration(op).get("largest");
  const params = { k: configurationNumber(op, "k"), axis: x.aval.shape.length - 1 };
  const isLargest = largest?.kind !== "bool" || largest.value;
  return isLargest ? block.emit(op, "top_k", [x], params) : smallest(block, x, params);
};

/** Top-k with k as an operand, which JAX writes for symbolic shapes. */
const importDynamicTopK: OperationImporter = (block, op) => {
  const x = block.atom(block.operand(op, 0));
  const [k] = block.dims(op, 1);
  if (k === undefined) throw invalidModule("stablehlo.dynamic_top_k lacks k");
  return block.emit(op, "top_k", [x], { k, axis: x.aval.shape.length - 1 });
};

const callbackFix =
  "remove jax.debug.print, jax.debug.callback, pure_callback and io_callback before exporting: " +
  "Python cannot run in TensorFlow.js";

/** Why certain targets cannot run, by the beginning of their names. */
const hints: readonly (readonly [prefix: string, fix: string])[] = [
  ["xla_ffi_python", callbackFix],
  ["xla_python", callbackFix],
  ["xla_ffi_partitioned_python", callbackFix],
  ["tpu_custom_call", "Pallas kernels exist for TPU only: use the plain JAX code on cpu"],
  ["mosaic_gpu", "Pallas kernels exist for GPU only: use the plain JAX code on cpu"],
  ["__gpu$", "Triton kernels exist for GPU only: use the plain JAX code on cpu"],
  ["triton", "Triton kernels exist for GPU only: use the plain JAX code on cpu"],
  ["cu", 'export with platforms=["cpu"]: this is a call of a CUDA library'],
  ["hip", 'export with platforms=["cpu"]: this is a call of a ROCm library'],
  ["__cudnn", 'export with platforms=["cpu"]: this is a call of a CUDA library'],
];

function unsupported(block: BlockImporter, op: MlirOperation): Jax2TfjsError {
  const target = stringAttribute(op, "call_target_name");
  const fix = hints.find(([prefix]) => target.startsWith(prefix))?.[1];
  return new Jax2TfjsError("unsupported-custom-call", `custom call ${target} is not supported`, {
    primitive: target,
    equation: printOperation(op),
    source: block.sourceText,
    fix: fix ?? "rewrite this part of the function with other operations",
  });
}

/** Between a whole array and the shard of one device: the same, if there is only one. */
const importShard: OperationImporter = (block, op) => {
  const value = block.value(block.operand(op, 0));
  const type = op.results[0]?.type;
  const shape = type?.kind === "tensor" ? type.shape : [];
  const isWhole = avalOf(value).shape.every((size, axis) => (shape[axis] ?? size) === size);
  if (isWhole) return [value];
  throw new Jax2TfjsError("multi-device", "an array is split over several devices", {
    equation: printOperation(op),
    source: block.sourceText,
    fix: "export the function without shardings, or under a mesh of one device",
  });
};

const targets: Readonly<Record<string, OperationImporter>> = {
  shape_assertion: importShapeAssertion,
  Sharding: importIdentity,
  SPMDFullToShardShape: importShard,
  SPMDShardToFullShape: importShard,
  LayoutConstraint: importIdentity,
  annotate_device_placement: importIdentity,
  "xla.sdy.FuncResultSharding": importIdentity,
  "xla.sdy.GlobalToLocalShape": importIdentity,
  "xla.sdy.LocalToGlobalShape": importIdentity,
  "xla.sdy.Sharding": importIdentity,
  "xla.sdy.ShardingGroup": () => [],
  ApproxTopK: importApproxTopK,
  "stablehlo.dynamic_approx_top_k": importApproxTopK,
  "stablehlo.dynamic_rng_bit_generator": importDynamicRngBitGenerator,
  "mhlo.topk": importMhloTopK,
  "stablehlo.dynamic_top_k": importDynamicTopK,
  "stablehlo.dynamic_reduce_window": importDynamicReduceWindow,
};

const importCustomCall: OperationImporter = (block, op) => {
  const target = stringAttribute(op, "call_target_name");
  const known = Object.hasOwn(targets, target) ? targets[target] : undefined;
  if (known !== undefined) return known(block, op);
  const [, dialect, name] = /^(mhlo|chlo)\.(\w+)$/.exec(target) ?? [];
  const unary = dialect === undefined || name === undefined ? undefined : unaryNames[name];
  if (unary !== undefined && op.operands.length === 1) {
    const operand = block.value(block.operand(op, 0));
    return [elementwise(block, [operand], (inputs) => block.bindOne(unary, inputs, {}))];
  }
  const results = linalgCall(block, op, target);
  if (results === undefined) throw unsupported(block, op);
  return results;
};

export const customCallOperations: OperationTable = {
  "stablehlo.custom_call": importCustomCall,
};
