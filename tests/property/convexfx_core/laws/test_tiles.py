"""Machine code works on tiles of orders: what stands at their edges is judged as by columns."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.order_tiles_numba import TILE
from convexfx_core.settlement.proposal import Ration
from convexfx_core.settlement.settle import settle
from tests.property.convexfx_core.laws.test_paths import verdict
from tests.support.clearing_cases import Shape, case_of

ORDERS = 2 * TILE + 300
EDGES = (0, TILE - 1, TILE, TILE + 1, 2 * TILE - 1, 2 * TILE, ORDERS - 1)
SHAPES = {
    "plain": Shape(assets=6, orders=ORDERS, gross=500.0),
    "rationed": Shape(assets=6, orders=ORDERS, gross=500.0, bounds=4.0, min_fill=0.1),
    "rejecting": Shape(assets=4, orders=ORDERS, min_fill=0.9, tick=4.0, market=0.0),
    "wide": Shape(assets=3, orders=ORDERS, gross=1e9, impact=1e-7, bounds=1e12, prices=(0.7, 1.5)),
}


@cache
def honest(kind: str) -> tuple[ClearingCase, ClearingClaims]:
    case = case_of(SHAPES[kind], 5)
    proposal = propose(case, kernels="numpy")
    return case, claims_of(proposal, settle(case, proposal))


def both(case: ClearingCase, claims: ClearingClaims) -> Certificate | tuple[int, int, str]:
    """The certificate, or (law, index, line), the same on two paths."""
    seen = verdict(case, claims, "compiled")
    assert seen == verdict(case, claims, "columnar")
    return seen


def found(seen: Certificate | tuple[int, int, str]) -> tuple[int, int]:
    assert isinstance(seen, tuple)
    return seen[:2]


def line(seen: Certificate | tuple[int, int, str]) -> str:
    assert isinstance(seen, tuple)
    return seen[2]


@pytest.mark.parametrize("kind", SHAPES)
def test_honest_claims_get_one_certificate_on_all_paths(kind: str) -> None:
    case, claims = honest(kind)
    certificate = check_clearing(case, claims, engine="compiled")
    assert certificate == check_clearing(case, claims, engine="columnar")
    assert certificate == check_clearing(case, claims, engine="scalar")


def test_the_cases_hold_what_they_are_for() -> None:
    assert honest("rationed")[1].ration is not None
    assert len(honest("rejecting")[1].rejected) > 0
    assert max(honest("wide")[0].orders["budget"]) > 1 << 56
    assert honest("plain")[1].ration is None


@pytest.mark.parametrize("kind", SHAPES)
def test_settlement_is_the_same_across_tiles(kind: str) -> None:
    case, claims = honest(kind)
    proposal = propose(case, kernels="numpy")
    here, there = (settle(case, proposal, kernels=k) for k in ("numpy", "numba"))
    for name in ("limit_rate", "received", "fee", "rate", "net_rate", "shift"):
        assert np.array_equal(getattr(here, name), getattr(there, name)), name
    assert here.flow_in == there.flow_in
    assert here.flow_out == there.flow_out
    assert here.inventory_after == there.inventory_after == claims.inventory_after


def put(column: np.ndarray, at: int, value: int) -> np.ndarray:
    column = column.copy()
    column[at] = value
    return column


def demanded(claims: ClearingClaims, at: int, value: int) -> ClearingClaims:
    assert claims.ration is not None
    wanted = put(claims.ration.demanded, at, value)
    return replace(claims, ration=Ration(claims.ration.omega, wanted))


LIES: dict[str, Callable[[ClearingClaims, int, int], ClearingClaims]] = {
    "more than the budget": lambda c, k, b: replace(c, paid=put(c.paid, k, b + 1)),
    "less than what is paid": lambda c, k, b: replace(c, paid=put(c.paid, k, int(c.paid[k]) // 2)),
    "one unit received too much": lambda c, k, b: replace(
        c, received=put(c.received, k, int(c.received[k]) + 1)
    ),
    "a fee of the largest number": lambda c, k, b: replace(c, fee=put(c.fee, k, (1 << 64) - 1)),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("at", EDGES)
@pytest.mark.parametrize("kind", ["plain", "rationed"])
def test_a_lie_at_the_edge_of_a_tile_is_found_there(kind: str, at: int, lie: str) -> None:
    case, claims = honest(kind)
    forged = LIES[lie](claims, at, int(case.orders["budget"][at]))
    seen = both(case, forged)
    if isinstance(seen, Certificate):
        assert lie == "less than what is paid"
        assert claims.paid[at] == 0
    elif seen[0] in (1, 3):
        assert seen[1] == at


@pytest.mark.parametrize("at", EDGES)
def test_a_demand_at_the_edge_of_a_tile_is_judged_alike(at: int) -> None:
    case, claims = honest("rationed")
    budget = int(case.orders["budget"][at])
    for value in (0, 1, budget // 2, budget, budget + 1, (1 << 62) - 1):
        both(case, demanded(claims, at, value))


@pytest.mark.parametrize("at", EDGES)
@pytest.mark.parametrize(
    ("field", "value"),
    [("budget", 0), ("pay", 6), ("receive", 65_535), ("kind", 2), ("nonce", 0), ("limit_kind", 2)],
)
def test_a_malformed_row_at_the_edge_of_a_tile_is_the_first(
    at: int, field: str, value: int
) -> None:
    case, claims = honest("plain")
    rows = case.orders.copy()
    rows[field][at] = value
    rows["budget"][at + 1 : at + 3] = 0
    seen = both(replace(case, orders=rows), claims)
    assert found(seen) == (0, 5)
    assert line(seen).endswith(f"order {at}")
    rows["pay"][max(at - 2, 0)] = 6
    assert line(both(replace(case, orders=rows), claims)).endswith(f"order {max(at - 2, 0)}")


@pytest.mark.parametrize("at", EDGES[:-1])
def test_of_two_lies_the_first_is_told(at: int) -> None:
    case, claims = honest("plain")
    received = claims.received.copy()
    received[[at, ORDERS - 1]] += np.uint64(1)
    assert found(both(case, replace(claims, received=received))) == (3, at)


def test_rejected_orders_are_excused_in_every_tile() -> None:
    case, claims = honest("rejecting")
    for place in range(len(claims.rejected)):
        kept = np.delete(np.arange(len(claims.rejected)), place)
        fewer = replace(
            claims, rejected=claims.rejected[kept], reject_kinds=claims.reject_kinds[kept]
        )
        both(case, fewer)
