"""Starts processes so that all of them can be found again, and ends them by id.

Every process of a stack inherits the environment variable :data:`MARKER`. Prefect starts each flow
run in a session of its own, so neither a process group nor a session finds them all; the marker
does. The supervisor uses this to leave nothing behind, and to end what a killed one left.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from convexfx.local.service import Service

MARKER: Final = "CONVEXFX_STACK"
PROC: Final = Path("/proc")
KILL_WAIT_S: Final = 5.0
POLL_S: Final = 0.05


def spawn(service: Service, marker: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a service in its own session, output to a pipe, no input.

    Parameters
    ----------
    marker : name of the stack.
    env : whole environment below the service's own.
    """
    merged = {**env, **service.env, MARKER: marker}
    with default_interrupt():
        return subprocess.Popen(
            service.argv,
            env={key: value for key, value in merged.items() if value != ""},
            cwd=service.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextmanager
def default_interrupt() -> Iterator[None]:
    """Let children begin with SIGINT at its default.

    A shell's background job ignores SIGINT and its children inherit that; a Prefect worker, which
    stops itself by SIGINT, would then never end. A handler, unlike an ignored signal, is reset on
    exec.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def identity(pid: int) -> str:
    """Text that tells a process from a later one with the same id; empty where none lives.

    It is the moment of its start, which no two processes of one id share.
    """
    if PROC.is_dir():
        try:
            fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return "" if answer.startswith("Z") else answer.partition(" ")[2].strip()


def members(marker: str, leaders: Iterable[int] = ()) -> set[int]:
    """Ids of the living processes of a stack.

    Parameters
    ----------
    marker : name of the stack.
    leaders : processes started by the supervisor; where the system shows no environments, their
        groups and descendants are the answer.
    """
    if PROC.is_dir():
        return _marked(f"{MARKER}={marker}".encode())
    return _family(set(leaders))


def _marked(entry: bytes) -> set[int]:
    found = set()
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return {pid for pid in found if identity(pid)}


def _family(leaders: set[int]) -> set[int]:
    listing = subprocess.run(
        ["ps", "-axo", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=False
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    living = [(int(row[0]), int(row[1]), int(row[2])) for row in rows if row[3][:1] != "Z"]
    family = {pid for pid, _, group in living if group in leaders}
    while grown := {pid for pid, parent, _ in living if parent in family} - family:
        family |= grown
    return family - {os.getpid()}


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal each process that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_gone(pids: Iterable[int], seconds: float) -> set[int]:
    """Wait at most so many seconds until the processes are gone; returns those that are not."""
    left = set(pids)
    deadline = time.monotonic() + seconds
    while left := {pid for pid in left if identity(pid)}:
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    return left


def sweep(marker: str, leaders: Iterable[int] = (), grace_s: float = 1.0) -> set[int]:
    """End every process of a stack by SIGTERM, then SIGKILL; returns ids that survived both."""
    roots = tuple(leaders)
    for number, seconds in ((signal.SIGTERM, grace_s), (signal.SIGKILL, KILL_WAIT_S)):
        left = members(marker, roots)
        send(left, number)
        wait_gone(left, seconds)
    return members(marker, roots)
