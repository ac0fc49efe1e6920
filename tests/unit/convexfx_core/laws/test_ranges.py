"""L0 on a cleared batch: every range has an edge that holds and one that does not."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.errors import LawViolated
from convexfx_core.laws.certify import check_clearing
from convexfx_core.limits import VALUE_MAX
from convexfx_core.settlement.proposal import Ration
from tests.support.law_cases import UNIT, Order, make_case, make_claims, violation

BUDGETS = [1000 * UNIT, 500 * UNIT]
CASE = make_case([Order(0, 1, BUDGETS[0]), Order(1, 0, BUDGETS[1])])
FILLED = make_claims(CASE, BUDGETS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget", 0),
        ("budget", 1 << 62),
        ("min_fill", BUDGETS[0] + 1),
        ("pay", 2),
        ("receive", 2),
        ("receive", 0),
        ("kind", 2),
        ("kind", 0),
        ("limit_kind", 2),
        ("limit_kind", 1),
        ("limit_m", 1 << 62),
        ("limit_e", 1),
        ("nonce", 0),
    ],
)
def test_l0_an_order_row_that_is_not_well_formed(field: str, value: int) -> None:
    orders = CASE.orders.copy()
    orders[field][0] = value
    assert violation(replace(CASE, orders=orders), FILLED) == (0, 5)


@pytest.mark.parametrize(
    ("e", "m", "verdict"),
    [
        (60, 1 << 62, None),
        (60, (1 << 63) - 1, None),
        (60, (1 << 62) - 1, (0, 5)),
        (60, 1 << 63, (0, 5)),
        (255, 1 << 62, None),
        (256, 1 << 62, (0, 5)),
        (-192, 1 << 62, None),
        (-193, 1 << 62, (0, 5)),
    ],
)
def test_l0_limits(e: int, m: int, verdict: tuple[int, int] | None) -> None:
    orders = CASE.orders.copy()
    orders["limit_kind"][0], orders["limit_e"][0], orders["limit_m"][0] = 1, e, m
    paid = BUDGETS if e == 255 else [0, BUDGETS[1]]
    assert violation(replace(CASE, orders=orders), make_claims(CASE, paid)) == verdict


def test_l0_minimum_and_budget_at_their_edges() -> None:
    orders = CASE.orders.copy()
    orders["min_fill"] = orders["budget"]
    assert violation(replace(CASE, orders=orders), FILLED) is None
    great = make_case([Order(0, 1, (1 << 62) - 1, "0.1")])
    assert violation(great, make_claims(great, [0])) is None


def test_l0_bands_narrower_than_a_32nd_of_the_price() -> None:
    case = make_case([], band_bps="300")
    claims = make_claims(case, [])
    assert violation(case, claims) is None
    pbar = case.reference.pbar[1]
    edges = {
        "phi": (pbar + pbar // 32, pbar + pbar // 32 + 1),
        "plo": (pbar - pbar // 32, pbar - pbar // 32 - 1),
    }
    for name, (inside, outside) in edges.items():
        for edge, verdict in ((inside, None), (outside, (0, 3))):
            column = (case.reference.pbar[0], edge)
            wide = replace(case, reference=replace(case.reference, **{name: column}))
            assert violation(wide, claims) == verdict


@pytest.mark.parametrize(
    ("price", "verdict"), [(0, (0, 6)), (-1, (0, 6)), (1 << 128, (0, 6)), (1, (7, 1))]
)
def test_l0_prices_of_assets_that_nobody_trades(price: int, verdict: tuple[int, int]) -> None:
    case = make_case([])
    claims = replace(make_claims(case, []), prices=(case.reference.pbar[0], price))
    assert violation(case, claims) == verdict


@pytest.mark.parametrize(("shift", "law"), [(3, 0), (-3, 0)])
def test_l0_rates_of_used_pairs(shift: int, law: int) -> None:
    pbar = CASE.reference.pbar
    price = pbar[1] << shift if shift > 0 else pbar[1] >> -shift
    claims = replace(FILLED, prices=(pbar[0], price))
    assert violation(CASE, claims) == (law, 6)


def test_l0_the_message_names_the_pair() -> None:
    claims = replace(FILLED, prices=(CASE.reference.pbar[0], CASE.reference.pbar[1] << 4))
    with pytest.raises(LawViolated, match="pair 0/1") as caught:
        check_clearing(CASE, claims)
    assert caught.value.code == "L0"


SHORT = np.zeros(1, dtype=np.uint64)


@pytest.mark.parametrize(
    ("change", "section"),
    [
        ({"prices": CASE.reference.pbar[:1]}, 6),
        ({"paid": SHORT}, 7),
        ({"overflow": (0,)}, 8),
        ({"inventory_after": (0, 0, 0)}, 8),
        ({"overflow": (0, VALUE_MAX + 1)}, 8),
        ({"ration": Ration((0,), FILLED.paid)}, 9),
        ({"ration": Ration((0, 0), SHORT)}, 9),
        ({"ration": Ration((0, 1 << 63), FILLED.paid)}, 9),
        ({"ration": Ration((0, -(1 << 63) - 1), FILLED.paid)}, 9),
        ({"rejected": np.array([2]), "reject_kinds": np.array([1], np.uint8)}, 10),
        ({"rejected": np.array([-1]), "reject_kinds": np.array([1], np.uint8)}, 10),
        ({"rejected": np.array([1, 1]), "reject_kinds": np.array([1, 1], np.uint8)}, 10),
        ({"rejected": np.array([1, 0]), "reject_kinds": np.array([1, 1], np.uint8)}, 10),
        ({"rejected": np.array([0]), "reject_kinds": np.array([0], np.uint8)}, 10),
        ({"rejected": np.array([0]), "reject_kinds": np.array([3], np.uint8)}, 10),
        ({"rejected": np.array([0]), "reject_kinds": np.zeros(0, np.uint8)}, 10),
        ({"received": SHORT}, 11),
        ({"fee": SHORT}, 11),
    ],
)
def test_l0_claims_of_another_shape_or_range(change: dict, section: int) -> None:
    assert violation(CASE, replace(FILLED, **change)) == (0, section)


def test_l0_the_widest_overflow_and_omega_are_in_range() -> None:
    assert violation(CASE, replace(FILLED, overflow=(0, VALUE_MAX))) == (8, 1)
    low = Ration((0, -(1 << 63)), FILLED.paid)
    assert violation(CASE, replace(FILLED, ration=low)) == (10, 1)
    most = Ration((0, (1 << 63) - 1), FILLED.paid)
    assert violation(CASE, replace(FILLED, ration=most)) == (10, 1)
