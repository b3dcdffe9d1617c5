import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jax import export
from safetensors.flax import save_file


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Dense(32)(x)))


model = Mlp()
variables = model.init(jax.random.key(0), jnp.zeros((1, 64)))

x = jax.ShapeDtypeStruct(export.symbolic_shape("batch, 64"), jnp.float32)
exported = export.export(jax.jit(model.apply))(variables, x)
open("model.jaxexport", "wb").write(exported.serialize())
save_file(flatten_dict(variables, sep="/"), "params.safetensors")
