#!/usr/bin/env bash
# Everything that building, the demo and the tests need: npm packages from the lock file (Bun among them) and a few
# Debian packages. Fast when there is nothing to do, asks nothing, changes nothing that git tracks.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

for tool in git node npm; do
  command -v "$tool" >/dev/null || {
    say "$tool is missing; install git, Node.js 20 or later and npm first"
    exit 1
  }
done
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || {
  say "Node.js $(node --version) is too old; install version 20 or later"
  exit 1
}

# Two scripts started at once take turns.
mkdir -p dist
if command -v flock >/dev/null; then
  exec 9>dist/.setup.lock
  flock 9
fi

# The stamp holds what node_modules was made from. A tree that npm made by hand from the same lock is taken as it is.
stamp=node_modules/.lightflow-setup
want="$(cat package-lock.json package.json | sha256sum | cut -d' ' -f1) $(uname -m)"
bun_runs() { [ "$(env -u BUN_OPTIONS -u BUN_BE_BUN node_modules/.bin/bun --version 2>/dev/null)" = "$(node -p 'require("./package.json").devDependencies.bun')" ]; }
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || ! bun_runs; then
  if ! node scripts/installed.mjs; then
    say "npm ci"
    npm ci --no-audit --no-fund >&2
  fi
  # npm leaves a stub in place of Bun where install scripts are switched off.
  bun_runs || node node_modules/bun/install.js >&2 || true
  bun_runs || {
    say "Bun does not start after npm ci; run: npm ci --ignore-scripts=false"
    exit 1
  }
  printf '%s\n' "$want" >"$stamp"
fi

# bwrap and runc are the runner's sandboxes, fusermount3 mounts without root, openssl makes the certificates of the tests,
# flatc decodes the frames of the streams, and one test is a client in Python. Tasks with a browser run Chromium.
missing=()
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v runc >/dev/null || command -v crun >/dev/null || missing+=(runc)
command -v fusermount3 >/dev/null || missing+=(fuse3)
command -v flatc >/dev/null || missing+=(flatbuffers-compiler)
command -v openssl >/dev/null || missing+=(openssl)
command -v python3 >/dev/null || missing+=(python3-minimal)
# A browser is large, and not in every distribution by this name: apart, so that the others come in without it.
large=()
command -v chromium-headless-shell >/dev/null || large+=(chromium-headless-shell)
as_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
apt_install() {
  say "apt-get install $*"
  timeout 300 apt-get install -y -qq --no-install-recommends "$@" >&2 || say "could not install $*; going on without"
}
if [ "${#missing[@]}" -gt 0 ] || [ "${#large[@]}" -gt 0 ]; then
  if as_root; then
    export DEBIAN_FRONTEND=noninteractive
    timeout 120 apt-get update -qq >&2 || say "apt-get update failed; trying with what is known"
    [ "${#missing[@]}" = 0 ] || apt_install "${missing[@]}"
    [ "${#large[@]}" = 0 ] || apt_install "${large[@]}"
  else
    all="${missing[*]} ${large[*]}"
    say "going on without $all; to have them run: sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $all'"
  fi
fi
