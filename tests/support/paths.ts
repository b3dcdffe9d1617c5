// Where things are in this repository; used by the other test helpers.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the repository's root folder. */
export const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Folder for things that can be made again (ignored by git). */
export const cacheRoot = join(repositoryRoot, ".cache");
