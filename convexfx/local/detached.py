"""A stack without a terminal: starts it in the background, and ends it from another process.

``convexfx up --detach`` and ``convexfx down`` call this. The background process is the ordinary
``convexfx up``; the two sides know of each other only by the state file in the state folder.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from convexfx.local.processes import default_interrupt, send, sweep, wait_gone
from convexfx.local.progress import Progress, SilentProgress
from convexfx.local.state import StackState, StateFile
from convexfx_core.errors import ConfigurationCode, ConfigurationError, PeerUnreachable

POLL_S: Final = 0.2
REFUSED: Final = 2
"""Exit status of a command that was used or configured wrongly."""
STOP_S_MAX: Final = 60.0
CONSOLE: Final = "console.txt"
"""File in ``logs/`` that takes what the detached command prints for people."""


def start_detached(
    argv: Sequence[str],
    folder: Path,
    *,
    seconds: float = 300.0,
    progress: Progress | None = None,
) -> StackState:
    """Run a command that supervises a stack in ``folder``, in the background; wait until it is up.

    Parameters
    ----------
    argv : the command, in the foreground form of ``up``.
    folder : state folder that it will use.
    seconds : time for the start.

    Raises
    ------
    ConfigurationError
        It refused its settings, a port is taken, or a stack runs there already.
    PeerUnreachable
        It ended or took longer; with the error that it left in the state file.
    """
    StateFile(folder).require_ended()
    shown = progress or SilentProgress()
    console = folder / "logs" / CONSOLE
    console.parent.mkdir(parents=True, exist_ok=True)
    with console.open("wb") as output, default_interrupt():
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ},
        )
    try:
        return _await_ready(process, StateFile(folder), console, seconds, shown)
    finally:
        shown.end()


def stop_stack(folder: Path, seconds: float = STOP_S_MAX) -> StackState | None:
    """Stop the stack of a state folder; its last state, ``None`` if there was none.

    Parameters
    ----------
    seconds : time for an orderly stop, after which everything is killed by id.
    """
    file = StateFile(folder)
    state = file.read()
    if state is None:
        return None
    if state.alive():
        send([state.pid], signal.SIGTERM)
        send(wait_gone([state.pid], seconds), signal.SIGKILL)
    sweep(state.marker, [running.pid for running in state.services])
    state = file.read() or state
    if state.status not in ("stopped", "failed"):
        state.status = "stopped"
        file.write(state)
    return state


def _await_ready(
    process: subprocess.Popen[bytes],
    file: StateFile,
    console: Path,
    seconds: float,
    progress: Progress,
) -> StackState:
    begun = time.monotonic()
    ready: set[str] = set()
    while time.monotonic() - begun < seconds:
        ended = process.poll() is not None
        state = file.read()
        if state is not None and state.pid == process.pid:
            _tell(state, ready, time.monotonic() - begun, progress)
            if state.status == "ready" and not ended:
                return state
        if ended:
            raise _failure(state, process, console)
        time.sleep(POLL_S)
    stop_stack(file.path.parent)
    raise PeerUnreachable("stack", f"to be up within {seconds:g} s", f"see {console}")


def _tell(state: StackState, ready: set[str], seconds: float, progress: Progress) -> None:
    for running in state.services:
        if running.status == "ready" and running.name not in ready:
            ready.add(running.name)
            progress.done(running.name, seconds, running.url)
    if state.doing:
        progress.begin(f"starting {state.doing}")


def _failure(
    state: StackState | None, process: subprocess.Popen[bytes], console: Path
) -> PeerUnreachable | ConfigurationError:
    said = state.error if state is not None and state.pid == process.pid else ""
    if not said:
        lines = console.read_text(errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.strip()), "nothing")
    expected = f"to come up (log: {console}); {said}"
    if process.returncode == REFUSED:
        return ConfigurationError(ConfigurationCode.SETTING, "stack", expected)
    return PeerUnreachable("stack", expected)
