// The parameters of every recorded model bind to its program: by the paths that JAX printed, and by
// the pytree that the artifact holds, where custom nodes have no names.
import { describe, expect, it } from "vitest";
import { readExported } from "../../src/import/exported.js";
import { bindParameters } from "../../src/import/params/bind.js";
import { type ExpectedLeaf, leafPaths } from "../../src/import/params/expected.js";
import { parseKeyPath } from "../../src/import/params/keyPath.js";
import { readParameters } from "../../src/import/params/readParameters.js";
import type { DType } from "../../src/ir/dtypes.js";
import { listOracle, readOracle, readOracleText } from "../support/oracle.js";

interface Argument {
  readonly kind: "param" | "input";
  readonly key?: string;
  readonly path?: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
}

const folders = [
  ...["wild", "public/models"].flatMap((group) =>
    listOracle(group).map((name) => `${group}/${name}`),
  ),
  ...listOracle("versions").flatMap((version) =>
    listOracle(`versions/${version}`).map((name) => `versions/${version}/${name}`),
  ),
].filter((folder) => listOracle(folder).includes("params.safetensors"));

describe("parameters of recorded models", () => {
  it.each(folders)("%s", (folder) => {
    const meta = JSON.parse(readOracleText(`${folder}/meta.json`)) as { args: readonly Argument[] };
    const parameters = meta.args.filter(({ kind }) => kind === "param");
    const file = readParameters(readOracle(`${folder}/params.safetensors`));
    const expected = parameters.map(({ path, key = "", dtype, shape }, position): ExpectedLeaf => ({
      path: path === undefined ? key.split("/") : (parseKeyPath(path)?.entries ?? []),
      dtype,
      shape,
      position,
    }));
    const names = parameters.map(({ key }) => key);
    const bound = bindParameters(expected, file);
    expect(bound.map(({ fileName }) => fileName)).toEqual(names);
    expect(bound.map(({ name }) => name)).toEqual(names);

    const program = readExported(readOracle(`${folder}/model.jaxexport`));
    const fromTree = leafPaths(program.inTree)
      .slice(0, parameters.length)
      .map((path, position): ExpectedLeaf => {
        const { dtype = "float32", shape = [] } = parameters[position] ?? {};
        // Positional arguments, then the one that holds the parameters.
        return { path: path.slice(2), dtype, shape, position };
      });
    expect(bindParameters(fromTree, file).map(({ fileName }) => fileName)).toEqual(names);
  });
});
