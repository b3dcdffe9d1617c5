// The canvas that people draw on: collects pen strokes of mouse, finger or pen.
import { imageSide, type Point, type Stroke } from "./preprocess.js";

/** Width of the drawn line as a part of the canvas. */
const lineWidth = 0.06;

export class DrawingPad {
  readonly #canvas: HTMLCanvasElement;
  readonly #onChange: (strokes: readonly Stroke[]) => void;
  #strokes: Point[][] = [];
  /** The pointer that draws; other fingers are ignored meanwhile. */
  #pointer: number | undefined;

  constructor(canvas: HTMLCanvasElement, onChange: (strokes: readonly Stroke[]) => void) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.#pointer !== undefined || event.button !== 0) return;
      this.#pointer = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.#strokes.push([]);
      this.#extend([event]);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.#pointer) return;
      const steps = event.getCoalescedEvents();
      this.#extend(steps.length > 0 ? steps : [event]);
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId === this.#pointer) this.#pointer = undefined;
      });
    }
  }

  clear(): void {
    this.#strokes = [];
    this.#pointer = undefined;
    this.#redraw();
  }

  /** Shows a test image instead of a drawing. */
  show(image: Float32Array): void {
    this.clear();
    drawPixels(this.#canvas, image);
  }

  #extend(events: readonly PointerEvent[]): void {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    for (const { clientX, clientY } of events) {
      this.#strokes.at(-1)?.push({ x: (clientX - left) / width, y: (clientY - top) / height });
    }
    this.#redraw();
    this.#onChange(this.#strokes);
  }

  #redraw(): void {
    const { width, height } = this.#canvas;
    const context = contextOf(this.#canvas);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = inkOf(this.#canvas);
    context.lineWidth = lineWidth * width;
    context.lineCap = "round";
    context.lineJoin = "round";
    for (const stroke of this.#strokes) {
      context.beginPath();
      for (const { x, y } of stroke) context.lineTo(x * width, y * height);
      const [first] = stroke;
      // A line of one point is not drawn; to the same point again it is a dot.
      if (first !== undefined && stroke.length === 1) {
        context.lineTo(first.x * width, first.y * height);
      }
      context.stroke();
    }
  }
}

/** Draws an 8x8 image over the whole canvas. */
export function drawPixels(canvas: HTMLCanvasElement, image: Float32Array | undefined): void {
  const context = contextOf(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (image === undefined) return;
  context.fillStyle = inkOf(canvas);
  const [width, height] = [canvas.width / imageSide, canvas.height / imageSide];
  image.forEach((ink, index) => {
    context.globalAlpha = ink;
    context.fillRect(
      (index % imageSide) * width,
      Math.floor(index / imageSide) * height,
      width,
      height,
    );
  });
  context.globalAlpha = 1;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser draws no canvas");
  return context;
}

/** The text colour of the page, light or dark. */
const inkOf = (canvas: HTMLCanvasElement): string => getComputedStyle(canvas).color;
