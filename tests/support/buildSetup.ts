// vitest global setup of the `cli` project: compiles src/ to dist/ when the compiled command line
// is missing or older than a source file. `npm test` has built it already.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./paths.js";

/** Time of the newest `.ts` file below `folder`, in milliseconds since the epoch. */
function newestSource(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name.endsWith(".ts")) {
      newest = Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
    }
  }
  return newest;
}

export default function setup(): void {
  const main = join(repositoryRoot, "dist/src/cli/main.js");
  const sources = Math.max(
    newestSource(join(repositoryRoot, "src")),
    newestSource(join(repositoryRoot, "primitives")),
  );
  if (existsSync(main) && statSync(main).mtimeMs >= sources) return;
  const { stdout } = spawnSync("npm", ["run", "--silent", "build"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  if (!existsSync(main)) throw new Error(`the build made no ${main}\n${stdout}`);
}
