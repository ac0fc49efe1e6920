"""A fake of the external program ``laws-host`` and of its law program, for tests without SP1.

``FakeHost.behave(execute=KIND, prove=KIND, verify=KIND, seconds=0.0)``, where KIND is ``ok``,
``violated`` (law 5, index 7), ``trapped``, an exit code as text, ``killed`` (SIGKILL to itself),
``hang``, ``allocation`` (what Rust says when memory runs out, then SIGABRT), ``garbage`` (exit code
0 without JSON), ``other`` (public values of another epoch) or ``closed`` (serve hangs up).
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tasks.adapters.law_program import LawProgram, read_law_program
from tasks.adapters.laws_host import LawsHost, Limits
from tasks.adapters.laws_serve import is_listening
from tests.support import fake_laws_host_program

PROGRAM: Final = Path(fake_laws_host_program.__file__)
GUEST: Final = b"fake guest"
ELF: Final = b"\x7fELF " + GUEST
VKEY: Final = hashlib.sha256(GUEST).hexdigest()


@dataclass
class FakeHost:
    """Folder of a fake host and its law program."""

    folder: Path

    def __post_init__(self) -> None:
        elf = self.folder / "elf"
        elf.mkdir(parents=True)
        (elf / "laws-guest.elf").write_bytes(ELF)
        (elf / "laws-guest.elf.sha256").write_text(hashlib.sha256(ELF).hexdigest() + "\n")
        (elf / "vkey.txt").write_text(f"0x{VKEY}\n")
        (elf / "vkey.bin").write_bytes(bytes.fromhex(VKEY))
        command = f'exec {sys.executable} -S -E {PROGRAM} {self.folder}/control.json "$@"'
        self.binary.write_text(f"#!/bin/sh\n{command}\n")
        self.binary.chmod(0o755)
        self.behave()

    def behave(self, **control: Any) -> None:
        """How the commands from now on end; replaced at once, so a running one sees it whole."""
        path = self.folder / "control.json"
        path.with_suffix(".new").write_text(json.dumps(control))
        path.with_suffix(".new").replace(path)

    @property
    def binary(self) -> Path:
        return self.folder / "laws-host"

    @property
    def socket(self) -> Path:
        return self.folder / "serve.sock"

    @property
    def program(self) -> LawProgram:
        found = read_law_program(self.folder / "elf")
        assert found is not None
        return found

    def host(self, **changes: Any) -> LawsHost:
        """A client of it, with limits that a test can wait for on a busy machine."""
        limits = Limits(
            execute_s=20, verify_s=20, vkey_s=20, prove_s=60, silence_s=20, turn_s=20, serve_s=20
        )
        chosen: dict[str, Any] = {"limits": limits, "lock": self.folder / "lock", **changes}
        return LawsHost(self.binary, self.program, **chosen)

    def runs(self) -> list[str]:
        """Commands that were run, in their order."""
        log = self.folder / "runs"
        return log.read_text().split() if log.exists() else []

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """``serve`` under way; ended by its process id."""
        words = ("--elf", str(self.program.elf), "serve", "--socket", str(self.socket))
        process = subprocess.Popen([str(self.binary), *words])
        try:
            end = time.monotonic() + 10
            while not is_listening(self.socket):
                assert time.monotonic() < end, "the fake does not listen"
                time.sleep(0.02)
            yield process
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
            process.wait(10)


@pytest.fixture
def fake_host(tmp_path: Path) -> FakeHost:
    """A fake ``laws-host`` for which everything goes well until a test says otherwise."""
    return FakeHost(tmp_path / "fake-host")


def witness_with(values: bytes) -> bytes:
    """Bytes that the fake takes for a witness that claims these public values."""
    return b"CFXWIT\0\0" + bytes(64) + values
