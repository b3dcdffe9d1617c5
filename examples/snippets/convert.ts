import { readFileSync } from "node:fs";
import { bindArgument, convert, importExported, openParameters, saveModel } from "jax2tfjs";

/** What `jax2tfjs convert ARTIFACT FOLDER --params FILE` does. */
export async function convertFile(artifact: string, params: string, folder: string): Promise<void> {
  const program = importExported(readFileSync(artifact));
  const file = await openParameters(params);
  try {
    const model = convert(program, {
      parameters: bindArgument(program, file),
      backends: ["wasm", "webgl"],
    });
    for (const warning of model.warnings) console.warn(warning);
    await saveModel(model, folder);
  } finally {
    file.close();
  }
}
