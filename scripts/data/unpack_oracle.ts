// Unpacks tests/data/oracle and prints the folder: `npm run data:unpack`. With an argument, into
// that folder, which must not exist yet.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { oracleRoot } from "../../tests/support/oracle.js";
import { unpack } from "./oraclePacks.js";

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.log(oracleRoot());
} else if (existsSync(target)) {
  console.error(`${target} exists already`);
  process.exit(1);
} else {
  unpack(join(import.meta.dirname, "../../tests/data/oracle"), target);
  console.log(target);
}
