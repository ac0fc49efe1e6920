#!/usr/bin/env bash
# The guest's ELF. `build`: from two folders, byte-equal, into sp1_worker/elf with its hash, the compiler
# and the verifying key. `check`: the same two builds, compared with what is committed. Debian's compiler
# builds it, because it brings the source of its standard library: no other toolchain is to be had.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
  echo "usage: rust-elf.sh build | check | one OUT [FEATURE...]" >&2
  exit 2
}
[ $# -ge 1 ] || usage
scripts/rust-packages.sh guest
cache=$(scripts/rust-cache.sh)
elf=sp1_worker/elf
compiler=$(/usr/bin/rustc -V)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

guest() { # guest SOURCES TARGET OUT [CARGO OPTIONS]: builds the guest of a copy of sp1_worker
  local sources=$1 target=$2 out=$3
  shift 3
  (cd "$sources/guest" && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET PATH="/usr/bin:$PATH" \
    CARGO_HOME="$cache/cargo-home-guest" CARGO_TARGET_DIR="$target" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    /usr/bin/cargo build --quiet --offline --locked --profile guest \
    --config 'source.crates-io.replace-with="std-vendor"' \
    --config "source.std-vendor.directory=\"$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/vendor\"" "$@")
  cp "$target/riscv64im-unknown-none-elf/guest/laws-guest" "$out"
}
twice() { # the guest of this checkout, and of a copy of it elsewhere
  guest sp1_worker "$cache/target-guest" "$scratch/here.elf"
  mkdir -p "$scratch/another/folder"
  cp -r sp1_worker/Cargo.toml sp1_worker/Cargo.lock sp1_worker/guest sp1_worker/laws "$scratch/another/folder"
  guest "$scratch/another/folder" "$scratch/target" "$scratch/there.elf"
  cmp "$scratch/here.elf" "$scratch/there.elf" || { echo "guest: two builds of the same sources differ" >&2; exit 1; }
  echo "guest: two builds in two folders are byte-equal, $(sha256sum <"$scratch/here.elf" | cut -c1-64)"
}

case $1 in
  build)
    twice
    mkdir -p "$elf"
    cp "$scratch/here.elf" "$elf/laws-guest.elf"
    chmod 644 "$elf/laws-guest.elf"
    (cd "$elf" && sha256sum laws-guest.elf >laws-guest.elf.sha256)
    echo "$compiler" >"$elf/rustc.txt"
    host=${CONVEXFX_RUST_BIN:-$(scripts/rust-bin.sh)}/laws-host
    if [ -x "$host" ]; then
      "$host" --elf "$elf/laws-guest.elf" vkey --write "$elf"
    else
      rm -f "$elf"/vkey.bin "$elf"/vkey.txt
      echo "guest: no verifying key, laws-host is not built: make rust, then make elf" >&2
      exit 1
    fi
    ;;
  check)
    twice
    if [ "$compiler" != "$(cat "$elf/rustc.txt")" ]; then
      echo "guest: not comparable with the committed one: built by $(cat "$elf/rustc.txt"), here is $compiler"
    elif cmp "$scratch/here.elf" "$elf/laws-guest.elf"; then
      echo "guest: equal to the committed one"
    else
      echo "guest: the committed ELF is not that of the sources: make elf" >&2
      exit 1
    fi
    ;;
  one)
    [ $# -ge 2 ] || usage
    out=$(realpath "$2")
    shift 2
    guest sp1_worker "$cache/target-guest" "$out" ${1:+--features "$*"}
    ;;
  *) usage ;;
esac
