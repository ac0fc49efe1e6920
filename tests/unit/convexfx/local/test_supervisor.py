"""The supervisor: order, failure, restart, and above all that nothing is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convexfx.local.processes import members
from convexfx.local.service import Part, Service, Step, answers
from convexfx.local.state import StackState, StateFile
from convexfx.local.supervisor import Stack
from convexfx_core.errors import ConfigurationError, PeerUnreachable
from tests.support.toy_services import ROOT, script, toy


class Recorder:
    """Remembers what people would have seen."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def begin(self, doing: str) -> None:
        self.seen.append(doing)

    def done(self, what: str, seconds: float, note: str = "") -> None:
        assert seconds >= 0
        self.seen.append(f"{what} done {note}".strip())

    def end(self) -> None:
        self.seen.append("end")


def stack_of(folder: Path, *parts: Part, progress: Recorder | None = None) -> Stack:
    return Stack(parts, folder, level="debug", progress=progress)


def read(folder: Path) -> StackState:
    state = StateFile(folder).read()
    assert state is not None
    return state


def log_of(folder: Path, name: str) -> list[str]:
    text = (folder / "logs" / f"{name}.jsonl").read_text()
    return [json.loads(line)["message"] for line in text.splitlines()]


def kill_and_watch(stack: Stack, name: str) -> None:
    with stack:
        os.kill(stack.children[name].pid, signal.SIGKILL)
        stack.watch()


def nothing_left(stack: Stack) -> bool:
    return not members(stack.state.marker, [child.pid for child in stack.children.values()])


def test_services_are_up_inside_and_gone_outside(tmp_path: Path) -> None:
    one, two = toy("one"), toy("two")
    with stack_of(tmp_path, one, two) as stack:
        assert answers(one.url)
        assert answers(two.url)
        state = read(tmp_path)
        assert (state.status, state.pid) == ("ready", os.getpid())
        assert [(s.name, s.status, s.url) for s in state.services] == [
            ("one", "ready", one.url), ("two", "ready", two.url),
        ]  # fmt: skip
    assert nothing_left(stack)
    assert not answers(one.url)
    assert read(tmp_path).status == "stopped"
    assert {s.status for s in read(tmp_path).services} == {"ended"}


def test_parts_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    first, second = toy("first"), toy("second")
    seen: list[bool] = []
    step = Step("deploy", lambda: seen.extend([answers(first.url), answers(second.url)]))
    progress = Recorder()
    with stack_of(tmp_path, first, step, second, progress=progress):
        assert seen == [True, False]
    assert progress.seen == [
        "starting first", f"first done {first.url}", "starting deploy", "deploy done",
        "starting second", f"second done {second.url}", "end",
        "stopping second", "stopping first", "end",
    ]  # fmt: skip


def test_services_of_a_tuple_start_side_by_side(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = script("waits", f"open({str(gate)!r}, 'w'); import signal; signal.pause()", grace_s=1.0)
    needs = Service("needs", waits.argv, ready=gate.exists, grace_s=1.0)
    held = Service("held", waits.argv, ready=gate.exists, grace_s=1.0)
    with stack_of(tmp_path, (held, needs), waits) as stack:
        assert all(child.ended() is None for child in stack.children.values())
    assert nothing_left(stack)


def test_a_service_that_ends_at_once_says_its_last_words(tmp_path: Path) -> None:
    one = toy("one")
    broken = script(
        "broken", "print('ERROR no database'); raise SystemExit(4)", ready=lambda: False
    )
    with pytest.raises(PeerUnreachable) as caught, stack_of(tmp_path, one, broken):
        pytest.fail("the stack came up")
    line = caught.value.line()
    assert "broken" in line
    assert "exit code 4" in line
    assert "no database" in line
    assert "broken.jsonl" in line
    assert not answers(one.url)
    assert read(tmp_path).status == "failed"
    assert "no database" in read(tmp_path).error


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    service = Service("ghost", ("/no/such/program",))
    with pytest.raises(PeerUnreachable, match="/no/such/program"), stack_of(tmp_path, service):
        pytest.fail("the stack came up")


def test_a_service_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    slow = script(
        "slow", "import signal; signal.pause()", ready=lambda: False, ready_s_max=0.3, grace_s=2.0
    )
    stack = stack_of(tmp_path, slow)
    with pytest.raises(PeerUnreachable, match=r"ready within 0\.3 s"), stack:
        pytest.fail("the stack came up")
    assert nothing_left(stack)


def test_a_failing_step_stops_what_was_started(tmp_path: Path) -> None:
    one = toy("one")

    def fail() -> None:
        raise PeerUnreachable("gateway", "an answer", "nothing")

    stack = stack_of(tmp_path, one, Step("mint", fail))
    with pytest.raises(PeerUnreachable, match="gateway"), stack:
        pytest.fail("the stack came up")
    assert nothing_left(stack)
    assert not answers(one.url)


def test_an_error_inside_stops_everything(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, toy("one", "parent"))
    with pytest.raises(ZeroDivisionError), stack:
        raise ZeroDivisionError
    assert nothing_left(stack)
    assert "ZeroDivisionError" in read(tmp_path).error


def test_a_taken_port_is_found_before_anything_starts(tmp_path: Path) -> None:
    first = toy("first")
    with stack_of(tmp_path / "a", first):
        again = toy("again", port=first.ports[0].number)
        other = stack_of(tmp_path / "b", toy("innocent"), again)
        with pytest.raises(ConfigurationError) as caught, other:
            pytest.fail("the stack came up")
        assert caught.value.code == "PORT_TAKEN"
        assert other.children == {}
        assert answers(first.url)


def test_two_stacks_do_not_share_a_folder(tmp_path: Path) -> None:
    with stack_of(tmp_path, toy("one")) as stack:
        second = stack_of(tmp_path, toy("two"))
        with pytest.raises(ConfigurationError, match="convexfx down"), second:
            pytest.fail("the stack came up")
        stack.check()
        assert read(tmp_path).status == "ready"


def test_a_killed_child_is_reported_and_the_rest_ends(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, toy("one"), toy("two", "parent"))
    with pytest.raises(PeerUnreachable) as caught:
        kill_and_watch(stack, "one")
    assert "SIGKILL" in caught.value.line()
    assert caught.value.field == "one"
    state = read(tmp_path)
    assert state.status == "failed"
    assert not members(state.marker, [s.pid for s in state.services])


def test_a_child_that_may_be_is_started_again(tmp_path: Path) -> None:
    worker = toy("worker", restarts_max=1)
    with stack_of(tmp_path, worker) as stack:
        first = stack.children["worker"].pid
        os.kill(first, signal.SIGKILL)
        stack.watch(lambda: stack.children["worker"].restarts == 1 and answers(worker.url))
        second = stack.children["worker"].pid
        assert second != first
        assert read(tmp_path).services[0].pid == second
        os.kill(second, signal.SIGKILL)
        with pytest.raises(PeerUnreachable, match="SIGKILL"):
            stack.watch()
    assert "worker ended; started again" in log_of(tmp_path, "supervisor")


def test_a_stubborn_child_is_killed_after_its_grace(tmp_path: Path) -> None:
    with stack_of(tmp_path, toy("deaf", "stubborn")) as stack:
        pass
    assert nothing_left(stack)
    assert stack.children["deaf"].ended() == -signal.SIGKILL


def test_grandchildren_in_their_own_session_end_too(tmp_path: Path) -> None:
    with stack_of(tmp_path, toy("worker", "parent")) as stack:
        pid = stack.children["worker"].pid
        assert len(members(stack.state.marker, [pid])) == 2
    assert nothing_left(stack)


def test_stopping_twice_is_fine_and_signals_are_given_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stack_of(tmp_path, toy("one")) as stack:
        stack.stop()
        stack.stop()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_each_process_has_its_own_log(tmp_path: Path) -> None:
    with stack_of(tmp_path, toy("one"), toy("two", log="second.jsonl")):
        pass
    assert "INFO listening" in log_of(tmp_path, "one")
    assert "INFO listening" in log_of(tmp_path, "second")
    assert "one ready" in log_of(tmp_path, "supervisor")
    assert log_of(tmp_path, "supervisor")[-1] == "stack stopped"


class Supervised:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.toy_services", str(folder), kind],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def state(self) -> StackState:
        return read(self.folder)

    def left(self) -> set[int]:
        state = self.state()
        return members(state.marker, [service.pid for service in state.services])


@pytest.fixture
def supervised(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Supervised]:
    program = Supervised(tmp_path, request.param)
    yield program
    if program.process.poll() is None:
        program.process.kill()
    program.process.communicate()


@pytest.mark.parametrize("supervised", ["plain"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_stack(supervised: Supervised, number: signal.Signals) -> None:
    assert supervised.line() == "up"
    assert len(supervised.left()) == 4
    supervised.process.send_signal(number)
    assert supervised.process.wait(20) == 0
    assert supervised.state().status == "stopped"
    assert supervised.left() == set()


@pytest.mark.parametrize("supervised", ["stubborn"], indirect=True)
def test_a_second_signal_makes_it_quick(supervised: Supervised) -> None:
    assert supervised.line() == "up"
    supervised.process.send_signal(signal.SIGINT)
    while supervised.state().status != "stopping":
        pass
    supervised.process.send_signal(signal.SIGINT)
    assert supervised.process.wait(10) == 0
    assert supervised.left() == set()


@pytest.mark.parametrize("supervised", ["endless"], indirect=True)
def test_a_signal_interrupts_a_start(supervised: Supervised) -> None:
    while (state := StateFile(supervised.folder).read()) is None or state.doing != "wait":
        pass
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(20) == 0
    assert supervised.left() == set()


@pytest.mark.parametrize("supervised", ["failing"], indirect=True)
def test_a_failed_start_ends_with_its_line(supervised: Supervised) -> None:
    assert "no luck" in supervised.line()
    assert supervised.process.wait(20) == 3
    assert supervised.left() == set()


@pytest.mark.parametrize("supervised", ["plain"], indirect=True)
def test_what_a_killed_supervisor_left_is_ended_by_the_next(supervised: Supervised) -> None:
    assert supervised.line() == "up"
    supervised.process.kill()
    supervised.process.wait(10)
    assert len(supervised.left()) == 4
    old = supervised.state()
    with stack_of(supervised.folder, toy("fresh")):
        assert members(old.marker, [service.pid for service in old.services]) == set()
