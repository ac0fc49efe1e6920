#!/usr/bin/env bash
# Prints the folder of the Rust builds: outside the checkout, so that it survives clean clones, and one
# for each compiler and processor, since the prover is compiled for the processor that it runs on.
set -euo pipefail
PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
key=$( (rustc -V; grep -m1 '^model name' /proc/cpuinfo; grep -m1 '^flags' /proc/cpuinfo) 2>/dev/null | sha256sum | cut -c1-12)
echo "${CONVEXFX_CACHE:-$HOME/.cache/convexfx}/rust-$key"
