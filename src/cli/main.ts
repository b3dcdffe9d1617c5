#!/usr/bin/env node
/**
 * The command line: `jax2tfjs convert|inspect|run|verify|conformance`. Each command's code is loaded
 * when it runs, so that `convert` starts without tfjs.
 *
 * Exit codes: 0 success, 1 failure (an error, a difference beyond the tolerance), 2 wrong usage.
 */
import { Command, CommanderError, Option } from "commander";
import { Jax2TfjsError } from "../ir/errors.js";
import { version } from "../version.js";
import type { ConformanceCommandOptions } from "./conformance/command.js";
import type { ConvertCommandOptions } from "./convert.js";
import type { InspectCommandOptions } from "./inspect.js";
import {
  backendList,
  checkList,
  byteCount,
  dimensionSizes,
  nameList,
  repeated,
  tolerance,
  wholeNumber,
} from "./options.js";
import type { RunCommandOptions } from "./run.js";
import { printError, type CommonOptions } from "./terminal.js";
import type { VerifyCommandOptions } from "./verify.js";

const exitCodes = { success: 0, failure: 1, usage: 2 } as const;

/** Backends that Node runs. */
const runnable = ["cpu", "wasm", "tensorflow"];

const text = (value: string): string => value;

function withCommon(command: Command): Command {
  return command
    .option("--verbose", "show stack traces of errors")
    .showHelpAfterError("(add --help for the options and examples)");
}

function withParameters(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--params <file>",
        "parameters to bind to argument 0: safetensors, npz or Flax msgpack (repeatable)",
      ).argParser(repeated(text)),
    )
    .addOption(
      new Option(
        "--params-arg <argument>",
        "position (or keyword) of the argument that --params binds (repeatable)",
      ).argParser(repeated(text)),
    )
    .option("--params-prefix <path>", "use only the leaves of the parameter file below this path");
}

function withBackend(command: Command): Command {
  return command
    .addOption(
      new Option("--backend <name>", "tfjs backend to run on").choices(runnable).default("cpu"),
    )
    .option("--eager", "run the artifact one equation at a time instead of as a graph")
    .addOption(
      new Option(
        "--backends <names>",
        "convert for these backends instead of the one that runs",
      ).argParser(backendList),
    );
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

function addConvert(program: Command): void {
  withParameters(
    withCommon(
      program
        .command("convert")
        .summary("convert a JAX export artifact to a TensorFlow.js graph model")
        .description(
          "Converts a JAX export artifact (the bytes of jax.export's Exported.serialize(), or a " +
            "bare StableHLO portable artifact) to a TensorFlow.js graph model: model.json and weight " +
            "shards, which tf.loadGraphModel loads. ARTIFACT may be - for standard input.",
        )
        .argument("<artifact>", "file that jax.export wrote")
        .argument("<out_dir>", "folder to write; it must not exist yet"),
    ),
  )
    .addOption(
      new Option(
        "--backends <names>",
        "backends that the model must be right on (default: all)",
      ).argParser(backendList),
    )
    .addOption(
      new Option("--set <sizes>", "fix dimension variables, e.g. b=8,seq=128").argParser(
        dimensionSizes,
      ),
    )
    .option("--sync", "refuse a model that needs executeAsync")
    .addOption(
      new Option(
        "--unroll <equations>",
        "equations that unrolled loops may add; 0 keeps all loops",
      ).argParser(wholeNumber(0)),
    )
    .option("--force", "replace an existing folder")
    .addOption(
      new Option("--shard-bytes <bytes>", "size of a weight file, e.g. 4MiB").argParser(byteCount),
    )
    .addOption(
      new Option("--weight_shard_size_bytes <bytes>", "the same, as tensorflowjs_converter has it")
        .argParser(byteCount)
        .conflicts("shardBytes"),
    )
    .option("--strict-dtypes", "refuse 64-bit values instead of computing them in 32 bits")
    .addOption(
      new Option(
        "--disable-checks <names>",
        "leave out checks of sizes against the symbolic shapes",
      ).argParser(checkList),
    )
    .option("--no-optimize", "leave out the passes that make models smaller and faster")
    .option("--quiet", "print nothing but errors")
    .option("--json", "print the summary (or the error) as JSON")
    .addHelpText(
      "after",
      examples([
        "jax2tfjs convert model.jaxexport web_model --params params.safetensors",
        "jax2tfjs convert model.jaxexport web_model --backends wasm,webgl --set b=1",
        "jax2tfjs convert step.jaxexport web_model --params p.npz --params-arg 0 \\",
        "    --params state.npz --params-arg 1",
      ]),
    )
    .action(async (artifact: string, outDir: string, options: ConvertCommandOptions) => {
      const { convertCommand } = await import("./convert.js");
      convertCommand(artifact, outDir, options);
    });
}

function addInspect(program: Command): void {
  withCommon(
    program
      .command("inspect")
      .summary("show what an artifact or a saved model holds")
      .description(
        "Shows the signature, parameters with sizes, operations, cost and origin of a JAX export " +
          "artifact or of a saved graph model.",
      )
      .argument("<path>", "artifact, or folder of a saved model"),
  )
    .option("--jaxpr", "print the program as JAX would")
    .option("--mlir", "print the StableHLO module of an artifact")
    .addOption(
      new Option("--set <sizes>", "sizes for the cost of a symbolic program, e.g. b=8").argParser(
        dimensionSizes,
      ),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        "jax2tfjs inspect model.jaxexport",
        "jax2tfjs inspect model.jaxexport --set b=8",
        "jax2tfjs inspect model.jaxexport --jaxpr",
        "jax2tfjs inspect web_model --json",
      ]),
    )
    .action(async (path: string, options: InspectCommandOptions) => {
      const { inspectCommand } = await import("./inspect.js");
      inspectCommand(path, options);
    });
}

function addRun(program: Command): void {
  withBackend(
    withParameters(
      withCommon(
        program
          .command("run")
          .summary("run an artifact or a saved model on arrays of an npz file")
          .description(
            "Runs an artifact or a saved model on the arrays of an npz file, named by input or by " +
              "position (0, arr_0), and prints a summary of the outputs.",
          )
          .argument("<path>", "artifact, or folder of a saved model"),
      ),
    ),
  )
    .option("--inputs <file>", "npz file with the inputs; not needed where there are none")
    .option("--out <file>", "npz file to write the outputs to")
    .addOption(
      new Option("--trace", "with --eager: print each equation with statistics of its values"),
    )
    .addOption(
      new Option(
        "--check-nans",
        "with --eager: stop at the first equation that makes NaN from numbers",
      ),
    )
    .option("--quiet", "print nothing but errors")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        "jax2tfjs run web_model --inputs in.npz --out out.npz",
        "jax2tfjs run model.jaxexport --params params.safetensors --inputs in.npz --backend wasm",
        "jax2tfjs run model.jaxexport --params p.npz --inputs in.npz --eager --check-nans",
      ]),
    )
    .action(async (path: string, options: RunCommandOptions) => {
      const { runCommand } = await import("./run.js");
      await runCommand(path, options);
    });
}

function addVerify(program: Command): void {
  withBackend(
    withParameters(
      withCommon(
        program
          .command("verify")
          .summary("compare the results with those that JAX computed")
          .description(
            "Runs an artifact or a saved model on recorded inputs and compares the outputs with " +
              "recorded ones. The npz file has keys in_0, out_0 (with a prefix such as b1_ for each " +
              "of several runs), or inputs/NAME, outputs/NAME. Exit code 1 beyond the tolerance: " +
              "|x - r| <= atol + rtol * |r|; integers and booleans must be equal.",
          )
          .argument("<path>", "artifact, or folder of a saved model"),
      ),
    ),
  )
    .requiredOption("--reference <file>", "npz file with inputs and outputs")
    .addOption(
      new Option("--rtol <number>", "relative tolerance").argParser(tolerance).default(1e-4),
    )
    .addOption(
      new Option("--atol <number>", "absolute tolerance").argParser(tolerance).default(1e-5),
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        "jax2tfjs verify web_model --reference ref.npz --backend wasm",
        "jax2tfjs verify model.jaxexport --params params.safetensors --reference ref.npz --eager",
      ]),
    )
    .action(async (path: string, options: VerifyCommandOptions) => {
      const { verifyCommand } = await import("./verify.js");
      process.exitCode = (await verifyCommand(path, options))
        ? exitCodes.success
        : exitCodes.failure;
    });
}

function addConformance(program: Command): void {
  withCommon(
    program
      .command("conformance")
      .summary("run a corpus of programs with recorded results")
      .description(
        "Runs every case below a folder in the format of the oracle corpus (primitives, models, " +
          "shape_poly) and compares with the recorded results. Exit code 1 if a case fails.",
      )
      .argument("<dir...>", "folders of the corpus"),
  )
    .addOption(
      new Option("--backend <name>", "tfjs backend to run on").choices(runnable).default("cpu"),
    )
    .option("--eager", "run one equation at a time instead of as a graph")
    .addOption(
      new Option(
        "--backends <names>",
        "convert for these backends instead of the one that runs",
      ).argParser(backendList),
    )
    .addOption(
      new Option("--only <groups>", "only these groups, or cases as group/id").argParser(nameList),
    )
    .option("--json <file>", "write the results as JSON (- for standard output)")
    .addOption(
      new Option("--transform <name>", "check a transformation instead of the program").choices([
        "jvp",
        "vjp",
        "vmap",
      ]),
    )
    .addOption(
      new Option("--timeout <seconds>", "limit for one case")
        .argParser(wholeNumber(1))
        .default(120),
    )
    .addOption(
      new Option("--jobs <count>", "processes that share the work")
        .argParser(wholeNumber(1))
        .default(1),
    )
    .option("--quiet", "print nothing but errors")
    .addHelpText(
      "after",
      examples([
        "jax2tfjs conformance oracle/public --backend wasm --json results.json",
        "jax2tfjs conformance oracle/public/primitives --only dot_general,gather",
        "jax2tfjs conformance oracle/public/models --only models/mlp --eager",
      ]),
    )
    .action(async (directories: string[], options: ConformanceCommandOptions) => {
      const { conformanceCommand } = await import("./conformance/command.js");
      process.exitCode = (await conformanceCommand(directories, options))
        ? exitCodes.success
        : exitCodes.failure;
    });
}

/** The options of the command that runs, for the way its errors are printed. */
let current: CommonOptions = {};

function buildProgram(): Command {
  const program = new Command("jax2tfjs")
    .description("JAX programs become TensorFlow.js graph models, without TensorFlow.")
    .version(version, "-V, --version", "print the version")
    .helpCommand("help [command]", "show help for a command")
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .hook("preAction", (_, command) => {
      current = command.opts<CommonOptions>();
    })
    .addHelpText("after", "\nExit codes: 0 success, 1 failure, 2 wrong usage.\n");
  for (const add of [addConvert, addInspect, addRun, addVerify, addConformance]) add(program);
  return program;
}

/** Runs the command line. @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync(argv);
    return Number(process.exitCode ?? exitCodes.success);
  } catch (error) {
    // commander has printed its message already.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    }
    printError(error, current);
    const isUsage = error instanceof Jax2TfjsError && error.code === "usage";
    return isUsage ? exitCodes.usage : exitCodes.failure;
  }
}

// A reader that went away (`| head`) is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(exitCodes.success);
  });
}

process.exitCode = await main(process.argv);
