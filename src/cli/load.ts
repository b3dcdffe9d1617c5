/**
 * From a path on the command line to a program, and from there to something that runs. Called by
 * the commands; tfjs is only loaded by `loadForRun`.
 */
import { artifactKind } from "../import/exported.js";
import type { BoundParameter } from "../import/params/bind.js";
import { openParameterFile } from "../import/params/nodeFile.js";
import type { ParameterFile } from "../import/params/parameterFile.js";
import { importExported, importModule, type Program } from "../import/program.js";
import { Jax2TfjsError } from "../ir/errors.js";
import type { Backend } from "../ir/tf.js";
import type { EquationEvent } from "../lower/eager.js";
import type { NodeBackend } from "../node/backends.js";
import { bindArgument } from "../parameters.js";
import type { LoadedProgram } from "../run/loaded.js";
import { modelJsonOf, readFile } from "./files.js";

/** Options about parameters, of several commands. */
export interface ParameterOptions {
  readonly params?: readonly string[];
  /** For each file the position or keyword of its argument. */
  readonly paramsArg?: readonly string[];
  readonly paramsPrefix?: string;
}

/** Imports an artifact from its bytes: `Exported.serialize()` or bare StableHLO bytecode. */
export function importArtifact(bytes: Uint8Array, strictDtypes = false): Program {
  return artifactKind(bytes) === "mlir-bytecode"
    ? importModule(bytes, { strictDtypes })
    : importExported(bytes, { strictDtypes });
}

/** A size for a variable that the program does not have is a typing error. */
export function checkDimensionNames(
  program: Pick<Program, "dimensionVariables">,
  sizes: ReadonlyMap<string, number> | undefined,
): void {
  const names = program.dimensionVariables;
  for (const name of sizes?.keys() ?? []) {
    if (names.includes(name)) continue;
    throw new Jax2TfjsError("no-such-dimension", `the program has no dimension variable ${name}`, {
      fix:
        names.length === 0 ? "leave out --set" : `its dimension variables are ${names.join(", ")}`,
    });
  }
}

/** Parameters bound to a program, and the files they are read from, to be closed at the end. */
export interface OpenParameters {
  readonly parameters: readonly BoundParameter[];
  close(): void;
}

/**
 * Opens parameter files and binds them to arguments: the first file to argument 0 unless
 * `--params-arg` says otherwise.
 */
export function bindParameterFiles(program: Program, options: ParameterOptions): OpenParameters {
  const paths = options.params ?? [];
  const positions = options.paramsArg ?? [];
  if (positions.length > 0 && positions.length !== paths.length) {
    throw new Jax2TfjsError(
      "usage",
      `there are ${paths.length} parameter files for ${positions.length} arguments`,
      { fix: "give one --params-arg for each --params, in the same order" },
    );
  }
  if (positions.length === 0 && paths.length > 1) {
    throw new Jax2TfjsError("usage", "several parameter files need an argument each", {
      fix: "give one --params-arg for each --params, in the same order",
    });
  }
  const opened: ParameterFile[] = [];
  const close = (): void => {
    for (const file of opened) file.close();
  };
  try {
    const parameters = paths.flatMap((path, index) => {
      const file = openParameterFile(path);
      opened.push(file);
      const prefix = options.paramsPrefix;
      return bindArgument(program, file, {
        argument: positions[index] ?? 0,
        ...(prefix === undefined ? {} : { prefix }),
      });
    });
    return { parameters, close };
  } catch (error) {
    close();
    throw error;
  }
}

export interface RunOptions extends ParameterOptions {
  readonly backend: NodeBackend;
  readonly eager?: boolean;
  /** Backends to convert for; default: the one that runs. */
  readonly backends?: readonly Backend[];
  readonly onEquation?: (event: EquationEvent) => void | Promise<void>;
}

/** Loads an artifact or a saved model so that it runs on a backend, which becomes the current one. */
export async function loadForRun(path: string, options: RunOptions): Promise<LoadedProgram> {
  const modelJson = modelJsonOf(path);
  if (modelJson !== undefined) return loadSaved(modelJson, options);
  const program = importArtifact(readFile(path, "the artifact"));
  const opened = bindParameterFiles(program, options);
  const { parameters } = opened;
  try {
    const { useBackend } = await import("../node/backends.js");
    await useBackend(options.backend);
    if (options.eager === true) {
      const { loadEager } = await import("../run/eagerProgram.js");
      const { backend, onEquation } = options;
      return loadEager(program, {
        backend,
        parameters,
        ...(onEquation === undefined ? {} : { onEquation }),
      });
    }
    const { convert } = await import("../convert.js");
    const { loadConverted } = await import("../run/graphProgram.js");
    return loadConverted(
      convert(program, { parameters, backends: options.backends ?? [options.backend] }),
    );
  } finally {
    opened.close();
  }
}

async function loadSaved(modelJson: string, options: RunOptions): Promise<LoadedProgram> {
  if (options.eager === true) {
    throw new Jax2TfjsError("usage", "--eager needs the artifact, not a saved model", {
      fix: "give the file that jax.export wrote: a saved model has no equations any more",
    });
  }
  if ((options.params ?? []).length > 0) {
    throw new Jax2TfjsError("usage", "--params belongs to an artifact; a saved model has its own", {
      fix: "convert the artifact again with the other parameters",
    });
  }
  const { readSavedModel } = await import("./savedModel.js");
  const files = readSavedModel(modelJson);
  const { useBackend } = await import("../node/backends.js");
  await useBackend(options.backend);
  const { loadModelFiles } = await import("../run/graphProgram.js");
  return loadModelFiles(files);
}
