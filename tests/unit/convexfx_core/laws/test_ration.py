"""L10 and L11: rationing at a bound of the inventory, and orders that the clearing leaves out."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.settlement.clearing_input import ClearingCase
from tests.support.law_cases import (
    UNIT,
    Order,
    certificate,
    make_case,
    make_claims,
    rates,
    ratio_at,
    violation,
)

ONE = 1 << 40
HALF = ONE // 2
BUDGETS = [200_000 * UNIT + 7, 100_000 * UNIT + 1, 5 * UNIT]
HELD = (10**6 * UNIT, 10**6 * UNIT)


def rationed(cut: int, *, room_more: int = 0) -> tuple[ClearingCase, ClearingClaims]:
    """Two buyers of asset 1 and a seller; the bound stands where a cut of ``cut`` leaves it."""
    orders = [Order(0, 1, BUDGETS[0]), Order(0, 1, BUDGETS[1]), Order(1, 0, BUDGETS[2])]
    case = make_case(orders)
    paid = [(b * (ONE - cut)) >> 40 for b in BUDGETS[:2]] + [BUDGETS[2]]
    claims = make_claims(case, paid, ration=((0, cut), list(BUDGETS)))
    low = claims.inventory_after[1] - room_more
    params = replace(case.params, q_min=(0, low), q_max=(10**16, 10**16))
    return replace(case, params=params), claims


@pytest.mark.parametrize("cut", [1, HALF, HALF + 1, ONE // 10 * 9])
def test_l10_everybody_on_the_pair_is_cut_alike(cut: int) -> None:
    assert violation(*rationed(cut)) is None


@pytest.mark.parametrize("omega", [ONE - 1, ONE, 3 * ONE, (1 << 63) - 1])
def test_l10_a_pool_below_its_bound_sells_nothing(omega: int) -> None:
    case = make_case([Order(0, 1, BUDGETS[0])])
    params = replace(case.params, q_min=(0, 2 * HELD[1]), q_max=(10**16, 10**16))
    outside = replace(case, params=params)
    claims = make_claims(case, [0], ration=((0, omega), [BUDGETS[0]]))
    assert violation(outside, claims) is None
    sold = make_claims(case, [BUDGETS[0]], ration=((0, 0), [BUDGETS[0]]))
    assert violation(outside, sold) == (12, 1)


@pytest.mark.parametrize(("position", "by"), [(0, 1), (0, -1), (1, -1), (1, 1)])
def test_l10_one_unit_for_one_of_them(position: int, by: int) -> None:
    case, claims = rationed(HALF)
    paid = claims.paid.tolist()
    paid[position] += by
    moved = make_claims(case, paid, ration=((0, HALF), list(BUDGETS)))
    assert violation(case, moved) == (10, 2 + position)


def test_l10_who_is_not_on_the_pair_is_not_cut() -> None:
    case, claims = rationed(HALF)
    paid = claims.paid.tolist()
    paid[2] -= 1
    assert violation(case, make_claims(case, paid, ration=((0, HALF), list(BUDGETS)))) == (10, 4)


@pytest.mark.parametrize("by", [1 << 20, -(1 << 20)])
def test_l10_another_omega(by: int) -> None:
    case, claims = rationed(HALF)
    assert violation(case, changed_omega(claims, 1, HALF + by)) == (10, 2)


def changed_omega(claims: ClearingClaims, asset: int, value: int) -> ClearingClaims:
    omega = tuple(value if i == asset else w for i, w in enumerate(claims.ration.omega))
    return replace(claims, ration=replace(claims.ration, omega=omega))


def slack_of(case: ClearingCase) -> int:
    """Slack of asset 1, from its row of the specification."""
    shift, gross, _ = rates(case, case.reference.pbar, 0, 1)
    out = sum((b * gross) >> shift for b in BUDGETS[:2])
    steps = -(-(BUDGETS[2] + out) // ONE)
    back = rates(case, case.reference.pbar, 1, 0)
    return 1 + 2 * steps + 2 * ((gross >> shift) + 2) + -(-(1 << back[0]) // back[2]) + 1


def test_l10_omega_only_at_the_bound() -> None:
    slack = slack_of(rationed(HALF)[0])
    for away, verdict in ((slack, None), (slack + 1, (10, 1))):
        assert violation(*rationed(HALF, room_more=away)) == verdict


def test_l10_negative_omega_only_at_the_upper_bound() -> None:
    orders = [Order(0, 1, BUDGETS[0]), Order(0, 1, BUDGETS[1]), Order(1, 0, BUDGETS[2])]
    case = make_case(orders)
    paid = [b >> 1 for b in BUDGETS[:2]] + [BUDGETS[2]]
    claims = make_claims(case, paid, ration=((-HALF, 0), list(BUDGETS)))
    for above, verdict in ((0, None), (10**6, (10, 0))):
        most = claims.inventory_after[0] + above
        params = replace(case.params, q_min=(0, 0), q_max=(most, 10**16))
        assert violation(replace(case, params=params), claims) == verdict


def test_l10_a_ration_without_omega_cuts_nobody() -> None:
    case, _ = rationed(HALF)
    wide = replace(case, params=replace(case.params, q_min=(0, 0), q_max=(10**16,) * 2))
    whole = make_claims(wide, BUDGETS, ration=((0, 0), list(BUDGETS)))
    assert violation(wide, whole) is None
    assert violation(wide, make_claims(wide, [0, *BUDGETS[1:]], ration=((0, 0), BUDGETS))) == (
        10,
        2,
    )


def test_rationed_orders_obey_l1_l2_l4_l5_by_what_they_demand() -> None:
    case, claims = rationed(HALF)
    over = [BUDGETS[0] + 1, *BUDGETS[1:]]
    assert violation(case, with_demand(claims, over)) == (1, 0)
    assert violation(case, with_demand(claims, [int(claims.paid[0]) - 1, *BUDGETS[1:]])) == (1, 0)
    assert violation(case, with_demand(claims, [*BUDGETS[:1], BUDGETS[1] - 1, BUDGETS[2]])) == (
        4,
        1,
    )
    out = [Order(0, 1, BUDGETS[0], "0.5"), Order(0, 1, BUDGETS[1]), Order(1, 0, BUDGETS[2])]
    unwanted = replace(case, orders=make_case(out).orders)
    assert violation(unwanted, claims) == (2, 0)
    least = case.orders.copy()
    least["min_fill"][0] = int(claims.paid[0]) + 1
    assert violation(replace(case, orders=least), claims) == (5, 0)
    least["min_fill"][0] = int(claims.paid[0])
    assert violation(replace(case, orders=least), claims) is None


def with_demand(claims: ClearingClaims, demanded: list[int]) -> ClearingClaims:
    column = np.array(demanded, dtype=np.uint64)
    return replace(claims, ration=replace(claims.ration, demanded=column))


def test_l10_a_cut_fill_that_would_receive_nothing_is_none() -> None:
    orders = [Order(0, 1, BUDGETS[0]), Order(0, 1, 3), Order(1, 0, BUDGETS[2])]
    case = make_case(orders, fee_ppm=0)
    budgets = [BUDGETS[0], 3, BUDGETS[2]]
    for paid, verdict in ((0, None), (1, (10, 3))):
        fills = [BUDGETS[0] >> 1, paid, BUDGETS[2]]
        claims = make_claims(case, fills, ration=((0, HALF), budgets))
        params = replace(case.params, q_min=(0, claims.inventory_after[1]), q_max=(10**16,) * 2)
        assert violation(replace(case, params=params), claims) == verdict


def test_l10_nobody_demands_what_receives_nothing() -> None:
    orders = [Order(0, 1, BUDGETS[0]), Order(0, 1, 1)]
    case = make_case(orders, fee_ppm=0)
    for demanded, verdict in ((0, None), (1, (10, 3))):
        fills = [BUDGETS[0] >> 1, 0]
        claims = make_claims(case, fills, ration=((0, HALF), [BUDGETS[0], demanded]))
        params = replace(case.params, q_min=(0, claims.inventory_after[1]), q_max=(10**16,) * 2)
        assert violation(replace(case, params=params), claims) == verdict


GAMMA = [["0", "0"], ["0", "2"]]


def reject_case(room_bps: str, least: int) -> tuple[ClearingCase, ClearingClaims]:
    """An order in the money by ``room_bps`` with a minimum of ``least``, rejected for it."""
    ratio = ratio_at(make_case([]), 0, 1, str(Fraction(room_bps) / 10_000))
    case = make_case([Order(0, 1, 10**6 * UNIT, ratio, min_fill=least)], gamma=GAMMA)
    return case, make_claims(case, [0], rejected={0: 1})


def test_l11_a_minimum_that_moves_the_price_beyond_the_limit_justifies() -> None:
    # 2 bps per million: half a million moves 1 bp.
    assert violation(*reject_case("1", 10**6 * UNIT * 51 // 100)) is None
    assert violation(*reject_case("1", 10**6 * UNIT * 49 // 100)) == (11, 0)


def test_l11_out_of_the_money_needs_no_reason_and_no_minimum_allows_none() -> None:
    assert violation(*reject_case("-1", 1)) is None
    assert violation(*reject_case("1", 0)) == (11, 0)


def test_l11_a_rejected_order_pays_and_demands_nothing() -> None:
    case, _ = reject_case("0.00000001", 10**6 * UNIT)
    paid = 10**6 * UNIT
    wide = replace(case, params=replace(case.params, risk=((0, 0), (0, 0))))
    assert violation(wide, make_claims(wide, [paid], rejected={0: 1})) == (11, 0)
    demanding = make_claims(wide, [paid], ration=((0, 0), [paid]), rejected={0: 1})
    assert violation(wide, demanding) == (11, 0)


def crowded(least: int, room: int) -> tuple[ClearingCase, ClearingClaims]:
    """A buyer filled whole and one rejected; asset 1 then stands ``room`` above its bound."""
    orders = [Order(0, 1, BUDGETS[0]), Order(0, 1, BUDGETS[1], min_fill=least)]
    case = make_case(orders, fee_ppm=0)
    claims = make_claims(case, [BUDGETS[0], 0], rejected={1: 2})
    low = claims.inventory_after[1] - room
    params = replace(case.params, q_min=(0, low), q_max=(10**16, 10**16))
    return replace(case, params=params), claims


def test_l11_kind_2_a_minimum_that_fits_beside_the_fills_does_not_justify() -> None:
    least = 41_000 * UNIT
    takes = least * 4 // 5
    assert violation(*crowded(least, takes - 1)) is None
    assert violation(*crowded(least, takes + 100)) == (11, 1)
    assert violation(*crowded(least, 0)) is None


def test_l11_kind_2_looks_at_the_pay_asset_too() -> None:
    least = 41_000 * UNIT
    case, claims = crowded(least, 10**12)
    assert violation(case, claims) == (11, 1)
    most = claims.inventory_after[0] + least - 1
    tight = replace(case, params=replace(case.params, q_max=(most, 10**16)))
    assert violation(tight, claims) is None


def test_l11_kind_2_at_a_bound_the_fair_share_decides() -> None:
    """A third of what everybody wants is the rejected order's: two thirds of it are its share."""
    half = 100_000 * UNIT // 3
    assert violation(*crowded(half + 10, 0)) is None
    assert violation(*crowded(half - 10, 0)) == (11, 1)
    assert violation(*crowded(1, 0)) == (11, 1)


def test_l11_the_kind_decides_the_test() -> None:
    case, claims = crowded(50_000 * UNIT, 0)
    assert violation(case, claims) is None
    other = replace(claims, reject_kinds=np.array([1], dtype=np.uint8))
    assert violation(case, other) == (11, 1)


def test_gap_is_small_and_grows_with_idle_budgets_only_inside_the_slack() -> None:
    ratio = ratio_at(make_case([]), 0, 1, "1/350000000000")
    case = make_case([Order(0, 1, 10**15, ratio)], room=(10**16, 10**16))
    idle, filled = make_claims(case, [0]), make_claims(case, [10**14])
    assert certificate(case, idle).gap == -(-(10**15) // (1 << 38))
    assert certificate(case, filled).gap == -(-(9 * 10**14) // (1 << 38))


COARSE = {"prices": ("1", "1000"), "decimals": (9, 0), "fee_ppm": 0}


def test_an_oversized_order_is_cut_and_does_not_stop_the_batch() -> None:
    budget, fits = 1 << 30, 1000
    case = make_case([Order(1, 0, budget)], inventory=(10**15, 10**6), **COARSE)
    params = replace(case.params, q_min=(0, 0), q_max=(10**16, 1 << 70))
    bounded = replace(case, params=params)
    assert budget * 10**12 > 1 << 63
    cut = ONE - (fits << 10)
    claims = make_claims(case, [fits], ration=((cut, 0), [budget]))
    assert claims.inventory_after[0] == 0
    assert violation(bounded, claims) is None
    more = make_claims(case, [fits + 1], ration=((cut - 1024, 0), [budget]))
    assert violation(bounded, more) == (12, 0)


FINE = {"prices": ("1", "0.0009094947017729282379150390625"), "decimals": (0, 9), "fee_ppm": 0}
"""One base unit of the numeraire is 2^40 of the other asset."""


def test_a_budget_whose_worth_ends_in_64_zero_bits_is_no_dust() -> None:
    budget = 1 << 24
    case = make_case([Order(0, 1, budget)], inventory=(10**9, 10**9), **FINE)
    shift, gross, _ = rates(case, case.reference.pbar, 0, 1)
    assert (budget * gross) >> shift == 1 << 64
    assert violation(case, make_claims(case, [0])) == (4, 0)
    params = replace(case.params, q_min=(0, 2 * 10**9), q_max=(10**16, 10**16))
    bounded = replace(case, params=params)
    whole_cut = make_claims(case, [0], ration=((0, ONE), [budget]))
    assert violation(bounded, whole_cut) is None
    assert violation(bounded, make_claims(case, [0], ration=((0, 0), [budget]))) == (10, 2)
