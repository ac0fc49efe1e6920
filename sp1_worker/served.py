"""Keeps one ``laws-host serve`` process up for as long as a check needs it.

The proofs of ``make prove`` and ``make prove-all`` go through one served process, as in a running
exchange, where the second proof starts faster because the prover keeps its keys.
"""

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
    """Start a prover at ``socket``, yield its process, and end it afterwards.

    ``--cold`` leaves the making of the prover to the first proof, so that its time can be seen.
    """
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
