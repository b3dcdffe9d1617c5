// Derivatives and batches of gather, of all scatters and of dynamic slices with random dimension
// numbers: reverse against forward derivatives, forward ones against differences, batches against
// their rows, symbolic sizes against static ones.
import { describe, it } from "vitest";
import { parseDim, symbolicScope, type Dim } from "../../src/ir/dims.js";
import { shapedArray, type ShapedArray } from "../../src/ir/aval.js";
import type { ClosedJaxpr } from "../../src/ir/jaxpr.js";
import type { Ops } from "../../src/ir/ops.js";
import { batchProgram, jvpProgram, vjpProgram } from "../../src/transform/index.js";
import { describeOnBackend } from "../support/backends.js";
import { expectAgrees } from "../support/compare.js";
import { randomIndexing, type Indexing } from "./indexing.js";
import { at, build } from "./programs.js";
import {
  checkAdjoint,
  checkBatch,
  evaluateNumbers,
  randomLike,
  randomSource,
  type Numbers,
} from "./properties.js";

type Kind = Parameters<Ops["scatter"]>[0];

/** Dimension numbers of an example; `single`: one window for each batch element. */
function indexingOf(seed: number, single = false): Indexing {
  const random = randomSource(seed);
  return randomIndexing(
    (count) => Math.min(count - 1, Math.floor(((random() + 1) / 2) * count)),
    single,
  );
}

const f32 = (shape: readonly Dim[]): ShapedArray => shapedArray("float32", shape);
const i32 = (shape: readonly Dim[]): ShapedArray => shapedArray("int32", shape);

function gatherProgram(given: Indexing): ClosedJaxpr {
  return build([f32(given.operand), i32(given.indices)], (o, inputs) => [
    o.gather(at(inputs, 0), at(inputs, 1), given.gather),
  ]);
}

function scatterProgram(kind: Kind, given: Indexing): ClosedJaxpr {
  const avals = [f32(given.operand), i32(given.indices), f32(given.windows)];
  return build(avals, (o, inputs) => [
    o.scatter(kind, at(inputs, 0), at(inputs, 1), at(inputs, 2), given.scatter),
  ]);
}

/** All choices of batched inputs, with dimensions that differ. */
function placements(
  args: readonly Numbers[],
  seed: number,
): readonly (readonly (number | null)[])[] {
  return Array.from({ length: 2 ** args.length - 1 }, (_, bits) =>
    args.map(({ shape }, index) =>
      ((bits + 1) >> index) % 2 === 1 ? (seed + index) % (shape.length + 1) : null,
    ),
  );
}

/** `J t` against `(f(x + h t) - f(x - h t)) / 2 h`. */
async function checkDifferences(
  program: ClosedJaxpr,
  args: readonly Numbers[],
  random: () => number,
): Promise<void> {
  const active = args.map(({ dtype }) => dtype === "float32");
  const { program: forward } = jvpProgram(program, active, [true]);
  const variables = program.jaxpr.invars.filter((_, index) => active[index]);
  const tangents = randomLike(variables, random);
  const h = 2e-4;
  const moved = (step: number): readonly Numbers[] => {
    let next = 0;
    return args.map((arg, index) => {
      const tangent = active[index] === true ? at(tangents, next++) : undefined;
      if (tangent === undefined) return arg;
      const numbers = arg.numbers.map((x, place) => x + step * at(tangent.numbers, place));
      return { ...arg, numbers };
    });
  };
  const [above] = await evaluateNumbers(program, moved(h));
  const [below] = await evaluateNumbers(program, moved(-h));
  const found = (await evaluateNumbers(forward, [...args, ...tangents]))[1];
  if (above === undefined || below === undefined || found === undefined) throw new Error("nothing");
  const expected = above.map((x, index) => (x - at(below, index)) / (2 * h));
  expectAgrees("differences", found, expected, "float32", { rtol: 1e-3, atol: 2e-3 });
}

/** More examples where EVERY_CASE is set. */
const seeds = Array.from(
  { length: (process.env.EVERY_CASE ?? "") === "" ? 8 : 40 },
  (_, seed) => seed,
);

describeOnBackend("cpu", () => {
  describe("gather", () => {
    it.each(seeds)("derivatives, example %i", async (seed) => {
      const random = randomSource(seed);
      const program = gatherProgram(indexingOf(seed));
      await checkAdjoint(program, randomLike(program.jaxpr.invars, random), 0, random);
    });

    it.each(seeds)("batches, example %i", async (seed) => {
      const random = randomSource(seed);
      const program = gatherProgram(indexingOf(seed));
      const pulled = vjpProgram(program, [true, false]).program;
      for (const each of [program, pulled]) {
        const args = randomLike(each.jaxpr.invars, random);
        for (const dims of placements(args, seed)) await checkBatch(each, args, dims, random);
      }
      const twice = batchProgram(program, 3, [0, 1], [0]).program;
      await checkBatch(twice, randomLike(twice.jaxpr.invars, random), [1, 0], random);
    });
  });

  const kinds = ["replace", "add", "sub", "mul", "min", "max"] as const;
  describe.each(kinds)("scatter %s", (kind) => {
    // Products have derivatives where no element is multiplied twice.
    const example = (seed: number): ClosedJaxpr =>
      scatterProgram(kind, indexingOf(seed, kind === "mul"));

    it.each(seeds)("derivatives, example %i", async (seed) => {
      const random = randomSource(seed);
      const program = example(seed);
      const args = randomLike(program.jaxpr.invars, random);
      await checkDifferences(program, args, random);
      await checkAdjoint(program, args, 0, random);
      await checkAdjoint(program, args, 2, random);
      const pulled = vjpProgram(program, [true, false, true]).program;
      await checkAdjoint(
        pulled,
        [...args, ...randomLike(program.jaxpr.outvars, random)],
        3,
        random,
      );
    });

    it.each(seeds.slice(0, seeds.length / 2))("batches, example %i", async (seed) => {
      const random = randomSource(seed);
      const program = example(seed);
      const args = randomLike(program.jaxpr.invars, random);
      for (const dims of placements(args, seed)) await checkBatch(program, args, dims, random);
      const pulled = vjpProgram(program, [true, false, true]).program;
      const all = [...args, ...randomLike(program.jaxpr.outvars, random)];
      await checkBatch(
        pulled,
        all,
        all.map(({ shape }, index) => (seed + index) % (shape.length + 1)),
        random,
      );
    });
  });
});

/** Rows of a matrix [v, w] by indices [b, 1], or written into it. */
function rowPrograms(v: Dim, w: Dim, b: Dim): readonly (readonly [string, ClosedJaxpr])[] {
  const flags = { indices_are_sorted: false, unique_indices: false, mode: "fill" } as const;
  const gathered = build([f32([v, w]), i32([b, 1])], (o, inputs) => [
    o.gather(at(inputs, 0), at(inputs, 1), {
      dimension_numbers: {
        offset_dims: [1],
        collapsed_slice_dims: [0],
        start_index_map: [0],
        operand_batching_dims: [],
        start_indices_batching_dims: [],
      },
      slice_sizes: [1, w],
      fill_value: null,
      ...flags,
    }),
  ]);
  const written = (["replace", "add", "max"] as const).map((kind) => {
    const program = build([f32([v, w]), i32([b, 1]), f32([b, w])], (o, inputs) => [
      o.scatter(kind, at(inputs, 0), at(inputs, 1), at(inputs, 2), {
        dimension_numbers: {
          update_window_dims: [1],
          inserted_window_dims: [0],
          scatter_dims_to_operand_dims: [0],
          operand_batching_dims: [],
          scatter_indices_batching_dims: [],
        },
        update_jaxpr: null,
        ...flags,
      }),
    ]);
    return [`scatter ${kind}`, program] as const;
  });
  return [["gather", gathered], ...written];
}

describeOnBackend("cpu", () => {
  const scope = symbolicScope();
  const [v, w, b] = [parseDim("v", scope), parseDim("w", scope), parseDim("b", scope)];
  const fixed = rowPrograms(6, 3, 4);

  it.each(rowPrograms(v, w, b))("derivatives of %s of symbolic sizes", async (name, symbolic) => {
    const program = at(fixed.find(([other]) => other === name) ?? [], 1) as ClosedJaxpr;
    const random = randomSource(7);
    const active = program.jaxpr.invars.map(({ aval }) => aval.dtype === "float32");
    const pulled = [program, symbolic].map((each) => vjpProgram(each, active).program);
    const args = randomLike(at(pulled, 0).jaxpr.invars, random);
    const [expected, found] = await Promise.all(pulled.map((each) => evaluateNumbers(each, args)));
    found?.forEach((values, output) => {
      const wanted = at(expected ?? [], output);
      expectAgrees(`output ${output}`, values, wanted, "float32", { rtol: 1e-5, atol: 1e-5 });
    });
  });

  it.each(rowPrograms(6, 3, 4))("batches of symbolic size of %s", async (_name, program) => {
    const random = randomSource(8);
    const args = randomLike(program.jaxpr.invars, random);
    const size = parseDim("n", symbolicScope());
    for (const dims of placements(args, 0)) await checkBatch(program, args, dims, random, size);
  });

  it.each([
    ["all batched", [1, 0, 0]],
    ["one start", [null, null, 0]],
    ["the operand", [2, null, null]],
  ] as const)("batches of dynamic slices: %s", async (_name, dims) => {
    const random = randomSource(9);
    const slice = build([f32([5, 4]), i32([]), i32([])], (o, inputs) => [
      o.dynamicSlice(at(inputs, 0), inputs.slice(1), [2, 3]),
    ]);
    await checkBatch(slice, randomLike(slice.jaxpr.invars, random), dims, random);
    const update = build([f32([5, 4]), f32([2, 3]), i32([]), i32([])], (o, inputs) => [
      o.dynamicUpdateSlice(at(inputs, 0), at(inputs, 1), inputs.slice(2)),
    ]);
    const [ofOperand, ...ofStarts] = dims;
    const args = randomLike(update.jaxpr.invars, random);
    for (const ofUpdate of [null, 1]) {
      const all = [ofOperand, ofUpdate, ...ofStarts];
      await checkBatch(update, args, all, random);
    }
  });
});
