"""The rules of an order row, each once: its code, its field, what is expected, when it is broken.

An order meets these rules up to three times on its way: when its signed bytes are decoded, when an
epoch admits it, and when somebody writes it into a file for ``convexfx clear``. All three read this
table, so that a new rule is written in one place and refuses everywhere with the same words. A rule
is an expression of comparisons, ``&`` and ``|``: integers of one order give one answer, columns of
K orders give K of them.

The table is not the last word. Law L0 (:mod:`convexfx_core.laws.order_ranges`) states the same
ranges once more and on purpose: it judges what intake let through and must not share its mistakes.

Where several rules are broken the first of a sequence names the code. The sequences stand at the
end of this module.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import AMOUNT_MAX, LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN, NONCE_MAX
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    KIND_PAYOUT,
    LIMIT_LIMIT,
    LIMIT_MARKET,
    MANTISSA_MAX,
    MANTISSA_MIN,
    NO_ASSET,
)

Number: TypeAlias = int | NDArray[Any]
Truth: TypeAlias = bool | NDArray[np.bool_]
NO_ORDER: Final = bytes(32)


class OrderFields(NamedTuple):
    """What the rules look at: integers of one order, or columns of K orders.

    Whoever asks for some of the rules gives the fields that these read.

    Attributes
    ----------
    kind, receive, limit_kind, limit_e, limit_m, min_fill : as in the terms.
    pays : the order id that a payout pays: 32 bytes, or u64[K, 4].
    nonce : the nonce that the order consumes.
    pay : registry index of the pay asset; 65535 for none.
    budget : base units of the pay asset.
    assets : how many assets the registry has.
    """

    kind: Number = KIND_ORDER
    receive: Number = NO_ASSET
    limit_kind: Number = LIMIT_MARKET
    limit_e: Number = 0
    limit_m: Number = 0
    min_fill: Number = 0
    pays: bytes | NDArray[np.uint64] = NO_ORDER
    nonce: Number = 0
    pay: Number = NO_ASSET
    budget: Number = 0
    assets: int = 0

    @classmethod
    def of_rows(cls, rows: NDArray[np.void], assets: int) -> Self:
        """Columns of K order rows, each copied once: rows 80 bytes apart are slow to read."""
        names = ("kind", "receive", "limit_kind", "limit_e", "limit_m", "min_fill", "pay", "budget")
        columns = {name: np.ascontiguousarray(rows[name]) for name in names}
        return cls(**columns, assets=assets)

    @property
    def names_order(self) -> Truth:
        """Whether ``pays`` holds an order id."""
        if isinstance(self.pays, bytes):
            return any(self.pays)
        return np.asarray((self.pays != 0).any(axis=1))


class Rule(NamedTuple):
    """One rule.

    Attributes
    ----------
    code : with which it refuses.
    field, expected : what a refused order's owner reads; ``{assets}`` stands for their number.
    seen : what stood there, as that owner reads it.
    broken : whether an order breaks it; bool, or bool[K].
    """

    code: RejectCode
    field: str
    expected: str
    seen: Callable[[OrderFields], object]
    broken: Callable[[OrderFields], Truth]


# fmt: off
# This is a table: of each rule first the words, then the condition.
NONCE: Final = Rule(
    RejectCode.NONCE_RANGE, "new_nonce", "1 to 2^63 - 1", attrgetter("nonce"),
    lambda order: (order.nonce < 1) | (order.nonce > NONCE_MAX),
)
PAY: Final = Rule(
    RejectCode.ASSET_UNKNOWN, "pay", "a registry index below {assets}", attrgetter("pay"),
    lambda order: order.pay >= order.assets,
)
KIND_KNOWN: Final = Rule(
    RejectCode.TERMS, "kind", "1 order, 2 cancel or 3 payout", attrgetter("kind"),
    lambda order: (order.kind < KIND_ORDER) | (order.kind > KIND_PAYOUT),
)
PAYS: Final = Rule(
    RejectCode.TERMS, "pays", "an order id exactly in a payout",
    lambda order: order.pays.hex() if isinstance(order.pays, bytes) else None,
    lambda order: (order.kind == KIND_PAYOUT) != order.names_order,
)
BARE: Final = Rule(
    RejectCode.TERMS, "terms", "no receive asset, limit or min_fill", attrgetter("kind"),
    lambda order: (order.kind != KIND_ORDER)
    & ((order.receive != NO_ASSET) | (order.limit_kind != 0) | (order.min_fill != 0)),
)
"""Only an order wants something: a cancel uses up a nonce, a payout follows from its order."""
LIMIT_KIND: Final = Rule(
    RejectCode.TERMS, "limit kind", "0 market or 1 limit", attrgetter("limit_kind"),
    lambda order: order.limit_kind > LIMIT_LIMIT,
)
MANTISSA: Final = Rule(
    RejectCode.LIMIT_RANGE, "limit", "a mantissa in [2^62, 2^63)", attrgetter("limit_m"),
    lambda order: (order.limit_kind == LIMIT_LIMIT)
    & ((order.limit_m < MANTISSA_MIN) | (order.limit_m > MANTISSA_MAX)),
)
"""A mantissa with its top bit set, so that every limit has one spelling only."""
EXPONENT: Final = Rule(
    RejectCode.LIMIT_RANGE, "limit", f"an exponent in [{LIMIT_EXPONENT_MIN}, {LIMIT_EXPONENT_MAX}]",
    attrgetter("limit_e"),
    lambda order: (order.limit_kind == LIMIT_LIMIT)
    & ((order.limit_e < LIMIT_EXPONENT_MIN) | (order.limit_e > LIMIT_EXPONENT_MAX)),
)
NO_LIMIT: Final = Rule(
    RejectCode.TERMS, "limit", "zero without a limit", attrgetter("limit_e", "limit_m"),
    lambda order: (order.limit_kind != LIMIT_LIMIT) & ((order.limit_e != 0) | (order.limit_m != 0)),
)
KIND: Final = Rule(
    RejectCode.TERMS, "kind", "1 order or 2 cancel", attrgetter("kind"),
    lambda order: (order.kind != KIND_ORDER) & (order.kind != KIND_CANCEL),
)
"""Only the pool signs payouts; from anybody else one is no order."""
CANCEL_AMOUNT: Final = Rule(
    RejectCode.CANCEL_AMOUNT, "amount", "0 in a cancel", attrgetter("budget"),
    lambda order: (order.kind == KIND_CANCEL) & (order.budget != 0),
)
RECEIVE: Final = Rule(
    RejectCode.ASSET_UNKNOWN, "receive", "a registry index below {assets}", attrgetter("receive"),
    lambda order: ((order.kind == KIND_ORDER) & (order.receive >= order.assets))
    | ((order.kind == KIND_CANCEL) & (order.receive != NO_ASSET)),
)
SELF_PAIR: Final = Rule(
    RejectCode.SELF_PAIR, "receive", "another asset than pay", attrgetter("receive"),
    lambda order: (order.kind == KIND_ORDER) & (order.receive == order.pay),
)
BUDGET_ZERO: Final = Rule(
    RejectCode.BUDGET_ZERO, "budget", "at least 1 base unit", attrgetter("budget"),
    lambda order: (order.kind == KIND_ORDER) & (order.budget == 0),
)
BUDGET_RANGE: Final = Rule(
    RejectCode.AMOUNT_RANGE, "budget", "below 2^62 base units", attrgetter("budget"),
    lambda order: order.budget > AMOUNT_MAX,
)
MIN_FILL: Final = Rule(
    RejectCode.MIN_FILL_RANGE, "min_fill", "at most the budget", attrgetter("min_fill"),
    lambda order: order.min_fill > order.budget,
)
# fmt: on

LIMIT_RULES: Final = (MANTISSA, EXPONENT)
TERMS_RULES: Final = (KIND_KNOWN, PAYS, BARE, LIMIT_KIND, *LIMIT_RULES, NO_LIMIT)
"""What the 72 bytes of terms must hold by themselves; payouts pass."""
BUDGET_RULES: Final = (BUDGET_ZERO, BUDGET_RANGE)
ORDER_RULES: Final = (KIND, CANCEL_AMOUNT, RECEIVE, SELF_PAIR, *BUDGET_RULES, MIN_FILL)
"""What an order or cancel with such terms must hold beside its allowance."""
ADMISSION_RULES: Final = (
    KIND, LIMIT_KIND, PAY, RECEIVE, CANCEL_AMOUNT, SELF_PAIR, *BUDGET_RULES, *LIMIT_RULES, MIN_FILL,
)  # fmt: skip
"""What admission asks of a row again: an order that was carried over may meet another registry."""


def refuse(rules: Sequence[Rule], order: OrderFields) -> None:
    """Raise :class:`RejectedOrder` for the first rule that one order breaks."""
    for rule in rules:
        if rule.broken(order):
            expected = rule.expected.format(assets=order.assets)
            raise RejectedOrder(rule.code, rule.field, expected, rule.seen(order))


def breaches(
    rules: Sequence[Rule], orders: OrderFields
) -> Iterator[tuple[RejectCode, NDArray[np.bool_]]]:
    """Code of each rule, and which of K orders break it: what ``codes.first_codes`` takes."""
    for rule in rules:
        yield rule.code, np.asarray(rule.broken(orders))
