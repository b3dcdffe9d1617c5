/**
 * `jax2tfjs inspect`: what an artifact or a saved model holds, for people and, with --json, for
 * programs. Decides which of the two it is; the contents are described by the files beside this.
 */
import { modelJsonOf } from "./files.js";
import { inspectArtifact } from "./inspectArtifact.js";
import { inspectModel } from "./inspectModel.js";
import type { CommonOptions } from "./terminal.js";

export interface InspectCommandOptions extends CommonOptions {
  readonly jaxpr?: boolean;
  readonly mlir?: boolean;
  readonly set?: ReadonlyMap<string, number>;
}

/** Prints the description of an artifact or a saved model. */
export function inspectCommand(path: string, options: InspectCommandOptions): void {
  const modelJson = modelJsonOf(path);
  if (modelJson === undefined) inspectArtifact(path, options);
  else inspectModel(modelJson, options);
}
