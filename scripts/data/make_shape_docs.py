"""Records what JAX does in the situations of its documentation of shape polymorphism, for
tests/runtime/shapeDocs.test.ts: programs with results and refused calls, and messages of failures.

Usage: python scripts/data/make_shape_docs.py > tests/data/shape_docs.json.gz
Needs jax. The situations are those of https://docs.jax.dev/en/latest/export/shape_poly.html.
"""

import base64
import gzip
import json
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

programs, messages = [], {}


def program(name, function, *shapes, calls, constraints=(), refused=()):
  """Shapes are of int32 arguments; a call lists concrete ones."""
  scope = export.SymbolicScope(constraints)
  args = [jax.ShapeDtypeStruct(export.symbolic_shape(s, scope=scope), np.int32) for s in shapes]
  module = export.export(jax.jit(function))(*args)
  again = export.deserialize(bytearray(module.serialize()))

  def arrays(call):
    return [np.arange(np.prod(shape, dtype=int), dtype=np.int32).reshape(shape) for shape in call]

  recorded = []
  for call in calls:
    leaves = jax.tree_util.tree_leaves(again.call(*arrays(call)))
    recorded.append({"shapes": call, "results": [
      {"dtype": str(r.dtype), "shape": r.shape, "values": np.asarray(r).ravel().tolist()}
      for r in leaves
    ]})
  errors = []
  for call in refused:
    try:
      again.call(*arrays(call))
      raise AssertionError(name)
    except ValueError as error:
      cause = re.search(r"error: (Input shapes do not match.*? for more details\.)", str(error.__cause__), re.S)
      errors.append({"shapes": call, "message": cause.group(1) if cause else str(error)})
  programs.append({
    "name": name,
    "artifact": base64.b64encode(bytes(module.serialize())).decode(),
    "in": [str(a) for a in module.in_avals],
    "out": [str(a) for a in module.out_avals],
    "calls": recorded,
    "refused": errors,
  })


def message(name, action):
  try:
    action()
  except Exception as error:
    messages[name] = re.sub(r" scope \d+ created at [^\n]*?\(\S+\)", " scope", str(error))
  else:
    raise AssertionError(name)


def exported(function, *shapes, **options):
  args = [jax.ShapeDtypeStruct(export.symbolic_shape(s, **options), np.int32) for s in shapes]
  return export.export(jax.jit(function))(*args)


program("concatenation", lambda x: jnp.concatenate([x, x], axis=1), "a, b", calls=[[[3, 4]]])
program("a specification with a placeholder", lambda x, y: x + y, "a, 1", "a, 4", calls=[[[3, 1], [3, 4]]])
program("flattening", lambda x: jnp.reshape(x, (x.shape[0] * x.shape[1],)), "b, 4", calls=[[[3, 4]]])
program("a size as an array", lambda x: jnp.array(x.shape[0]) + x, "b", calls=[[[3]]])
program(
  "sizes among numbers",
  lambda x: (5.0 + x.shape[0], x.shape[0] - np.arange(5, dtype=np.int32), x + x.shape[0] + jnp.sin(x.shape[0])),
  "b", calls=[[[3]]],
)
program("an average", lambda x: jnp.sum(x, axis=0) / x.shape[0], "b, c", calls=[[[3, 4]]])
program("a size of at least 16", lambda x: x[0:16], "b + 15", calls=[[[16]], [[20]]], refused=[[[15]]])
program(
  "explicit constraints", lambda x: x[: x.shape[1], :16], "a, b",
  constraints=("a >= b", "b >= 16"), calls=[[[20, 17]]], refused=[[[16, 17]], [[20, 15]]],
)
program(
  "the constraint that is to be proved", lambda x: lax.slice_in_dim(x, 0, x.shape[0] % 3), "b",
  constraints=("b >= mod(b, 3)",), calls=[[[5]], [[6]]],
)
program("a multiple instead", lambda x: lax.slice_in_dim(x, 0, x.shape[0] % 3 + 1), "3*b", calls=[[[6]]], refused=[[[7]]])
program(
  "a size passed by an empty array", lambda d, x: lax.top_k(x, d.shape[1])[0], "0, k", "4, 10",
  constraints=("k <= 10",), calls=[[[0, 3], [4, 10]]], refused=[[[0, 11], [4, 10]]],
)
program("assertions", lambda x: x, "b, b, 2*d", calls=[[[3, 3, 6]]], refused=[[[3, 3, 5]], [[3, 4, 6]], [[0, 0, 6]]])
program("an even reshape", lambda x: x.reshape((2, -1)), "4*b", calls=[[[8]]])
program("a reshape by another even size", lambda x: x.reshape((2, -1)), "b, 5, 6", calls=[[[3, 5, 6]]])

message("add", lambda: exported(lambda x, y: x + y, "v", "4"))
message("matmul", lambda: exported(lambda x: jnp.matmul(x, x), "v, 4"))
message("comparison", lambda: exported(lambda x: 0 if x.shape[0] + 1 >= x.shape[1] else 1, "a, b"))
message("slice", lambda: exported(lambda x: lax.slice_in_dim(x, 0, x.shape[0] % 3), "b"))
message("scopes", lambda: export.symbolic_shape("a,")[0] + export.symbolic_shape("a,", constraints=("a >= 8",))[0])
message("not linear", lambda: exported(lambda x: x.shape[0], "a*a"))
message("reshape", lambda: exported(lambda x: x.reshape((2, -1)), "b"))


def unknown_variable():
  (k,) = export.symbolic_shape("k", constraints=["k <= 10"])
  x = np.arange(40, dtype=np.int32).reshape((4, 10))
  export.export(jax.jit(lambda k, x: lax.top_k(x, k)[0], static_argnums=0))(k, x)


message("a variable of no argument", unknown_variable)

(a,) = export.symbolic_shape("a,", constraints=("a >= 8",))
(b,) = export.symbolic_shape("b,", scope=a.scope)
text = json.dumps({"jax": jax.__version__, "programs": programs, "messages": messages, "sum": str(a + b)}, indent=0)
sys.stdout.buffer.write(gzip.compress(text.encode(), mtime=0))
