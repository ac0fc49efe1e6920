"""propose(): the ladder, the names it reports, more than a hundred hard cases."""

from collections.abc import Callable

import numpy as np
import pytest

from convexfx_core.clearing import ladder, propose
from convexfx_core.clearing.kernels import COMPILED_ORDERS_MIN, load
from convexfx_core.clearing.scp import ITERATIONS_MAX, NotConverged
from convexfx_core.errors import ClearingRefused
from convexfx_core.settlement.clearing_input import ClearingCase
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_hard import hard_cases
from tests.support.clearing_oracle import check

HARD = hard_cases()
UNLAWFUL = ("room 0.0", "opening above all", "opening below all")
"""No cut of opposite flows meets bounds without width to the unit; these must be refused."""


def failing(reason: str) -> Callable[..., object]:
    def rung(*_: object, **__: object) -> object:
        raise NotConverged(reason)

    return rung


@pytest.fixture(name="case")
def fixture_case() -> ClearingCase:
    return case_of(Shape(assets=4, orders=50), 7)


def test_there_are_more_than_a_hundred_hard_cases_with_distinct_names() -> None:
    assert len({name for name, _ in HARD}) == len(HARD) > 100


@pytest.mark.parametrize(("name", "case"), HARD, ids=[name for name, _ in HARD])
def test_a_hard_case_clears_or_is_refused_for_its_reason(name: str, case: ClearingCase) -> None:
    if name.startswith(UNLAWFUL):
        with pytest.raises(ClearingRefused, match="RATION_FAILED"):
            propose(case, solver="ndas", kernels="numpy")
        return
    proposal = propose(case, solver="ndas", kernels="numpy")
    assert proposal.iterations <= ITERATIONS_MAX
    assert not check(case, proposal).violations


def test_the_solver_names_what_found_the_answer(case: ClearingCase) -> None:
    assert propose(case, kernels="numpy").solver == "ndas-numpy"
    assert propose(case, kernels="numba").solver == "ndas-numba"
    assert propose(case, solver="qp", kernels="numpy").solver == "qp-numpy"


def test_auto_takes_the_compiled_kernels_where_they_pay_and_are(
    case: ClearingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load("auto", COMPILED_ORDERS_MIN).name == "numba"
    assert load("auto", COMPILED_ORDERS_MIN - 1).name == "numpy"
    monkeypatch.setattr("convexfx_core.clearing.kernels.find_spec", lambda name: None)
    assert load("auto", COMPILED_ORDERS_MIN).name == "numpy"
    assert propose(case).solver == "ndas-numpy"


def test_the_second_rung_answers_when_the_first_fails(
    case: ClearingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = propose(case, kernels="numpy")
    monkeypatch.setitem(ladder._LADDER, "ndas", failing("no"))
    proposal = propose(case, kernels="numpy")
    assert proposal.solver == "qp-numpy"
    assert not check(case, proposal).violations
    drift = [abs(a - b) / b for a, b in zip(proposal.prices, exact.prices, strict=True)]
    assert max(drift) < 1e-12


def test_a_rung_asked_for_by_name_stands_alone(
    case: ClearingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ladder._LADDER, "ndas", failing("no"))
    with pytest.raises(ClearingRefused):
        propose(case, solver="ndas", kernels="numpy")


def test_the_refusal_tells_the_reason_of_every_rung(
    case: ClearingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ladder._LADDER, "ndas", failing("too hard"))
    monkeypatch.setitem(ladder._LADDER, "qp", failing("too slow"))
    with pytest.raises(ClearingRefused) as refused:
        propose(case, kernels="numpy")
    assert refused.value.line() == (
        "Clearing failed: NOT_CONVERGED: clearing: expected a solver that converges, "
        "found ndas: too hard; qp: too slow"
    )


def test_the_generic_rung_tries_its_second_backend(
    case: ClearingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convexfx_core.clearing.qp._piqp", failing("piqp gave up"))
    assert not check(case, propose(case, solver="qp", kernels="numpy")).violations
    monkeypatch.setattr("convexfx_core.clearing.qp._cvxpy", failing("cvxpy gave up"))
    with pytest.raises(ClearingRefused, match="piqp gave up; cvxpy gave up"):
        propose(case, solver="qp", kernels="numpy")


def test_prices_too_coarse_for_a_limit_are_refused() -> None:
    shape = Shape(
        assets=3, orders=80, decimals=(9, 9), numeraire_decimals=0, tick=5.0, market=0.0,
        prices=(0.005, 0.006), gross=500.0, impact=5.0,
    )  # fmt: skip
    with pytest.raises(ClearingRefused, match=r"NO_CERTIFICATE: price of asset \d: expected units"):
        propose(case_of(shape, 1), kernels="numpy")


def test_everything_in_a_proposal_is_an_integer_but_the_step_norms(case: ClearingCase) -> None:
    proposal = propose(case, kernels="numpy")
    assert all(type(p) is int for p in proposal.prices + proposal.overflow)
    assert proposal.paid.dtype == np.uint64
    assert proposal.rejected.dtype == np.int64
    assert proposal.reject_kinds.dtype == np.uint8
    assert proposal.step_norm_y < 1e-5
    assert proposal.step_norm_alpha < 1e-6
