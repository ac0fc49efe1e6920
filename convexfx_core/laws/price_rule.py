"""The price rule in integers: value of the inventory off target, its price, what rounding may do.

L9 compares both sides; the gap and the objective use them as well, so they are computed once, here.
X is the value of the inventory off its target, u_hat the log price that it asks for, LOG the log
price that was claimed, tau the tolerance, E the value that rounding of the fills can move. Source:
``docs/spec.md`` section 7. Letters: ``docs/glossary.md``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import mul
from typing import Final

from convexfx_core.laws.order_facts import ClaimedClearing
from convexfx_core.laws.totals import Totals
from convexfx_core.units import LOG_SHIFT, PRICE_SHIFT, RISK_SHIFT, log_ratio, partial_fill_shift

ONE: Final = 1 << PRICE_SHIFT
PRICE_RULE_SLACK: Final = 1 << (LOG_SHIFT - 36)
"""2^-36 in log price, 1.5e-7 bps: a thousand steps of the grid of prices (2^-46)."""


@dataclass(frozen=True, slots=True)
class PriceRule:
    """Both sides of the price rule, by asset.

    Attributes
    ----------
    off_target : X, numeraire base units.
    pull : G X, scale 2^112.
    log_price : LOG(P, Pbar), scale 2^64.
    residual : LOG - u_hat, scale 2^64.
    tau : what rounding that a correct prover cannot avoid may leave, scale 2^64.
    """

    off_target: tuple[int, ...]
    pull: tuple[int, ...]
    log_price: tuple[int, ...]
    residual: tuple[int, ...]
    tau: tuple[int, ...]


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Sum of the products of two columns of equal length."""
    return sum(map(mul, left, right))


def price_rule(clearing: ClaimedClearing, totals: Totals) -> PriceRule:
    """Evaluate the price rule on the flows wanted."""
    case, claims, n = clearing.case, clearing.claims, clearing.case.params.n
    off = tuple(_off_target(clearing, totals, asset) for asset in range(n))
    errors = _errors(clearing, totals)
    pairs = zip(claims.prices, case.reference.pbar, strict=True)
    logs = tuple(log_ratio(price, pbar) for price, pbar in pairs)
    risk = case.params.risk
    pull = tuple(dot(row, off) for row in risk)
    hats = (-(force >> (RISK_SHIFT - LOG_SHIFT)) for force in pull)
    return PriceRule(
        off_target=off,
        pull=pull,
        log_price=logs,
        residual=tuple(log - hat for log, hat in zip(logs, hats, strict=True)),
        tau=tuple(
            PRICE_RULE_SLACK + ONE // pbar + 1 + _propagated(row, errors)
            for pbar, row in zip(case.reference.pbar, risk, strict=True)
        ),
    )


def _off_target(clearing: ClaimedClearing, totals: Totals, asset: int) -> int:
    case = clearing.case
    after = case.inventory[asset] + totals.want_in[asset] - totals.want_out[asset]
    value = (after - case.params.target[asset]) * case.reference.pbar[asset] >> PRICE_SHIFT
    return value - clearing.claims.overflow[asset]


def _errors(clearing: ClaimedClearing, totals: Totals) -> list[int]:
    """E by asset, scale 2^64: a unit for each fill received, a grain for each partial one."""
    case, n = clearing.case, clearing.case.params.n
    # received + 1: one more for the floor of X. pbar + ONE: a unit of the asset, and one of the
    # numeraire. 17/16: a grain in the other asset; bands of 300 bps each, exp(0.06) < 17/16.
    errors = []
    for asset, pbar in enumerate(case.reference.pbar):
        received = sum(totals.wants[asset::n])
        errors.append((received + 1) * (pbar + ONE))
    for pair, count in enumerate(totals.partials):
        if count:
            pay, receive = divmod(pair, n)
            grain = case.reference.pbar[pay] << partial_fill_shift(case.params.decimals[pay])
            errors[pay] += count * (17 * grain // 16)
            errors[receive] += count * (17 * grain // 16)
    return errors


def _propagated(row: tuple[int, ...], errors: list[int]) -> int:
    return dot(map(abs, row), errors) >> RISK_SHIFT
