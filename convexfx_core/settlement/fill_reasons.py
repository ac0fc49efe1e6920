"""Why the clearing filled an order not at all or in part, and the limit that would have filled.

Receipts and result files show it to people; no law reads it. It follows from a settlement alone.
Source: ``docs/spec.md`` section 7 (Rn, l, the dust and ration rules). Letters:
``docs/glossary.md``.
"""

from decimal import ROUND_CEILING, Context, Decimal
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import multiply_shift, split_shifts
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import Settlement

LIMIT_DIGITS: Final = 12
"""Significant digits of a limit that would have filled; rounded up, so that it does."""


class FillReason(IntEnum):
    """Why an order is not filled whole; the names in lower case are the texts that people see."""

    NONE = 0
    LIMIT = 1
    MARGINAL = 2
    RATIONED = 3
    MIN_FILL = 4
    DUST = 5

    @property
    def text(self) -> str:
        """``limit``, ``marginal``, ...; empty for a whole fill."""
        return "" if self is FillReason.NONE else self.name.lower()


def fill_reasons(
    case: ClearingCase, proposal: Proposal, settlement: Settlement
) -> NDArray[np.uint8]:
    """:class:`FillReason` of each of the case's K orders, u8[K].

    The first that holds counts: filled whole; rejected for its minimum fill; net rate below its
    limit; whole budget worth nothing; cut by rationing; at the price.
    """
    orders, budget = case.orders, case.orders["budget"].astype(np.uint64)
    pay, receive = orders["pay"].astype(np.intp), orders["receive"].astype(np.intp)
    net, shift = settlement.net_rate[pay, receive], settlement.shift[pay, receive]
    # Written from the last to the first, so that the first that holds stays.
    worth, beyond = multiply_shift(budget, net, split_shifts(shift))
    reasons = np.full(len(orders), FillReason.MARGINAL, dtype=np.uint8)
    if proposal.ration is not None:
        reasons[proposal.paid < proposal.ration.demanded] = FillReason.RATIONED
    reasons[(worth == 0) & (beyond == 0)] = FillReason.DUST
    reasons[net < settlement.limit_rate] = FillReason.LIMIT
    reasons[proposal.rejected] = FillReason.MIN_FILL
    reasons[proposal.paid == budget] = FillReason.NONE
    return reasons


def filling_limit(net_rate: int, shift: int, d_pay: int, d_receive: int) -> Decimal:
    """Least limit ratio, pay units per receive unit all in, that ``net_rate`` at 2^shift fills.

    Rounded up to 12 significant digits: an order with this limit is in the money.
    """
    exact = Context(prec=LIMIT_DIGITS, rounding=ROUND_CEILING)
    scale = 10 ** max(d_receive - d_pay, 0) << shift
    return exact.divide(Decimal(scale), Decimal(net_rate * 10 ** max(d_pay - d_receive, 0)))


def filling_limits(case: ClearingCase, settlement: Settlement) -> dict[tuple[int, int], Decimal]:
    """:func:`filling_limit` of each directed pair (pay, receive) that orders use."""
    n, digits = case.params.n, case.params.decimals
    pairs = case.orders["pay"].astype(np.int64) * n + case.orders["receive"]
    used = [divmod(pair, n) for pair in np.flatnonzero(np.bincount(pairs)).tolist()]
    net, shift = settlement.net_rate, settlement.shift
    return {
        (i, j): filling_limit(int(net[i, j]), int(shift[i, j]), digits[i], digits[j])
        for i, j in used
    }
