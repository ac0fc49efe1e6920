"""Clocks: the machine's own, and one that a test turns by hand.

Stages take their clock as a port. With a manual one, waits, timeouts and stale prices are tested in
no time and always come out the same.
"""

import threading
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Now, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class ManualClock:
    """A clock that moves only when it is told to; sleeping moves it.

    Parameters
    ----------
    start : first moment, with a timezone.
    """

    def __init__(self, start: datetime = datetime(2024, 1, 2, 12, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("start needs a timezone")
        self._now = self._start = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The moment it stands at, UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds that it was moved by so far."""
        with self._lock:
            return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Move by so many seconds without waiting."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move by so many seconds; a clock never goes back."""
        if seconds < 0:
            raise ValueError(f"seconds: expected at least 0, found {seconds}")
        with self._lock:
            self._now += timedelta(seconds=seconds)
