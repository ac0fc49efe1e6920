"""What the laws see of one order, and what all orders share: plain Python integers.

This is the norm: the laws are written down on these facts as ``docs/invariants.md`` has them.
``columns`` holds the same facts for many orders at once, and tests hold the two forms to the same
verdict. Letters (R, Rn, S, l, h, omega): ``docs/glossary.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.orders.row import LIMIT_MARKET
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.rates import PairRate, RateTable
from convexfx_core.units import LIMIT_SLACK_SHIFT, RATION_SHIFT, limit_rate

RATION_ONE = 1 << RATION_SHIFT
"""The whole of an order, in the scale of omega and h."""


@dataclass(frozen=True, slots=True)
class ClaimedClearing:
    """A case with what is claimed of it, and what follows from prices and omega for every pair.

    Attributes
    ----------
    case, claims : as given.
    rates : rates of all pairs.
    cut : u64[n * n] h of the ration at scale 2^40, by pair; zero where nothing is rationed.
    rejects : kind of rejection by position.
    """

    case: ClearingCase
    claims: ClearingClaims
    rates: RateTable
    cut: NDArray[np.uint64]
    rejects: dict[int, int]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """One order with its claims; amounts in base units, rates at scale 2^shift.

    ``want`` is what the order would fill without rationing: the demanded amount of a rationed
    epoch, else ``paid``.
    """

    pay: int
    receive: int
    budget: int
    min_fill: int
    want: int
    paid: int
    received: int
    fee: int
    rate: PairRate
    limit: int
    cut: int
    reject: int | None

    def net(self, amount: int) -> int:
        """What ``amount`` receives net of the fee."""
        return (amount * self.rate.net) >> self.rate.shift

    def gross(self, amount: int) -> int:
        """What ``amount`` takes out of the inventory."""
        return (amount * self.rate.gross) >> self.rate.shift

    @property
    def dust(self) -> bool:
        """Whether even the whole budget receives nothing."""
        return self.net(self.budget) == 0

    @property
    def idle(self) -> bool:
        """Whether some of an order in the money is neither wanted nor excused."""
        return self._unfilled and self.rate.net > self.limit

    @property
    def denied(self) -> bool:
        """Whether some of an order that is clearly in is neither wanted nor excused."""
        return self._unfilled and self.clearly_in

    @property
    def _unfilled(self) -> bool:
        return self.want < self.budget and self.reject is None and not self.dust

    @property
    def clearly_in(self) -> bool:
        """Whether no price inside the bands breaks the limit (l <= Rm), or the net rate beats it by
        more than the slack of 2^-38."""
        beaten = self.rate.net - self.limit > self.limit >> LIMIT_SLACK_SHIFT
        return self.always_in or beaten

    @property
    def at_price(self) -> bool:
        """Whether the order may trade and L4 asks nothing of it: no dust, not rejected, l <= Rn,
        not clearly in."""
        near = self.rate.net >= self.limit and not self.clearly_in
        return near and self.reject is None and not self.dust

    @property
    def always_in(self) -> bool:
        """Whether the worst rate inside the bands, Rm, meets the limit."""
        return self.limit <= self.rate.worst


def order_facts(clearing: ClaimedClearing, position: int) -> OrderFacts:
    """Facts of the order at ``position`` of the case."""
    order, claims = clearing.case.orders[position], clearing.claims
    pay, receive = int(order["pay"]), int(order["receive"])
    pair = pay * clearing.case.params.n + receive
    rate, paid = clearing.rates.at(pair), int(claims.paid[position])
    limit = rate.worst
    if order["limit_kind"] != LIMIT_MARKET:
        limit = limit_rate(int(order["limit_m"]), int(order["limit_e"]), rate.shift)
    return OrderFacts(
        pay=pay,
        receive=receive,
        budget=int(order["budget"]),
        min_fill=int(order["min_fill"]),
        want=int(claims.ration.demanded[position]) if claims.ration else paid,
        paid=paid,
        received=int(claims.received[position]),
        fee=int(claims.fee[position]),
        rate=rate,
        limit=limit,
        cut=int(clearing.cut[pair]),
        reject=clearing.rejects.get(position),
    )
