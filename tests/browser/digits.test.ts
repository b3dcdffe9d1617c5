// The example page in headless Chromium: it gives JAX's answers on the test images, and reads digits
// drawn with the mouse.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildPage } from "../../examples/digits/buildPage.js";
import { serveFolder, type FolderServer } from "../../examples/digits/serveFolder.js";
import { drawings, type Drawing } from "../examples/drawings.js";
import { inCi } from "../support/backends.js";
import { launchChromium, whyNoChromium } from "../support/chromium.js";

/** Allowed difference of logits, which reach 30: float32 sums in another order. */
const tolerance = 1e-4;

const reason = whyNoChromium();

describe(reason ?? "digits page", { skip: reason !== undefined && !inCi }, () => {
  const folder = mkdtempSync(join(tmpdir(), "digits-page-"));
  let browser: Browser;
  let server: FolderServer;
  beforeAll(async () => {
    await buildPage(folder);
    server = await serveFolder(folder, 0);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    rmSync(folder, { recursive: true });
  });

  /** Runs `body` on the page, loaded with a backend and ready; it must report no errors. */
  async function onPage(backend: string, body: (page: Page) => Promise<void>): Promise<void> {
    const page = await browser.newPage({ viewport: { width: 1000, height: 760 } });
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await page.goto(`${server.url}/?backend=${backend}`);
    await page.getByText(`ready on ${backend}`).waitFor();
    await body(page);
    expect(errors).toEqual([]);
    await page.close();
  }

  test.each(["wasm", "webgl", "cpu"])("gives JAX's answers on %s", async (backend) => {
    await onPage(backend, async (page) => {
      await page.getByRole("button", { name: "Check against JAX" }).click();
      const checked = page.locator("#checked", { hasText: "right on" });
      const text = (await checked.textContent()) ?? "";
      expect(text).toContain(`357 of 360 right on ${backend}, 357 in JAX`);
      const [, difference] = /differ by at most ([\d.e+-]+)/.exec(text) ?? [];
      expect(Number(difference)).toBeLessThan(tolerance);
    });
  });

  /** Draws with the mouse as a person would, in the middle of the pad. */
  async function draw(page: Page, { strokes }: Drawing): Promise<void> {
    const box = await page.locator("#pad").boundingBox();
    if (box === null) throw new Error("the pad is not visible");
    for (const stroke of strokes) {
      for (const [index, { x, y }] of stroke.entries()) {
        await page.mouse.move(box.x + (x / 100) * box.width, box.y + (y / 100) * box.height);
        if (index === 0) await page.mouse.down();
      }
      await page.mouse.up();
    }
  }

  test.each([
    { backend: "wasm", drawn: drawings },
    { backend: "webgl", drawn: drawings.filter(({ digit }) => digit < 4) },
  ])("reads drawn digits on $backend", async ({ backend, drawn }) => {
    await onPage(backend, async (page) => {
      for (const drawing of drawn) {
        await page.getByRole("button", { name: "Clear" }).click();
        await page.getByText("Draw a digit in the square.").waitFor();
        await draw(page, drawing);
        const label = `${drawing.digit} (${drawing.style})`;
        await expect
          .poll(() => page.locator("#digit").textContent(), { message: label })
          .toBe(String(drawing.digit));
      }
    });
  });

  test("works with touch, and with the keyboard through the test images", async () => {
    const context = await browser.newContext({
      hasTouch: true,
      viewport: { width: 390, height: 844 },
    });
    const page = await context.newPage();
    await page.goto(`${server.url}/`);
    await page.getByText("ready on wasm").waitFor();
    // The page must not scroll sideways on a phone.
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    await page.locator("#pad").tap();
    await page.getByText(/I read a \d/).waitFor();
    await page.getByRole("button", { name: "Show a test image" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText(/I read a (\d) \(\d+ %\), and it is a \1\./).waitFor();
    await context.close();
  });
});
