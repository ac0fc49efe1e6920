"""L1 and L3 for cancels: nothing paid, nothing received.

A cancel uses up a nonce and moves nothing. It is no order of the clearing case, so ``certify`` does
not see it; ``witness_laws`` asks here and reports whichever (law, index) is smaller.
"""

from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.orders.row import KIND_CANCEL

BUDGET_LAW, AMOUNTS_LAW = 1, 3


def first_violation(decoded: DecodedWitness) -> LawViolated | None:
    """The smallest (law, index) that a consumed cancel breaks, index an order index."""
    cancels = decoded.witness.consumed["kind"] == KIND_CANCEL
    amounts, found = decoded.witness.amounts, []
    for law, column in (
        (BUDGET_LAW, decoded.witness.paid),
        (AMOUNTS_LAW, amounts["received"]),
        (AMOUNTS_LAW, amounts["fee"]),
    ):
        at = (cancels & (column > 0)).nonzero()[0]
        if len(at):
            found.append(LawViolated(law, int(at[0]), int(column[at[0]]), 0))
    return min(found, key=lambda violation: (violation.law, violation.index), default=None)
