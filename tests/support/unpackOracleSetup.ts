// vitest global setup of the `oracle` project: unpacks the corpus once, before the workers start.
import { oracleRoot } from "./oracle.js";

export default function setup(): void {
  oracleRoot();
}
