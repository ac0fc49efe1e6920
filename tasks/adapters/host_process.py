"""Runs an external program once: its answer, its progress, and how it ended.

``laws_host`` uses this for ``laws-host``. Two provers on one machine would run out of memory, so
whoever proves holds a lock. The program inherits the lock, and so keeps it when the process that
started it is killed.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from convexfx_core.errors import ProofCode, ProofError
from tasks.adapters.progress_teller import OnEvent
from tasks.ports import Json

LOCK_POLL_S: Final = 0.2
LAST_LINES: Final = 20
LINE_MAX: Final = 65_536
"""Bytes of a line on standard error; a longer one is read as several."""
CHUNK: Final = 65_536
PIPES_CLOSE_S: Final = 1.0
"""A program that ended has closed its pipes, unless a child of it keeps them."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended.

    Attributes
    ----------
    code : exit code, negative for a signal.
    answers : JSON objects of its standard output.
    last_words : its last line on standard error that is no JSON.
    """

    code: int
    answers: tuple[Json, ...]
    last_words: str


def run_program(
    argv: Sequence[str],
    timeout_s: float,
    on_event: OnEvent = lambda _: None,
    keep_fds: Sequence[int] = (),
) -> Finished:
    """Run a program that answers in JSON lines and reports progress on standard error.

    It leads a process group of its own. Whoever of the group still holds one of its pipes when it
    has ended, or is beyond its time, is killed with it.

    Parameters
    ----------
    on_event : gets the JSON objects of standard error (:mod:`tasks.adapters.progress_teller`).

    Raises
    ------
    ProofError
        ``PROVER_ENVIRONMENT``: it cannot be started. ``PROVER_LOST``: it did not end in time.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=keep_fds,
            start_new_session=True,
        )
    except OSError as error:
        seen = error.strerror or str(error)
        raise ProofError(ProofCode.PROVER_ENVIRONMENT, argv[0], "a program", seen) from None
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    chunks: list[bytes] = []
    readers = [
        threading.Thread(target=_listen, args=(process.stderr, said, on_event), daemon=True),
        threading.Thread(target=_read, args=(process.stdout, chunks), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        expected = f"an answer within {timeout_s:g} s"
        raise ProofError(ProofCode.PROVER_LOST, Path(argv[0]).name, expected, "none") from None
    finally:
        _end(process, readers)
    return Finished(process.returncode, _objects(b"".join(chunks)), said[-1] if said else "")


def _end(process: subprocess.Popen[bytes], readers: Sequence[threading.Thread]) -> None:
    """Kill the program if it still runs, and its children where they keep its pipes."""
    if process.poll() is not None and _ended(readers):
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _ended(readers)


def _ended(readers: Sequence[threading.Thread]) -> bool:
    """Whether every pipe was read to its end, after waiting a little for it."""
    end = time.monotonic() + PIPES_CLOSE_S
    for reader in readers:
        reader.join(max(0.0, end - time.monotonic()))
    return not any(reader.is_alive() for reader in readers)


def _read(stream: IO[bytes], chunks: list[bytes]) -> None:
    with stream:
        while chunk := os.read(stream.fileno(), CHUNK):
            chunks.append(chunk)


def _listen(stream: IO[bytes], said: list[str], on_event: OnEvent) -> None:
    with stream:
        for line in iter(lambda: stream.readline(LINE_MAX), b""):
            text = line.decode("utf-8", "replace").strip()
            event = as_event(text)
            if event is not None:
                on_event(event)
            elif text:
                said.append(text)
                del said[:-LAST_LINES]


def as_event(line: str) -> Json | None:
    """The JSON object of a line, ``None`` for any other line."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _objects(output: bytes) -> tuple[Json, ...]:
    lines = output.decode("utf-8", "replace").splitlines()
    found = (as_event(line) for line in lines)
    return tuple(value for value in found if value is not None)


def lock_path() -> Path:
    """File whose lock a prover on this machine holds."""
    return Path(tempfile.gettempdir()) / f"convexfx-prover-{os.getuid()}.lock"


@contextmanager
def only_prover(path: Path, wait_s: float) -> Iterator[int]:
    """Hold the machine's only place for a prover; yields a file descriptor that keeps it.

    Raises
    ------
    ProofError
        ``PROVER_LOST``: another proof is still being made after ``wait_s`` seconds.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + wait_s
        while not _locked(handle):
            if time.monotonic() >= end:
                expected = f"its turn within {wait_s:g} s"
                raise ProofError(ProofCode.PROVER_LOST, "prover", expected, "another proof")
            time.sleep(LOCK_POLL_S)
        yield handle
    finally:
        os.close(handle)


def emptied(lock: Path) -> Path:
    """The working folder of the lock's holder, emptied of what a killed holder left.

    Raises
    ------
    ProofError
        ``PROVER_ENVIRONMENT``: the folder belongs to another user.
    """
    folder = lock.with_name(lock.name + ".work")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        seen = error.strerror or str(error)
        raise ProofError(
            ProofCode.PROVER_ENVIRONMENT, str(folder), "a folder of its own", seen
        ) from None
    return folder


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
