"""L6 to L9 and L12: each valid claim beside its smallest invalid neighbour."""

from dataclasses import replace

import pytest

from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.limits import VALUE_MAX
from convexfx_core.units import log_ratio
from tests.support.law_cases import (
    UNIT,
    Order,
    certificate,
    changed,
    make_case,
    make_claims,
    violation,
)

BUDGETS = [1000 * UNIT, 500 * UNIT]
PAIR = [Order(0, 1, BUDGETS[0]), Order(1, 0, BUDGETS[1])]
CASE = make_case(PAIR)
FILLED = make_claims(CASE, BUDGETS)
GAMMA = [["0", "0"], ["0", "2"]]


@pytest.mark.parametrize("asset", [0, 1])
@pytest.mark.parametrize("by", [1, -1])
def test_l6_one_unit_of_inventory(asset: int, by: int) -> None:
    assert violation(CASE, changed(FILLED, "inventory_after", asset, by)) == (6, asset)


def test_l7_the_band_ends_at_its_edges() -> None:
    case = make_case([])
    low, high = case.reference.plo[1], case.reference.phi[1]
    one = case.reference.pbar[0]
    for price in (low, high):
        assert violation(case, claim_price(case, (one, price))) == (9, 1)
    for price in (low - 1, high + 1):
        assert violation(case, claim_price(case, (one, price))) == (7, 1)


def test_l7_the_numeraire_costs_one() -> None:
    case = make_case([])
    for by in (1, -1):
        moved = (case.reference.pbar[0] + by, case.reference.pbar[1])
        assert violation(case, claim_price(case, moved)) == (7, 0)


def claim_price(case, prices: tuple[int, ...], overflow: tuple[int, ...] = (0, 0)):
    return make_claims(case, [], prices=prices, overflow=overflow)


def banded(sold: bool) -> tuple:
    """A case whose inventory asks for a price beyond its band, and its lawful claims."""
    held = (10**6 * UNIT, (200 if sold else 0) * 10**6 * UNIT)
    case = make_case([], gamma=GAMMA, inventory=held)
    target = (10**6 * UNIT, 100 * 10**6 * UNIT)
    case = replace(case, params=replace(case.params, target=target))
    edge = case.reference.plo[1] if sold else case.reference.phi[1]
    value = (held[1] - target[1]) * case.reference.pbar[1] >> 64
    wanted = -(log_ratio(edge, case.reference.pbar[1]) << 48) // case.params.risk[1][1]
    prices = (case.reference.pbar[0], edge)
    return case, make_claims(case, [], prices=prices, overflow=(0, value - wanted))


@pytest.mark.parametrize("sold", [True, False])
def test_l8_overflow_at_the_edge_that_it_pushes_on(sold: bool) -> None:
    case, claims = banded(sold)
    assert (claims.overflow[1] > 0) == sold
    assert violation(case, claims) is None
    inside = replace(claims, prices=(claims.prices[0], claims.prices[1] + (1 if sold else -1)))
    assert violation(case, inside) == (8, 1)
    other = case.reference.phi[1] if sold else case.reference.plo[1]
    assert violation(case, replace(claims, prices=(claims.prices[0], other))) == (8, 1)


def test_l8_the_numeraire_has_no_overflow() -> None:
    for by in (1, -1):
        assert violation(CASE, replace(FILLED, overflow=(by, 0))) == (8, 0)
    assert violation(CASE, replace(FILLED, overflow=(0, 1))) == (8, 1)


@pytest.mark.parametrize("sold", [True, False])
def test_l9_overflow_explains_the_price_up_to_tau(sold: bool) -> None:
    case, claims = banded(sold)
    found = certificate(case, claims)
    room = (found.tau[1] << 48) // case.params.risk[1][1]
    for by, verdict in ((room // 2, None), (2 * room, (9, 1)), (-2 * room, (9, 1))):
        assert violation(case, changed(claims, "overflow", 1, by)) == verdict


def test_l9_price_moves_by_tau_and_not_by_more() -> None:
    case = make_case([], gamma=GAMMA)
    claims = make_claims(case, [])
    tau = certificate(case, claims).tau[1]
    step = tau * case.reference.pbar[1] >> 64
    for by, verdict in ((step - 8, None), (step + 8, (9, 1)), (-step - 8, (9, 1))):
        prices = (claims.prices[0], claims.prices[1] + by)
        assert violation(case, make_claims(case, [], prices=prices)) == verdict


def test_l9_flow_without_a_move_of_the_price() -> None:
    case = make_case([Order(0, 1, 10**5 * UNIT)], gamma=GAMMA)
    assert violation(case, make_claims(case, [10**5 * UNIT])) == (9, 1)


def test_l9_values_beyond_80_bits() -> None:
    case = make_case([], prices=("1", "1000000000"), decimals=(9, 0), room=(0, 0))
    at = replace(case, inventory=(0, 0), params=replace(case.params, target=(0, 0)))
    limit = VALUE_MAX // 10**18
    for target, verdict in ((limit, None), (-limit, None), (limit + 1, (9, 1))):
        far = replace(at, params=replace(at.params, target=(0, target)))
        assert violation(far, make_claims(far, [])) == verdict


def test_l9_terms_that_128_bits_cannot_hold() -> None:
    case = make_case([], gamma=GAMMA)
    risk = ((0, 0), (0, 1))
    inverse = ((0, 0), (0, (1 << 112) - 1))
    case = replace(case, params=replace(case.params, risk=risk, risk_inverse=inverse))
    assert violation(case, make_claims(case, [])) is None
    grand = replace(case.params, risk=((0, 0), (0, (1 << 80) - 1)), target=(0, 1 << 78))
    case = replace(case, params=grand, inventory=(0, 0))
    assert violation(case, make_claims(case, [])) == (9, 1)


def moved(claims: ClearingClaims, case, by: int):
    """The case with both bounds of asset 1 set ``by`` units inside the claimed inventory."""
    after = claims.inventory_after[1]
    params = replace(case.params, q_min=(0, after - by), q_max=(10**18, 10**18))
    return replace(case, params=params)


def test_l12_bounds_hold_to_the_unit() -> None:
    buying = make_case([Order(0, 1, BUDGETS[0])])
    claims = make_claims(buying, [BUDGETS[0]])
    assert violation(moved(claims, buying, 0), claims) is None
    assert violation(moved(claims, buying, -1), claims) == (12, 1)
    paid = claims.inventory_after[0]
    for most, verdict in ((paid, None), (paid - 1, (12, 0))):
        params = replace(buying.params, q_max=(most, 10**18))
        assert violation(replace(buying, params=params), claims) == verdict


def test_l12_an_opening_outside_its_bounds_may_stay_but_not_go_further() -> None:
    case = make_case(PAIR)
    params = replace(case.params, q_min=(0, 10**15), q_max=(10**18, 10**18))
    outside = replace(case, params=params)
    assert violation(outside, make_claims(case, [BUDGETS[1], BUDGETS[1]])) == (4, 0)
    selling = make_case([Order(1, 0, UNIT)])
    assert violation(replace(selling, params=params), make_claims(selling, [UNIT])) is None
    buying = make_case([Order(0, 1, UNIT)])
    assert violation(replace(buying, params=params), make_claims(buying, [UNIT])) == (12, 1)
