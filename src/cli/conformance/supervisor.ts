/**
 * Gives cases to worker processes and watches over them: a worker that takes too long or ends is
 * replaced, and its case failed. Called by the conformance command.
 */
import { fork, type ChildProcess } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Jax2TfjsError } from "../../ir/errors.js";
import type { NodeBackend } from "../../node/backends.js";
import type { CaseOptions, CaseOutcome } from "./checkCase.js";
import type { NamedCase } from "./corpus.js";
import type { Reply, Request } from "./worker.js";

export interface SuperviseOptions extends CaseOptions {
  readonly backend: NodeBackend;
  readonly timeoutSeconds: number;
  readonly jobs: number;
  readonly onOutcome: (named: NamedCase, outcome: CaseOutcome) => void;
}

/** The worker's file, compiled or not. */
const workerPath = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));

/** Bytes of the worker's output that are kept for a message. */
const keptOutput = 2000;

/**
 * Runs all cases.
 *
 * @throws Jax2TfjsError `backend-missing` if the backend does not start
 */
export async function supervise(
  cases: readonly NamedCase[],
  options: SuperviseOptions,
): Promise<void> {
  const queue = cases.entries();
  const work = async (): Promise<void> => {
    let worker: Worker | undefined;
    try {
      for (const [index, named] of queue) {
        if (worker?.alive !== true) worker = await Worker.start(options);
        options.onOutcome(named, await worker.run(index, named, options.timeoutSeconds));
      }
    } finally {
      worker?.stop();
    }
  };
  const jobs = Math.min(options.jobs, Math.max(1, cases.length));
  await Promise.all(Array.from({ length: jobs }, work));
}

class Worker {
  alive = true;
  readonly #process: ChildProcess;
  /** The last of what the process printed. */
  #output = "";
  /** Who waits for the next reply; null when the process is gone. */
  #waiting: ((reply: Reply | null) => void) | undefined;

  private constructor() {
    this.#process = fork(workerPath, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString("utf8")).slice(-keptOutput);
      });
    }
    this.#process.on("message", (reply: Reply) => this.#waiting?.(reply));
    this.#process.on("close", () => {
      this.alive = false;
      this.#waiting?.(null);
    });
    this.#process.on("error", () => {
      this.alive = false;
      this.#waiting?.(null);
    });
  }

  static async start(options: SuperviseOptions): Promise<Worker> {
    const worker = new Worker();
    const { backend, backends, eager, transform } = options;
    const chosen = { backend, backends, eager, ...(transform === undefined ? {} : { transform }) };
    const reply = await worker.#ask({ kind: "start", options: chosen });
    if (reply?.kind === "ready") return worker;
    worker.stop();
    const reason = reply?.kind === "unusable" ? reply.message : worker.#output.trim();
    throw new Jax2TfjsError("backend-missing", `the backend ${backend} does not start: ${reason}`, {
      fix: "choose another --backend; tensorflow needs npm install @tensorflow/tfjs-node",
    });
  }

  async run(index: number, named: NamedCase, timeoutSeconds: number): Promise<CaseOutcome> {
    const start = performance.now();
    const failed = (cause: string, message: string): CaseOutcome => ({
      status: "failed",
      cause,
      message,
      nodes: null,
      seconds: (performance.now() - start) / 1000,
    });
    const reply = await this.#ask({ kind: "case", index, case: named }, timeoutSeconds);
    if (reply === "timeout") {
      this.stop();
      return failed("timeout", `no result after ${timeoutSeconds} s`);
    }
    if (reply?.kind !== "outcome" || reply.index !== index) {
      this.stop();
      return failed("crash: the process ended", this.#output.trim());
    }
    return reply.outcome;
  }

  #ask(request: Request): Promise<Reply | null>;
  #ask(request: Request, timeoutSeconds: number): Promise<Reply | null | "timeout">;
  #ask(request: Request, timeoutSeconds?: number): Promise<Reply | null | "timeout"> {
    return new Promise((resolve) => {
      if (!this.alive) {
        resolve(null);
        return;
      }
      const timer =
        timeoutSeconds === undefined
          ? undefined
          : setTimeout(() => {
              this.#waiting = undefined;
              resolve("timeout");
            }, timeoutSeconds * 1000);
      this.#waiting = (reply) => {
        this.#waiting = undefined;
        clearTimeout(timer);
        resolve(reply);
      };
      this.#process.send(request, (error) => {
        if (error !== null) this.#waiting?.(null);
      });
    });
  }

  stop(): void {
    this.alive = false;
    this.#process.kill("SIGKILL");
  }
}
