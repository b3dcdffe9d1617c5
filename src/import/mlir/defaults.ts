/**
 * Default values. VHLO stores every attribute; StableHLO leaves out those that have their default,
 * and so do the modules given to the importer. Called by upgrade.ts before anything is converted.
 */
import { integerElements, integerFromBits, rawElement } from "./elements.js";
import { type MlirAttribute } from "./ir.js";

type Test = (attribute: MlirAttribute) => boolean;

const isFalse: Test = (attribute) => attribute.kind === "bool" && !attribute.value;
const isEmptyArray: Test = (attribute) =>
  attribute.kind === "array" && attribute.elements.length === 0;
const isEmptyDictionary: Test = (attribute) =>
  attribute.kind === "dictionary" && attribute.entries.size === 0;
const isEmptyString: Test = (attribute) =>
  attribute.kind === "string" && attribute.value === "" && attribute.bytes === undefined;
const isEmptyTensor: Test = (attribute) =>
  attribute.kind === "denseElements" && attribute.bytes.length === 0;
const isInteger =
  (value: bigint): Test =>
  (attribute) =>
    attribute.kind === "integer" && attribute.value === value;
const isEnum =
  (value: string): Test =>
  (attribute) =>
    attribute.kind === "enum" && attribute.value === value;
/** All elements equal `value`; a tensor without elements has none that could. */
const isSplat =
  (value: bigint): Test =>
  (attribute) => {
    if (attribute.kind !== "denseElements" || attribute.bytes.length === 0) return false;
    const { elementType } = attribute.type;
    if (elementType.kind !== "integer") return false;
    if (attribute.splat) {
      return (
        integerFromBits(elementType, rawElement(attribute.bytes, 0, attribute.bytes.length)) ===
        value
      );
    }
    return integerElements(attribute).every((element) => element === value);
  };
const isDefaultPrecision: Test = (attribute) =>
  attribute.kind === "array" && attribute.elements.every(isEnum("DEFAULT"));
const isDefaultAccuracy: Test = (attribute) =>
  attribute.kind === "resultAccuracy" &&
  attribute.atol === 0 &&
  attribute.rtol === 0 &&
  attribute.ulps === 0n &&
  attribute.mode === "DEFAULT";

type Defaults = Readonly<Record<string, Test>>;

const convolution: Defaults = {
  lhs_dilation: isSplat(1n),
  padding: isSplat(0n),
  precision_config: isDefaultPrecision,
  rhs_dilation: isSplat(1n),
  window_reversal: isSplat(0n),
  window_strides: isSplat(1n),
};
const collective: Defaults = {
  channel_id: isInteger(0n),
  has_dynamic_root: isFalse,
  use_global_device_ids: isFalse,
};
const transfer: Defaults = { is_host_transfer: isFalse, source_target_pairs: isEmptyTensor };
const dot: Defaults = { precision_config: isDefaultPrecision };
const accurate: Defaults = { result_accuracy: isDefaultAccuracy };

/** Per operation, the attributes left out and when. */
const defaults: Readonly<Record<string, Defaults>> = {
  all_gather: collective,
  all_reduce: collective,
  all_to_all: collective,
  cbrt: accurate,
  cholesky: { lower: isFalse },
  collective_broadcast: collective,
  collective_permute: collective,
  collective_reduce: collective,
  compare: { compare_type: isEnum("NOTYPE") },
  composite: { composite_attributes: isEmptyDictionary, version: isInteger(0n) },
  convolution,
  cosine: accurate,
  custom_call: {
    api_version: isEnum("API_VERSION_ORIGINAL"),
    backend_config: (attribute) => isEmptyString(attribute) || isEmptyDictionary(attribute),
    called_computations: isEmptyArray,
    has_side_effect: isFalse,
    output_operand_aliases: isEmptyArray,
    result_tilings: isEmptyArray,
  },
  dot,
  dot_general: dot,
  dynamic_broadcast_in_dim: {
    known_expanding_dimensions: isEmptyTensor,
    known_nonexpanding_dimensions: isEmptyTensor,
  },
  dynamic_conv: convolution,
  dynamic_gather: { indices_are_sorted: isFalse },
  exponential: accurate,
  exponential_minus_one: accurate,
  func: { arg_attrs: isEmptyArray, res_attrs: isEmptyArray, sym_visibility: isEmptyString },
  gather: { indices_are_sorted: isFalse },
  infeed: { layout: isEmptyArray },
  log: accurate,
  log_plus_one: accurate,
  logistic: accurate,
  recv: transfer,
  reduce_scatter: collective,
  reduce_window: {
    base_dilations: isSplat(1n),
    padding: isSplat(0n),
    window_dilations: isSplat(1n),
    window_strides: isSplat(1n),
  },
  rsqrt: accurate,
  scatter: { indices_are_sorted: isFalse, unique_indices: isFalse },
  select_and_scatter: { padding: isSplat(0n), window_strides: isSplat(1n) },
  send: transfer,
  sine: accurate,
  sort: { dimension: isInteger(-1n), is_stable: isFalse },
  sqrt: accurate,
  tan: accurate,
  tanh: accurate,
};

/** Deletes the attributes of operation `name` (without dialect and version) that are defaults. */
export function removeDefaults(name: string, attributes: Map<string, MlirAttribute>): void {
  for (const [attribute, isDefault] of Object.entries(defaults[name] ?? {})) {
    const value = attributes.get(attribute);
    if (value !== undefined && isDefault(value)) attributes.delete(attribute);
  }
  // Layouts are given for operands and results or for neither.
  const [operands, results] = ["operand_layouts", "result_layouts"].map((key) =>
    attributes.get(key),
  );
  if (name !== "custom_call" || operands === undefined || results === undefined) return;
  if (!isEmptyArray(operands) || !isEmptyArray(results)) return;
  attributes.delete("operand_layouts");
  attributes.delete("result_layouts");
}
