"""A stage beyond its limit under the real orchestrator: ended, tried again, its words kept."""

import threading
import time

import pytest
from prefect import flow

from convexfx_core.errors import CommitUnknown
from tasks import stage as module
from tasks.stage import STAGES, Rules, stage

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300, method="thread")]
"""The alarm of the process is the stage's, as in a worker; pytest must not hold it."""
LIMIT_S = 1


@pytest.fixture
def nap(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows for stages of these tests; no pause between attempts."""
    monkeypatch.setitem(STAGES, "nap", Rules(LIMIT_S, 1, None))
    monkeypatch.setattr(module, "RETRY_DELAYS_S", [0.0])


def test_a_stage_that_hangs_once_is_tried_again_and_ends(nap: None) -> None:
    attempts: list[float] = []

    @stage("nap")
    def hangs_once() -> int:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            threading.Event().wait(60)
        return len(attempts)

    @flow
    def epoch() -> int:
        return hangs_once()

    assert epoch() == 2
    assert LIMIT_S <= attempts[1] - attempts[0] < 30


def test_a_stage_that_hangs_always_fails_and_names_itself_and_its_limit(nap: None) -> None:
    attempts: list[int] = []

    @stage("nap")
    def hangs() -> None:
        attempts.append(1)
        threading.Event().wait(60)

    @flow
    def epoch() -> None:
        hangs()

    with pytest.raises(CommitUnknown, match="stage nap: expected an end within 1 s"):
        epoch()
    assert len(attempts) == 2
