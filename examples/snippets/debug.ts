import { readFileSync } from "node:fs";
import {
  bindArgument,
  importExported,
  loadEager,
  openParameters,
  printEquation,
  printSource,
  readNpz,
  useBackend,
} from "jax2tfjs";

/** The equation whose result is largest, with the line of the JAX program that it comes from. */
export async function largestValue(folder: string): Promise<string> {
  await useBackend("cpu");
  const program = importExported(readFileSync(`${folder}/model.jaxexport`));
  const file = await openParameters(`${folder}/params.safetensors`);
  let largest = { value: 0, where: "" };
  const runner = await loadEager(program, {
    backend: "cpu",
    parameters: bindArgument(program, file),
    onEquation: async ({ equation, outputs }) => {
      for (const tensor of outputs.flatMap((output) => output.tensors)) {
        const value = Math.max(...(await tensor.data()).map(Math.abs));
        const where = `${printEquation(equation)} from ${printSource(equation.source)}`;
        if (value > largest.value) largest = { value, where };
      }
    },
  });
  const arrays = readNpz(readFileSync(`${folder}/good.npz`));
  await runner.run([...arrays.values()]);
  runner.dispose();
  file.close();
  return `${largest.value.toFixed(2)}: ${largest.where}`;
}
