"""``up --detach`` and ``down``: started in the background, ended from elsewhere."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from convexfx.local.detached import CONSOLE, start_detached, stop_stack
from convexfx.local.ports import free_port
from convexfx.local.processes import members, wait_gone
from convexfx.local.service import answers
from convexfx.local.state import StackState
from convexfx_core.errors import ConfigurationError, PeerUnreachable
from tests.support.toy_services import ROOT


def command(folder: Path, kind: str, *port: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.toy_services", str(folder), kind, *port]


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def left(state: StackState) -> set[int]:
    return members(state.marker, [service.pid for service in state.services])


def reap(state: StackState) -> None:
    """The test is the supervisor's parent; a shell would have collected it."""
    with suppress(ChildProcessError):
        os.waitpid(state.pid, 0)


class Lines:
    def __init__(self) -> None:
        self.done_of: list[str] = []
        self.began: list[str] = []
        self.ended = False

    def begin(self, doing: str) -> None:
        self.began.append(doing)

    def done(self, what: str, seconds: float, note: str = "") -> None:
        self.done_of.append(what)

    def end(self) -> None:
        self.ended = True


def test_up_and_down(tmp_path: Path) -> None:
    port, progress = free_port(), Lines()
    state = start_detached(command(tmp_path, "plain", str(port)), tmp_path, progress=progress)
    assert state.alive()
    assert state.pid != os.getpid()
    assert os.getsid(state.pid) == state.pid
    assert sorted(progress.done_of) == ["one", "three", "two"]
    assert progress.ended
    assert answers(f"http://127.0.0.1:{port}/")
    assert (tmp_path / "logs" / CONSOLE).read_text() == "up\n"
    stopped = stop_stack(tmp_path)
    reap(state)
    assert stopped is not None
    assert stopped.status == "stopped"
    assert left(state) == set()
    assert not answers(f"http://127.0.0.1:{port}/")


def test_down_twice_and_down_without_up(tmp_path: Path) -> None:
    assert stop_stack(tmp_path) is None
    state = start_detached(command(tmp_path, "plain"), tmp_path)
    for _ in range(2):
        stopped = stop_stack(tmp_path)
        assert stopped is not None
        assert stopped.status == "stopped"
    reap(state)


def test_down_after_the_supervisor_was_killed(tmp_path: Path) -> None:
    state = start_detached(command(tmp_path, "plain"), tmp_path)
    os.kill(state.pid, signal.SIGKILL)
    reap(state)
    assert len(left(state)) == 4
    stopped = stop_stack(tmp_path)
    assert stopped is not None
    assert stopped.status == "stopped"
    assert left(state) == set()


def test_down_after_a_child_was_killed(tmp_path: Path) -> None:
    state = start_detached(command(tmp_path, "plain"), tmp_path)
    os.kill(state.services[1].pid, signal.SIGKILL)
    assert wait_gone([state.pid], 20.0) == set()
    reap(state)
    ended = stop_stack(tmp_path)
    assert ended is not None
    assert ended.status == "failed"
    assert "SIGKILL" in ended.error
    assert left(state) == set()


def test_down_does_not_wait_for_ever(tmp_path: Path) -> None:
    state = start_detached(command(tmp_path, "stubborn"), tmp_path)
    stopped = stop_stack(tmp_path, seconds=0.5)
    reap(state)
    assert stopped is not None
    assert stopped.status == "stopped"
    assert left(state) == set()


def test_a_failed_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(PeerUnreachable, match="no luck"):
        start_detached(command(tmp_path, "failing"), tmp_path)


def test_a_command_that_fails_before_any_state_is_told(tmp_path: Path) -> None:
    code = "import sys; sys.exit('SETTING: shard: expected at least 1')"
    with pytest.raises(PeerUnreachable, match="SETTING: shard"):
        start_detached([sys.executable, "-c", code], tmp_path)


def test_a_second_up_leaves_the_first_alone(tmp_path: Path) -> None:
    state = start_detached(command(tmp_path, "plain"), tmp_path)
    console = tmp_path / "logs" / CONSOLE
    before = console.read_bytes()
    with pytest.raises(ConfigurationError, match="convexfx down"):
        start_detached(command(tmp_path, "plain"), tmp_path)
    assert console.read_bytes() == before, "what the first one told is kept"
    assert state.alive()
    assert len(left(state)) == 4
    stop_stack(tmp_path)
    reap(state)


def test_a_start_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(PeerUnreachable, match="up within 2 s"):
        start_detached(command(tmp_path, "endless"), tmp_path, seconds=2.0)
    state = stop_stack(tmp_path)
    assert state is not None
    reap(state)
    assert left(state) == set()
