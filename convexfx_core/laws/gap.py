"""Upper bound of what any other outcome could gain, in numeraire base units, rounded up.

Laws L1 to L12 say that an outcome is consistent; the gap says how good it is. It is computed from
the residuals of the price rule and from idle budgets, and stands in the public values. Derivation:
``docs/invariants.md``, section on the gap. Letters: ``docs/glossary.md``.
"""

from typing import Final

from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.price_rule import PriceRule, dot
from convexfx_core.laws.totals import Totals
from convexfx_core.units import LIMIT_SLACK_SHIFT, LOG_SHIFT, PRICE_SHIFT, RISK_SHIFT, ceil_div

RIDGE: Final = 1_000_000
"""H inverts the risk matrix with a ridge of its mean diagonal over this."""
SHIFT_MAX: Final = 1 << 67
"""Cap on delta, what the ridge hides of one residual: 8 times 2^64. No ridge moves a vector of at
most 64 residuals below 2^64 by more than its length, which is at most that."""


def gap(clearing: ClaimedClearing, totals: Totals, rule: PriceRule) -> int:
    """Bound of the duality gap of the flows wanted, >= 0."""
    risk, inverse = clearing.case.params.risk, clearing.case.params.risk_inverse
    sizes = [abs(residual) for residual in rule.residual]
    spread = [dot(row, sizes) for row in inverse]
    curved = dot(sizes, spread)
    diagonal = [row[i] for i, row in enumerate(risk)]
    ridge = _ridge(diagonal)
    moved = sum(
        # delta: what the ridge hides of the residual. An asset without risk has no inverse at all,
        # so the whole residual counts.
        min(SHIFT_MAX, ceil_div(ridge * s, 1 << RISK_SHIFT)) if g else size
        for size, s, g in zip(sizes, spread, diagonal, strict=True)
    )
    turnover = _value(clearing, totals.budget)
    return (
        ceil_div(curved, 1 << (2 * LOG_SHIFT + 1))
        + ceil_div(_value(clearing, totals.idle), 1 << LIMIT_SLACK_SHIFT)
        + ceil_div(moved * turnover, 1 << (LOG_SHIFT - 1))
    )


def _ridge(diagonal: list[int]) -> int:
    risky = [g for g in diagonal if g > 0]
    return ceil_div(sum(risky), len(risky) * RIDGE) if risky else 0


def _value(clearing: ClaimedClearing, amounts: tuple[int, ...]) -> int:
    pairs = zip(amounts, clearing.case.reference.pbar, strict=True)
    return sum(ceil_div(amount * pbar, 1 << PRICE_SHIFT) for amount, pbar in pairs)
