#!/usr/bin/env bash
# Prints the folder that holds, or would hold, the binaries of the sources as they stand: laws-check,
# laws-check-canary and laws-host. Its name is the key of the sources, so no stale binary is ever taken.
set -euo pipefail
cd "$(dirname "$0")/.."
key=$(cd sp1_worker && find Cargo.toml laws host -name target -prune -o -type f \
  \( -name '*.rs' -o -name Cargo.toml -o -name Cargo.lock.in \) -print0 2>/dev/null |
  LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum | cut -c1-12)
echo "$(scripts/rust-cache.sh)/bin/$key"
