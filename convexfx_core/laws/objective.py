"""The three terms of the objective, in numeraire base units, as the original assignment named them.

They tell what an outcome is worth and stand in the public values; no law bounds them but for their
width. Smaller is better. Source: ``docs/spec.md`` section 7, last rows. Letters:
``docs/glossary.md``.
"""

from typing import NamedTuple

from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.price_rule import PriceRule, dot
from convexfx_core.laws.totals import Totals
from convexfx_core.units import LOG_SHIFT, PRICE_SHIFT, RISK_SHIFT


class Objective(NamedTuple):
    """Terms >= 0, >= 0 and, by the limits, <= 0."""

    inventory_risk: int
    price_tracking: int
    fill_incentive: int


def objective(clearing: ClaimedClearing, totals: Totals, rule: PriceRule) -> Objective:
    """Terms of the outcome; risk and tracking split 1/2 X G X, the incentive is minus surplus."""
    pairs = zip(clearing.case.params.depth, rule.log_price, strict=True)
    tracking = sum(w * log * log for w, log in pairs) >> (2 * LOG_SHIFT + 1)
    quadratic = dot(rule.off_target, rule.pull) >> (RISK_SHIFT + 1)
    surplus = dot(totals.surplus, clearing.case.reference.pbar) >> PRICE_SHIFT
    # With LOG = -G X the difference is a square in Gamma: below 0 by rounding only.
    return Objective(max(0, quadratic - tracking), tracking, -surplus)
