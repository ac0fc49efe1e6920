#!/usr/bin/env bash
# The Rust laws by themselves: format, clippy, unit tests, golden vectors.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
CARGO_TARGET_DIR="$(scripts/rust-cache.sh)/target-laws"
export CARGO_TARGET_DIR
cd sp1_worker/laws
for tool in fmt clippy; do
  cargo "$tool" --version >/dev/null 2>&1 || { echo "make laws: cargo $tool is missing (rustup component)" >&2; exit 2; }
done
cargo fmt --check
(cd ../guest && rustfmt --check --edition 2021 src/main.rs)
(cd ../host && cargo fmt --check)
cargo clippy --quiet --all-targets -- -D warnings
cargo clippy --quiet --all-targets --features canary -- -D warnings
cargo test --release --quiet
cd "$root"
# Golden vectors as the built binary judges them: each file's verdict, index and public values.
.venv/bin/python -m pytest -q tests/unit/sp1_worker/test_law_vectors.py
