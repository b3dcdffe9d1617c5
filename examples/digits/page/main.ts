// The page: draw a digit, see what the converted network takes it for.
import { drawingToImage } from "./preprocess.js";
import { drawPixels, DrawingPad } from "./drawingPad.js";
import { argmax, classes, Recognizer, softmax } from "./recognizer.js";

/** `testImages.json`, written beside the page by ../buildPage.ts. */
interface TestImages {
  /** 64 pixels each, 0 to 16. */
  readonly images: readonly (readonly number[])[];
  readonly labels: readonly number[];
  /** JAX's own logits. */
  readonly logits: readonly (readonly number[])[];
}

const modelUrl = "model/model.json";

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}

const verdict = element("verdict", HTMLElement);
const digit = element("digit", HTMLElement);
const facts = element("facts", HTMLElement);
const seen = element("seen", HTMLCanvasElement);
const backends = element("backend", HTMLSelectElement);
const checkButton = element("check", HTMLButtonElement);
const checked = element("checked", HTMLElement);

const bars = Array.from({ length: classes }, (_, index) => {
  const row = document.createElement("li");
  const [name, track, fill, percent] = ["span", "div", "div", "span"].map((tag) =>
    document.createElement(tag),
  ) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];
  name.textContent = String(index);
  track.className = "track";
  fill.className = "fill";
  percent.className = "percent";
  track.append(fill);
  row.append(name, track, percent);
  element("bars", HTMLOListElement).append(row);
  return { row, fill, percent };
});

function showProbabilities(probabilities: readonly number[] | undefined): void {
  const best = probabilities === undefined ? -1 : argmax(probabilities);
  bars.forEach(({ row, fill, percent }, index) => {
    const probability = probabilities?.[index] ?? 0;
    row.classList.toggle("best", index === best);
    fill.style.width = `${probability * 100}%`;
    percent.textContent = probabilities === undefined ? "" : `${(probability * 100).toFixed(1)} %`;
  });
  digit.textContent = best < 0 ? "?" : String(best);
}

let recognizer: Recognizer | undefined;
let shown: { readonly image: Float32Array; readonly label?: number } | undefined;

// Work is done one piece after the other: no run on a backend that is being replaced.
let queue: Promise<unknown> = Promise.resolve();
function enqueue(work: () => Promise<void>): void {
  queue = queue.then(work).catch((error: unknown) => {
    verdict.textContent = error instanceof Error ? error.message : String(error);
  });
}

/** Reads the shown image; several requests in a row end in one run. */
let recognitionWaits = false;
function recognize(): void {
  if (recognitionWaits) return;
  recognitionWaits = true;
  enqueue(async () => {
    recognitionWaits = false;
    const current = shown;
    drawPixels(seen, current?.image);
    if (current === undefined || recognizer === undefined) {
      showProbabilities(undefined);
      if (recognizer !== undefined) verdict.textContent = "Draw a digit in the square.";
      return;
    }
    const start = performance.now();
    const probabilities = softmax(await recognizer.logits(current.image));
    const milliseconds = performance.now() - start;
    const best = argmax(probabilities);
    const certainty = ((probabilities[best] ?? 0) * 100).toFixed(0);
    const label = current.label === undefined ? "" : `, and it is a ${current.label}`;
    showProbabilities(probabilities);
    verdict.textContent = `I read a ${best} (${certainty} %)${label}.`;
    facts.textContent = `${milliseconds.toFixed(1)} ms on ${recognizer.backend}`;
  });
}

function useBackend(backend: string): void {
  checkButton.disabled = true;
  enqueue(async () => {
    recognizer?.dispose();
    recognizer = undefined;
    verdict.textContent = "Loading the model …";
    facts.textContent = "";
    recognizer = await Recognizer.load(modelUrl, backend);
    facts.textContent = `ready on ${backend}`;
    checkButton.disabled = false;
  });
  recognize();
}

let testImages: TestImages | undefined;
async function loadTestImages(): Promise<TestImages> {
  testImages ??= (await (await fetch("testImages.json")).json()) as TestImages;
  return testImages;
}

const toInput = (pixels: readonly number[]): Float32Array =>
  Float32Array.from(pixels, (pixel) => pixel / 16);

/** Runs all test images in one batch: how many are right, how far the logits are from JAX's. */
async function checkTestImages(on: Recognizer): Promise<void> {
  const { images, labels, logits } = await loadTestImages();
  const start = performance.now();
  const computed = await on.logits(toInput(images.flat()));
  const milliseconds = performance.now() - start;
  let right = 0;
  let rightInJax = 0;
  let difference = 0;
  labels.forEach((label, index) => {
    const own = computed.subarray(index * classes, (index + 1) * classes);
    const expected = logits[index] ?? [];
    if (argmax(own) === label) right++;
    if (argmax(expected) === label) rightInJax++;
    expected.forEach((logit, position) => {
      difference = Math.max(difference, Math.abs((own[position] ?? NaN) - logit));
    });
  });
  checked.textContent =
    `${right} of ${labels.length} right on ${on.backend}, ${rightInJax} in JAX; ` +
    `logits differ by at most ${difference.toExponential(1)}; ${milliseconds.toFixed(0)} ms`;
}

const pad = new DrawingPad(element("pad", HTMLCanvasElement), (strokes) => {
  const image = drawingToImage(strokes);
  shown = image === undefined ? undefined : { image };
  recognize();
});

element("clear", HTMLButtonElement).addEventListener("click", () => {
  pad.clear();
  shown = undefined;
  recognize();
});

let nextSample = 0;
element("sample", HTMLButtonElement).addEventListener("click", () => {
  enqueue(async () => {
    const { images, labels } = await loadTestImages();
    const position = nextSample++ % images.length;
    const image = toInput(images[position] ?? []);
    pad.show(image);
    shown = { image, label: labels[position] ?? -1 };
  });
  recognize();
});

checkButton.addEventListener("click", () => {
  enqueue(async () => {
    if (recognizer !== undefined) await checkTestImages(recognizer);
  });
});

backends.addEventListener("change", () => {
  useBackend(backends.value);
});

const wanted = new URLSearchParams(location.search).get("backend");
if (wanted !== null && [...backends.options].some((option) => option.value === wanted)) {
  backends.value = wanted;
}
showProbabilities(undefined);
useBackend(backends.value);
