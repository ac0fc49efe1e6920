"""L11: an order left out by the clearing itself could not have been filled to its minimum.

Rejection is the one exemption from L4, so each must show its reason at the final prices: its
minimum alone would move the price beyond its limit, or does not fit inside the inventory bounds.
Source: ``docs/invariants.md``, L11. Letters: ``docs/glossary.md``.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import ClaimedClearing, OrderFacts
from convexfx_core.laws.price_rule import PriceRule
from convexfx_core.laws.slack import bounds
from convexfx_core.settlement.proposal import RejectKind
from convexfx_core.units import LOG_SHIFT, PRICE_SHIFT, RISK_SHIFT


def breach(
    clearing: ClaimedClearing, rule: PriceRule, slack: tuple[int, ...], order: OrderFacts
) -> Breach | None:
    """Return the breach for a rejected ``order``, if there is one."""
    if order.want or order.paid:
        return Breach(max(order.want, order.paid), 0)
    if order.min_fill == 0:
        return Breach(0, "a minimum fill")
    if not (order.rate.net > order.limit and order.clearly_in):
        return None  # L4 asks nothing of it: no reason is needed
    if order.reject == RejectKind.MIN_FILL:
        return _beats_the_move(clearing, rule, order)
    return _fits_the_bounds(clearing, slack, order)


def _beats_the_move(clearing: ClaimedClearing, rule: PriceRule, order: OrderFacts) -> Breach | None:
    """Whether the limit leaves more than the minimum fill would move the price, scale 2^64."""
    a, b, risk = order.pay, order.receive, clearing.case.params.risk
    kappa = risk[a][a] - risk[a][b] - risk[b][a] + risk[b][b]
    value = order.min_fill * clearing.case.reference.pbar[a] >> PRICE_SHIFT
    bound = (value * kappa >> (RISK_SHIFT - LOG_SHIFT)) + rule.tau[a] + rule.tau[b]
    # 1 - l / Rn is at most ln(Rn / l): whoever is rejected by the rule in logarithms passes.
    room = ((order.rate.net - order.limit) << LOG_SHIFT) // order.rate.net
    return Breach(room, bound) if room > bound else None


def _fits_the_bounds(
    clearing: ClaimedClearing, slack: tuple[int, ...], order: OrderFacts
) -> Breach | None:
    """Whether the minimum fill, on top of all fills, would stay inside both bounds."""
    a, b, after = order.pay, order.receive, clearing.claims.inventory_after
    most = bounds(clearing, a)[1] - slack[a] - after[a]
    least = after[b] - bounds(clearing, b)[0] - slack[b]
    if order.min_fill <= most and order.gross(order.min_fill) <= least:
        return Breach(order.min_fill, most)
    return None
