"""Runs an epoch of the local exchange with a real core proof, and kills the prover on the way.

Part of ``make prove-all``. A prover may die, of missing memory for example, and that must cost time
but no money. So the flow has to ask again, the supervisor has to start the prover again, and the
epoch has to settle once; ``convexfx up`` ends with 0 only when orders, receipts and vaults add up.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from convexfx.local.ports import free_ports
from sp1_worker.memory_watch import tree_of

PROOF_AGE_S = 15.0
KILL_S_MAX, RUN_S_MAX, END_S_MAX = 900.0, 1_800.0, 60.0
PORTS = ("--api-port", "--prefect-port", "--gateway-port", "--settlement-port", "--aws-port")


def prover_of(root: int) -> tuple[int, Path] | None:
    """Process and socket of the served prover below ``root``."""
    for pid in tree_of(root):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("laws-host") and "--socket" in words:
            return pid, Path(words[words.index("--socket") + 1])
    return None


def is_proving(address: Path) -> bool:
    """Whether the prover at a socket says that it makes a proof."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(address))
            line.sendall(b'{"op":"ping"}\n')
            answer = json.loads(line.makefile().readline() or "{}")
    except (OSError, ValueError):
        return False
    return bool(answer.get("state") == "proving")


def kill_in_a_proof(stack: "subprocess.Popen[bytes]") -> str | None:
    """Kill the prover some seconds into its first proof; returns what went wrong, or None."""
    deadline, since = time.monotonic() + KILL_S_MAX, None
    while time.monotonic() < deadline and stack.poll() is None:
        found = prover_of(stack.pid)
        if found and is_proving(found[1]):
            since = since or time.monotonic()
            if time.monotonic() - since > PROOF_AGE_S:
                os.kill(found[0], signal.SIGKILL)
                print(json.dumps({"killed_prover": found[0]}), flush=True)
                return None
        time.sleep(1)
    return "no proof began that could be interrupted"


def faults_of_run() -> list[str]:
    """Run one epoch in mode core end to end; returns what went wrong."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ports = [
            word
            for pair in zip(PORTS, map(str, free_ports(len(PORTS))), strict=True)
            for word in pair
        ]
        command = [sys.executable, "-m", "convexfx", "up", "--proof", "core", "--epochs", "1"]
        stack = subprocess.Popen([*command, "--state", folder, *ports])
        try:
            fault = kill_in_a_proof(stack)
            code = stack.wait(RUN_S_MAX)
        except subprocess.TimeoutExpired:
            fault, code = f"no epoch settled in {RUN_S_MAX:.0f} s", 1
        finally:
            stack.terminate()
            stack.wait(END_S_MAX)
    wall_s = round(time.monotonic() - start, 1)
    print(json.dumps({"proven_epoch_exit_code": code, "wall_s": wall_s}), flush=True)
    faults = [fault] if fault else []
    return [*faults, f"convexfx up ended with {code}"] if code else faults
