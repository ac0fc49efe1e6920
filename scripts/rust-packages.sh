#!/usr/bin/env bash
# Debian packages that the Rust parts need: `host` (protobuf) and `guest` (compiler with the standard
# library's source, and linker, for the RISC-V guest). Installs what is missing where apt can be used.
set -euo pipefail
missing=()
for group in "$@"; do
  case $group in
    host)
      command -v protoc >/dev/null || missing+=(protobuf-compiler)
      [ -f /usr/include/google/protobuf/empty.proto ] || missing+=(libprotobuf-dev)
      command -v cc >/dev/null || missing+=(gcc libc6-dev)
      ;;
    guest)
      [ -x /usr/bin/rustc ] || missing+=(rustc-web)
      [ -x /usr/bin/cargo ] || missing+=(cargo-web)
      compgen -G '/usr/src/rustc-*/library/core' >/dev/null || missing+=(rust-web-src)
      command -v ld.lld >/dev/null || missing+=(lld)
      ;;
    *)
      echo "usage: rust-packages.sh [host] [guest]" >&2
      exit 2
      ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Debian packages: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >/dev/null || {
    echo "Debian packages: apt-get could not install ${missing[*]}" >&2
    exit 2
  }
else
  echo "Debian packages missing: as root, apt-get install ${missing[*]}" >&2
  exit 2
fi
