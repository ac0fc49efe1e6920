"""L11: an order left out by the clearing itself could not have been filled to its minimum.

Rejection is the one exemption from L4, so each must show its reason at the final prices: its
minimum alone would move the price beyond its limit, or does not fit inside the inventory bounds,
and neither the cut of its pair nor its fair share would leave it that much. Source:
``docs/invariants.md``, L11. Letters: ``docs/glossary.md``.
"""

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.order_facts import RATION_ONE, ClaimedClearing, OrderFacts
from convexfx_core.laws.price_rule import PriceRule
from convexfx_core.laws.slack import bounds
from convexfx_core.laws.totals import Totals
from convexfx_core.settlement.proposal import RejectKind
from convexfx_core.units import LOG_SHIFT, PRICE_SHIFT, RATION_SHIFT, RISK_SHIFT


def breach(
    clearing: ClaimedClearing,
    totals: Totals,
    rule: PriceRule,
    slack: tuple[int, ...],
    order: OrderFacts,
) -> Breach | None:
    """Return the breach for a rejected ``order``, if there is one; ``totals`` are of all orders."""
    if order.want or order.paid:
        return Breach(max(order.want, order.paid), 0)
    if order.min_fill == 0:
        return Breach(0, "a minimum fill")
    if not order.clearly_in:
        return None  # L4 asks nothing of it: no reason is needed
    if order.reject == RejectKind.MIN_FILL:
        return _beats_the_move(clearing, rule, order)
    return _has_a_share(clearing, totals, slack, order)


def _beats_the_move(clearing: ClaimedClearing, rule: PriceRule, order: OrderFacts) -> Breach | None:
    """Whether the limit leaves more than the minimum fill would move the price, scale 2^64.

    A limit that no price inside the bands breaks leaves more than any move.
    """
    if order.always_in:
        return Breach(order.limit, order.rate.worst + 1)
    a, b, risk = order.pay, order.receive, clearing.case.params.risk
    kappa = risk[a][a] - risk[a][b] - risk[b][a] + risk[b][b]
    value = order.min_fill * clearing.case.reference.pbar[a] >> PRICE_SHIFT
    bound = (value * kappa >> (RISK_SHIFT - LOG_SHIFT)) + rule.tau[a] + rule.tau[b]
    # 1 - l / Rn is at most ln(Rn / l): whoever is rejected by the rule in logarithms passes.
    room = ((order.rate.net - order.limit) << LOG_SHIFT) // order.rate.net
    return Breach(room, bound) if room > bound else None


def _has_a_share(
    clearing: ClaimedClearing, totals: Totals, slack: tuple[int, ...], order: OrderFacts
) -> Breach | None:
    """Whether the minimum fits beside all fills, or a fair share of what fits would reach it.

    It would not where the cut of the pair, which is the same for all of its orders, leaves less
    than twice the minimum. Nor where a bound is in the way, and everybody on that side of it, cut
    alike with the order among them, would get less: ``budget (F + room) / (D + budget)``, with D
    demanded and F paid by all orders that pay the asset, or that receive it, in units of what
    moves. Twice, since the cut is that of the others alone, and since several bounds may cut a pair
    while a side is that of one.
    """
    a, b, after = order.pay, order.receive, clearing.claims.inventory_after
    up, down = bounds(clearing, a)[1] - after[a], after[b] - bounds(clearing, b)[0]
    served_a, served_b = totals.flow_in[a] + max(0, up), totals.flow_out[b] + max(0, down)
    wanted_a = totals.want_in[a] + order.budget
    wanted_b = totals.want_out[b] + order.gross(order.budget)
    pays = order.min_fill > up - slack[a]
    receives = order.gross(order.min_fill) > down - slack[b]
    if not (pays or receives):
        return Breach(order.min_fill, up - slack[a])
    twice, kept = 2 * order.min_fill, (order.budget * (RATION_ONE - order.cut)) >> RATION_SHIFT
    justified = (
        kept < twice
        or (pays and order.budget * served_a < twice * wanted_a)
        or (receives and order.budget * served_b < twice * wanted_b)
    )
    return None if justified else Breach(kept, twice)
