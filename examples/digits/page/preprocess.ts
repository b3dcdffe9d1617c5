// From a drawing to the model's input. The training images (UCI "optical recognition of handwritten
// digits") were 32x32 bitmaps, cut to the ink and scaled to full height, of which each 4x4 block
// became one pixel: the number of its inked bits, 0 to 16. The same is done here with pen strokes.

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The points of one stroke, from pen down to pen up. Units do not matter; y points down. */
export type Stroke = readonly Point[];

/** Pixels along each side of the model's input. */
export const imageSide = 8;

/** Bits along each side of a pixel: 16 bits, so that pixels are 0, 1/16, ..., 1. */
const bitsPerPixel = 4;
const bitmapSide = imageSide * bitsPerPixel;

/** Half the width of the pen, in bits of a digit that is 32 bits high: as thick as in the data. */
const penRadius = 2.7;

/** The data's digits are about 12 to 22 bits wide: narrower ones (1) were stretched, pen and all. */
const narrowest = 12;
const widest = 22;

/** A digit is not flatter than this; a horizontal bar stays a bar. */
const lowestHeightOfWidth = 0.4;

interface Segment {
  readonly from: Point;
  readonly to: Point;
}

/**
 * The model's input for a drawing.
 *
 * @returns 64 numbers from 0 (paper) to 1 (ink), row by row; undefined for an empty drawing.
 */
export function drawingToImage(strokes: readonly Stroke[]): Float32Array | undefined {
  const points = strokes.flat();
  if (points.length === 0) return undefined;
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];

  // Scale the pen's path so that the ink, pen width included, is as high as the bitmap.
  const height = Math.max(bottom - top, lowestHeightOfWidth * (right - left), 1e-6);
  const scale = (bitmapSide - 2 * penRadius) / height;
  const place = ({ x, y }: Point): Point => ({
    x: (x - left) * scale + penRadius,
    y: (y - (top + bottom) / 2) * scale + bitmapSide / 2,
  });
  const segments = strokes.flatMap((stroke) => toSegments(stroke.map(place)));

  // Then squeeze or stretch columns to a width that occurs in the data, and centre them.
  const inkWidth = (right - left) * scale + 2 * penRadius;
  const width = Math.min(Math.max(inkWidth, narrowest), widest);
  const margin = (bitmapSide - width) / 2;
  const isInk = (column: number, row: number): boolean => {
    const bit = { x: ((column + 0.5 - margin) / width) * inkWidth, y: row + 0.5 };
    return segments.some((segment) => distance(bit, segment) <= penRadius);
  };
  return countBits(isInk);
}

function countBits(isInk: (column: number, row: number) => boolean): Float32Array {
  const image = new Float32Array(imageSide * imageSide);
  for (let row = 0; row < bitmapSide; row++) {
    for (let column = 0; column < bitmapSide; column++) {
      if (!isInk(column, row)) continue;
      const pixel = Math.floor(row / bitsPerPixel) * imageSide + Math.floor(column / bitsPerPixel);
      image[pixel] = (image[pixel] ?? 0) + 1 / bitsPerPixel ** 2;
    }
  }
  return image;
}

/** A dot is one segment without length. */
function toSegments(points: readonly Point[]): readonly Segment[] {
  const [first] = points;
  if (first === undefined) return [];
  if (points.length === 1) return [{ from: first, to: first }];
  return points.slice(1).map((to, index) => ({ from: points[index] ?? first, to }));
}

/** The distance of a point from the nearest point of a segment. */
function distance({ x, y }: Point, { from, to }: Segment): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const lengthSquared = dx * dx + dy * dy;
  const along = lengthSquared === 0 ? 0 : ((x - from.x) * dx + (y - from.y) * dy) / lengthSquared;
  const nearest = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - from.x - nearest * dx, y - from.y - nearest * dy);
}
