// Digits as a person would draw them: pen strokes in a square of side 100, y down. Used by the tests
// of the digits page, in Node and with mouse events in the browser.
import type { Point, Stroke } from "../../examples/digits/page/preprocess.js";

export interface Drawing {
  readonly digit: number;
  readonly style: string;
  readonly strokes: readonly Stroke[];
}

const line = (...coordinates: readonly (readonly [number, number])[]): Stroke =>
  coordinates.map(([x, y]) => ({ x, y }));

/** Part of an ellipse; angles in degrees, clockwise from the right. */
function arc(
  [x, y]: readonly [number, number],
  [radiusX, radiusY]: readonly [number, number],
  [from, to]: readonly [number, number],
): Stroke {
  const steps = 16;
  return Array.from({ length: steps + 1 }, (_, step): Point => {
    const angle = ((from + ((to - from) * step) / steps) * Math.PI) / 180;
    return { x: x + radiusX * Math.cos(angle), y: y + radiusY * Math.sin(angle) };
  });
}

/** One stroke of several parts. */
const join = (...parts: readonly Stroke[]): Stroke => parts.flat();

export const drawings: readonly Drawing[] = [
  { digit: 0, style: "oval", strokes: [arc([50, 50], [22, 35], [-90, 270])] },
  { digit: 0, style: "wide", strokes: [arc([50, 50], [30, 32], [-60, 310])] },
  { digit: 1, style: "bar", strokes: [line([50, 15], [50, 85])] },
  { digit: 1, style: "flag", strokes: [line([38, 30], [52, 15], [52, 85])] },
  { digit: 1, style: "slanted", strokes: [line([58, 15], [46, 85])] },
  {
    digit: 2,
    style: "round",
    strokes: [join(arc([50, 33], [20, 18], [180, 380]), line([30, 85], [72, 85]))],
  },
  {
    digit: 3,
    style: "round",
    strokes: [join(arc([47, 32], [19, 17], [200, 450]), arc([47, 67], [21, 18], [270, 520]))],
  },
  {
    digit: 4,
    style: "open",
    strokes: [line([36, 15], [30, 55], [74, 55]), line([60, 30], [58, 88])],
  },
  { digit: 4, style: "closed", strokes: [line([58, 88], [58, 14], [26, 60], [76, 60])] },
  {
    digit: 5,
    style: "two strokes",
    strokes: [
      join(line([36, 16], [33, 46]), arc([46, 64], [22, 21], [230, 510])),
      line([36, 16], [70, 16]),
    ],
  },
  {
    digit: 6,
    style: "loop",
    strokes: [
      join(line([62, 14], [46, 30], [36, 50], [33, 66]), arc([51, 68], [18, 18], [180, 540])),
    ],
  },
  { digit: 7, style: "plain", strokes: [line([28, 17], [72, 17], [46, 86])] },
  {
    digit: 7,
    style: "crossed",
    strokes: [line([28, 17], [72, 17], [46, 86]), line([38, 52], [68, 50])],
  },
  {
    digit: 8,
    style: "two loops",
    strokes: [arc([50, 33], [16, 17], [90, 450]), arc([50, 68], [20, 18], [-90, 270])],
  },
  {
    digit: 9,
    style: "loop",
    strokes: [join(arc([48, 35], [19, 19], [0, 360]), line([67, 38], [64, 62], [55, 87]))],
  },
];
