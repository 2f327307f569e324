#!/bin/sh
# Installs one executable of a release after checking its SHA-256 sum.
#
#   install.sh --from DIR|URL [--to DIR] [--target NAME] [--sum HEX]
#
# --from    a directory, or a file:// or https:// address, that holds SHA256SUMS and the executables
# --to      where `lightflow` is put; /usr/local/bin for root, ~/.local/bin for others
# --target  linux-x64, linux-x64-baseline, linux-arm64, linux-x64-musl or linux-arm64-musl; this machine's unless said
# --sum     the sum that the executable must have, when you know it from elsewhere: SHA256SUMS of the same place proves
#           that nothing was damaged on the way, not who made it
set -eu

fail() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}

from='' to='' target='' sum=''
while [ $# -gt 0 ]; do
  case "$1" in -h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  esac
  [ $# -ge 2 ] || fail "$1 needs a value"
  case "$1" in
    --from) from=$2 ;;
    --to) to=$2 ;;
    --target) target=$2 ;;
    --sum) sum=$2 ;;
    *) fail "unknown argument $1" ;;
  esac
  shift 2
done
[ -n "$from" ] || fail "missing --from DIR|URL"
if [ -z "$to" ]; then
  if [ "$(id -u)" = 0 ]; then to=/usr/local/bin; else to=$HOME/.local/bin; fi
fi

if [ -z "$target" ]; then
  [ "$(uname -s)" = Linux ] || fail "there are executables for Linux alone"
  musl=''
  for loader in /lib/ld-musl-*; do
    # Debian's musl package brings the loader too; on a musl system there is no other.
    if [ -e "$loader" ] && [ ! -e /lib64/ld-linux-x86-64.so.2 ] && [ ! -e /lib/ld-linux-aarch64.so.1 ]; then musl=-musl; fi
  done
  case "$(uname -m)" in
    x86_64)
      target=linux-x64$musl
      if [ -z "$musl" ] && ! grep -qw avx2 /proc/cpuinfo; then target=linux-x64-baseline; fi
      ;;
    aarch64) target=linux-arm64$musl ;;
    *) fail "there is no executable for $(uname -m)" ;;
  esac
fi
name=lightflow-$target

mkdir -p "$to"
# In the same directory, so that the last step is a rename: an executable that is in use is replaced whole, or not at all.
work=$(mktemp -d "$to/.lightflow-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fetch() {
  case "$from" in
    file://*) cp "${from#file://}/$1" "$work/$1" ;;
    https://* | http://127.0.0.1:* | http://localhost:*)
      if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --proto '=https,http' --output "$work/$1" "$from/$1"
      elif command -v wget >/dev/null; then
        wget -q -O "$work/$1" "$from/$1"
      else
        fail "neither curl nor wget is installed"
      fi
      ;;
    *://*) fail "$from: https:// or file:// alone" ;;
    *) cp "$from/$1" "$work/$1" ;;
  esac || fail "cannot fetch $1 from $from"
}

fetch SHA256SUMS
wanted=$(awk -v name="$name" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
case "$wanted" in
  '') fail "$from has no $name" ;;
  *[!0-9a-f]*) fail "SHA256SUMS is damaged" ;;
esac
[ "${#wanted}" = 64 ] || fail "SHA256SUMS is damaged"
[ -z "$sum" ] || [ "$sum" = "$wanted" ] || fail "$name has the sum $wanted there, not $sum; nothing was installed"
fetch "$name"
found=$(sha256sum "$work/$name" | cut -d' ' -f1)
[ "$found" = "$wanted" ] || fail "$name has the sum $found, not $wanted; nothing was installed"

chmod 755 "$work/$name"
sync "$work/$name" 2>/dev/null || true
mv -f "$work/$name" "$to/lightflow"
printf 'installed %s as %s/lightflow\n' "$name" "$to"
