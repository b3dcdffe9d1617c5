import jax
import jax.numpy as jnp
from flax import nnx
from flax.traverse_util import flatten_dict
from jax import export
from safetensors.flax import save_file


class Mlp(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(64, 32, rngs=rngs)
        self.out = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.hidden(x)))


model = Mlp(nnx.Rngs(0))
graphdef, state = nnx.split(model)
params = nnx.to_pure_dict(state)  # plain dicts of arrays


def predict(params, x):
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graphdef, state)(x)


x = jax.ShapeDtypeStruct(export.symbolic_shape("batch, 64"), jnp.float32)
exported = export.export(jax.jit(predict))(params, x)
open("model.jaxexport", "wb").write(exported.serialize())
save_file(flatten_dict(params, sep="/"), "params.safetensors")
