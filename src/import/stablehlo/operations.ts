/**
 * All operations that the importer knows, by name: the tables of the families joined.
 */
import { callOperations } from "./calls.js";
import { contractionOperations } from "./contractions.js";
import { controlOperations } from "./control.js";
import { customCallOperations } from "./customCalls.js";
import { deviceOperations } from "./devices.js";
import { elementwiseOperations } from "./elementwise.js";
import { indexingOperations } from "./indexing.js";
import { linalgOperations } from "./linalg.js";
import type { OperationImporter } from "./operationTable.js";
import { reductionOperations } from "./reductions.js";
import { shapeOperations } from "./shapes.js";
import { sortingOperations } from "./sorting.js";
import { windowOperations } from "./windows.js";

export const operations: ReadonlyMap<string, OperationImporter> = new Map(
  Object.entries({
    ...elementwiseOperations,
    ...shapeOperations,
    ...contractionOperations,
    ...indexingOperations,
    ...reductionOperations,
    ...windowOperations,
    ...sortingOperations,
    ...controlOperations,
    ...callOperations,
    ...customCallOperations,
    ...linalgOperations,
    ...deviceOperations,
  }),
);
