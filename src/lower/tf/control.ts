/**
 * Loops and conditionals as nodes with functions (`StatelessWhile`, `StatelessIf`). Functions see
 * nothing of the outer graph, so whatever their bodies use becomes an argument.
 */
import type { ShapedArray } from "../../ir/aval.js";
import type { ClosedJaxpr } from "../../ir/jaxpr.js";
import type { GraphValue, Tensor, Tf } from "../../ir/tf.js";
import type { GraphCore, Scope } from "../core.js";
import type { FunctionDef } from "../graph.js";
import { canonicalValue, carrierTensors, carrierTypes, fromCarrierTensors } from "./carriers.js";

export type ControlOps = Pick<Tf, "whileLoop" | "ifElse">;

/** Lowers a program in the current scope. */
export type LowerProgram = (
  program: ClosedJaxpr,
  args: readonly GraphValue[],
) => readonly GraphValue[];

interface Body {
  readonly scope: Scope;
  readonly arguments: readonly Tensor[];
  readonly results: readonly Tensor[];
}

export function controlOps(core: GraphCore, tf: () => Tf, lower: LowerProgram): ControlOps {
  /** Fresh arguments for values of the given types, and the values they stand for. */
  function declare(avals: readonly ShapedArray[]): {
    readonly tensors: readonly Tensor[];
    readonly values: readonly GraphValue[];
  } {
    const tensors: Tensor[] = [];
    const values = avals.map((aval) => {
      const parts = carrierTypes(tf(), aval).map((dtype) =>
        core.argument(`arg${tensors.length}`, { dtype, shape: aval.shape }),
      );
      tensors.push(...parts);
      return fromCarrierTensors(tf(), parts, aval);
    });
    return { tensors, values };
  }

  const flatten = (values: readonly GraphValue[]): readonly Tensor[] =>
    values.flatMap((value) => carrierTensors(tf(), canonicalValue(tf(), value)));

  function buildBody(
    avals: readonly ShapedArray[],
    build: (args: readonly GraphValue[]) => readonly GraphValue[],
  ): Body {
    const { scope, result } = core.inFunction(() => {
      const { tensors, values } = declare(avals);
      return { tensors, results: flatten(build(values)) };
    });
    return { scope, arguments: result.tensors, results: result.results };
  }

  /** Arguments for outer tensors that another function of the same node captured. */
  function alignCaptures(bodies: readonly Body[]): readonly Tensor[] {
    const captured = [...new Set(bodies.flatMap((body) => [...body.scope.captures.keys()]))];
    for (const body of bodies) {
      core.inScope(body.scope, () => captured.forEach((tensor) => core.bring(tensor)));
    }
    return captured;
  }

  /**
   * The results as references that tfjs tells apart: it keeps one output slot per node, so a result
   * from a node with several outputs, or returned twice, goes through an Identity of its own.
   */
  function distinctResults(body: Body, results: readonly Tensor[]): readonly string[] {
    const seen = new Set<string>();
    return results.map((tensor) => {
      const outputs =
        body.scope.nodes.find((node) => node.name === tensor.node)?.outputs.length ?? 1;
      if (outputs === 1 && !seen.has(tensor.node)) {
        seen.add(tensor.node);
        return tensor.node;
      }
      const name = core.uniqueName(`${tensor.node}_result`);
      const { dtype, shape } = tensor;
      const input = [core.reference(tensor)];
      body.scope.nodes.push({ name, op: "Identity", input, attr: {}, outputs: [{ dtype, shape }] });
      return name;
    });
  }

  function finish(
    hint: string,
    body: Body,
    captured: readonly Tensor[],
    passCaptures: boolean,
  ): string {
    const name = core.uniqueName(hint);
    const extra = captured.map((tensor) => body.scope.captures.get(tensor) ?? tensor);
    const results = passCaptures ? [...body.results, ...extra] : body.results;
    const inputs = [...body.arguments, ...extra];
    const references = distinctResults(body, results);
    const definition: FunctionDef = {
      name,
      inputs: inputs.map((tensor) => ({ name: tensor.node, dtype: tensor.dtype })),
      outputs: results.map(({ dtype }, index) => ({ name: `result${index}`, dtype })),
      nodes: body.scope.nodes,
      ret: Object.fromEntries(references.map((reference, index) => [`result${index}`, reference])),
    };
    core.functions.push(definition);
    return name;
  }

  function regroup(avals: readonly ShapedArray[], tensors: readonly Tensor[]): GraphValue[] {
    let next = 0;
    return avals.map((aval) => {
      const count = carrierTypes(tf(), aval).length;
      const parts = tensors.slice(next, next + count);
      next += count;
      return fromCarrierTensors(tf(), parts, aval);
    });
  }

  const whileLoop: Tf["whileLoop"] = (condition, conditionConsts, body, bodyConsts, initial) => {
    const avals = initial.map((value) => value.aval);
    const constAvals = [...conditionConsts, ...bodyConsts].map((value) => value.aval);
    const all = [...constAvals, ...avals];
    const constCount = conditionConsts.length;
    const carryStart = constAvals.length;
    const test = buildBody(all, (args) =>
      lower(condition, [...args.slice(0, constCount), ...args.slice(carryStart)]),
    );
    const step = buildBody(all, (args) => [
      ...args.slice(0, carryStart),
      ...lower(body, [...args.slice(constCount, carryStart), ...args.slice(carryStart)]),
    ]);
    const captured = alignCaptures([test, step]);
    const start = [...flatten([...conditionConsts, ...bodyConsts, ...initial]), ...captured];
    const attrs = {
      cond: { func: finish("while_cond", test, captured, false) },
      body: { func: finish("while_body", step, captured, true) },
    };
    const outputs = start.map(({ dtype, shape }) => ({ dtype, shape }));
    const results = core.emit("StatelessWhile", start, attrs, outputs);
    const carried = results.slice(flattenedSize(constAvals));
    return regroup(avals, carried);
  };

  const flattenedSize = (avals: readonly ShapedArray[]): number =>
    avals.reduce((sum, aval) => sum + carrierTypes(tf(), aval).length, 0);

  const ifElse: Tf["ifElse"] = (predicate, falseBranch, trueBranch, operands) => {
    const avals = operands.map((value) => value.aval);
    const branches = [trueBranch, falseBranch].map((branch) =>
      buildBody(avals, (args) => lower(branch, args)),
    );
    const [whenTrue, whenFalse] = branches;
    if (whenTrue === undefined || whenFalse === undefined) throw new Error("internal error: if");
    const captured = alignCaptures(branches);
    const attrs = {
      then_branch: { func: finish("then_branch", whenTrue, captured, false) },
      else_branch: { func: finish("else_branch", whenFalse, captured, false) },
    };
    const outAvals = falseBranch.jaxpr.outvars.map((atom) => atom.aval);
    const outputs = outAvals.flatMap((aval) =>
      carrierTypes(tf(), aval).map((dtype) => ({ dtype, shape: aval.shape })),
    );
    const inputs = [predicate, ...flatten(operands), ...captured];
    return regroup(outAvals, core.emit("StatelessIf", inputs, attrs, outputs));
  };

  return { whileLoop, ifElse };
}
