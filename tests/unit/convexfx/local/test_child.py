"""One service while it runs: ready, ended, given up, with its last words."""

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexfx.local.child import Child
from convexfx.local.processes import sweep
from convexfx.local.service import Service, Step, services_of
from convexfx_core.errors import PeerUnreachable
from tests.support.toy_services import script, toy


@pytest.fixture
def marker() -> Iterator[str]:
    name = uuid.uuid4().hex
    yield name
    sweep(name, grace_s=0.0)


def child_of(service: Service, folder: Path, marker: str) -> Child:
    child = Child(service, folder, "info")
    child.start(marker, os.environ)
    return child


def test_before_the_start_there_is_no_process(tmp_path: Path) -> None:
    child = Child(script("x", ""), tmp_path, "info")
    assert (child.pid, child.ended(), child.running()) == (0, None, False)
    assert child.wait_stopped(0)
    child.ask_to_stop()
    child.close()


def test_it_is_ready_when_its_probe_says_so(tmp_path: Path, marker: str) -> None:
    gate = tmp_path / "gate"
    child = child_of(
        script("x", "import signal; signal.pause()", ready=gate.exists), tmp_path, marker
    )
    assert not child.check_ready()
    gate.touch()
    assert child.check_ready()
    assert child.running()
    child.ask_to_stop()
    assert child.wait_stopped(5)
    assert child.ended() == -signal.SIGTERM


def test_its_end_is_told_with_the_signal(tmp_path: Path, marker: str) -> None:
    child = child_of(
        script("x", "import signal; signal.pause()", ready=lambda: False), tmp_path, marker
    )
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait_stopped(5)
    with pytest.raises(PeerUnreachable) as caught:
        child.check_ready()
    assert "ended by SIGKILL" in str(caught.value.observed)
    assert "it wrote nothing" in str(caught.value.observed)
    assert str(child.log.path) in caught.value.expected


def test_its_last_error_is_told(tmp_path: Path, marker: str) -> None:
    code = "print('starting'); print('ERROR: no disk'); print('bye'); raise SystemExit(7)"
    child = child_of(script("x", code), tmp_path, marker)
    assert child.wait_stopped(10)
    with pytest.raises(PeerUnreachable, match="exit code 7; ERROR: no disk"):
        child.check_ready()


def test_standard_error_is_logged_too(tmp_path: Path, marker: str) -> None:
    child = child_of(script("x", "import sys; sys.exit('TypeError: oh')"), tmp_path, marker)
    assert child.wait_stopped(10)
    assert child.last_words() == "TypeError: oh"
    child.close()


def test_who_does_not_stop_is_killed(tmp_path: Path, marker: str) -> None:
    service = toy("x", "stubborn")
    child = child_of(service, tmp_path, marker)
    while not child.check_ready():
        pass
    child.ask_to_stop()
    assert child.wait_stopped(0.1) is False
    assert child.ended() == -signal.SIGKILL


def test_it_runs_where_it_is_told(tmp_path: Path, marker: str) -> None:
    child = child_of(script("x", "import os; print(os.getcwd())", cwd=tmp_path), tmp_path, marker)
    assert child.wait_stopped(10)
    assert child.last_words() == str(tmp_path.resolve())


@pytest.mark.parametrize("argv", [("/no/such/program",), (str(Path(sys.executable).parent),)])
def test_what_cannot_be_run_is_named(tmp_path: Path, marker: str, argv: tuple[str, ...]) -> None:
    with pytest.raises(PeerUnreachable) as caught:
        child_of(Service("x", argv), tmp_path, marker)
    assert argv[0] in caught.value.expected


def test_services_are_found_in_any_part() -> None:
    a, b, c = (Service(name, ("true",)) for name in "abc")
    assert services_of((a, Step("s", lambda: None), (b, c))) == [a, b, c]
    assert services_of(()) == []


def test_a_service_names_its_log() -> None:
    assert Service("api", ("true",)).log_name() == "api.jsonl"
    assert Service("api", ("true",), log="web.jsonl").log_name() == "web.jsonl"


def test_without_a_probe_it_is_ready_at_once() -> None:
    assert Service("x", ("true",)).is_ready()
    assert not Service("x", ("true",), ready=lambda: False).is_ready()
