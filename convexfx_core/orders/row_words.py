"""Order rows as rows of ten 64-bit words, which are read faster than named fields.

The passes over all orders (clearing, settlement, laws) read them this way; the names of the words
stand here once for numpy and for machine code. Source: ``docs/spec.md`` section 3.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.limits import AMOUNT_MAX, LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN, NONCE_MAX
from convexfx_core.orders.row import (
    KIND_ORDER,
    LIMIT_LIMIT,
    MANTISSA_MAX,
    MANTISSA_MIN,
)

NONCE, BUDGET, LIMIT_M, MIN_FILL, TAIL = 4, 5, 6, 7, 9
ROW_WORDS: Final = 10
"""Words 0-3 are the owner, 8 the last epoch; the tail packs, from its low end, pay, receive and
limit exponent (16 bits each), kind and limit kind (8 bits each)."""

SHORT, BYTE = np.uint64(0xFFFF), np.uint64(0xFF)
RECEIVE_SHIFT, EXPONENT_SHIFT = np.uint64(16), np.uint64(32)
KIND_SHIFT, LIMIT_KIND_SHIFT = np.uint64(48), np.uint64(56)
ONE, LIMITED, ORDERED = np.uint64(1), np.uint64(LIMIT_LIMIT), np.uint64(KIND_ORDER)
MANTISSA_LOW, MANTISSA_ROOM = np.uint64(MANTISSA_MIN), np.uint64(MANTISSA_MAX - MANTISSA_MIN)
EXPONENT_OFFSET = np.uint64(-LIMIT_EXPONENT_MIN)
EXPONENT_ROOM = np.uint64(LIMIT_EXPONENT_MAX - LIMIT_EXPONENT_MIN)
BUDGET_TOP, NONCE_TOP = np.uint64(AMOUNT_MAX), np.uint64(NONCE_MAX)


def order_words(orders: NDArray[np.void]) -> NDArray[np.uint64]:
    """u64[K, 10] view of K order rows of 80 bytes."""
    words: NDArray[np.uint64] = np.ascontiguousarray(orders).view("<u8").reshape(-1, ROW_WORDS)
    return words


@dataclass(frozen=True, slots=True)
class OrderWords:
    """Columns of order rows, u64[K] each; ``exponent`` as its sixteen bits.

    ``words`` : u64[K, 10] the rows; ``limited`` : bool[K], limit orders, the others are market
    orders. What is read once at most stays in the rows.
    """

    words: NDArray[np.uint64]
    tail: NDArray[np.uint64]
    budget: NDArray[np.uint64]
    mantissa: NDArray[np.uint64]
    pay: NDArray[np.uint64]
    receive: NDArray[np.uint64]
    exponent: NDArray[np.uint64]
    limit_kind: NDArray[np.uint64]
    limited: NDArray[np.bool_]

    @property
    def nonce(self) -> NDArray[np.uint64]:
        """Nonces."""
        return self.words[:, NONCE]

    @property
    def min_fill(self) -> NDArray[np.uint64]:
        """Least amounts to pay, base units of the pay asset."""
        return self.words[:, MIN_FILL]

    @property
    def kind(self) -> NDArray[np.uint64]:
        """Kinds of the rows."""
        return (self.tail >> KIND_SHIFT) & BYTE

    def pair(self, n: int) -> NDArray[np.intp]:
        """Flat index pay * n + receive of each order's pair."""
        return (self.pay * np.uint64(n) + self.receive).astype(np.intp)

    def well_formed(self, n: int) -> NDArray[np.bool_]:
        """Which rows are kind-1 orders that law L0 accepts, for n assets."""
        limit = self.limited & (self.mantissa - MANTISSA_LOW <= MANTISSA_ROOM)
        limit &= ((self.exponent + EXPONENT_OFFSET) & SHORT) <= EXPONENT_ROOM
        limit |= (self.mantissa | self.exponent | self.limit_kind) == 0
        good = (self.pay < np.uint64(n)) & (self.receive < np.uint64(n)) & limit
        good &= (self.pay != self.receive) & (self.kind == ORDERED)
        good &= (self.nonce - ONE < NONCE_TOP) & (self.budget - ONE < BUDGET_TOP)
        good &= self.min_fill <= self.budget
        return good


def read_words(words: NDArray[np.uint64]) -> OrderWords:
    """Columns of order rows given as words, best a chunk of them."""
    tail = words[:, TAIL].copy()
    limit_kind = tail >> LIMIT_KIND_SHIFT
    return OrderWords(
        words=words,
        tail=tail,
        budget=words[:, BUDGET].copy(),
        mantissa=words[:, LIMIT_M].copy(),
        pay=tail & SHORT,
        receive=(tail >> RECEIVE_SHIFT) & SHORT,
        exponent=(tail >> EXPONENT_SHIFT) & SHORT,
        limit_kind=limit_kind,
        limited=limit_kind == LIMITED,
    )
