"""Verdicts of the Rust laws: natively (``laws-check``) and in SP1's executor (``laws-host``)."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.differential.laws.campaign import Checker, Verdict

GUEST_EXIT = 16
"""The guest halts with this and the law's number."""
DETAIL = re.compile(r"L(\d+): index (\d+): ")
"""What it says on the way."""


def frames(witnesses: Sequence[bytes]) -> bytes:
    """What both programs read with ``--stream``: length u64 little-endian, then the witness."""
    return b"".join(len(data).to_bytes(8, "little") + data for data in witnesses)


def answers(command: Sequence[str | Path], witnesses: Sequence[bytes]) -> list[dict[str, Any]]:
    """One object a witness from a program that reads a stream."""
    ended = subprocess.run(
        list(map(str, command)), input=frames(witnesses), capture_output=True, check=False
    )
    lines = ended.stdout.splitlines()
    if len(lines) != len(witnesses):
        shown = ended.stderr.decode(errors="replace")[-500:]
        raise AssertionError(
            f"{command}: {len(lines)} answers to {len(witnesses)} witnesses, "
            f"exit {ended.returncode}: {shown}"
        )
    return [json.loads(line) for line in lines]


def native_verdict(answer: dict[str, Any]) -> Verdict:
    """Verdict of a line of ``laws-check``."""
    if answer["verdict"] == "ok":
        return Verdict(None, None, bytes.fromhex(answer["public_values"]))
    return Verdict(answer["law"], answer["index"], None)


def executed_verdict(answer: dict[str, Any]) -> Verdict:
    """Verdict of a line of ``laws-host execute``: the law by the exit code, the index by its line.

    Anything but success, or a law with nothing committed, is given as law -1 with the exit code, so
    that it equals nothing.
    """
    code, said = answer["exit_code"], DETAIL.match(answer.get("detail") or "")
    if answer["verdict"] == "ok" and code == 0:
        return Verdict(None, None, bytes.fromhex(answer["public_values"]))
    nothing_committed = answer["verdict"] == "violated" and not answer.get("public_values")
    if nothing_committed and said and int(said[1]) == answer["law"] == code - GUEST_EXIT:
        return Verdict(answer["law"], int(said[2]), None)
    return Verdict(-1, code, None)


def by_laws_check(binary: Path, without: int | None = None, plain: bool = False) -> Checker:
    """The native laws; ``without`` a law where ``binary`` is the canary; ``plain``: law by law."""
    off = [] if without is None else ["--without", str(without)]
    command = [binary, *off, *["--plain"] * plain, "--stream"]
    return lambda batch: [native_verdict(answer) for answer in answers(command, batch)]


def by_executor(host: Path, elf: Path) -> Checker:
    """The guest in SP1's executor."""
    command = [host, "--elf", elf, "execute", "--stream"]
    return lambda batch: [executed_verdict(answer) for answer in answers(command, batch)]
