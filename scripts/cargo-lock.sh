#!/usr/bin/env bash
# The host's Cargo.lock without the registry's address, which is no business of the repository:
#   hide   writes Cargo.lock.in from Cargo.lock, with a placeholder for the address
#   show   writes Cargo.lock from Cargo.lock.in, byte for byte what cargo wrote
#   check  fails unless Cargo.lock is what show would write and Cargo.lock.in names no address
# The address is the one that cargo itself writes into the lock of an empty crate.
set -euo pipefail
cd "$(dirname "$0")/../sp1_worker/host"
placeholder=REGISTRY

address() {
  local folder
  folder=$(mktemp -d)
  mkdir "$folder/src"
  : >"$folder/src/lib.rs"
  printf '%s\n' '[package]' 'name = "x"' 'version = "0.0.0"' 'edition = "2021"' \
    '[dependencies]' 'cfg-if = "1"' '[workspace]' >"$folder/Cargo.toml"
  (
    cd "$folder"
    cargo generate-lockfile -q --offline 2>/dev/null || cargo generate-lockfile -q
  )
  sed -n 's/^source = "\(.*\)"$/\1/p' "$folder/Cargo.lock" | head -1
  rm -rf "$folder"
}

# The file only changes when its text does, so that cargo builds nothing anew.
replace() { if cmp -s "$1" "$2"; then rm "$1"; else mv "$1" "$2"; fi; }

hide() {
  sed "s|^source = \"$(address)\"\$|source = \"$placeholder\"|" Cargo.lock >Cargo.lock.in.new
  replace Cargo.lock.in.new Cargo.lock.in
  clean
}

show() {
  local found
  found=$(address)
  test -n "$found" || { echo "cargo-lock: cargo names no registry" >&2; exit 1; }
  sed "s|^source = \"$placeholder\"\$|source = \"$found\"|" Cargo.lock.in >Cargo.lock.new
  replace Cargo.lock.new Cargo.lock
}

clean() {
  if grep -n '://' Cargo.lock.in; then
    echo "cargo-lock: Cargo.lock.in names an address" >&2
    exit 1
  fi
}

check() {
  clean
  sed "s|^source = \"$placeholder\"\$|source = \"$(address)\"|" Cargo.lock.in | cmp - Cargo.lock
}

case "${1:-}" in
  hide | show | check) "$1" ;;
  *) echo "usage: cargo-lock.sh hide|show|check" >&2; exit 2 ;;
esac
