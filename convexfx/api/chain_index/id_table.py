"""Where each order id stands in the chain: sorted runs that are merged as they grow.

Forty-eight bytes an order; a look-up touches a number of runs that is logarithmic in the orders.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import (
    canonical_order,
    find_keys,
    key_words,
    same_as_previous,
)


@dataclass(frozen=True, eq=False)
class Run:
    """Ids strictly increasing (K x 4 words), each with the epoch and the place of its row."""

    words: NDArray[np.uint64]
    epochs: NDArray[np.uint32]
    places: NDArray[np.uint32]

    @classmethod
    def of(cls, words: NDArray[np.uint64], epoch: int) -> Self:
        """A run of one epoch's ids, given in the sequence of its rows."""
        count = len(words)
        epochs = np.full(count, epoch, dtype=np.uint32)
        return cls(words, epochs, np.arange(count, dtype=np.uint32)).in_order()

    def in_order(self) -> Self:
        """Sorted, of equal ids the one of the latest epoch only."""
        latest_first = (np.uint32(0xFFFFFFFF) - self.epochs).astype(np.uint64)
        order = canonical_order(self.words, latest_first)
        order = order[~same_as_previous(self.words[order])]
        return type(self)(self.words[order], self.epochs[order], self.places[order])

    @cached_property
    def first_words(self) -> NDArray[np.uint64]:
        """First word of each id in the machine's own byte order, which is searched fast."""
        return self.words[:, 0].astype(np.uint64)

    def position(self, word: NDArray[np.uint64]) -> int | None:
        """Position of one id (4 words), or None."""
        first = word[0].astype(np.uint64)
        at = int(np.searchsorted(self.first_words, first))
        while at < len(self.words) and self.first_words[at] == first:
            if (self.words[at] == word).all():
                return at
            at += 1
        return None

    def merged(self, other: Self) -> Self:
        """Both runs as one."""
        return type(self)(
            np.concatenate([self.words, other.words]),
            np.concatenate([self.epochs, other.epochs]),
            np.concatenate([self.places, other.places]),
        ).in_order()


class IdTable:
    """Epoch and row of the last receipt of each order id; immutable.

    Parameters
    ----------
    runs : older ones first, each at least twice as long as the next.
    """

    def __init__(self, runs: tuple[Run, ...] = ()) -> None:
        self.runs = runs

    def __len__(self) -> int:
        """Number of entries; an id may have one in several runs."""
        return sum(len(run.words) for run in self.runs)

    def added(self, words: NDArray[np.uint64], epoch: int) -> "IdTable":
        """With the ids of the next epoch, K x 4 words in the sequence of its rows."""
        if not len(words):
            return self
        runs = [*self.runs, Run.of(words, epoch)]
        while len(runs) > 1 and len(runs[-2].words) < 2 * len(runs[-1].words):
            newest = runs.pop()
            runs[-1] = runs[-1].merged(newest)
        return IdTable(tuple(runs))

    def find(self, order_id: bytes) -> tuple[int, int] | None:
        """(epoch, row) of the last receipt of an id, or None."""
        [wanted] = key_words(np.frombuffer(order_id, dtype=np.uint8).reshape(1, 32))
        for run in reversed(self.runs):
            at = run.position(wanted)
            if at is not None:
                return int(run.epochs[at]), int(run.places[at])
        return None

    def holds(self, words: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether each of K ids (K x 4 words) has a receipt, bool[K]."""
        found = np.zeros(len(words), dtype=np.bool_)
        for run in self.runs:
            found |= find_keys(run.words, words) >= 0
        return found
