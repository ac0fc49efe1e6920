"""Clear five orders in memory, then lie about one of them: ``python examples/clear_a_batch.py``.

The float side proposes prices and fills; nobody trusts it. Integer settlement derives what each
order receives, and the result is held to the laws. One unit off, and a law says no; the last lie
fills an order that asked for a better price, by one millionth of a dollar.
"""

from dataclasses import replace
from decimal import Decimal

import numpy as np
from small_market import ASSETS, UNIT, Order, deviation_bps, pool, with_orders

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.errors import LawViolated
from convexfx_core.laws import check_clearing
from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.settle import settle

ORDERS = (
    Order("USD", "EUR", Decimal(4_000_000)),
    Order("EUR", "USD", Decimal(1_000_000), limit=Decimal("0.9095")),
    Order("USD", "GBP", Decimal(2_000_000), limit=Decimal("1.2506")),
    Order("GBP", "EUR", Decimal(500_000)),
    Order("USD", "EUR", Decimal(3_000_000), limit=Decimal("1.0999")),
)


def show(case: ClearingCase, claims: ClearingClaims) -> None:
    """Print prices and fills."""
    for asset, bps in zip(ASSETS, deviation_bps(case, claims.prices), strict=True):
        print(f"{asset}: {bps:+.3f} bps from its reference price")
    for place, order in enumerate(ORDERS):
        paid, received = int(claims.paid[place]) / UNIT, int(claims.received[place]) / UNIT
        price = f"{paid / received:.6f} each" if received else "nothing"
        print(f"{place}: pays {paid:,.2f} of {order.budget:,} {order.pay}"
              f" for {received:,.2f} {order.receive}, {price}; limit {order.limit}")  # fmt: skip


def refused(case: ClearingCase, claims: ClearingClaims) -> str:
    """The law that claims break, in words."""
    try:
        check_clearing(case, claims)
    except LawViolated as violation:
        return f"{violation.line()} (law {violation.law}: {LAW_NAMES[violation.law]})"
    return "nobody: every law holds"


def main() -> None:
    """Clear, check, lie three times."""
    case = with_orders(pool(fee_ppm=100), ORDERS)
    proposal = propose(case)
    claims = claims_of(proposal, settle(case, proposal))
    show(case, claims)
    certificate = check_clearing(case, claims)
    print(f"every law holds; no other outcome is better by more than {certificate.gap / UNIT} USD")

    more = claims.received.copy()
    more[0] += 1
    lie = replace(claims, received=more)
    print("order 0 receives one unit more, refused by", refused(case, lie))
    for place, step, words in ((0, -1, "is filled one unit short"), (4, 1, "is filled one unit")):
        paid = proposal.paid.astype(np.int64)
        paid[place] += step
        other = replace(proposal, paid=paid.astype(np.uint64))
        # Settled anew: every amount follows from the lie, only the fill itself is wrong.
        lie = claims_of(other, settle(case, other))
        print(f"order {place} {words}, refused by", refused(case, lie))


if __name__ == "__main__":
    main()
