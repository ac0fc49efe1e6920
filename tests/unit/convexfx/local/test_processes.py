"""Processes: all of a stack are found again and ended, nobody else is."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexfx.local import processes
from convexfx.local.processes import (
    MARKER,
    default_interrupt,
    identity,
    members,
    send,
    spawn,
    sweep,
    wait_gone,
)
from convexfx.local.service import Service
from tests.support.toy_services import script

FAMILY = """
import subprocess, sys, signal
child = "import signal; print('child', flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-S", "-c", child], start_new_session=True)
signal.pause()
"""
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"
    "while True: signal.pause()"
)


@pytest.fixture
def marker() -> Iterator[str]:
    name = uuid.uuid4().hex
    yield name
    assert sweep(name, grace_s=0.0) == set()


def started(service: Service, marker: str) -> "subprocess.Popen[bytes]":
    """Start a service and wait for its first line."""
    process = spawn(service, marker, os.environ)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    return process


def test_a_process_is_told_from_a_later_one() -> None:
    own = identity(os.getpid())
    assert own
    assert own == identity(os.getpid())
    assert own != identity(1)


def test_nobody_has_no_identity() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    pid = process.pid
    assert process.wait() == 0
    assert identity(pid) == ""


def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    assert wait_gone([process.pid], 5.0) == set()
    assert process.wait() == 0


def test_a_child_in_another_session_is_found(marker: str) -> None:
    process = started(script("family", FAMILY), marker)
    found = members(marker, [process.pid])
    assert process.pid in found
    assert len(found) == 2
    assert len({os.getsid(pid) for pid in found}) == 2


def test_only_the_named_stack_is_swept(marker: str) -> None:
    mine = started(script("family", FAMILY), marker)
    other = uuid.uuid4().hex
    theirs = started(script("family", FAMILY), other)
    assert sweep(marker, [mine.pid]) == set()
    assert members(marker, [mine.pid]) == set()
    assert theirs.pid in members(other, [theirs.pid])
    assert sweep(other, [theirs.pid]) == set()
    assert {mine.wait(), theirs.wait()} == {-signal.SIGTERM}


def test_who_ignores_sigterm_is_killed(marker: str) -> None:
    process = started(script("deaf", DEAF), marker)
    assert sweep(marker, [process.pid], grace_s=0.1) == set()
    assert process.wait() == -signal.SIGKILL


def test_waiting_ends_with_those_that_live(marker: str) -> None:
    process = started(script("deaf", DEAF), marker)
    assert wait_gone([process.pid], 0.1) == {process.pid}
    send([process.pid], signal.SIGKILL)
    assert wait_gone([process.pid], 5.0) == set()


def test_signalling_the_dead_is_quiet() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    send([process.pid], signal.SIGKILL)


def test_the_environment_is_the_services_own(marker: str) -> None:
    code = "import os; print(sorted(k for k in os.environ if k.startswith('TOY') or k == 'GONE'))"
    service = script("env", code, env={"TOY": "1", "GONE": ""})
    process = spawn(service, marker, {**os.environ, "GONE": "x", "TOY_BASE": "2"})
    assert process.communicate()[0].strip() == b"['TOY', 'TOY_BASE']"


def test_the_marker_of_an_outer_stack_is_replaced(
    marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARKER, "outer")
    service = script("env", f"import os; print(os.environ['{MARKER}'])")
    process = spawn(service, marker, os.environ)
    assert process.communicate()[0].decode().strip() == marker


def test_children_hear_sigint_even_if_we_ignore_it(marker: str) -> None:
    service = script("ask", "import signal; print(signal.getsignal(signal.SIGINT))")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        heard = spawn(service, marker, os.environ).communicate()[0]
        plain = subprocess.run(service.argv, capture_output=True, check=True).stdout
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert b"default_int_handler" in heard
    assert plain.strip() == str(int(signal.SIG_IGN)).encode()


def test_our_own_handling_of_sigint_is_left_alone() -> None:
    """Set here first: a suite that runs in the background of a shell begins with it ignored."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with default_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, inherited)


needs_ps = pytest.mark.skipif(
    shutil.which("ps") is None, reason="the way of systems without /proc asks the program ps"
)


@needs_ps
def test_without_proc_a_process_is_still_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", Path("/no/such/folder"))
    assert identity(os.getpid())
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert identity(ended.pid) == ""


@needs_ps
def test_without_proc_descendants_and_groups_are_found(
    marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = started(script("family", FAMILY), marker)
    by_marker = members(marker, [process.pid])
    monkeypatch.setattr(processes, "PROC", Path("/no/such/folder"))
    assert members(marker, [process.pid]) == by_marker
    assert len(by_marker) == 2
    assert members(marker, []) == set()
    assert sweep(marker, [process.pid], grace_s=1.0) == set()
    assert process.wait() == -signal.SIGTERM
