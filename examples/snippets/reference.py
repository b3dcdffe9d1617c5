# Run after train.py: saves inputs and JAX's results for `jax2tfjs verify`.
import numpy as np

test = np.load("test.npz")
images, logits = test["images"], test["logits"]
np.savez("ref.npz", in_0=images, out_0=logits)
