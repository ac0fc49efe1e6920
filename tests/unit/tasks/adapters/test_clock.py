"""Clocks: one that is turned by hand, one of the machine."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.adapters.clock import ManualClock, SystemClock

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON


def test_sleeping_moves_it_without_waiting() -> None:
    clock = ManualClock(NOON)
    clock.sleep(86_400.5)
    assert clock.now() - NOON == timedelta(days=1, milliseconds=500)


def test_it_speaks_utc_whatever_it_was_given() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=9)))
    assert ManualClock(there).now().utcoffset() == timedelta(0)


def test_it_needs_a_timezone() -> None:
    with pytest.raises(ValueError, match="timezone"):
        ManualClock(NOON.replace(tzinfo=None))


def test_it_never_goes_back() -> None:
    clock = ManualClock(NOON)
    clock.advance(0)
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(-0.001)
    assert clock.now() == NOON


def test_the_system_clock_is_in_utc_and_now() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_a_manual_clock_counts_what_it_was_moved_by() -> None:
    clock = ManualClock(NOON)
    begun = clock.monotonic()
    clock.sleep(0.25)
    clock.advance(600)
    assert clock.monotonic() - begun == 600.25


def test_the_system_clock_is_monotonic_whatever_the_time_of_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    monkeypatch.setattr(clock, "now", lambda: NOON)
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()


def test_the_system_clock_waits() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.01)
    assert clock.now() - before >= timedelta(milliseconds=10)
