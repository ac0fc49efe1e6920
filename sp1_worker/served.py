"""A prover that stays up for as long as a check needs it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.adapters.rust_parts import RustParts

READY_S_MAX, END_S_MAX = 120.0, 30.0


@contextmanager
def serving(parts: RustParts, socket: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A prover that stays up, ended by its id."""
    command = [parts.laws_host, "--elf", parts.elf, "serve", "--cold", "--socket", socket]
    process = subprocess.Popen([*map(str, command)], stdout=sys.stderr)
    try:
        deadline = time.monotonic() + READY_S_MAX
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("laws-host serve did not come up")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(END_S_MAX)
