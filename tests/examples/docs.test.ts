// The documentation says what is true: code in it is code of the examples, its commands run and print
// what it shows, its links lead somewhere.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { hostArray, readNpz, writeNpz } from "jax2tfjs";
import { describe, expect, test } from "vitest";
import { repositoryRoot } from "../support/paths.js";
import {
  anchorsOf,
  containsLines,
  fencesOf,
  firstMissing,
  linksOf,
  type Fence,
} from "./markdown.js";

const read = (path: string): string => readFileSync(join(repositoryRoot, path), "utf8");

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(repositoryRoot, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** Commands of these pages are shown, not run. */
const referencePages = ["CONTRIBUTING.md", "docs/cli.md"];

const scripts = (JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts;
const fences = pages.flatMap((page) => fencesOf(page, read(page)));
const tutorial = fences.filter(
  ({ place }) => !referencePages.some((page) => place.startsWith(page)),
);

/** The rest of a directive after `start`. */
const after = (fence: Fence | undefined, start: string): string | undefined =>
  fence?.directive?.startsWith(start) === true ? fence.directive.slice(start.length) : undefined;

describe("code", () => {
  const code = tutorial.filter(({ language }) => ["python", "ts", "html"].includes(language));
  test.each(code)("$place is code of an example", (fence) => {
    const file = after(fence, "file: ");
    expect(file, "a comment names the file").toBeDefined();
    expect(containsLines(read(file ?? ""), fence.lines), `${fence.place} is in ${file}`).toBe(true);
  });
});

describe("npm scripts", () => {
  const used = fences.flatMap(({ lines }) =>
    lines.flatMap((line) => Array.from(line.matchAll(/npm run ([\w:-]+)/g), (match) => match[1])),
  );
  test("exist", () => {
    expect(used.filter((name) => name === undefined || !(name in scripts))).toEqual([]);
  });
});

/** A shell function, so that the documentation can call the command as users do. */
const command = `jax2tfjs() { node --import ${join(repositoryRoot, "node_modules/tsx/dist/esm/index.mjs")} \
${join(repositoryRoot, "src/cli/main.ts")} "$@"; }`;

function shell(script: string, folder: string): string {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };
  const { stdout, error } = spawnSync("bash", ["-c", `exec 2>&1\n${script}`], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return stdout;
}

/** A copy of an example's files, and what the text says the reader has made by then. */
function folderFor(example: string): string {
  const folder = mkdtempSync(join(tmpdir(), "jax2tfjs-docs-"));
  cpSync(join(repositoryRoot, example), folder, { recursive: true });
  if (!existsSync(join(folder, "test.npz"))) return folder;
  const arrays = readNpz(readFileSync(join(folder, "test.npz")));
  const array = (name: string): Parameters<typeof hostArray> => {
    const found = arrays.get(name);
    if (found === undefined) throw new Error(`test.npz has no ${name}`);
    return [found.dtype, found.shape, found.bytes];
  };
  writeFileSync(
    join(folder, "ref.npz"),
    writeNpz([
      ["in_0", hostArray(...array("images"))],
      ["out_0", hostArray(...array("logits"))],
    ]),
  );
  return folder;
}

describe("commands", () => {
  const blocks = tutorial.filter(
    ({ language, lines }) => language === "sh" && lines.some((line) => line.includes("jax2tfjs ")),
  );
  test.each(blocks)("$place says where it runs", (fence) => {
    expect(fence.directive).toMatch(/^(run in examples\/\w+$|not run: )/);
  });

  /** Blocks of one page run one after the other in one folder, as a reader would run them. */
  const byPage = pages.map(
    (page) => [page, blocks.filter(({ place }) => place.startsWith(`${page}:`))] as const,
  );
  describe.each(byPage.filter(([, commands]) => commands.length > 0))("%s", (page, commands) => {
    const folders = new Map<string, string>();
    const done = commands.filter((fence) => after(fence, "run in ") !== undefined);
    test(`${done.length} blocks print what the text shows`, { timeout: 120_000 }, () => {
      try {
        for (const fence of done) {
          const example = after(fence, "run in ") ?? "";
          const folder = folders.get(example) ?? folderFor(example);
          folders.set(example, folder);
          const output = shell([command, ...fence.lines].join("\n"), folder);
          const shown = fences[fences.indexOf(fence) + 1];
          if (shown?.directive !== "prints") continue;
          expect(
            firstMissing(shown.lines, output),
            `${shown.place} in:\n${output}`,
          ).toBeUndefined();
        }
      } finally {
        for (const folder of folders.values()) rmSync(folder, { recursive: true });
      }
    });
    test("shows no output of nothing", () => {
      const shown = fences.filter(
        ({ place, directive }) => place.startsWith(`${page}:`) && directive === "prints",
      );
      const commandsBefore = shown.map((fence) => fences[fences.indexOf(fence) - 1]);
      expect(
        commandsBefore.filter((fence) => fence === undefined || !done.includes(fence)),
      ).toEqual([]);
    });
  });

  const printed = fences.filter((fence) => after(fence, "printed by npm run ") !== undefined);
  test.each(printed)("$directive: $place", { timeout: 120_000 }, (fence) => {
    const script = after(fence, "printed by npm run ") ?? "";
    const output = shell(`npm run --silent ${script}`, repositoryRoot);
    expect(firstMissing(fence.lines, output), output).toBeUndefined();
  });
});

describe("links", () => {
  test.each(pages)("%s", (page) => {
    const broken = linksOf(read(page)).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = "", anchor] = link.split("#");
      const target =
        path === "" ? page : relative(repositoryRoot, join(repositoryRoot, dirname(page), path));
      if (!existsSync(join(repositoryRoot, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

test("continuous integration runs the README's test command", () => {
  const block = fences.find(
    ({ place, lines }) =>
      place.startsWith("README.md") && lines.some((line) => line.endsWith("npm test")),
  );
  expect(block?.lines).toHaveLength(1);
  expect(read(".ci/run").split("\n")).toContain(block?.lines[0]);
});
