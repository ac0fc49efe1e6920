"""Overflow from integers, and the refusal where units are too coarse."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing import propose
from convexfx_core.clearing.kernels import load
from convexfx_core.clearing.price_rule import check_resolution, settle_overflow
from convexfx_core.clearing.problem import Problem, pose
from convexfx_core.clearing.rounding import (
    Rates,
    rates_of,
    round_fills,
    round_overflow,
    round_prices,
)
from convexfx_core.clearing.scp import solve
from convexfx_core.errors import ClearingRefused
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import log_ratio
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_oracle import check

PUSHED = Shape(assets=4, orders=80, gross=400.0, band=2.0, impact=2.0)


def solved(
    case: ClearingCase, kernels: str = "numpy"
) -> tuple[Problem, tuple[int, ...], tuple[int, ...], Rates, np.ndarray]:
    """Problem, float overflow as integers, prices, rates, demanded fills."""
    problem = pose(case)
    found = solve(problem.market, problem.demand, load("numba" if kernels == "numba" else "numpy"))
    overflow = round_overflow(case, found.overflow)
    prices = round_prices(case, found.u, overflow)
    rates = rates_of(case, prices, np.unique(problem.demand.pair))
    return problem, overflow, prices, rates, round_fills(problem, found, prices, rates)


def rule_bps(case: ClearingCase, prices: tuple[int, ...], overflow: tuple[int, ...]) -> np.ndarray:
    """How far each price is from its rule, by the oracle's own integers."""
    proposal = replace(propose(case, kernels="numpy"), prices=prices, overflow=overflow)
    return np.array([r / 2**64 * 1e4 for r in check(case, proposal).residual])


@pytest.mark.parametrize("seed", range(6))
def test_overflow_meets_the_price_rule_of_pinned_assets(seed: int) -> None:
    case = case_of(PUSHED, seed)
    problem, rough, prices, rates, demanded = solved(case)
    overflow = settle_overflow(problem, prices, rates, demanded, rough)
    pinned = np.flatnonzero(np.array(overflow, dtype=float))
    assert len(pinned)
    assert np.abs(rule_bps(case, prices, overflow)[pinned]).max() < 1e-8
    assert all(abs(a - b) < 10**4 for a, b in zip(overflow, rough, strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_overflow_does_not_depend_on_the_last_digits_of_the_solver(seed: int) -> None:
    case = case_of(PUSHED, seed)
    problem, rough, prices, rates, demanded = solved(case)
    shaken = tuple(v + 3 if v else 0 for v in rough)
    exact = settle_overflow(problem, prices, rates, demanded, rough)
    assert settle_overflow(problem, prices, rates, demanded, shaken) == exact


def test_nothing_overflows_where_nothing_is_pinned() -> None:
    problem, rough, prices, rates, demanded = solved(case_of(Shape(assets=3, orders=20), 1))
    assert not any(rough)
    assert settle_overflow(problem, prices, rates, demanded, rough) == (0, 0, 0)


def test_a_value_on_the_other_side_is_no_overflow() -> None:
    case = case_of(PUSHED, 0)
    problem, rough, prices, rates, demanded = solved(case)
    wrong = tuple(-v for v in rough)
    assert settle_overflow(problem, prices, rates, demanded, wrong) == (0,) * 4


def test_an_asset_without_risk_has_no_overflow() -> None:
    case = case_of(PUSHED, 0)
    problem, rough, prices, rates, demanded = solved(case)
    k = next(i for i, v in enumerate(rough) if v)
    impact = problem.market.impact.copy()
    impact[k, :] = impact[:, k] = 0.0
    riskless = replace(problem, market=replace(problem.market, impact=impact))
    assert settle_overflow(riskless, prices, rates, demanded, rough)[k] == 0


def test_fine_units_are_never_looked_at() -> None:
    case = case_of(PUSHED, 1)
    problem, rough, prices, rates, demanded = solved(case)
    check_resolution(problem, prices, rates, np.zeros_like(demanded), rough)


def coarse_case(seed: int) -> ClearingCase:
    shape = Shape(
        assets=3, orders=60, decimals=(9, 9), numeraire_decimals=0, prices=(0.005, 0.006),
        market=1.0, gross=50.0,
    )  # fmt: skip
    return case_of(shape, seed)


def test_coarse_prices_pass_while_the_rule_is_met() -> None:
    problem, rough, prices, rates, demanded = solved(coarse_case(1))
    assert min(p.bit_length() for p in prices) < 40
    check_resolution(problem, prices, rates, demanded, rough)


def test_coarse_prices_off_the_rule_are_refused_and_named() -> None:
    case = coarse_case(1)
    problem, rough, prices, rates, demanded = solved(case)
    moved = (*prices[:2], prices[2] + prices[2] // 10_000)
    assert abs(log_ratio(moved[2], prices[2]) / 2**64) > 9e-5
    with pytest.raises(ClearingRefused, match="NO_CERTIFICATE: price of asset 2") as refused:
        check_resolution(problem, moved, rates, demanded, rough)
    assert "off the price rule" in refused.value.line()


def test_the_tolerance_is_that_of_the_laws() -> None:
    case = coarse_case(2)
    proposal = propose(case, kernels="numpy")
    report = check(case, proposal)
    assert not report.violations
    off = np.abs([r / 2**64 for r in report.residual])
    assert (off <= np.array([t / 2**64 for t in report.tau])).all()
