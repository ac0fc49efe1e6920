"""The table of stages: every stage reads it, and a stage beyond its limit says so and may go on."""

import importlib
import re
import time
from asyncio import CancelledError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy
from prefect.utilities.timeout import timeout

from convexfx_core.errors import CommitUnknown
from tasks.adapters.laws_host import Limits
from tasks.delivery import SETTLE_S_MAX
from tasks.prove import WAIT_S_MAX, WAIT_S_PROOF_MAX
from tasks.stage import (
    RETRY_JITTER,
    STAGES,
    Rules,
    inputs_cache_key,
    run_cache_key,
    stage,
    worth_retrying,
)

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
MODULES = [path.stem for path in (ROOT / "tasks").glob("*.py") if path.stem != "__init__"]


def stages_of_the_tree() -> dict[str, Task[..., Any]]:
    """Every Prefect task that a module of ``tasks`` makes, by its name."""
    found = {}
    for name in MODULES:
        for value in vars(importlib.import_module(f"tasks.{name}")).values():
            if isinstance(value, Task):
                found[value.name] = value
    return found


TREE = stages_of_the_tree()


def test_every_stage_is_in_the_table_and_every_row_is_a_stage() -> None:
    assert set(TREE) == set(STAGES)


def test_no_task_is_made_past_the_table() -> None:
    """The word ``@task`` stands nowhere, so a new stage cannot forget its limit."""
    sources = {name: (ROOT / f"tasks/{name}.py").read_text() for name in MODULES}
    assert [name for name, text in sources.items() if "@task" in text] == []
    made = [
        found for text in sources.values() for found in re.findall(r'^@stage\("(.+)"\)', text, re.M)
    ]
    assert sorted(made) == sorted(STAGES)


def test_a_name_without_a_row_is_no_stage() -> None:
    with pytest.raises(KeyError, match="clean"):
        stage("clean")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_run_by_its_row(name: str) -> None:
    made, rules = TREE[name], STAGES[name]
    assert (made.timeout_seconds, made.retries) == (rules.limit_s, rules.retries)
    assert made.retry_delay_seconds == [1, 2, 4, 8, 16]
    assert (made.retry_jitter_factor, made.retry_condition_fn) == (RETRY_JITTER, worth_retrying)
    assert made.persist_result is (rules.cache_key is not None)
    if rules.cache_key is None:
        assert made.cache_policy is NO_CACHE
    else:
        assert isinstance(made.cache_policy, CacheKeyFnPolicy)
        assert made.cache_policy.cache_key_fn is rules.cache_key


def test_only_a_proof_object_is_a_result_that_is_not_kept() -> None:
    assert [name for name, rules in STAGES.items() if rules.cache_key is None] == ["make-proof"]


def test_limits_are_beyond_what_the_stages_wait_for_themselves() -> None:
    """A stage's own words say more than its limit, so they come first."""
    host = Limits()
    assert STAGES["prove"].limit_s > max(WAIT_S_PROOF_MAX, *WAIT_S_MAX.values())
    turns = 2 * host.turn_s
    one_proof = turns + host.prove_s + host.serve_s + host.execute_s + host.verify_s
    assert STAGES["make-proof"].limit_s > one_proof
    assert STAGES["make-proof"].limit_s > WAIT_S_PROOF_MAX + turns
    assert STAGES["submit"].limit_s > SETTLE_S_MAX + 2 * host.verify_s


def test_keys_name_epoch_or_run_and_stage_inputs_and_code() -> None:
    run: Any = SimpleNamespace(
        task=SimpleNamespace(name="clear"), task_run=SimpleNamespace(flow_run_id="r1")
    )
    keys = [inputs_cache_key(run, {"sealed": {"epoch": 7, "n": n}}) for n in (1, 2)]
    assert all(key.startswith("epoch-00000007-clear-") for key in keys)
    assert len(set(keys)) == 2
    assert run_cache_key(run, {}).startswith("run-r1-clear-")
    assert not any("/" in key for key in keys)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row for stages of these tests."""
    monkeypatch.setitem(STAGES, "nap", Rules(1, 0, None))


@pytest.mark.timeout(60, method="thread")
def test_a_stage_beyond_its_limit_names_itself_and_may_be_tried_again(quick: None) -> None:
    @stage("nap")
    def nap() -> None:
        time.sleep(30)

    start = time.monotonic()
    with pytest.raises(CommitUnknown) as caught, timeout(seconds=1):
        nap.fn()
    assert time.monotonic() - start < 20
    line = "COMMIT_UNKNOWN: stage nap: expected an end within 1 s, found still under way"
    assert caught.value.line() == line
    nobody: Any = None
    state: Any = SimpleNamespace(data=caught.value)
    assert worth_retrying(nobody, nobody, state)


@pytest.mark.timeout(60, method="thread")
def test_the_end_of_the_stage_around_is_not_this_ones(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``make-proof`` inside ``prove``: whoever's limit it was says so, and nobody swallows it."""
    monkeypatch.setitem(STAGES, "inner", Rules(600, 5, None))
    ended: list[str] = []

    @stage("inner")
    def inner() -> None:
        try:
            time.sleep(30)
        finally:
            ended.append("inner")

    @stage("nap")
    def nap() -> None:
        inner.fn()

    own = "stage nap: expected an end within 1 s"
    with pytest.raises(CommitUnknown, match=own), timeout(seconds=1):
        nap.fn()
    assert ended == ["inner"]
    with pytest.raises(TimeoutError), timeout(seconds=0.05):
        inner.fn()


def test_a_stage_within_its_limit_returns_and_fails_as_it_is(quick: None) -> None:
    @stage("nap")
    def nap(error: Exception | None) -> str:
        if error is not None:
            raise error
        return "done"

    with timeout(seconds=30):
        assert nap.fn(None) == "done"
        with pytest.raises(OSError, match="disk"):
            nap.fn(OSError("disk"))


def test_nothing_in_a_stage_can_swallow_its_end(quick: None) -> None:
    """The end is no ``Exception``: what a stage suppresses does not hold it up."""

    @stage("nap")
    def nap() -> None:
        try:
            raise CancelledError
        except Exception:
            return

    with pytest.raises(CancelledError):
        nap.fn()


def test_the_runbook_has_the_table() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([\d,]+) \| (\d+) \|", RUNBOOK, re.M)
    said = {name: (int(limit.replace(",", "")), int(retries)) for name, limit, retries in rows}
    assert said == {name: (rules.limit_s, rules.retries) for name, rules in STAGES.items()}
