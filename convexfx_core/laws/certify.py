"""L0 to L12, L17 and L20 on a cleared batch: the smallest breach, or a certificate.

These are the laws on the clearing itself, which need no vaults. ``witness_laws`` runs them as part
of an epoch's witness, ``convexfx verify`` on a result file. A law may rely on all laws with smaller
numbers, so the first that fails is reported and the others mean nothing then.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.arithmetic.columns import Spread
from convexfx_core.errors import LawViolated
from convexfx_core.laws import (
    l06_inventory,
    l07_band,
    l08_overflow,
    l09_price_rule,
    l10_ration,
    l11_rejects,
    l12_bounds,
    l17_received,
    l20_equal_parts,
)
from convexfx_core.laws.breach import Breach
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.laws.engine import Engine, is_scalar
from convexfx_core.laws.gap import gap
from convexfx_core.laws.l00_ranges import (
    PRICES,
    check_claims,
    check_orders,
    check_rates,
    check_reference,
    first_malformed,
)
from convexfx_core.laws.l20_equal_parts import PairBreach
from convexfx_core.laws.objective import objective
from convexfx_core.laws.order_facts import RATION_ONE, ClaimedClearing, order_facts
from convexfx_core.laws.order_laws import (
    ORDER_LAWS,
    RATION_LAW,
    OrderFindings,
    inspect_orders,
)
from convexfx_core.laws.price_rule import PriceRule, price_rule
from convexfx_core.laws.slack import bound_slack
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.rates import every_rate, used_pairs
from convexfx_core.units import RATION_SHIFT

OrderIndex: TypeAlias = NDArray[np.int64]
Found: TypeAlias = tuple[int, int, Breach]
"""Law, index, the two sides."""
Checked: TypeAlias = tuple[Certificate, PairBreach | None]
"""The certificate, and what L20 found: :func:`check_l20` raises it in its turn."""
ORDER_INDEXED: Final = frozenset({1, 2, 3, 4, 5, 11})
GAP_MAX: Final = (1 << 128) - 1
TERM_MAX: Final = (1 << 127) - 1
"""Gap and objective stand in 128 bits of the public values."""


def check_clearing(
    case: ClearingCase,
    claims: ClearingClaims,
    order_index: OrderIndex | None = None,
    engine: Engine = "auto",
    spread: Spread = map,
) -> Certificate:
    """Hold the claims of a cleared batch to every law that needs no vaults.

    Parameters
    ----------
    case : as its codecs made it.
    claims : not trusted at all.
    order_index : i64[K] index that a violation reports for each order; None: its position.
    engine : see :mod:`convexfx_core.laws.engine`; the verdict is the same.
    spread : ``map``, or the ``map`` of a pool of threads, for the compiled engine.

    Raises
    ------
    LawViolated : the smallest (law, index) that fails, of L0-L12, L17 and L20.
    """
    certificate, uneven = check_l00_to_l12(case, claims, order_index, engine, spread)
    check_l17(claims, order_index)
    check_l20(uneven)
    return certificate


def check_l00_to_l12(
    case: ClearingCase,
    claims: ClearingClaims,
    order_index: OrderIndex | None = None,
    engine: Engine = "auto",
    spread: Spread = map,
) -> Checked:
    """As :func:`check_clearing`, without L17 and L20."""
    check_reference(case)
    shape = _shape_violation(case, claims)
    if shape is not None:
        raise shape
    clearing = _claimed_clearing(case, claims)
    found = inspect_orders(clearing, engine, spread)
    check_orders(found.malformed)
    check_rates(case, claims, clearing.rates, found.used)
    rule = price_rule(clearing, found.totals)
    certificate = _certificate(clearing, found, rule)
    for law, index, breach in _breaches(clearing, found, rule, certificate):
        if law in ORDER_INDEXED:
            index = _reported(order_index, index)
        elif law == RATION_LAW and index >= case.params.n:
            index = case.params.n + _reported(order_index, index - case.params.n)
        raise LawViolated(law, index, *breach)
    return certificate, _uneven(clearing, found, engine)


def check_l17(claims: ClearingClaims, order_index: OrderIndex | None = None) -> None:
    """Raise :class:`LawViolated` for the first order that pays and receives nothing."""
    found = l17_received.first_breach(claims)
    if found is not None:
        position, (observed, bound) = found
        raise LawViolated(17, _reported(order_index, position), observed, bound)


def check_l20(uneven: PairBreach | None) -> None:
    """Raise :class:`LawViolated` for the first pair whose orders at the price break L20."""
    if uneven is not None:
        pair, (observed, bound) = uneven
        raise LawViolated(l20_equal_parts.LAW, pair, observed, bound)


def _reported(order_index: OrderIndex | None, position: int) -> int:
    return position if order_index is None else int(order_index[position])


def _shape_violation(case: ClearingCase, claims: ClearingClaims) -> LawViolated | None:
    """What L0 says of claims that no table can be made of; sections 5 and 6 come before them."""
    try:
        check_claims(case, claims)
    except LawViolated as violation:
        check_orders(first_malformed(case))
        if violation.index > PRICES:
            used = np.zeros(case.params.n**2, dtype=np.bool_)
            used[[pay * case.params.n + receive for pay, receive in used_pairs(case)]] = True
            check_rates(case, claims, every_rate(case, claims.prices), used)
        return violation
    return None


def _claimed_clearing(case: ClearingCase, claims: ClearingClaims) -> ClaimedClearing:
    rates, n = every_rate(case, claims.prices), case.params.n
    cut = np.zeros(n * n, dtype=np.uint64)
    if claims.ration is not None:
        omega = claims.ration.omega
        for pair in np.flatnonzero(rates.valid).tolist():
            cut[pair] = _cut(case, claims, omega, *divmod(pair, n))
    kinds = zip(claims.rejected.tolist(), claims.reject_kinds.tolist(), strict=True)
    return ClaimedClearing(case, claims, rates, cut, dict(kinds))


def _cut(
    case: ClearingCase, claims: ClearingClaims, omega: tuple[int, ...], pay: int, receive: int
) -> int:
    """h of a pair: clip(((rho omega_receive) >> 40) - omega_pay, 0, 2^40)."""
    prices, pbar = claims.prices, case.reference.pbar
    rho = (prices[pay] * pbar[receive] << RATION_SHIFT) // (pbar[pay] * prices[receive])
    cut = (rho * omega[receive] >> RATION_SHIFT) - omega[pay]
    return min(max(cut, 0), RATION_ONE)


def _uneven(clearing: ClaimedClearing, found: OrderFindings, engine: Engine) -> PairBreach | None:
    if is_scalar(engine, len(clearing.case.orders)):
        orders = [order_facts(clearing, position) for position in found.at_price.tolist()]
        return l20_equal_parts.breach_by_rows(clearing, orders)
    return l20_equal_parts.breach_by_columns(clearing, found.at_price)


def _certificate(clearing: ClaimedClearing, found: OrderFindings, rule: PriceRule) -> Certificate:
    totals = found.totals
    return Certificate(
        gap(clearing, totals, rule),
        *objective(clearing, totals, rule),
        residual=rule.residual,
        tau=rule.tau,
        fills=totals.fills,
        flow_in=totals.flow_in,
        flow_out=totals.flow_out,
        fees=totals.fees,
    )


def _breaches(
    clearing: ClaimedClearing, found: OrderFindings, rule: PriceRule, certificate: Certificate
) -> Iterator[Found]:
    """Breaches of L1 to L12 in the order in which they are reported."""
    n = clearing.case.params.n
    bounded = clearing.claims.ration is not None or clearing.rejects
    slack = bound_slack(clearing, found.totals) if bounded else (0,) * n
    for law in (1, 2, 3, 4, 5):
        yield from _of_orders(clearing, found, law)
    yield from _of_assets(6, n, lambda i: l06_inventory.breach(clearing, found.totals, i))
    yield from _of_assets(7, n, lambda i: l07_band.breach(clearing, i))
    yield from _of_assets(8, n, lambda i: l08_overflow.breach(clearing, i))
    yield from _of_assets(9, n, lambda i: l09_price_rule.breach(rule, i))
    yield from _of_terms(n, certificate)
    yield from _of_assets(10, n, lambda i: l10_ration.breach_of_asset(clearing, slack, i))
    yield from _of_orders(clearing, found, 10, offset=n)
    for position in clearing.rejects:
        order = order_facts(clearing, position)
        if breach := l11_rejects.breach(clearing, found.totals, rule, slack, order):
            yield 11, position, breach
    yield from _of_assets(12, n, lambda i: l12_bounds.breach(clearing, i))


def _of_orders(
    clearing: ClaimedClearing, found: OrderFindings, law: int, offset: int = 0
) -> Iterator[Found]:
    if law in found.first:
        position = found.first[law]
        breach = ORDER_LAWS[law].breach(order_facts(clearing, position))
        assert breach is not None, f"columns and rows differ on L{law}, order {position}"
        yield law, offset + position, breach


def _of_assets(law: int, n: int, breach_of: Callable[[int], Breach | None]) -> Iterator[Found]:
    for asset in range(n):
        if (breach := breach_of(asset)) is not None:
            yield law, asset, breach


def _of_terms(n: int, certificate: Certificate) -> Iterator[Found]:
    if certificate.gap > GAP_MAX:
        yield 9, n, Breach(certificate.gap, GAP_MAX)
    terms = (certificate.inventory_risk, certificate.price_tracking, certificate.fill_incentive)
    for term in (*terms, certificate.total):
        if abs(term) > TERM_MAX:
            yield 9, n, Breach(term, TERM_MAX)
