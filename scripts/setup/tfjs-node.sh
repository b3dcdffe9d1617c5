#!/usr/bin/env bash
# Installs @tensorflow/tfjs-node, the optional `tensorflow` backend, into this repository.
#
#   npm run setup:tfjs-node               does nothing when it is installed and works
#   npm run setup:tfjs-node -- --prebuilt  lets the package download its own binaries
#
# The package's installer downloads libtensorflow from a file server. Where only package registries
# can be reached (the usual case in CI) the same C library is taken out of the tensorflow-cpu wheel
# and the package's N-API addon is compiled against it. That needs linux x86_64, g++ and python3
# with pip. Other platforms use the package's installer.
#
# The library (560 MB) and the addon are kept in $JAX2TFJS_CACHE, by default
# ${XDG_CACHE_HOME:-~/.cache}/jax2tfjs, so that only the first run takes a minute: `npm ci` removes
# node_modules, and the next run links them back.
set -euo pipefail

tfjs_version=4.22.0
# The smallest wheel of those with libtensorflow_cc.so.2 that this tfjs-node runs on.
tensorflow_version=2.13.1
tensorflow_sha256=87be6e61314b2c0fa062f71e26e41d6a17e162ffe4da72c820fe8f1fc94d97fe
node_api_headers_version=1.5.0 # only where node's own headers are not installed
napi_version=8                 # the highest of the package's binary.napi_versions

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${JAX2TFJS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jax2tfjs}
package=$repository/node_modules/@tensorflow/tfjs-node
addon=$cache/tfjs_binding-$tfjs_version-tensorflow$tensorflow_version-napi$napi_version.node
library=$cache/tensorflow-$tensorflow_version
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'tfjs-node: %s (%ds)\n' "$*" "$SECONDS"; }
fail() {
  printf 'tfjs-node: %s\n' "$*" >&2
  exit 1
}

verify() { (cd "$repository" && node "$here/verify_tfjs_node.mjs" "$@"); }

installed_version() {
  node -p 'JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).version' \
    "$package/package.json" 2>/dev/null || true
}

# The npm package and what it depends on, without running its download script.
# (As an optional peer alone npm would leave it out; --no-save keeps package.json as it is.)
install_package() {
  [ "$(installed_version)" != "$tfjs_version" ] || return 0
  say "installing the npm package"
  (cd "$repository" && npm install --no-save --save-dev --ignore-scripts --no-audit \
    --no-fund --loglevel=error "@tensorflow/tfjs-node@$tfjs_version")
}

# $library/tensorflow: libtensorflow_cc, libtensorflow_framework and the C headers.
unpack_library() {
  [ ! -d "$library" ] || return 0
  local work
  work=$(mktemp -d "$cache/unpack.XXXXXX")
  say "fetching tensorflow-cpu $tensorflow_version"
  printf 'tensorflow-cpu==%s --hash=sha256:%s\n' "$tensorflow_version" "$tensorflow_sha256" \
    >"$work/requirements.txt"
  python3 -m pip download -q --no-cache-dir --no-deps --only-binary=:all: --require-hashes \
    --python-version 3.11 --implementation cp --abi cp311 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    -d "$work" -r "$work/requirements.txt"
  say "unpacking"
  # tsl/ holds what c_api.h includes since TensorFlow 2.13.
  python3 - "$work" <<'PYTHON'
import glob, sys, zipfile
work = sys.argv[1]
wanted = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2",
          "tensorflow/include/tensorflow/c/", "tensorflow/include/tensorflow/tsl/c/",
          "tensorflow/include/tensorflow/core/platform/ctstring",
          "tensorflow/include/tensorflow/tsl/platform/ctstring")
with zipfile.ZipFile(glob.glob(work + "/tensorflow_cpu-*.whl")[0]) as wheel:
    wheel.extractall(work + "/library", [n for n in wheel.namelist() if n.startswith(wanted)])
PYTHON
  mv -T "$work/library" "$library" 2>/dev/null || [ -d "$library" ] || fail "cannot write $library"
  rm -rf "$work"
}

# Folder with node_api.h: node's own headers, or the npm package that holds them.
node_headers() {
  local folder
  for folder in "$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")/include/node" \
    /usr/include/node /usr/include/nodejs/src; do
    if [ -f "$folder/node_api.h" ]; then
      printf '%s\n' "$folder"
      return 0
    fi
  done
  (cd "$1" && tar xzf "$(npm pack --silent "node-api-headers@$node_api_headers_version")")
  printf '%s\n' "$1/package/include"
}

# Compiles as the package's binding.gyp does, but linked to the wheel's libraries by file name.
compile_addon() {
  [ ! -f "$addon" ] || return 0
  command -v g++ >/dev/null || fail "g++ is needed to compile the addon"
  say "compiling the addon"
  local work headers source
  work=$(mktemp -d "$cache/compile.XXXXXX")
  headers=$(node_headers "$work")
  for source in tfjs_backend tfjs_binding; do
    g++ -std=c++17 -O2 -fPIC -pthread -w -DNAPI_VERSION=$napi_version -I"$headers" \
      -I"$library/tensorflow/include" -c "$package/binding/$source.cc" -o "$work/$source.o"
  done
  # shellcheck disable=SC2016 # $ORIGIN is for the dynamic linker
  g++ -shared -pthread "$work/tfjs_backend.o" "$work/tfjs_binding.o" -L"$library/tensorflow" \
    -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 \
    -Wl,-rpath,'$ORIGIN/../../deps/lib' -o "$work/addon.node"
  mv "$work/addon.node" "$addon"
  rm -rf "$work"
}

# Puts the addon and links to the libraries where the package looks for them.
place() {
  local name
  mkdir -p "$package/deps/lib" "$package/lib/napi-v$napi_version"
  for name in libtensorflow_cc.so.2 libtensorflow_framework.so.2; do
    ln -sf "$library/tensorflow/$name" "$package/deps/lib/$name"
  done
  cp -f "$addon" "$package/lib/napi-v$napi_version/tfjs_binding.node"
}

if [ "$(installed_version)" = "$tfjs_version" ] && verify --quiet 2>/dev/null; then
  verify
  exit 0
fi

install_package
if [ "${1:-}" = --prebuilt ] || [ "$(uname -sm)" != "Linux x86_64" ]; then
  say "running the package's installer"
  (cd "$package" && node scripts/install.js)
else
  mkdir -p "$cache"
  unpack_library
  compile_addon
  place
fi
verify
say "ready"
