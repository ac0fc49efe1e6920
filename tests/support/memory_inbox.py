"""An inbox in memory: it holds what the port promises, with planned failures."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from convexfx_core.errors import CommitUnknown, PeerUnreachable
from tasks.adapters.bodies import check_body
from tasks.adapters.clock import ManualClock
from tasks.adapters.injected_faults import Fault, Faults, crash_after
from tasks.ports import Clock, Depth, Message

VISIBILITY_S: Final = 30.0
RECEIVES_MAX: Final = 5
"""Deliveries after which a message goes to the dead letters by itself."""
NO_EFFECT: Final = (Fault.LOSE_REQUEST, Fault.UNSENT, Fault.BUSY)
"""Faults of a call that did not reach the queue."""


@dataclass(slots=True)
class _Held:
    id: str
    body: str
    receives: int = 0
    handle: str = ""
    visible_at: float = 0.0


class MemoryInbox:
    """An ``Inbox`` in memory: first in first out, at least once.

    Parameters
    ----------
    clock : measures visibility; a new manual clock if absent.
    visibility_s : how long a delivery hides its message, seconds.
    receives_max : deliveries after which a message goes to ``dead_letters`` by itself.
    faults : planned failures of ``receive``, ``delete``, ``release``, ``send``, ``dead_letter``.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        visibility_s: float = VISIBILITY_S,
        receives_max: int = RECEIVES_MAX,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.dead_letters: list[tuple[str, str]] = []
        self._clock = clock or ManualClock()
        self._visibility_s = visibility_s
        self._receives_max = receives_max
        self._held: dict[str, _Held] = {}
        self._sent = 0
        self._lock = threading.Lock()

    def receive(self, max_messages: int) -> list[Message]:
        """Up to ``max_messages`` visible messages, oldest first."""
        fault = self._call("receive")
        with self._lock:
            now = self._clock.now().timestamp()
            visible = [held for held in self._held.values() if held.visible_at <= now]
            taken = [held for held in visible if self._deliver(held)][:max_messages]
            messages = [self._hand_out(held, now) for held in taken]
        crash_after(fault, "receive")
        if fault is Fault.LOSE_ANSWER:
            raise PeerUnreachable("inbox", "an answer to receive", "no answer")
        return messages

    def delete(self, handles: Iterable[str]) -> tuple[str, ...]:
        """Delete deliveries; a handle of an older delivery deletes nothing and is returned."""
        fault = self._call("delete", raises=False)
        wanted = tuple(handles)
        if fault in NO_EFFECT:
            return wanted
        with self._lock:
            current = {held.handle: held.id for held in self._held.values() if held.handle}
            for handle in wanted:
                if handle in current:
                    self._held.pop(current[handle], None)
        crash_after(fault, "delete")
        return tuple(handle for handle in wanted if handle not in current)

    def release(self, handles: Iterable[str]) -> None:
        """Make held messages visible again at once."""
        fault = self._call("release", raises=False)
        wanted = set(handles)
        with self._lock:
            for held in self._held.values():
                if held.handle in wanted and fault not in NO_EFFECT:
                    held.visible_at = 0.0
        crash_after(fault, "release")

    def send(self, bodies: Sequence[str]) -> None:
        """Send messages in order."""
        for body in bodies:
            check_body(body)
        fault = self._call("send")
        with self._lock:
            for body in bodies:
                self._sent += 1
                name = f"m{self._sent:08d}"
                self._held[name] = _Held(name, body)
        crash_after(fault, "send")
        if fault is Fault.LOSE_ANSWER:
            raise CommitUnknown("inbox", f"all {len(bodies)} messages sent", "no answer")

    def dead_letter(self, body: str, reason: str) -> None:
        """Copy a message to ``dead_letters`` with its reason."""
        fault = self._call("dead_letter")
        with self._lock:
            self.dead_letters.append((body, reason))
        crash_after(fault, "dead_letter")

    def depth(self) -> Depth:
        """Numbers of waiting and held messages."""
        with self._lock:
            now = self._clock.now().timestamp()
            waiting = sum(held.visible_at <= now for held in self._held.values())
            return Depth(waiting, len(self._held) - waiting)

    def _call(self, operation: str, *, raises: bool = True) -> Fault | None:
        fault = self.faults.take(operation)
        if raises and fault in NO_EFFECT:
            raise PeerUnreachable("inbox", f"an answer to {operation}", "no answer")
        return fault

    def _deliver(self, held: _Held) -> bool:
        if held.receives < self._receives_max:
            return True
        self.dead_letters.append((held.body, "redrive"))
        del self._held[held.id]
        return False

    def _hand_out(self, held: _Held, now: float) -> Message:
        held.receives += 1
        held.handle = f"{held.id}/{held.receives}"
        held.visible_at = now + self._visibility_s
        return Message(held.id, held.handle, held.body, held.receives)
