/**
 * Sharding annotations and communication between devices. Programs are imported for one device,
 * where these operations pass their operands on.
 */
import { fromNumbers } from "../../ir/hostArray.js";
import { invalidModule } from "./attributes.js";
import { blockOf } from "./regions.js";
import type { OperationImporter, OperationTable } from "./operationTable.js";
import { importIdentity } from "./shapes.js";
import { constantValue, token } from "./values.js";

/** The number of the only device. */
const importDeviceIndex: OperationImporter = () => {
  const { bytes } = fromNumbers("uint32", [], [0]);
  return [constantValue("uint32", [], bytes, true)];
};

/** A program for one shard, which on one device is the whole. */
const importManualComputation: OperationImporter = (block, op) => {
  const body = blockOf(op.regions[0]);
  if (body.arguments.length !== op.operands.length) {
    throw invalidModule(`${op.name} does not pass its operands on`);
  }
  for (const [index, argument] of body.arguments.entries()) {
    block.define(argument, block.value(block.operand(op, index)));
  }
  return block.run(body).map((value) => block.value(value));
};

const importToken: OperationImporter = () => [token];

export const deviceOperations: OperationTable = {
  "sdy.sharding_constraint": importIdentity,
  "sdy.propagation_barrier": importIdentity,
  "sdy.reshard": importIdentity,
  "sdy.sharding_group": () => [],
  "sdy.manual_computation": importManualComputation,
  "stablehlo.all_gather": importIdentity,
  "stablehlo.all_reduce": importIdentity,
  "stablehlo.all_to_all": importIdentity,
  "stablehlo.collective_broadcast": importIdentity,
  "stablehlo.collective_permute": importIdentity,
  "stablehlo.cross-replica-sum": importIdentity,
  "stablehlo.reduce_scatter": importIdentity,
  "stablehlo.partition_id": importDeviceIndex,
  "stablehlo.replica_id": importDeviceIndex,
  "stablehlo.after_all": importToken,
  "stablehlo.create_token": importToken,
};
