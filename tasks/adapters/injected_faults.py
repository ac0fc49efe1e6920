"""Planned failures for the adapters in memory, so that tests meet each failure at an exact call.

What a real store or queue does once in a million calls, a test orders here: the third put loses its
answer, or the process dies right after it. The adapters in memory ask :class:`Faults` at each call.
"""

import threading
from dataclasses import dataclass
from enum import StrEnum


class Crash(BaseException):
    """Stands for the death of the process, so no ``except Exception`` of the code catches it."""


class Fault(StrEnum):
    """What goes wrong with one call.

    ``crash-before`` and ``crash-after``: the caller dies before or after the call took effect.
    ``lose-answer``: the call took effect, but its answer never came.
    ``lose-request``: the call took no effect, and no answer came.
    ``busy``: the store answers 409. ``unsent``: there was no connection.
    """

    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"
    LOSE_ANSWER = "lose-answer"
    LOSE_REQUEST = "lose-request"
    BUSY = "busy"
    UNSENT = "unsent"


@dataclass(slots=True)
class _Plan:
    operation: str
    fault: Fault
    match: str
    skip: int
    times: int


class Faults:
    """A list of planned faults, shared by any number of threads; each is used up in order."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()

    def plan(
        self, operation: str, fault: Fault, *, match: str = "", skip: int = 0, times: int = 1
    ) -> None:
        """Let ``operation`` (``put``, ``get``, ``receive`` ...) fail.

        Parameters
        ----------
        match : only calls whose subject (a key) holds this text.
        skip : so many matching calls pass first.
        times : so many calls fail then.
        """
        self._plans.append(_Plan(operation, fault, match, skip, times))

    def take(self, operation: str, subject: str = "") -> Fault | None:
        """The fault of this call; raises :class:`Crash` itself for ``crash-before``."""
        with self._lock:
            fault = self._take(operation, subject)
        if fault is Fault.CRASH_BEFORE:
            raise Crash(f"before {operation} {subject}")
        return fault

    def pending(self) -> int:
        """Planned failures that did not happen yet; a test asserts that none is left."""
        with self._lock:
            return sum(plan.times for plan in self._plans)

    def _take(self, operation: str, subject: str) -> Fault | None:
        for plan in self._plans:
            if plan.operation != operation or plan.match not in subject or not plan.times:
                continue
            if plan.skip:
                plan.skip -= 1
                continue
            plan.times -= 1
            return plan.fault
        return None


def crash_after(fault: Fault | None, operation: str) -> None:
    """Die if the fault says so; to be called when the operation took effect."""
    if fault is Fault.CRASH_AFTER:
        raise Crash(f"after {operation}")
