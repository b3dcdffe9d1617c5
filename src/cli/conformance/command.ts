/**
 * `jax2tfjs conformance`: runs a corpus of programs with recorded results.
 */
import { Jax2TfjsError } from "../../ir/errors.js";
import type { Backend } from "../../ir/tf.js";
import type { NodeBackend } from "../../node/backends.js";
import { writeFile } from "../files.js";
import { print, Progress, type CommonOptions } from "../terminal.js";
import { findCases, type NamedCase, type Transform } from "./corpus.js";
import { ConformanceReport, reportLines } from "./report.js";
import { supervise } from "./supervisor.js";

export interface ConformanceCommandOptions extends CommonOptions {
  readonly backend: NodeBackend;
  readonly backends?: readonly Backend[];
  readonly eager?: boolean;
  readonly only?: readonly string[];
  readonly json?: string;
  readonly transform?: Transform;
  readonly timeout: number;
  readonly jobs: number;
}

/** Runs all cases below the folders. @returns whether none failed */
export async function conformanceCommand(
  folders: readonly string[],
  options: ConformanceCommandOptions,
): Promise<boolean> {
  const found = chosenCases(findCases(folders), options.only);
  const { transform } = options;
  const cases = transform === undefined ? found : recordedCases(found, transform);
  const report = new ConformanceReport(cases);
  const progress = new Progress(options);
  try {
    await supervise(cases, {
      backend: options.backend,
      backends: options.backends ?? [options.backend],
      eager: options.eager ?? false,
      ...(transform === undefined ? {} : { transform }),
      timeoutSeconds: options.timeout,
      jobs: options.jobs,
      onOutcome: (named, outcome) => {
        report.add(named, outcome);
        const failed = report.failed > 0 ? `, ${report.failed} failed` : "";
        progress.update(
          `${report.finished}/${cases.length}${failed}  ${named.group}/${named.id} ${named.name}`,
        );
        if (options.verbose === true && outcome.status === "failed") {
          progress.done();
          process.stderr.write(`${named.group}/${named.id} ${named.name}\n${outcome.message}\n\n`);
        }
      },
    });
  } finally {
    progress.done();
  }
  const result = report.result(
    options.backend,
    options.eager === true ? "eager" : "graph",
    transform,
  );
  const json = `${JSON.stringify(result, null, 2)}\n`;
  if (options.json === "-") process.stdout.write(json);
  else if (options.quiet !== true) print(...reportLines(result));
  if (options.json !== undefined && options.json !== "-") writeFile(options.json, json);
  return result.failed === 0;
}

/** The cases for which JAX recorded the transformation. @throws Jax2TfjsError `file-open` */
function recordedCases(cases: readonly NamedCase[], transform: Transform): readonly NamedCase[] {
  const recorded = cases.filter(
    ({ case: item }) => item.kind === "primitive" && item.data[transform] === true,
  );
  if (recorded.length > 0) return recorded;
  throw new Jax2TfjsError("file-open", `no case has a recorded ${transform}`, {
    fix: "give a folder of primitives",
  });
}

/** The cases of the groups (or the single cases, `group/id`) that are asked for. */
function chosenCases(
  cases: readonly NamedCase[],
  only: readonly string[] | undefined,
): readonly NamedCase[] {
  if (only === undefined) return cases;
  const fits = (name: string, { group, id }: NamedCase): boolean =>
    group === name || `${group}/${id}` === name || group.startsWith(`${name}/`);
  const unknown = only.filter((name) => !cases.some((named) => fits(name, named)));
  if (unknown.length > 0) {
    const groups = [...new Set(cases.map(({ group }) => group))];
    throw new Jax2TfjsError("no-such-group", `there is no group or case ${unknown.join(", ")}`, {
      fix: `groups are ${groups.join(", ")}`,
    });
  }
  return cases.filter((named) => only.some((name) => fits(name, named)));
}
