"""Where each order id stands in the chain: sorted runs that are merged as they grow.

Forty bytes an order; a look-up touches a number of runs that is logarithmic in the orders.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from convexfx_core.row_order import canonical_order, find_keys, key_words, same_as_previous


@dataclass(frozen=True, slots=True, eq=False)
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

    def merged(self, other: Self) -> Self:
        """Both runs as one."""
        return type(self)(
            np.concatenate([self.words, other.words]),
            np.concatenate([self.epochs, other.epochs]),
            np.concatenate([self.places, other.places]),
        ).in_order()


class IdTable:
    """Epoch and row of the last receipt of each order id; not thread-safe by itself."""

    def __init__(self) -> None:
        self._runs: tuple[Run, ...] = ()

    def __len__(self) -> int:
        """Number of entries; an id may have one in several runs."""
        return sum(len(run.words) for run in self._runs)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self._runs)

    def add(self, words: NDArray[np.uint64], epoch: int) -> None:
        """Take in the ids of the next epoch, K x 4 words in the sequence of its rows."""
        runs = [*self._runs, Run.of(words, epoch)]
        while len(runs) > 1 and len(runs[-2].words) < 2 * len(runs[-1].words):
            newest = runs.pop()
            runs[-1] = runs[-1].merged(newest)
        self._runs = tuple(run for run in runs if len(run.words))

    def find(self, order_id: bytes) -> tuple[int, int] | None:
        """(epoch, row) of the last receipt of an id, or None."""
        wanted = key_words(np.frombuffer(order_id, dtype=np.uint8).reshape(1, 32))
        for run in reversed(self._runs):
            place = int(find_keys(run.words, wanted)[0])
            if place >= 0:
                return int(run.epochs[place]), int(run.places[place])
        return None
