// Makes tests/data/oracle from a corpus folder (see scripts/oracle/README.md for its layout):
//   npm run data:pack -- CORPUS [OUT]
import { statSync } from "node:fs";
import { join } from "node:path";
import { writePacks } from "./oraclePacks.js";

const [corpus, out = join(import.meta.dirname, "../../tests/data/oracle")] = process.argv.slice(2);
if (corpus === undefined) {
  console.error("usage: npm run data:pack -- CORPUS [OUT]");
  process.exit(2);
}
for (const { file, files } of writePacks(corpus, out)) {
  console.log(`${file}: ${files} files in ${statSync(join(out, file)).size} bytes`);
}
