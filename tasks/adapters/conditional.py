"""The rules of a conditional commit, written once for every object store.

Several runs may work on one epoch, and an answer may get lost; a conditional put still lets exactly
one of them decide each object. What the answer to a put means:

- 412: the key is taken. Compare bytes first: the earlier put may have been this very client's, and
  only its answer was lost.
- 409: the store is busy with the key. Try again.
- 5xx or a timeout: the put may have taken effect. Read and compare.

A store adapter answers single attempts (:class:`Objects`); :class:`ConditionalStore` does the rest.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from convexfx_core.errors import (
    CommitConflict,
    CommitUnknown,
    ConfigurationCode,
    ConfigurationError,
    PeerUnreachable,
)
from tasks.ports import PutResult, Versioned

PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Waits between the attempts of one commit: six attempts in about three seconds."""
PROBE_PREFIX: Final = "selftest/"


class Answer(StrEnum):
    """What one attempt of a conditional put brought."""

    DONE = "done"
    TAKEN = "412"
    BUSY = "409"
    LOST = "lost"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Answer of one attempt; ``tag`` of the new version when done, ``detail`` for people."""

    answer: Answer
    tag: str = ""
    detail: str = ""


class Objects(Protocol):
    """Single attempts against an object store."""

    def read(self, key: str) -> Versioned | None:
        """Object and tag, or ``None``; raises ``PeerUnreachable``."""
        ...

    def try_put(self, key: str, body: bytes, tag: str | None) -> Attempt:
        """One put: ``tag`` ``None`` asks that the key is free, else that its version is ``tag``."""
        ...

    def holds(self, key: str) -> bool:
        """Whether the key is taken; raises ``PeerUnreachable``."""
        ...

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Keys with the prefix in byte order; raises ``PeerUnreachable``."""
        ...

    def discard(self, key: str) -> None:
        """Remove an object if that is allowed; says nothing if not."""
        ...


class ConditionalStore:
    """A ``Store`` over single attempts.

    Parameters
    ----------
    objects : the attempts.
    sleep : waits so many seconds between two of them.
    """

    def __init__(self, objects: Objects, sleep: Callable[[float], None]) -> None:
        self.objects = objects
        self._sleep = sleep

    def get(self, key: str) -> bytes | None:
        """Bytes of an object, or ``None`` where there is none."""
        found = self.objects.read(key)
        return None if found is None else found.body

    def get_versioned(self, key: str) -> Versioned | None:
        """Bytes and tag of an object, or ``None`` where there is none."""
        return self.objects.read(key)

    def exists(self, key: str) -> bool:
        """Whether an object stands under the key."""
        return self.objects.holds(key)

    def list(self, prefix: str) -> tuple[str, ...]:
        """Keys that begin with ``prefix``, in byte order."""
        return self.objects.keys(prefix)

    def put_new(self, key: str, body: bytes) -> PutResult:
        """Create the object unless the key is taken; see ``Store.put_new``."""
        return self._commit(key, body, None)[0]

    def put_if_match(self, key: str, body: bytes, tag: str | None) -> str:
        """Replace the version ``tag``; see ``Store.put_if_match``."""
        return self._commit(key, body, tag)[1]

    def prove_semantics(self) -> None:
        """Prove that the store honours conditions, by putting twice; call before anything else.

        Raises
        ------
        ConfigurationError
            ``STORE_SEMANTICS``: the store accepts and ignores a condition.
        """
        key = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        try:
            self.put_new(key, b"first")
            self._expect_taken(key, None, "If-None-Match: *")
            self._expect_taken(key, '"0"', "If-Match")
            if self.get(key) != b"first":
                raise _semantics("the first put's bytes to stand", "other bytes")
        finally:
            self.objects.discard(key)

    def _expect_taken(self, key: str, tag: str | None, condition: str) -> None:
        attempt = self.objects.try_put(key, b"second", tag)
        if attempt.answer is not Answer.TAKEN:
            shown = "200" if attempt.answer is Answer.DONE else attempt.detail or attempt.answer
            raise _semantics(f"412 on a second put with {condition}", shown)

    def _commit(self, key: str, body: bytes, tag: str | None) -> tuple[PutResult, str]:
        lost, attempt = False, Attempt(Answer.UNSENT)
        for pause in (*PAUSES_S, 0.0):
            attempt = self.objects.try_put(key, body, tag)
            if attempt.answer is Answer.DONE:
                return PutResult.CREATED, attempt.tag
            lost = lost or attempt.answer is Answer.LOST
            if attempt.answer in (Answer.TAKEN, Answer.LOST):
                settled = self._settle(key, body, tag, attempt)
                if settled is not None:
                    return PutResult.UNCHANGED, settled
            self._sleep(pause)
        if lost:
            raise CommitUnknown(key, "an answer to a put", attempt.detail)
        raise PeerUnreachable("store", f"an answer to a put of {key}", attempt.detail)

    def _settle(self, key: str, body: bytes, tag: str | None, attempt: Attempt) -> str | None:
        """Read what stands there; its tag if it holds our bytes, ``None`` if we may put again."""
        try:
            found = self.objects.read(key)
        except PeerUnreachable as error:
            if attempt.answer is Answer.LOST:
                return None
            raise CommitUnknown(key, "a read after a 412", error.observed) from error
        if found is not None and found.body == body:
            return found.tag
        before = None if found is None else found.tag
        if attempt.answer is Answer.LOST and before == tag:
            return None
        raise CommitConflict(key, observed="nothing" if found is None else "other bytes")


def _semantics(expected: str, observed: str) -> ConfigurationError:
    return ConfigurationError(ConfigurationCode.STORE_SEMANTICS, "bucket", expected, observed)
