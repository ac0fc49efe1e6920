"""Fairness between orders: same pair, same limit, same cut; better limits first."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.ration import ONE
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.units import gross_rate, net_rate, partial_fill_shift, rate_shift
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

SEEDS = range(10)
TIGHT = Shape(assets=4, orders=120, bounds=4.0, gross=200.0)


def clear(case: ClearingCase) -> Proposal:
    return propose(case, kernels="numpy")


def by_pair(case: ClearingCase) -> list[np.ndarray]:
    pair = pose(case).demand.pair
    return [np.flatnonzero(pair == p) for p in np.unique(pair)]


@pytest.mark.parametrize("seed", SEEDS)
def test_everyone_on_a_rationed_pair_is_cut_by_the_same_part_to_one_unit(seed: int) -> None:
    case = case_of(TIGHT, seed)
    proposal = clear(case)
    if proposal.ration is None:
        return
    for some in by_pair(case):
        wanted = [int(w) for w in proposal.ration.demanded[some]]
        paid = [int(p) for p in proposal.paid[some]]
        rows = [(w, p) for w, p in zip(wanted, paid, strict=True) if w]
        for w, p in rows:
            for v, q in rows:
                assert abs(p * v - q * w) <= v + w


def test_rationing_happens_in_most_of_these_markets() -> None:
    rationed = [clear(case_of(TIGHT, seed)).ration is not None for seed in SEEDS]
    assert sum(rationed) >= 7


@pytest.mark.parametrize("seed", SEEDS)
def test_opposite_directions_of_a_pair_are_not_both_cut_hard(seed: int) -> None:
    case = case_of(TIGHT, seed)
    ration = clear(case).ration
    if ration is None:
        return
    for i in range(4):
        for j in range(i):
            here = ration.omega[j] - ration.omega[i]
            assert min(max(here, 0), ONE) * min(max(-here, 0), ONE) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_copies_with_the_same_limit_get_the_same_to_a_grain(seed: int) -> None:
    case = case_of(Shape(assets=3, orders=60, tick=2.0, market=0.0, gross=150.0), seed)
    orders = np.concatenate((case.orders, case.orders.copy()))
    orders["owner"][:, 3] = np.arange(120)
    proposal = clear(replace(case, orders=orders))
    grains = [1 << partial_fill_shift(case.params.decimals[int(p)]) for p in case.orders["pay"]]
    for k, grain in enumerate(grains):
        assert abs(int(proposal.paid[k]) - int(proposal.paid[60 + k])) <= grain


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_pair_a_better_limit_has_a_part_at_least_as_large(seed: int) -> None:
    case = case_of(Shape(assets=3, orders=90, tick=1.0, market=0.0, gross=150.0), seed)
    proposal = clear(case)
    limit = pose(case).demand.limit
    share = proposal.paid / case.orders["budget"]
    slack = 1024.0 / case.orders["budget"]
    for some in by_pair(case):
        for a in some:
            for b in some:
                if limit[a] > limit[b] + 1e-6:
                    assert share[a] >= share[b] - slack[a] - slack[b]


@pytest.mark.parametrize("seed", SEEDS)
def test_fees_make_the_net_rate_worse_by_exactly_the_fee(seed: int) -> None:
    free = case_of(Shape(assets=3, orders=60, fee_ppm=0, market=1.0), seed)
    n = free.params.n
    fee = tuple(tuple(0 if i == j else 900 for j in range(n)) for i in range(n))
    dear = replace(free, params=replace(free.params, fee_ppm=fee))
    here, there = clear(free), clear(dear)
    assert here.prices == there.prices
    shift = rate_shift(free.reference.pbar[0], free.reference.pbar[1])
    gross = gross_rate(there.prices[0], there.prices[1], shift)
    assert net_rate(gross, 900) == gross * 999_100 // 1_000_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fee_can_only_take_limit_orders_out(seed: int) -> None:
    free = case_of(Shape(assets=2, orders=60, fee_ppm=0, market=0.0, crowd=0.0), seed)
    one_way = free.orders[free.orders["pay"] == 0]
    case = replace(free, orders=one_way)
    dear = replace(case, params=replace(case.params, fee_ppm=((0, 1500), (1500, 0))))
    here, there = clear(case), clear(dear)
    assert int(there.paid.sum(dtype=np.uint64)) <= int(here.paid.sum(dtype=np.uint64)) + 1024
    assert not check(dear, there).violations


@pytest.mark.parametrize("seed", SEEDS)
def test_more_room_never_cuts_more_in_total_on_one_sided_flow(seed: int) -> None:
    shape = replace(TIGHT, assets=2, market=1.0, crowd=0.0)
    base = case_of(shape, seed)
    case = replace(base, orders=base.orders[base.orders["pay"] == 0])
    before = -1
    for widen in (0, 1, 3):
        held = case.inventory
        low = tuple(q - (q - a) * (1 + widen) for q, a in zip(held, case.params.q_min, strict=True))
        high = tuple(
            q + (b - q) * (1 + widen) for q, b in zip(held, case.params.q_max, strict=True)
        )
        wider = replace(case, params=replace(case.params, q_min=low, q_max=high))
        paid = int(clear(wider).paid.sum(dtype=np.uint64))
        assert paid >= before
        before = paid


def test_an_operator_cannot_gain_by_naming_an_order_first() -> None:
    """Owners decide ties only inside one grain: renaming everybody moves at most a grain each."""
    case = case_of(Shape(assets=3, orders=60, tick=2.0, market=0.0, gross=150.0), 3)
    renamed = case.orders.copy()
    renamed["owner"][:] = renamed["owner"][::-1]
    here, there = clear(case), clear(replace(case, orders=renamed))
    assert here.prices == there.prices
    moved = here.paid.astype(np.int64) - there.paid.astype(np.int64)
    assert np.abs(moved).max() <= 1024
