#!/usr/bin/env bash
# Builds the Rust parts of the sources as they stand: laws-check, laws-check-canary, laws-host, and once
# SP1's executor binary that laws-host runs. Done already: a second. Cold: a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
sp1=6.10.0
runner=sp1-core-executor-runner-binary
if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
  echo "make rust: needs cargo and rustc 1.91.1 or later (rustup) on the PATH" >&2
  exit 2
fi
scripts/rust-packages.sh host
scripts/rust-packages.sh guest || echo "Rust parts: the guest cannot be rebuilt here; the committed one is used" >&2
cache=$(scripts/rust-cache.sh)
bin=$(scripts/rust-bin.sh)
mkdir -p "$cache/bin"
exec 9>"$cache/build.lock"
flock 9
if [ -x "$bin/laws-host" ] && [ -x "$bin/laws-check" ] && [ -x "$bin/laws-check-canary" ]; then
  touch "$bin"
  echo "Rust parts: ready in $bin"
  exit 0
fi

part() { # part NAME COMMAND...: runs it and says how long it took
  local name=$1 start=$SECONDS
  shift
  "$@" || { echo "make rust: $name failed" >&2; exit 1; }
  echo "Rust parts: $name, $((SECONDS - start)) s"
}
install_runner() {
  RUSTFLAGS="-C target-cpu=native" CARGO_TARGET_DIR="$cache/target" CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo install "$runner" --version "=$sp1" --locked --root "$cache/runner" --quiet
}
build_laws() {
  (cd sp1_worker/laws && CARGO_TARGET_DIR="$cache/target-laws" cargo build --release --quiet --bin laws-check)
}
build_canary() {
  (cd sp1_worker/laws && CARGO_TARGET_DIR="$cache/target-laws" cargo build --release --quiet \
    --features canary --bin laws-check-canary)
}
build_host() {
  scripts/cargo-lock.sh show
  (cd sp1_worker/host && RUSTFLAGS="-C target-cpu=native" CARGO_TARGET_DIR="$cache/target" \
    SP1_CORE_RUNNER_OVERRIDE_BINARY="$cache/runner/bin/$runner" cargo build --release --locked --quiet)
}

part laws-check build_laws
part laws-check-canary build_canary
[ -x "$cache/runner/bin/$runner" ] || part "SP1's executor" install_runner
part laws-host build_host

if [ "$(scripts/rust-bin.sh)" != "$bin" ]; then
  echo "make rust: the sources changed during the build; once more" >&2
  exit 1
fi
new=$(mktemp -d "$cache/bin/new.XXXXXX")
cp "$cache"/target-laws/release/laws-check{,-canary} "$cache/target/release/laws-host" "$new"
ln "$cache/runner/bin/$runner" "$new/"
rm -rf "$bin"
mv "$new" "$bin"
chmod 755 "$bin"
# Binaries of older sources: the eight last used stay.
find "$cache/bin" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | tail -n +9 | cut -d' ' -f2- |
  xargs -r rm -rf
echo "Rust parts: ready in $bin"
