"""L10: rationing is the smallest one, equal for a pair, and only at a bound of the inventory.

Every order of a pair is cut by the same part h, which follows from one omega for each asset; omega
is not zero only at a bound. Together these are the optimality conditions of the smallest cut, so
nobody can be cut for another reason. Source: ``docs/invariants.md``, L10. Letters:
``docs/glossary.md``.
"""

import numpy as np

from convexfx_core.arithmetic.columns import Shifts, multiply_shift
from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import RATION_ONE, ClaimedClearing, OrderFacts
from convexfx_core.laws.slack import bounds
from convexfx_core.units import RATION_SHIFT


def breach_of_asset(clearing: ClaimedClearing, slack: tuple[int, ...], asset: int) -> Breach | None:
    """Return the breach of "omega > 0 only at the lower bound, < 0 only at the upper one"."""
    if clearing.claims.ration is None:
        return None
    omega, after = clearing.claims.ration.omega[asset], clearing.claims.inventory_after[asset]
    low, high = bounds(clearing, asset)
    if omega > 0 and after > low + slack[asset]:
        return Breach(after, low + slack[asset])
    if omega < 0 and after < high - slack[asset]:
        return Breach(after, high - slack[asset])
    return None


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of the cut, if the order breaches it.

    Two rules: an order wants nothing, or an amount that receives something; and it pays
    ``kept = (want (2^40 - h)) >> 40``, or 0 where ``kept`` would receive nothing.
    """
    if order.want > 0 and order.net(order.want) == 0:
        return Breach(order.want, 0)
    kept = (order.want * (RATION_ONE - order.cut)) >> RATION_SHIFT
    kept = kept if order.net(kept) > 0 else 0
    return Breach(order.paid, kept) if order.paid != kept else None


def breached(rows: Columns) -> Mask:
    """Rows that breach it, in a rationed epoch."""
    if rows.cut is None:
        return np.zeros(len(rows.paid), dtype=np.bool_)
    wrong: Mask = (rows.want > 0) & (rows.wanted.net == 0) & (rows.wanted.beyond == 0)
    kept, _ = multiply_shift(rows.want, np.uint64(RATION_ONE) - rows.cut, SHIFTS)
    net, beyond = multiply_shift(kept, rows.net_rate, rows.shifts)
    kept[(net == 0) & (beyond == 0)] = 0
    wrong |= rows.paid != kept
    return wrong


SHIFTS = Shifts(*(np.array(v, dtype=np.uint64) for v in (64 - RATION_SHIFT, 0, RATION_SHIFT)))
"""The one shift of all rows."""
