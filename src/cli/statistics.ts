/**
 * Statistics of arrays, for people who look at numbers. Called by run and its trace.
 */
import { kindOf, type DType } from "../ir/dtypes.js";
import { valuesOf, type HostArray } from "../ir/hostArray.js";
import { formatNumber } from "./terminal.js";

export interface Statistics {
  /** Over the numbers that are not NaN; NaN if there are none. Complex: of both parts. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly nanCount: number;
  readonly infinityCount: number;
}

/** Statistics of numbers; bigints count as numbers. */
export function statisticsOf(values: Iterable<number | bigint>): Statistics {
  let [min, max, sum, count, nanCount, infinityCount] = [Infinity, -Infinity, 0, 0, 0, 0];
  for (const item of values) {
    const value = Number(item);
    if (Number.isNaN(value)) {
      nanCount++;
      continue;
    }
    if (!Number.isFinite(value)) infinityCount++;
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
    count++;
  }
  if (count === 0) [min, max] = [NaN, NaN];
  return { min, max, mean: sum / count, nanCount, infinityCount };
}

/** `min -1.2  max 3.4  mean 0.1`, with counts of NaN and infinities where there are any. */
export function describeStatistics({ min, max, mean, ...counts }: Statistics): string {
  const parts = [
    `min ${formatNumber(min)}`,
    `max ${formatNumber(max)}`,
    `mean ${formatNumber(mean)}`,
    ...(counts.nanCount > 0 ? [`NaN ${counts.nanCount}`] : []),
    ...(counts.infinityCount > 0 ? [`inf ${counts.infinityCount}`] : []),
  ];
  return parts.join("  ");
}

/** Statistics of an array; null for keys and arrays without elements. */
export function arrayStatistics(array: HostArray): Statistics | null {
  if (kindOf(array.dtype) === "key" || array.bytes.byteLength === 0) return null;
  return statisticsOf(valuesOf(array));
}

/** The first elements of an array as text. */
export function previewOf(array: HostArray, count = 6): string {
  const values = valuesOf(array);
  const complex = kindOf(array.dtype) === "complex";
  const total = complex ? values.length / 2 : values.length;
  const shown = Array.from({ length: Math.min(count, total) }, (_, index) =>
    complex
      ? `${showNumber(values[2 * index])}+${showNumber(values[2 * index + 1])}i`
      : showElement(array.dtype, values[index]),
  );
  return `[${shown.join(", ")}${total > count ? ", …" : ""}]`;
}

function showElement(dtype: DType, value: number | bigint | undefined): string {
  return dtype === "bool" ? String(Number(value) !== 0) : showNumber(value);
}

function showNumber(value: number | bigint | undefined): string {
  return typeof value === "bigint" ? String(value) : formatNumber(value ?? NaN);
}
