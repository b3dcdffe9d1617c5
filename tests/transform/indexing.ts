// Random dimension numbers of gathers and scatters. Shared by the tests of their transformations.
import type { GatherParams, GatherScatterMode, ScatterParams } from "../../src/ir/params.js";
import { at } from "./programs.js";

/** A gather, and the scatter with the same dimension numbers. */
export interface Indexing {
  readonly operand: readonly number[];
  readonly indices: readonly number[];
  readonly windows: readonly number[];
  readonly gather: GatherParams;
  readonly scatter: ScatterParams;
}

/**
 * Random dimension numbers.
 *
 * @param below a random whole number smaller than this
 * @param single one window for each batch element
 */
export function randomIndexing(below: (count: number) => number, single = false): Indexing {
  const shuffled = (count: number): readonly number[] => {
    const list = Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = below(last + 1);
      [list[last], list[other]] = [at(list, other), at(list, last)];
    }
    return list;
  };
  const sorted = (list: readonly number[]): readonly number[] => list.toSorted((a, b) => a - b);
  const rank = 1 + below(4);
  const operand = Array.from({ length: rank }, () => 1 + below(5));
  const axes = shuffled(rank);
  const batchCount = below(Math.min(rank, 3));
  const operandBatching = sorted(axes.slice(0, batchCount));
  const others = axes.slice(batchCount);
  const map = others.slice(0, 1 + below(others.length));
  const collapsed = sorted(others.filter(() => below(2) === 0));
  const sizes = operand.map((dim, axis) =>
    operandBatching.includes(axis) || collapsed.includes(axis) ? 1 : 1 + below(dim),
  );
  const freeCount = below(3);
  const places = shuffled(batchCount + freeCount);
  const paired = places.slice(0, batchCount);
  const leading = places.map((place) => {
    const index = paired.indexOf(place);
    return index < 0 ? 0 : at(operand, at(operandBatching, index));
  });
  const placeSizes = Array.from({ length: places.length }, (_, place) => {
    const own = at(leading, places.indexOf(place));
    if (own > 0) return own;
    return single ? 1 : 1 + below(3);
  });
  const windowDims = sizes.filter(
    (_, axis) => !operandBatching.includes(axis) && !collapsed.includes(axis),
  );
  const offset = sorted(shuffled(windowDims.length + places.length).slice(0, windowDims.length));
  const modes: readonly GatherScatterMode[] = ["clip", "fill"];
  const mode = at(modes, below(2));
  const flags = { indices_are_sorted: false, unique_indices: false, mode };
  let [window, place] = [0, 0];
  const windows = Array.from({ length: windowDims.length + places.length }, (_, axis) =>
    offset.includes(axis) ? at(windowDims, window++) : at(placeSizes, place++),
  );
  return {
    operand,
    indices: [...placeSizes, map.length],
    windows,
    gather: {
      dimension_numbers: {
        offset_dims: offset,
        collapsed_slice_dims: collapsed,
        start_index_map: map,
        operand_batching_dims: operandBatching,
        start_indices_batching_dims: paired,
      },
      slice_sizes: sizes,
      fill_value: null,
      ...flags,
    },
    scatter: {
      dimension_numbers: {
        update_window_dims: offset,
        inserted_window_dims: collapsed,
        scatter_dims_to_operand_dims: map,
        operand_batching_dims: operandBatching,
        scatter_indices_batching_dims: paired,
      },
      update_jaxpr: null,
      ...flags,
    },
  };
}
