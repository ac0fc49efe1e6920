"""L9: prices are those that the inventory asks for: |LOG - u_hat| <= tau, recomputed from fills.

This is convergence without a solver's word for it: LOG is the price that was claimed, u_hat the one
that the risk of the inventory after the fills asks for, tau what rounding cannot avoid
(``price_rule``). Source: ``docs/invariants.md``, L9. Letters: ``docs/glossary.md``.
"""

from typing import Final

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.price_rule import ONE, PriceRule
from convexfx_core.limits import VALUE_MAX

RESIDUAL_MAX: Final = ONE
"""A residual of one in log price is no price rule at all; it also keeps r H r in 256 bits."""


def breach(rule: PriceRule, asset: int) -> Breach | None:
    """Return the breach for ``asset``: of the range of X, or of the tolerance (scale 2^64)."""
    off = rule.off_target[asset]
    if abs(off) > VALUE_MAX:
        return Breach(off, VALUE_MAX)
    residual, bound = abs(rule.residual[asset]), min(rule.tau[asset], RESIDUAL_MAX)
    return Breach(residual, bound) if residual > bound else None
