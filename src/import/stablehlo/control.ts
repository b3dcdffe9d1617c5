/**
 * Loops and branches. Their regions may use values of the enclosing function: these become captured
 * operands, as do loop variables that never change.
 */
import { newVar, type Atom, type ClosedJaxpr, type Var } from "../../ir/jaxpr.js";
import type { MlirBlock, MlirOperation, MlirRegion, MlirValue } from "../mlir/ir.js";
import { invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { importThreefryLoop } from "./random.js";
import { blockOf } from "./regions.js";
import { knownElements, token, type Imported } from "./values.js";

/** One region of a loop, imported: captured variables and program. */
interface LoopProgram {
  readonly captured: readonly Var[];
  readonly program: ClosedJaxpr;
}

const importWhile: OperationImporter = (block, op) => {
  const condition = blockOf(op.regions[0]);
  const body = blockOf(op.regions[1]);
  const initial = op.operands.map((operand) => block.value(operand));
  const carried = carriedPositions(body, initial);
  const initialAtoms = carried.map((index) => materialised(block, initial[index]));
  const importRegion = (
    region: MlirBlock,
    results: (values: readonly MlirValue[]) => readonly MlirValue[],
  ) => importLoopRegion(block, region, initial, carried, initialAtoms, results);
  const test = importRegion(condition, (values) => values.slice(0, 1));
  const step = importRegion(body, (values) =>
    carried.map((index) => values[index]).filter((value) => value !== undefined),
  );
  if (test.captured.length === 0 && step.captured.length === 0) {
    const loop = { op, initial, carried, condition: test.program, body: step.program };
    const hash = importThreefryLoop(block, loop);
    if (hash !== null) return hash;
  }
  const outputs = block.bind("while", [...test.captured, ...step.captured, ...initialAtoms], {
    cond_nconsts: test.captured.length,
    cond_jaxpr: test.program,
    body_nconsts: step.captured.length,
    body_jaxpr: step.program,
  });
  const results = [...initial];
  for (const [place, index] of carried.entries()) {
    const atom = outputs[place];
    if (atom === undefined) throw new Error("internal error: while lost a result");
    results[index] = { kind: "atom", atom };
  }
  return results;
};

function materialised(block: BlockImporter, value: Imported | undefined): Atom {
  if (value === undefined) throw invalidModule("a loop lacks an initial value");
  return block.materialise(value);
}

/** The loop variables that the body changes; the others are the same in every iteration. */
function carriedPositions(body: MlirBlock, initial: readonly Imported[]): readonly number[] {
  const returned = body.operations.at(-1)?.operands ?? [];
  if (returned.length !== initial.length || body.arguments.length !== initial.length) {
    throw invalidModule("a loop does not return as many values as it takes");
  }
  return initial
    .map((_, index) => index)
    .filter(
      (index) => initial[index]?.kind !== "token" && returned[index] !== body.arguments[index],
    );
}

function importLoopRegion(
  outer: BlockImporter,
  region: MlirBlock,
  initial: readonly Imported[],
  carried: readonly number[],
  initialAtoms: readonly Atom[],
  resultsOf: (values: readonly MlirValue[]) => readonly MlirValue[],
): LoopProgram {
  const inner = outer.child();
  const inputs = initialAtoms.map((atom) => newVar({ ...atom.aval, weakType: false }));
  for (const [index, argument] of region.arguments.entries()) {
    const variable = inputs[carried.indexOf(index)];
    const invariant = initial[index];
    if (variable !== undefined) inner.define(argument, { kind: "atom", atom: variable });
    else if (invariant !== undefined) inner.define(argument, inner.capture(invariant));
  }
  const outputs = inner.atoms(resultsOf(inner.run(region)));
  const { captures } = inner;
  const program = inner.finish([...captures.map(([, variable]) => variable), ...inputs], outputs);
  return { captured: captures.map(([variable]) => variable), program };
}

/** Both `case` and `if`: a known index selects its branch now. */
function importBranches(
  block: BlockImporter,
  op: MlirOperation,
  regions: readonly MlirRegion[],
  index: (count: number) => Atom,
): readonly Imported[] {
  const known = knownIndex(block, op, regions.length);
  if (known !== undefined) {
    const chosen = blockOf(regions[known]);
    return block.run(chosen).map((value) => block.value(value));
  }
  const inner = regions.map((region) => {
    const child = block.child();
    const returned = child.run(blockOf(region)).map((value) => child.value(value));
    const data = returned.filter((value) => value.kind !== "token");
    return { child, outputs: data.map((value) => child.materialise(value)) };
  });
  const operands = [
    ...new Set(inner.flatMap(({ child }) => child.captures.map(([variable]) => variable))),
  ];
  const branches = inner.map(({ child, outputs }) => {
    const names = new Map(child.captures);
    const inputs = operands.map((operand) => names.get(operand) ?? newVar(operand.aval));
    return child.finish(inputs, outputs);
  });
  const results = block.bind("cond", [index(regions.length), ...operands], { branches });
  let next = 0;
  return op.results.map((result) => {
    if (result.type.kind === "token") return token;
    const atom = results[next++];
    if (atom === undefined) throw invalidModule("the branches have too few results");
    return { kind: "atom", atom };
  });
}

function knownIndex(block: BlockImporter, op: MlirOperation, count: number): number | undefined {
  const [element] = knownElements(block.value(block.operand(op, 0)))?.elements ?? [];
  if (typeof element === "boolean") return element ? 1 : 0;
  if (typeof element !== "number") return undefined;
  return element >= 0 && element < count ? element : count - 1;
}

const importCase: OperationImporter = (block, op) =>
  importBranches(block, op, op.regions, (count) => {
    const operand = block.operand(op, 0);
    const index = block.atom(operand);
    if (isInRange(block, operand)) return index;
    // Any other index means the last branch, where JAX's cond clamps.
    const literal = (value: number): Atom => ({
      kind: "literal",
      value,
      aval: { shape: [], dtype: index.aval.dtype, weakType: false },
    });
    const isNegative = block.bindOne("lt", [index, literal(0)], {});
    return block.bindOne("select_n", [isNegative, index, literal(count - 1)], {});
  });

/** True if JAX has clamped the index, or made it of a boolean. */
function isInRange(block: BlockImporter, index: MlirValue): boolean {
  let op = block.module.definition(index);
  if (op?.name === "stablehlo.convert") {
    const [operand] = op.operands;
    if (operand === undefined) return false;
    const { type } = operand;
    if (type.kind === "tensor" && type.elementType.kind === "integer") {
      if (type.elementType.width === 1) return true;
    }
    op = block.module.definition(operand);
  }
  if (op?.name !== "stablehlo.clamp" || op.operands[0] === undefined) return false;
  return block.knownDims(op.operands[0])?.[0] === 0;
}

/** StableHLO's `if` has the true branch first, JAX's `cond` on a boolean the false one. */
const importIf: OperationImporter = (block, op) =>
  importBranches(block, op, [...op.regions].reverse(), () => block.atom(block.operand(op, 0)));

export const controlOperations: OperationTable = {
  "stablehlo.while": importWhile,
  "stablehlo.case": importCase,
  "stablehlo.if": importIf,
};
