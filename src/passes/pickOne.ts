/**
 * Cutting one place out of an axis and dropping the axis is one node as a gather, two as a slice and
 * a reshape. Applied last by `optimize`, when slices that together cut up an array are joined.
 */
import { gather } from "../../primitives/gather.js";
import { dimEquals, shapeEquals, type Dim, type Shape } from "../ir/dims.js";
import { mapPrograms } from "../ir/cleanup.js";
import { fromNumbers } from "../ir/hostArray.js";
import { closedJaxpr, newVar, type ClosedJaxpr, type Equation } from "../ir/jaxpr.js";
import type { GatherParams } from "../ir/params.js";
import { erased } from "../ir/primitive.js";
import { usesOf } from "./uses.js";

const reshapes: ReadonlySet<string> = new Set(["reshape", "squeeze", "broadcast_in_dim"]);

/** Puts gathers in the place of slices of one element along one axis that then lose the axis. */
export function pickPlaces(program: ClosedJaxpr): ClosedJaxpr {
  const { jaxpr } = program;
  const { definitions, users, returned } = usesOf(jaxpr);
  const constvars = [...jaxpr.constvars];
  const consts = [...program.consts];
  const equations = jaxpr.equations.map((original): Equation => {
    const equation = { ...original, params: mapPrograms(original.params, pickPlaces) };
    const [x] = original.inputs;
    const cut = x === undefined ? undefined : definitions.get(x);
    const [output] = original.outputs;
    const isView = original.primitive.name === "reshape" || original.primitive.name === "squeeze";
    if (x === undefined || output === undefined || !isView || cut === undefined) return equation;
    // A slice that others use stays, and a reshape of the result would do for both.
    const isAlone = users.get(x)?.length === 1 && !returned.has(x);
    const isReshaped = users.get(output)?.some(({ primitive }) => reshapes.has(primitive.name));
    if (!isAlone || isReshaped === true) return equation;
    const place = placeOf(cut, output.aval.shape);
    const [source] = cut.inputs;
    if (place === null || source === undefined) return equation;
    const index = newVar({ shape: [1], dtype: "int32", weakType: false });
    constvars.push(index);
    consts.push(fromNumbers("int32", [1], [place.start]));
    return {
      ...equation,
      primitive: erased(gather),
      inputs: [source, index],
      params: gatherOne(source.aval.shape, place.axis, output.aval.shape.length),
    };
  });
  return closedJaxpr({ ...jaxpr, constvars, equations }, consts);
}

/** Where a slice cuts one element out of one axis that `shape` lacks; null for other equations. */
function placeOf(
  { primitive, params, inputs: [x] }: Equation,
  shape: Shape,
): { readonly axis: number; readonly start: number } | null {
  if (primitive.name !== "slice" || x === undefined) return null;
  const starts = params.start_indices as readonly Dim[];
  const limits = params.limit_indices as readonly Dim[];
  const partial = x.aval.shape.flatMap((dim, axis) =>
    starts[axis] === 0 && dimEquals(limits[axis] ?? -1, dim) ? [] : [axis],
  );
  const [axis = 0] = partial;
  const start = starts[axis];
  if (partial.length !== 1 || typeof start !== "number" || limits[axis] !== start + 1) return null;
  return shapeEquals(shape, x.aval.shape.toSpliced(axis, 1)) ? { axis, start } : null;
}

const gatherOne = (shape: Shape, axis: number, rank: number): GatherParams => ({
  dimension_numbers: {
    offset_dims: Array.from({ length: rank }, (_, position) => position),
    collapsed_slice_dims: [axis],
    start_index_map: [axis],
    operand_batching_dims: [],
    start_indices_batching_dims: [],
  },
  slice_sizes: shape.map((dim, other) => (other === axis ? 1 : dim)),
  indices_are_sorted: true,
  unique_indices: true,
  mode: "clip",
  fill_value: null,
});
