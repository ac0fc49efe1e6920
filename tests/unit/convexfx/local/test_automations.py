"""The rule by which the server ends runs that nobody works on any more."""

from datetime import timedelta

import pytest
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture

from convexfx.local import automations as module
from convexfx.local.automations import HEARTBEAT, RUNNING, SILENCE_S, automate, silent_runs
from convexfx.local.prefect_server import HEARTBEAT_S


def trigger() -> EventTrigger:
    found = silent_runs().trigger
    assert isinstance(found, EventTrigger)
    return found


def test_silence_is_longer_than_two_heartbeats_that_got_lost() -> None:
    assert SILENCE_S >= 3 * HEARTBEAT_S
    assert trigger().within == timedelta(seconds=SILENCE_S)


def test_it_waits_for_another_heartbeat_or_the_end_of_each_run() -> None:
    rule = trigger()
    assert rule.posture == Posture.Proactive
    assert rule.after == {RUNNING, HEARTBEAT}, "one killed before its first beat is seen too"
    assert HEARTBEAT in rule.expect
    assert rule.for_each == {"prefect.resource.id"}


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES))
def test_a_run_that_ended_is_left_alone(state: StateType) -> None:
    assert f"prefect.flow-run.{state.value.capitalize()}" in trigger().expect


def test_the_run_is_crashed_and_the_message_says_why() -> None:
    (action,) = silent_runs().actions
    assert isinstance(action, ChangeFlowRunState)
    assert action.state == StateType.CRASHED
    assert f"{SILENCE_S} s" in (action.message or "")


def test_the_state_is_not_forced_on_a_run_that_ended_unnoticed() -> None:
    (action,) = silent_runs().actions
    assert isinstance(action, ChangeFlowRunState)
    assert not action.force


@pytest.mark.parametrize("there", [False, True], ids=["new", "again"])
def test_it_stands_once_however_often_it_is_made(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    made: list[str] = []

    def read(name: str) -> module.Automation:
        if not there:
            raise ValueError(name)
        return silent_runs(30)

    monkeypatch.setattr(module.Automation, "read", staticmethod(read))
    monkeypatch.setattr(module.Automation, "create", lambda self: made.append("create"))
    monkeypatch.setattr(module.Automation, "update", lambda self: made.append("update"))
    automate()
    assert made == (["update"] if there else ["create"])
