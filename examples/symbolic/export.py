import jax
import jax.numpy as jnp
from jax import export


def attend(query, keys, mask):  # f32[b, d], f32[b, t, d], bool[b, t] -> f32[b, t]
    scores = jnp.einsum("bd,btd->bt", query, keys) / jnp.sqrt(query.shape[1])
    return jax.nn.softmax(jnp.where(mask, scores, -jnp.inf))


specs = export.symbolic_args_specs(
    (jnp.ones((1, 8)), jnp.ones((1, 1, 8)), jnp.ones((1, 1), bool)),
    ("b, ...", "b, t, ...", "b, t"),
    constraints=("t <= 128",),
)
artifact = export.export(jax.jit(attend))(*specs).serialize()
open("attend.jaxexport", "wb").write(artifact)
