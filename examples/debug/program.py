"""A program with a mistake: it makes NaN for some inputs. `python program.py` writes the files beside it."""
import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from safetensors.flax import save_file

# Source lines in the artifact name files without their folders.
jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*/")


def standardize(x):
    centered = x - x.mean(axis=-1, keepdims=True)
    deviation = jnp.sqrt((centered**2).mean(axis=-1, keepdims=True))
    return centered / deviation  # 0 / 0 for a row of equal numbers


def classify(params, x):
    hidden = jnp.tanh(standardize(x) @ params["kernel"] + params["bias"])
    return jax.nn.softmax(hidden)


kernel = jax.random.normal(jax.random.key(0), (4, 3))
params = {"kernel": kernel, "bias": jnp.zeros(3)}
batch = jax.ShapeDtypeStruct(export.symbolic_shape("b, 4"), jnp.float32)
open("model.jaxexport", "wb").write(export.export(jax.jit(classify))(params, batch).serialize())
save_file(params, "params.safetensors")
np.savez("good.npz", x=np.float32([[1, 2, 3, 4], [0, 1, 0, 1]]))
np.savez("bad.npz", x=np.float32([[1, 2, 3, 4], [2, 2, 2, 2]]))
