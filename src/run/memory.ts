/**
 * Tensors that free themselves: a result that the program forgets is disposed of when JavaScript's
 * collector finds it, unless its owner (or a `tf.tidy`) did so before. Used for every tensor that
 * traced functions and converted functions return.
 */
import { engine, type Tensor } from "@tensorflow/tfjs-core";

/** What disposing of a tensor needs when the tensor itself is gone. */
interface Remains {
  readonly data: Pick<Tensor, "dataId" | "dtype" | "shape" | "size">;
  disposed: boolean;
}

const registry = new FinalizationRegistry<Remains>((remains) => {
  if (remains.disposed) return;
  remains.disposed = true;
  // tfjs counts references by dataId; it reads no more of a tensor than these fields.
  engine().disposeTensor(remains.data as Tensor);
});

/**
 * Watches a tensor. The field in which tfjs notes that a tensor was disposed of is put where it
 * outlives the tensor, so that nothing is freed twice.
 */
export function releaseWhenForgotten<T extends Tensor>(tensor: T): T {
  const { dataId, dtype, shape, size } = tensor;
  const remains: Remains = { data: { dataId, dtype, shape, size }, disposed: tensor.isDisposed };
  Object.defineProperty(tensor, "isDisposedInternal", {
    configurable: true,
    get: () => remains.disposed,
    set: (disposed: boolean) => {
      remains.disposed = disposed;
    },
  });
  registry.register(tensor, remains);
  return tensor;
}
