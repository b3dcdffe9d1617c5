"""Exports the shape-polymorphic programs of the oracle, and its models with a symbolic batch, with
numbers in place of their dimension variables, for tests/runtime/specialise.test.ts.

Usage: python scripts/data/make_fixed_shapes.py > tests/data/fixed_shapes.json.gz
Needs jax and flax. The sizes are those of the second recorded run, for models a batch of 5.
"""

import base64
import gzip
import json
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracle"))
import jax
import shape_poly
from oracle_common import export_with_fallback

warnings.filterwarnings("ignore")


def exported(function, args):
  module, _ = export_with_fallback(function, args)
  return base64.b64encode(bytes(module.serialize())).decode()


def main():
  found = {}
  for case in shape_poly.CASES:
    if shape_poly.split_of("shape_poly:" + case.name) != "public":
      continue
    dims = case.runs[1]
    args = [
      jax.ShapeDtypeStruct(shape_poly.concrete(spec, dims), dtype)
      for spec, dtype, _ in map(shape_poly.spec_parts, case.specs)
    ]
    try:
      artifact = exported(jax.jit(lambda *a, f=case.fn: f(*a)), args)
    except Exception as error:
      print("left out", case.name, str(error)[:100], file=sys.stderr)
      continue
    found[case.name] = {"dims": dims, "artifact": artifact}
  text = json.dumps({"jax": jax.__version__, "programs": found}, indent=0)
  sys.stdout.buffer.write(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
  main()
