"""Client of ``laws-host serve``: one proof at a time over a Unix socket, by a prover that is warm.

A prover first makes the keys of SP1's recursion programs; a served one keeps them, so that only its
first proof waits for them. Requests and events are JSON, one a line. If the connection ends before
the last event, the prover is lost, and whoever wants the proof asks again.
"""

import json
import socket
import time
from pathlib import Path
from typing import Final

from convexfx_core.errors import ProofCode, ProofError
from tasks.adapters.host_answers import failure_of
from tasks.adapters.host_process import as_event
from tasks.adapters.progress_teller import OnEvent
from tasks.ports import Json

CONNECT_S: Final = 5.0
POLL_S: Final = 0.2
BUSY_PAUSE_S: Final = 2.0
EXIT_CODES: Final = {
    "usage": 2, "law_violated": 10, "guest_trapped": 11, "proof_invalid": 12,
    "wrong_vkey": 13, "out_of_memory": 14, "environment": 15,
}  # fmt: skip
"""Exit codes of a run by the code that a ``failed`` event carries."""
BUSY: Final = "busy"
"""Code of a failure that only says that another client's proof is being made."""


def is_listening(path: Path) -> bool:
    """Whether somebody accepts connections at a socket."""
    try:
        _connect(path).close()
    except OSError:
        return False
    return True


def wait_for_socket(path: Path, seconds: float) -> None:
    """Wait until a prover listens: the supervisor starts a lost one again.

    Raises
    ------
    ProofError
        ``PROVER_LOST``: none listens in time.
    """
    end = time.monotonic() + seconds
    while not is_listening(path):
        if time.monotonic() >= end:
            expected = f"laws-host serve at {path} within {seconds:g} s"
            raise ProofError(ProofCode.PROVER_LOST, "laws-host serve", expected, "nobody")
        time.sleep(POLL_S)


def ask_to_prove(
    path: Path, wanted: Json, on_event: OnEvent, silence_s: float, turn_s: float
) -> Json:
    """Have a proof made; the answer of the event ``done``.

    Parameters
    ----------
    wanted : ``mode``, ``vkey``, and ``witness`` and ``out``: files that the served process reads
        and writes.
    on_event : gets every event.
    silence_s : without any event for so long the process is lost.
    turn_s : for so long it may be busy with another client's proof.

    Raises
    ------
    LawViolated, ExecutionError, ProofError
        As :meth:`tasks.adapters.laws_host.LawsHost.prove`.
    """
    request = {"op": "prove", "wait": False, **wanted}
    end = time.monotonic() + turn_s
    while True:
        last = _conversation(path, request, on_event, silence_s)
        if last.get("event") == "done":
            return last
        code = last.get("code")
        if code in EXIT_CODES:
            raise failure_of(EXIT_CODES[code], last, "")
        if code != BUSY:
            raise _prover_lost("an event done or failed", json.dumps(last))
        if time.monotonic() >= end:
            raise _prover_lost(f"its turn within {turn_s:g} s", BUSY)
        time.sleep(BUSY_PAUSE_S)


def ping(path: Path) -> Json:
    """What the served process answers to ``ping``; ``PROVER_LOST`` if it does not."""
    return _conversation(path, {"op": "ping"}, lambda _: None, CONNECT_S)


def _conversation(path: Path, request: Json, on_event: OnEvent, silence_s: float) -> Json:
    """Send one request and report its progress; returns the first event of another kind."""
    try:
        connection = _connect(path)
        with connection, connection.makefile("rb") as answers:
            connection.settimeout(silence_s)
            connection.sendall(json.dumps(request).encode() + b"\n")
            for line in answers:
                event = as_event(line.decode("utf-8", "replace")) or {}
                if event.get("event") != "progress":
                    return event
                on_event(event)
    except TimeoutError:
        raise _prover_lost(f"an event within {silence_s:g} s", "silence") from None
    except OSError as error:
        raise _prover_lost("an answer", error.strerror or str(error)) from None
    raise _prover_lost("an answer", "a closed connection")


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _prover_lost(expected: str, observed: str) -> ProofError:
    return ProofError(ProofCode.PROVER_LOST, "laws-host serve", expected, observed)
