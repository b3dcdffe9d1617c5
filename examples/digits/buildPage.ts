// Makes the web page's folder `public/`: the converted model, the bundled script, the test images
// and the binaries of the wasm backend. Any static web server can serve it.
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { convertDigits, exampleFolder, readTestImages } from "./digits.js";

export const pageFolder = join(exampleFolder, "public");

const wasmBinaries = [
  "tfjs-backend-wasm.wasm",
  "tfjs-backend-wasm-simd.wasm",
  "tfjs-backend-wasm-threaded-simd.wasm",
];

/** Writes the page to `folder`, replacing what is there. */
export async function buildPage(folder = pageFolder): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "wasm"), { recursive: true });
  const page = join(exampleFolder, "page");
  const wasm = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"));
  await convertDigits(join(folder, "model"));
  await Promise.all([
    bundle(join(page, "main.ts"), join(folder, "main.js")),
    writeFile(join(folder, "testImages.json"), JSON.stringify(testImagesJson())),
    ...["index.html", "style.css"].map((name) => copyFile(join(page, name), join(folder, name))),
    ...wasmBinaries.map((name) => copyFile(join(wasm, name), join(folder, "wasm", name))),
  ]);
}

async function bundle(source: string, target: string): Promise<void> {
  await build({
    entryPoints: [source],
    outfile: target,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    logLevel: "error",
  });
}

/** What the page's `TestImages` describes; pixels as the whole numbers 0 to 16 of the data. */
function testImagesJson(): unknown {
  const { images, labels, logits } = readTestImages();
  const rows = (values: ArrayLike<number>, size: number): number[][] =>
    labels.map((_, row) => Array.from(values).slice(row * size, (row + 1) * size));
  const pixels = Array.from(images, (ink) => Math.round(ink * 16));
  return { images: rows(pixels, 64), labels, logits: rows(logits, 10) };
}
