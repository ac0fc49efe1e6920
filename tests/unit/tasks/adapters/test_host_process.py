"""Programs that are run once: their limit holds, and their progress is no part of their work."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from convexfx_core.errors import ProofError
from tasks.adapters.host_process import LINE_MAX, Finished, run_program
from tasks.adapters.progress_teller import EVENTS_MAX, OnEvent, telling
from tasks.ports import Json

PIPE_BYTES = 1 << 16
ANSWER = "print('{\"answer\": 1}', flush=True)"
FLOOD = "import sys\nfor i in range(20_000): print('{\"event\": %d}' % i, file=sys.stderr)\n"
"""Some 300 KB of events: far more than a pipe holds."""


def run(code: str, timeout_s: float = 20.0, on_event: OnEvent = lambda _: None) -> Finished:
    return run_program([sys.executable, "-S", "-E", "-c", code], timeout_s, on_event)


def alive(pid: int) -> bool:
    """Whether it runs: one that nobody has waited for yet (state ``Z``) does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def dies(pid: int, within_s: float = 10.0) -> bool:
    """A killed process closes its pipes a little before it is gone."""
    end = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def with_a_child(pid: Path, then: str) -> str:
    """A program whose child keeps both pipes for minutes."""
    return (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\n"
        f"{ANSWER}\n{then}\n"
    )


# The listener of progress


def test_a_listener_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    def broken(_: object) -> None:
        told.set()
        raise ConnectionError("the orchestrator is away")

    with telling(broken) as on_event:
        done = run(FLOOD + ANSWER, on_event=on_event)
    assert (done.code, done.answers) == (0, ({"answer": 1},))
    assert told.is_set()
    assert caplog.text.count("progress could not be shown") == 1


def test_a_listener_that_hangs_delays_nothing() -> None:
    over = threading.Event()

    def hanging(_: object) -> None:
        over.wait(60)

    start = time.monotonic()
    with telling(hanging) as on_event:
        done = run(FLOOD + ANSWER, on_event=on_event)
    assert done.answers == ({"answer": 1},)
    assert time.monotonic() - start < 15
    over.set()


def test_the_last_event_is_told() -> None:
    seen: list[object] = []
    with telling(seen.append) as on_event:
        run(FLOOD, on_event=on_event)
    assert seen[-1] == {"event": 19_999}


def test_events_keep_their_order_and_are_told_once() -> None:
    seen: list[int] = []
    with telling(lambda event: seen.append(event["n"])) as on_event:
        for n in range(EVENTS_MAX):
            on_event({"n": n})
    assert seen == list(range(EVENTS_MAX))


def test_a_slow_listener_gets_the_newest_events() -> None:
    seen: list[int] = []
    free = threading.Event()

    def slow(event: Json) -> None:
        free.wait(20)
        seen.append(event["n"])

    with telling(slow) as on_event:
        for n in range(10 * EVENTS_MAX):
            on_event({"n": n})
        free.set()
    assert seen == sorted(set(seen))
    assert seen[-EVENTS_MAX:] == list(range(9 * EVENTS_MAX, 10 * EVENTS_MAX))
    assert len(seen) <= EVENTS_MAX + 1


def test_a_line_without_an_end_is_read_in_pieces() -> None:
    code = f"import sys; sys.stderr.write('x' * {3 * LINE_MAX}); sys.stderr.flush()\n{ANSWER}"
    done = run(code)
    assert done.answers == ({"answer": 1},)
    assert len(done.last_words) <= LINE_MAX


# Limits


def test_a_child_that_keeps_the_pipes_is_ended_with_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    start = time.monotonic()
    done = run(with_a_child(pid, ""))
    assert time.monotonic() - start < 10
    assert (done.code, done.answers) == (0, ({"answer": 1},))
    assert dies(int(pid.read_text()))


def test_the_limit_holds_though_a_child_keeps_the_pipes(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    start = time.monotonic()
    with pytest.raises(ProofError, match="PROVER_LOST"):
        run(with_a_child(pid, "time.sleep(300)"), 2.0)
    assert time.monotonic() - start < 10
    assert dies(int(pid.read_text()))


def test_a_child_that_left_the_group_delays_nothing(tmp_path: Path) -> None:
    """It keeps its pipes open; what was said before is the answer."""
    pid = tmp_path / "pid"
    code = with_a_child(pid, "").replace("'300']", "'300'], start_new_session=True")
    done = run(code)
    assert alive(int(pid.read_text()))
    os.kill(int(pid.read_text()), 9)
    assert (done.code, done.answers) == (0, ({"answer": 1},))


def test_more_than_a_pipe_of_output_is_read_while_it_runs() -> None:
    done = run(f"print('{{\"x\": \"' + 'y' * {4 * PIPE_BYTES} + '\"}}')")
    assert len(done.answers[0]["x"]) == 4 * PIPE_BYTES
