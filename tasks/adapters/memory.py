"""A store in memory: the same conditional semantics as S3, with planned failures.

Tests run whole epochs on it. The commit rules are the real ones (``conditional``), and one suite of
tests holds the stores in memory and in S3 to the same behaviour.
"""

import hashlib
import threading

from convexfx_core.errors import PeerUnreachable
from tasks.adapters.clock import ManualClock
from tasks.adapters.conditional import Answer, Attempt, ConditionalStore
from tasks.adapters.injected_faults import Fault, Faults, crash_after
from tasks.ports import Clock, Versioned


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

    def share(self, other: "MemoryObjects") -> None:
        """Hold what ``other`` holds, under its lock: two clients of one bucket."""
        self.bodies, self._lock = other.bodies, other._lock

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
