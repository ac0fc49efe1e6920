"""Cuts work into batches that a queue accepts, and shares a budget of messages between threads.

SQS takes ten entries and 256 KiB in one call, and a seal takes many thousand orders. So ``sqs``
sends and deletes in batches, and several threads receive at once without exceeding what was asked.
"""

import threading
from collections.abc import Callable
from typing import Final

BATCH_ENTRIES_MAX: Final = 10
BATCH_BYTES_MAX: Final = 256 * 1024
"""Sum of the bodies of one batch, and the size of one message, that every SQS accepts."""


def batches_of(items: list[str], size: Callable[[str], int]) -> list[list[str]]:
    """Items in their order, at most ten and at most 256 KiB (by ``size``, bytes) in each batch."""
    batches: list[list[str]] = []
    used = 0
    for item in items:
        weight = size(item)
        if not batches or len(batches[-1]) == BATCH_ENTRIES_MAX or used + weight > BATCH_BYTES_MAX:
            batches.append([])
            used = 0
        batches[-1].append(item)
        used += weight
    return batches


class Budget:
    """A number of messages that several threads may take from until nothing is left.

    Parameters
    ----------
    total : at least 0.
    """

    def __init__(self, total: int) -> None:
        self._left = max(0, total)
        self._lock = threading.Lock()

    def left(self) -> int:
        """How many messages nobody has claimed."""
        with self._lock:
            return self._left

    def claim(self, wanted: int) -> int:
        """Take up to ``wanted`` messages; how many were taken."""
        with self._lock:
            taken = min(wanted, self._left)
            self._left -= taken
            return taken

    def give_back(self, count: int) -> None:
        """Return what was claimed and not used."""
        with self._lock:
            self._left += count
