"""Store and inbox in memory: the same conditional semantics, with planned failures."""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from convexfx_core.errors import CommitUnknown, PeerUnreachable
from tasks.adapters.bodies import check_body
from tasks.adapters.clock import ManualClock
from tasks.adapters.conditional import Answer, Attempt, ConditionalStore
from tasks.adapters.injected_faults import Fault, Faults, crash_after
from tasks.ports import Clock, Depth, Message, Versioned

VISIBILITY_S: Final = 30.0
RECEIVES_MAX: Final = 5
"""Deliveries after which a message goes to the dead letters by itself."""
NO_EFFECT: Final = (Fault.LOSE_REQUEST, Fault.UNSENT, Fault.BUSY)
"""Faults of a call that did not reach the queue."""


def content_tag(body: bytes) -> str:
    """Tag of a version: quoted SHA-256 of its bytes, so equal bytes have equal tags as in S3."""
    return f'"{hashlib.sha256(body).hexdigest()}"'


class MemoryObjects:
    """Single attempts against a dictionary.

    Parameters
    ----------
    faults : planned failures of ``put``, ``get`` and ``list``.
    conditional : ``False`` makes the look-alike that accepts conditions and ignores them.
    """

    def __init__(self, faults: Faults, *, conditional: bool = True) -> None:
        self.bodies: dict[str, bytes] = {}
        self._faults = faults
        self._conditional = conditional
        self._lock = threading.Lock()

    def read(self, key: str) -> Versioned | None:
        """Object and tag, or ``None``."""
        self._reading("get", key)
        with self._lock:
            body = self.bodies.get(key)
        return None if body is None else Versioned(body, content_tag(body))

    def holds(self, key: str) -> bool:
        """Whether the key is taken."""
        self._reading("get", key)
        with self._lock:
            return key in self.bodies

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Keys with the prefix in byte order."""
        self._reading("list", prefix)
        with self._lock:
            found = [key for key in self.bodies if key.startswith(prefix)]
        return tuple(sorted(found, key=str.encode))

    def try_put(self, key: str, body: bytes, tag: str | None) -> Attempt:
        """One conditional put."""
        fault = self._faults.take("put", key)
        if fault is Fault.BUSY:
            return Attempt(Answer.BUSY, detail="409")
        if fault is Fault.UNSENT:
            return Attempt(Answer.UNSENT, detail="no connection")
        if fault is Fault.LOSE_REQUEST:
            return Attempt(Answer.LOST, detail="no answer")
        taken = not self._apply(key, bytes(body), tag)
        crash_after(fault, "put")
        if fault is Fault.LOSE_ANSWER:
            return Attempt(Answer.LOST, detail="no answer")
        return Attempt(Answer.TAKEN) if taken else Attempt(Answer.DONE, content_tag(body))

    def discard(self, key: str) -> None:
        """Remove an object."""
        with self._lock:
            self.bodies.pop(key, None)

    def _apply(self, key: str, body: bytes, tag: str | None) -> bool:
        with self._lock:
            found = self.bodies.get(key)
            holds = (
                found is None if tag is None else found is not None and content_tag(found) == tag
            )
            if holds or not self._conditional:
                self.bodies[key] = body
            return holds or not self._conditional

    def _reading(self, operation: str, subject: str) -> None:
        if self._faults.take(operation, subject) is not None:
            raise PeerUnreachable("store", f"an answer to a {operation} of {subject}", "no answer")


class MemoryStore(ConditionalStore):
    """A ``Store`` in memory.

    Parameters
    ----------
    faults, conditional : as in :class:`MemoryObjects`.
    clock : waits between attempts move it; a new manual clock if absent.
    """

    def __init__(
        self, faults: Faults | None = None, *, conditional: bool = True, clock: Clock | None = None
    ) -> None:
        self.faults = faults or Faults()
        super().__init__(
            MemoryObjects(self.faults, conditional=conditional), (clock or ManualClock()).sleep
        )


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
