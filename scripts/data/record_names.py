"""Records the public names of JAX's modules, for the test that all of them are here or explained.

    python scripts/data/record_names.py tests/data/names.json
"""

import json
import sys
import warnings

import jax
import jax.lax.linalg
import jax.nn.initializers
import jax.tree
import jax.tree_util

warnings.simplefilter("ignore")

MODULES = {
    "lax": jax.lax,
    "lax.linalg": jax.lax.linalg,
    "nn": jax.nn,
    "nn.initializers": jax.nn.initializers,
    "random": jax.random,
    "tree": jax.tree,
    "tree_util": jax.tree_util,
}


def names(module):
    return [name for name in dir(module) if not name.startswith("_")]


def main(path):
    recorded = {"jax": jax.__version__, **{key: names(module) for key, module in MODULES.items()}}
    with open(path, "w") as file:
        json.dump(recorded, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
