"""A decoded witness as the laws see it: typed, every size and range checked by L0.

``l00_decode`` makes it, all later laws read it. A witness lists consumed and left orders and
cancels; the clearing knows orders of kind 1 alone. So positions are translated here: the laws on
the clearing count in ``kind1``, violations are reported by the order index of the witness.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.ledger.diffs import Fills
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Ration
from convexfx_core.settlement.rates import RateTable, limit_rates
from convexfx_core.witness.layout import Witness


@dataclass(frozen=True, slots=True, eq=False)
class DecodedWitness:
    """What L0 makes of a witness.

    Attributes
    ----------
    witness : the sections.
    params, reference : their contents.
    orders : K rows, consumed then left; a row's place is the order index of the laws.
    kind1 : i64[K_1], order indices of the kind-1 orders.
    case : the clearing problem of the kind-1 orders, in that sequence.
    rates : rates of their pairs at the witness's prices.
    """

    witness: Witness
    params: Params
    reference: Reference
    orders: NDArray[np.void]
    kind1: NDArray[np.int64]
    case: ClearingCase
    rates: RateTable

    @property
    def consumed_count(self) -> int:
        """K_c."""
        return len(self.witness.consumed)

    @property
    def fills(self) -> Fills:
        """Consumed orders with their claimed amounts."""
        witness = self.witness
        amounts = witness.amounts
        return Fills(witness.consumed, witness.paid, amounts["received"], amounts["fee"])

    def claims(self) -> ClearingClaims:
        """Claims about the kind-1 orders by their place in ``kind1``."""
        witness, place = self.witness, self._places()
        return ClearingClaims(
            prices=witness.prices,
            paid=self._column(witness.paid),
            received=self._column(witness.amounts["received"]),
            fee=self._column(witness.amounts["fee"]),
            overflow=witness.overflow,
            inventory_after=witness.inventory_after,
            ration=self._ration(),
            rejected=place[witness.rejects["order"].astype(np.int64)],
            reject_kinds=witness.rejects["kind"].astype(np.uint8),
        )

    def demanded(self) -> NDArray[np.uint64]:
        """Demanded amount by order index, u64[K]: paid without rationing; 0 of cancels."""
        column, ration = np.zeros(len(self.orders), dtype=np.uint64), self._ration()
        if ration is None:
            column[: self.consumed_count] = self.witness.paid
        else:
            column[self.kind1] = ration.demanded
        return column

    def _places(self) -> NDArray[np.int64]:
        """Place in ``kind1`` by order index, i64[K]; -1 of cancels."""
        place = np.full(len(self.orders), -1, dtype=np.int64)
        place[self.kind1] = np.arange(len(self.kind1))
        return place

    def _column(self, consumed: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Values of the consumed orders and zeros of the left ones, for the kind-1 orders."""
        column = np.zeros(len(self.orders), dtype=np.uint64)
        column[: len(consumed)] = consumed
        return column[self.kind1]

    def _ration(self) -> Ration | None:
        witness = self.witness
        if witness.omega is None:
            return None
        place = self._places()
        demanded = usual_demand(self.case, self.rates)
        demanded[place[witness.rejects["order"].astype(np.int64)]] = 0
        listed = witness.demanded["order"].astype(np.int64)
        demanded[place[listed]] = witness.demanded["demanded"]
        return Ration(witness.omega, demanded)


def usual_demand(case: ClearingCase, rates: RateTable) -> NDArray[np.uint64]:
    """Demand that a rationed witness need not list, u64[K_1], rejected orders aside.

    The budget where the net rate reaches the order's limit, else 0.
    """
    orders = case.orders
    pair = orders["pay"].astype(np.intp) * case.params.n + orders["receive"]
    reached = rates.net.take(pair) >= limit_rates(orders, pair, rates)
    return np.where(reached, orders["budget"], np.uint64(0)).astype(np.uint64)


def kind1_index(orders: NDArray[np.void]) -> NDArray[np.int64]:
    """Order indices of the kind-1 orders."""
    return np.flatnonzero(orders["kind"] == KIND_ORDER)
