// Headless Chromium for tests: bundles a test page, serves it on localhost and runs it with WebGL
// and WebGPU in software. The browser is Debian's `chromium` package or the one named by $CHROMIUM.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize, sep } from "node:path";
import { build } from "esbuild";
import { chromium, type Browser, type Page } from "playwright-core";
import { repositoryRoot } from "./paths.js";

const executables = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const browserFlags = [
  "--no-sandbox",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-dev-shm-usage",
  "--disable-domain-reliability",
  "--disable-sync",
  "--no-first-run",
  "--no-pings",
];

/** Path of the browser; `undefined` when there is none. */
export function chromiumPath(): string | undefined {
  return executables.find((path) => path !== undefined && existsSync(path));
}

/** Why browser tests cannot run on this machine; `undefined` when they can. */
export function whyNoChromium(): string | undefined {
  if (chromiumPath() !== undefined) return undefined;
  return "no Chromium; install the package `chromium` or set CHROMIUM to a browser's path";
}

/** Starts the browser. Close it when done. */
export function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error(whyNoChromium());
  return chromium.launch({ executablePath, headless: true, args: browserFlags });
}

/** What a static server answers: a file or folder on disk, or content, by URL path. */
export type Content = { readonly path: string } | { readonly body: string | Uint8Array };

export interface StaticServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  /** Paths that were asked for, in order, with the answered status. */
  readonly requests: readonly { readonly path: string; readonly status: number }[];
  close(): Promise<void>;
}

const mimeTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".css": "text/css; charset=utf-8",
  ".png": "image/png",
};

/** The bytes at the URL path `path`: content of that name, or a file of a folder served there. */
function find(contents: ReadonlyMap<string, Content>, path: string): Uint8Array | undefined {
  for (const [url, content] of contents) {
    if ("body" in content) {
      if (path === url) return Buffer.from(content.body);
      continue;
    }
    const prefix = url.endsWith("/") ? url : `${url}/`;
    if (path !== url && !path.startsWith(prefix)) continue;
    const folder = normalize(content.path);
    const file = path === url ? folder : join(folder, path.slice(prefix.length));
    if (file !== folder && !file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) continue;
    if (existsSync(file) && statSync(file).isFile()) return readFileSync(file);
  }
  return undefined;
}

/**
 * Serves `contents` on a free port of 127.0.0.1. A key is a URL path; a folder answers for all
 * files below it: `{ "/model": { path: "/tmp/out" } }` serves `/model/model.json`.
 */
export async function serve(contents: Readonly<Record<string, Content>>): Promise<StaticServer> {
  const byUrl = new Map(Object.entries(contents));
  const requests: { path: string; status: number }[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const body = find(byUrl, path);
    const status = body === undefined ? 404 : 200;
    requests.push({ path, status });
    const type = mimeTypes[extname(path)] ?? "application/octet-stream";
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

/** Bundles TypeScript (with imports from this repository and its packages) for the browser. */
export async function bundleForBrowser(source: string): Promise<string> {
  const result = await build({
    stdin: { contents: source, resolveDir: repositoryRoot, loader: "ts", sourcefile: "page.ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "silent",
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error("esbuild wrote no file");
  return file.text;
}

/** The folder with the wasm backend's binaries, to be served for `setWasmPaths`. */
export function wasmFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"));
}

/** A page on a localhost server; errors of the page are kept. */
export interface TestPage {
  readonly page: Page;
  readonly server: StaticServer;
  /** Uncaught errors and console errors of the page so far. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/**
 * Opens a page that runs the module `source` (bundled, see `bundleForBrowser`). Beside `contents`
 * the server has the wasm binaries at `/wasm/`. What the module puts on `globalThis` can then be
 * called with `page.evaluate`.
 */
export async function openTestPage(
  browser: Browser,
  source: string,
  contents: Readonly<Record<string, Content>> = {},
): Promise<TestPage> {
  const html = '<!doctype html><title>test</title><script type="module" src="/page.js"></script>';
  const server = await serve({
    "/": { body: html },
    "/index.html": { body: html },
    "/favicon.ico": { body: "" },
    "/page.js": { body: await bundleForBrowser(source) },
    "/wasm/": { path: wasmFolder() },
    ...contents,
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(`${server.url}/index.html`, { waitUntil: "load" });
  return {
    page,
    server,
    errors,
    close: async () => {
      await page.close();
      await server.close();
    },
  };
}
