"""Small markets by hypothesis: every input that an admission lets through has a lawful outcome."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convexfx_core.clearing import propose
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from tests.support.clearing_cases import effective, order_rows, params_of, reference_at
from tests.support.clearing_oracle import check

COMMON = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
QUOTES = (1.0, 1.1, 0.0067)


@st.composite
def markets(draw: st.DrawFn, *, room: bool = False, least: bool = False) -> ClearingCase:
    """Two or three assets, up to a dozen orders, ticks and equal limits included."""
    n = draw(st.integers(2, 3))
    digits = np.full(n, 6)
    band = draw(st.sampled_from([1.0, 20.0, 300.0]))
    reference = reference_at(np.array(QUOTES[:n]), digits, [band] * n)
    risk = draw(st.lists(st.sampled_from([0.0, 0.1, 1.0, 8.0]), min_size=n - 1, max_size=n - 1))
    gamma = np.diag([0.0, *risk])
    depth = np.full(n, draw(st.sampled_from([0.0, 6.0])))
    gap = draw(st.lists(st.integers(-20, 20), min_size=n, max_size=n))
    target = [round(100e12 / q) for q in QUOTES[:n]]
    inventory = tuple(t + round(g * 1e12 / q) for t, g, q in zip(target, gap, QUOTES, strict=False))
    width = draw(st.sampled_from([0.01, 1.0, 5.0])) if room else 1e6
    around = [round(width * 1e12 / q) for q in QUOTES[:n]]
    fee = np.full((n, n), draw(st.sampled_from([0, 300, 1500])))
    params = params_of(
        digits, band, effective(gamma, depth), fee, target,
        [q - w for q, w in zip(inventory, around, strict=True)],
        [q + w for q, w in zip(inventory, around, strict=True)],
    )  # fmt: skip
    order = st.tuples(
        st.integers(0, n - 1),
        st.integers(1, n - 1),
        st.sampled_from([1, 10**3, 10**9, 10**12, 7 * 10**12]),
        st.sampled_from([-5.0, -0.5, 0.0, 0.5, 1.0, 5.0, 40.0, np.inf]),
        st.sampled_from([0.0, 0.5, 1.0]) if least else st.just(0.0),
    )
    rows = draw(st.lists(order, max_size=12))
    pay = np.array([r[0] for r in rows], dtype=np.int64)
    receive = (pay + np.array([r[1] for r in rows], dtype=np.int64)) % n
    budget = np.array([r[2] for r in rows], dtype=np.uint64)
    asked = [-(-int(r[2] * 10 * r[4]) // 10) for r in rows]
    limit = np.array([r[3] for r in rows], dtype=float)
    columns = (pay, receive, budget, limit, np.array(asked, dtype=np.uint64))
    return ClearingCase(params, reference, inventory, order_rows(params, reference, *columns))


def clear(case: ClearingCase) -> Proposal:
    return propose(case, kernels="numpy")


@COMMON
@given(markets())
def test_every_market_without_bounds_is_certified(case: ClearingCase) -> None:
    assert check(case, clear(case)).violations == []


@COMMON
@given(markets(least=True))
def test_minimum_fills_are_kept_and_rejections_are_justified(case: ClearingCase) -> None:
    proposal = clear(case)
    assert check(case, proposal).violations == []
    least = case.orders["min_fill"]
    assert ((proposal.paid == 0) | (proposal.paid >= least)).all()


@COMMON
@given(markets(room=True))
def test_bounds_of_some_width_are_kept(case: ClearingCase) -> None:
    assert check(case, clear(case)).violations == []


@COMMON
@given(markets(room=True, least=True))
def test_everything_at_once(case: ClearingCase) -> None:
    assert check(case, clear(case)).violations == []


@COMMON
@given(markets(room=True), st.randoms(use_true_random=False))
def test_the_sequence_of_the_orders_does_not_matter(case: ClearingCase, random: object) -> None:
    order = list(range(len(case.orders)))
    random.shuffle(order)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    here = clear(case)
    there = clear(replace(case, orders=case.orders[order]))
    assert here.prices == there.prices
    assert here.paid[order].tolist() == there.paid.tolist()


@COMMON
@given(markets(), st.sampled_from([2, 3, 10]))
def test_copies_of_an_order_are_filled_alike_to_a_grain(case: ClearingCase, copies: int) -> None:
    if not len(case.orders):
        return
    rows = np.repeat(case.orders[:1], copies)
    rows["owner"][:, 3] = 1000 + np.arange(copies)
    many = replace(case, orders=np.concatenate((case.orders, rows)))
    paid = [int(p) for p in clear(many).paid[len(case.orders) :]]
    budget = int(case.orders["budget"][0])
    assert max(paid) - min(paid) <= min(budget, 1024)


@COMMON
@given(markets())
def test_an_order_far_out_of_the_money_changes_nothing(case: ClearingCase) -> None:
    row = order_rows(
        case.params, case.reference, np.array([0]), np.array([1]),
        np.array([10**12], np.uint64), np.array([-700.0]), np.zeros(1, np.uint64),
    )  # fmt: skip
    row["owner"][0, 3] = 5000
    here = clear(case)
    there = clear(replace(case, orders=np.concatenate((case.orders, row))))
    assert here.prices == there.prices
    assert there.paid[-1] == 0


@COMMON
@given(markets())
def test_fills_never_exceed_budgets_and_are_whole_or_in_grains(case: ClearingCase) -> None:
    paid, budget = clear(case).paid, case.orders["budget"]
    assert (paid <= budget).all()
    assert ((paid == budget) | (paid % np.uint64(1024) == 0)).all()


@COMMON
@given(markets())
def test_the_compiled_kernels_give_the_same_integers(case: ClearingCase) -> None:
    here, there = clear(case), propose(case, kernels="numba")
    assert here.prices == there.prices
    assert here.paid.tolist() == there.paid.tolist()
    assert here.overflow == there.overflow
