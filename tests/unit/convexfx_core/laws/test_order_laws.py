"""L1 to L5 and L17: each valid claim beside its smallest invalid neighbour."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.laws.certify import check_clearing
from convexfx_core.settlement.clearing_input import ClearingCase
from tests.support.law_cases import (
    UNIT,
    Order,
    certificate,
    changed,
    make_case,
    make_claims,
    rates,
    ratio_at,
    verdict,
    violation,
)

BUDGETS = [1000 * UNIT, 500 * UNIT, 700 * UNIT]
ORDERS = [Order(0, 1, BUDGETS[0]), Order(1, 0, BUDGETS[1]), Order(0, 1, BUDGETS[2])]
CASE = make_case(ORDERS)
FILLED = make_claims(CASE, BUDGETS)


def test_everybody_filled_is_lawful() -> None:
    assert violation(CASE, FILLED) is None
    assert certificate(CASE, FILLED).fills == 3


def test_no_orders_are_lawful() -> None:
    case = make_case([])
    found = certificate(case, make_claims(case, []))
    assert (found.fills, found.gap, found.total) == (0, 0, 0)


def test_l1_one_unit_beyond_the_budget() -> None:
    paid = [BUDGETS[0], BUDGETS[1] + 1, BUDGETS[2]]
    assert violation(CASE, make_claims(CASE, paid)) == (1, 1)


def test_l1_amounts_of_64_bits_are_seen() -> None:
    for amount in (1 << 62, (1 << 64) - 1):
        wild = replace(FILLED, paid=np.array([amount, 0, 0], dtype=np.uint64))
        assert violation(CASE, wild) == (1, 0)


def limit_case(nudge: str) -> ClearingCase:
    ratio = ratio_at(CASE, 0, 1, nudge)
    return make_case([Order(0, 1, UNIT, ratio), Order(1, 0, UNIT)])


def test_l2_limit_at_the_price_fills_and_one_above_does_not() -> None:
    at = limit_case("1/1000000000000000000")
    assert violation(at, make_claims(at, [UNIT, UNIT])) is None
    above = limit_case("-1/1000000000000000000")
    assert violation(above, make_claims(above, [UNIT, UNIT])) == (2, 0)
    assert violation(above, make_claims(above, [0, UNIT])) is None


def test_l2_reports_the_two_rates() -> None:
    above = limit_case("-1/1000")
    found = verdict(above, make_claims(above, [1, UNIT]), "columnar")
    assert int(found.observed) == rates(above, above.reference.pbar, 0, 1)[2]
    assert int(found.bound) > int(found.observed)


@pytest.mark.parametrize(("column", "by"), [("received", 1), ("received", -1), ("fee", 1)])
def test_l3_one_unit_of_an_amount(column: str, by: int) -> None:
    assert violation(CASE, changed(FILLED, column, 2, by)) == (3, 2)


def test_l3_fee_moved_into_received() -> None:
    assert violation(CASE, changed(changed(FILLED, "received", 1, 1), "fee", 1, -1)) == (3, 1)


def test_l3_amounts_beyond_a_balance() -> None:
    coarse = {"prices": ("1", "1000"), "decimals": (9, 0), "inventory": (0, 0)}
    at = {"room": (1 << 70, 1 << 70), "fee_ppm": 0, **coarse}
    fits = make_case([Order(1, 0, ((1 << 63) - 1) // 10**12)], **at)
    assert violation(fits, make_claims(fits, [((1 << 63) - 1) // 10**12])) is None
    beyond = make_case([Order(1, 0, (1 << 63) // 10**12 + 1)], **at)
    claims = make_claims(beyond, [(1 << 63) // 10**12 + 1])
    assert violation(beyond, claims) == (3, 0)
    huge = make_case([Order(1, 0, 1 << 60)], **at)
    zero = make_claims(huge, [0])
    assert violation(huge, replace(zero, paid=np.array([1 << 60], dtype=np.uint64))) == (3, 0)


def test_l4_in_the_money_means_filled_to_the_unit() -> None:
    assert violation(CASE, make_claims(CASE, [BUDGETS[0], BUDGETS[1] - 1, BUDGETS[2]])) == (4, 1)
    assert violation(CASE, make_claims(CASE, [BUDGETS[0], 0, BUDGETS[2]])) == (4, 1)


def test_l4_at_the_price_any_part_is_lawful_and_beyond_two_to_minus_38_none() -> None:
    near, far = limit_case("1/350000000000"), limit_case("1/200000000000")
    for paid in (0, 1000, UNIT):
        assert violation(near, make_claims(near, [paid, UNIT])) is None
    assert violation(far, make_claims(far, [UNIT, UNIT])) is None
    assert violation(far, make_claims(far, [1000, UNIT])) == (4, 0)


def test_l4_excuses_dust_but_not_two_units() -> None:
    coarse = {"prices": ("1", "1.25"), "decimals": (6, 6), "fee_ppm": 0}
    dust = make_case([Order(0, 1, 1), Order(1, 0, UNIT)], **coarse)
    assert violation(dust, make_claims(dust, [0, UNIT])) is None
    two = make_case([Order(0, 1, 2), Order(1, 0, UNIT)], **coarse)
    assert violation(two, make_claims(two, [0, UNIT])) == (4, 0)


def test_l5_a_minimum_is_met_exactly_or_not_at_all() -> None:
    ratio = ratio_at(CASE, 0, 1, "1/1000000000000")
    case = make_case([Order(0, 1, UNIT, ratio, min_fill=600_000)])
    for paid in (0, 600_000, UNIT):
        assert violation(case, make_claims(case, [paid])) is None
    assert violation(case, make_claims(case, [599_999])) == (5, 0)


def marginal_free_of_fees() -> ClearingCase:
    free = make_case([], fee_ppm=0)
    ratio = ratio_at(free, 0, 1, "1/1000000000000")
    return make_case([Order(0, 1, UNIT, ratio)], fee_ppm=0)


def test_l17_who_pays_receives() -> None:
    case = marginal_free_of_fees()
    assert violation(case, make_claims(case, [2])) is None
    assert violation(case, make_claims(case, [1])) == (17, 0)


def test_the_smallest_law_is_reported_then_the_smallest_index() -> None:
    paid = [BUDGETS[0] + 1, 0, BUDGETS[2] + 1]
    assert violation(CASE, make_claims(CASE, paid)) == (1, 0)
    both = changed(make_claims(CASE, [0, BUDGETS[1], BUDGETS[2]]), "received", 2, 1)
    assert violation(CASE, both) == (3, 2)


def test_order_index_names_witness_rows() -> None:
    index = np.array([3, 5, 11], dtype=np.int64)
    for engine in ("scalar", "columnar"):
        with pytest.raises(Exception, match=r"L4: index 5: ") as caught:
            check_clearing(CASE, make_claims(CASE, [BUDGETS[0], 0, BUDGETS[2]]), index, engine)
        assert caught.value.index == 5
    dust = marginal_free_of_fees()
    with pytest.raises(Exception, match="L17: index 4") as caught:
        check_clearing(dust, make_claims(dust, [1]), np.array([4]))
    assert caught.value.law == 17
