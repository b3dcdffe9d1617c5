/**
 * The process that runs cases, one message each: a case that hangs or brings the process down does
 * not take the others with it. Started by supervisor.ts.
 */
import { useBackend, type NodeBackend } from "../../node/backends.js";
import { messageOf } from "../terminal.js";
import { checkCase, type CaseOptions, type CaseOutcome } from "./checkCase.js";
import type { NamedCase } from "./corpus.js";

/** What the supervisor sends. */
export type Request =
  | { readonly kind: "start"; readonly options: CaseOptions & { readonly backend: NodeBackend } }
  | { readonly kind: "case"; readonly index: number; readonly case: NamedCase };

/** What the worker answers. */
export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "unusable"; readonly message: string }
  | { readonly kind: "outcome"; readonly index: number; readonly outcome: CaseOutcome };

let caseOptions: CaseOptions | undefined;

async function answer(request: Request): Promise<Reply> {
  switch (request.kind) {
    case "start":
      try {
        await useBackend(request.options.backend);
      } catch (error) {
        return { kind: "unusable", message: messageOf(error) };
      }
      caseOptions = request.options;
      return { kind: "ready" };
    case "case": {
      if (caseOptions === undefined) throw new Error("internal error: a case before the start");
      const outcome = await checkCase(request.case, caseOptions);
      return { kind: "outcome", index: request.index, outcome };
    }
  }
}

process.on("message", (request: Request) => {
  void answer(request).then((reply) => process.send?.(reply));
});
// Without its supervisor it has nothing to do.
process.on("disconnect", () => process.exit());
