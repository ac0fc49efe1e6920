"""One SCP step: what it linearises, what it leaves."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.clearing.active_set import ActiveState, descend
from convexfx_core.clearing.begin import begin, state_at
from convexfx_core.clearing.curves import Levels, levels_in
from convexfx_core.clearing.kernels import Kernels, load
from convexfx_core.clearing.problem import Market, pose
from convexfx_core.clearing.scp import NotConverged, Progress, iterate, pool_of, solve, whole_window
from convexfx_core.clearing.subproblem import Step, Terms, advance, conservation, step_impact
from tests.support.clearing_cases import Shape, case_of

NUMPY = load("numpy")
SHAPE = Shape(assets=4, orders=80)


def ready(seed: int = 1, shape: Shape = SHAPE) -> tuple[Market, Levels]:
    problem = pose(case_of(shape, seed))
    market, demand = problem.market, problem.demand
    chosen, above = NUMPY.split(demand, *whole_window(market.n, market.cap))
    return market, levels_in(market, demand, chosen, above)


def change_of_inventory(n: int, levels: Levels, u: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Exact flows of given pair volumes at prices u, pair by pair."""
    out = np.zeros(n)
    for i, j, v in zip(levels.pay, levels.receive, volume, strict=True):
        out[i] += v
        out[j] -= v * np.exp(-(u[j] - u[i]) * 1e-4)
    return out


def test_the_terms_are_value_and_slope_of_exact_conservation() -> None:
    market, levels = ready()
    rng = np.random.default_rng(0)
    u = np.concatenate(([0.0], rng.normal(size=3) * 10))
    volume = rng.uniform(0, 5, len(levels.pair))
    terms = conservation(4, levels, u, volume)
    plain = np.bincount(levels.pay, volume, 4) - np.bincount(levels.receive, volume, 4)
    exact = change_of_inventory(4, levels, u, volume)
    assert plain + terms.correction == pytest.approx(exact, abs=1e-12)
    assert np.abs(terms.depth.sum(axis=1)).max() < 1e-12
    assert market.n == 4


def test_the_depth_is_the_symmetric_part_of_the_slope() -> None:
    _, levels = ready()
    rng = np.random.default_rng(1)
    u = np.concatenate(([0.0], rng.normal(size=3) * 10))
    volume = rng.uniform(0, 5, len(levels.pair))
    depth = conservation(4, levels, u, volume).depth
    slope = np.zeros((4, 4))
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-3
        up = change_of_inventory(4, levels, u + step, volume)
        down = change_of_inventory(4, levels, u - step, volume)
        slope[:, k] = (up - down) / 2e-3
    assert np.diag(slope).sum() == pytest.approx(np.diag(depth).sum(), rel=1e-3)
    assert np.linalg.eigvalsh(depth).min() > -1e-12


def test_the_step_has_the_fixed_point_of_the_exact_rule() -> None:
    market, levels = ready()
    pool = pool_of(market)
    found = solve(market, pose(case_of(SHAPE, 1)).demand, NUMPY)
    volume = np.zeros(len(levels.pair))
    terms = conservation(4, levels, found.u, volume)
    impact, offset = step_impact(pool, terms, found.u)
    assert impact == pytest.approx(pool.impact)
    assert offset == pytest.approx(market.gap)


def test_depth_softens_the_impact() -> None:
    market, levels = ready()
    pool = pool_of(market)
    terms = conservation(4, levels, np.zeros(4), np.full(len(levels.pair), 50.0))
    impact, _ = step_impact(pool, terms, np.zeros(4))
    assert np.linalg.eigvalsh(pool.impact - impact).min() > 0
    assert np.array_equal(impact, impact.T)


def test_damped_terms_are_the_average() -> None:
    a = Terms(np.array([1.0, 3.0]), np.eye(2))
    b = Terms(np.array([3.0, 5.0]), np.zeros((2, 2)))
    mixed = a.damped(b)
    assert mixed.correction.tolist() == [2.0, 4.0]
    assert mixed.depth.tolist() == [[0.5, 0.0], [0.0, 0.5]]


@pytest.mark.parametrize("kernels", [load("numpy"), load("numba")], ids=lambda k: k.name)
def test_residuals_shrink_by_orders_of_magnitude(kernels: Kernels) -> None:
    market, levels = ready(2, replace(SHAPE, gross=2000.0))
    pool = pool_of(market)
    state, volume = kernels.begin(pool, levels, market.cap, np.zeros(4))
    residuals = []
    for _ in range(4):
        step = kernels.advance(pool, levels, state, volume, None)
        volume = step.volume
        residuals.append(step.residual_bps)
    assert residuals[-1] < 1e-9
    assert residuals[0] > 100 * residuals[-1]


@pytest.mark.parametrize("seed", range(6))
def test_both_kernels_take_the_same_steps(seed: int) -> None:
    market, levels = ready(seed, replace(SHAPE, gross=500.0, tick=float(seed % 2)))
    pool = pool_of(market)
    ends = []
    for kernels in (load("numpy"), load("numba")):
        state, volume = kernels.begin(pool, levels, market.cap, np.zeros(4))
        damping = None
        for _ in range(3):
            step = kernels.advance(pool, levels, state, volume, damping)
            volume, damping = step.volume, step.terms
        ends.append((state, step))
    (here, one), (there, two) = ends
    assert np.abs(here.u - there.u).max() < 1e-11
    assert here.count.tolist() == there.count.tolist()
    assert here.partial.tolist() == there.partial.tolist()
    assert here.pinned.tolist() == there.pinned.tolist()
    assert one.part == pytest.approx(two.part, abs=1e-10)
    assert one.overflow == pytest.approx(two.overflow, abs=1e-9)
    assert one.terms.depth == pytest.approx(two.terms.depth)


def test_the_shadow_inventory_gives_the_prices() -> None:
    market, levels = ready(3)
    pool = pool_of(market)
    state, volume = begin(pool, levels, market.cap, np.zeros(4))
    assert state.u[1:] == pytest.approx(-(pool.impact @ state.shadow), abs=1e-12)
    for _ in range(3):
        volume = advance(pool, levels, state, volume, None).volume
        assert state.u[1:] == pytest.approx(-(pool.impact @ state.shadow), abs=1e-9)


def test_a_start_outside_the_reach_of_inventory_is_brought_inside() -> None:
    market, levels = ready(4)
    impact = market.impact.copy()
    impact[3, :] = impact[:, 3] = 0.0
    pool = pool_of(replace(market, impact=impact))
    state = state_at(pool, levels, np.array([0.0, 1.0, 2.0, 5.0]), market.cap)
    assert state.u[3] == 0.0
    assert state.u[1:3] == pytest.approx([1.0, 2.0], abs=1e-9)


def test_a_start_at_a_band_is_pinned_there() -> None:
    market, levels = ready(4)
    pool = pool_of(market)
    state = state_at(pool, levels, np.array([0.0, 50.0, -50.0, 1.0]), market.cap)
    assert state.pinned.tolist() == [1, -1, 0]


def test_the_start_counts_levels_by_its_prices() -> None:
    market, levels = ready(5)
    state = state_at(pool_of(market), levels, np.array([0.0, 3.0, -2.0, 1.0]), market.cap)
    price = state.u[levels.receive] - state.u[levels.pay]
    for p, s in enumerate(price):
        above = levels.level[levels.first[p] : levels.last[p]] > s
        assert state.count[p] == levels.first[p] + above.sum()


def test_progress_counts_and_decides() -> None:
    progress = Progress()
    terms = Terms(np.zeros(2), np.zeros((2, 2)))
    step = Step(terms, np.array([2.0]), np.zeros(1), np.zeros(1), 1e-10, 3, 4, True)
    progress.add(step, 0.5, np.array([1.0]), 100.0)
    assert (progress.iterations, progress.steps, progress.kinks) == (1, 3, 4)
    assert progress.step_y == pytest.approx(5e-5)
    assert progress.step_alpha == pytest.approx(0.01)
    assert not progress.settled(1e-9)
    progress.add(step, 1e-3, np.array([2.0]), 100.0)
    assert progress.settled(1e-9)
    assert not progress.settled(1e-11)


def test_a_market_without_volume_has_no_volume_step() -> None:
    progress = Progress()
    terms = Terms(np.zeros(2), np.zeros((2, 2)))
    empty = Step(terms, np.zeros(0), np.zeros(0), np.zeros(1), 0.0, 1, 0, True)
    progress.add(empty, 0.0, np.zeros(0), 0.0)
    assert progress.step_alpha == 0.0
    assert progress.settled(1e-9)


class Stubborn:
    """Kernels whose steps never get better."""

    def __init__(self, inner: Kernels, residual: float) -> None:
        self.inner, self.residual, self.damped = inner, residual, 0

    def advance(self, pool, levels, state, volume, damping):  # type: ignore[no-untyped-def] # stub of a Protocol
        self.damped += damping is not None
        return replace(
            self.inner.advance(pool, levels, state, volume, damping), residual_bps=self.residual
        )


def test_a_residual_that_does_not_halve_is_damped_and_ends_in_a_failure() -> None:
    market, levels = ready(6)
    pool = pool_of(market)
    state, volume = begin(pool, levels, market.cap, np.zeros(4))
    stubborn = Stubborn(NUMPY, 1.0)
    with pytest.raises(NotConverged, match="still off by 1 bps"):
        iterate(pool, levels, stubborn, state, volume)  # type: ignore[arg-type] # stub of a Protocol
    assert stubborn.damped == 18


class Singular(Stubborn):
    """Kernels that meet a singular matrix."""

    def advance(self, pool, levels, state, volume, damping):  # type: ignore[no-untyped-def] # stub of a Protocol
        raise np.linalg.LinAlgError


def test_a_singular_active_set_is_a_failure_of_the_rung_not_a_crash() -> None:
    market, levels = ready(6)
    pool = pool_of(market)
    state, volume = begin(pool, levels, market.cap, np.zeros(4))
    with pytest.raises(NotConverged, match="singular"):
        iterate(pool, levels, Singular(NUMPY, 0.0), state, volume)  # type: ignore[arg-type] # stub of a Protocol


def test_descend_reports_its_work_and_leaves_the_optimum_in_the_state() -> None:
    market, levels = ready(7)
    pool = pool_of(market)
    state = state_at(pool, levels, np.zeros(4), market.cap)
    found = descend(state, levels, pool.impact, market.gap, market.band)
    assert found.exact
    assert found.steps >= 1
    again = descend(state, levels, pool.impact, market.gap, market.band)
    assert again.steps == 1
    assert again.kinks == 0
    assert again.part == pytest.approx(found.part, abs=1e-12)


def test_parts_lie_between_nothing_and_their_level() -> None:
    for seed in range(10):
        market, levels = ready(seed)
        pool = pool_of(market)
        state = state_at(pool, levels, np.zeros(4), market.cap)
        found = descend(state, levels, pool.impact, market.gap, market.band)
        held = np.flatnonzero(state.partial)
        size = levels.volume[state.count[held]]
        assert ((found.part[held] >= 0) & (found.part[held] <= size)).all()
        assert not np.delete(found.part, held).any()
        price = state.u[levels.receive] - state.u[levels.pay]
        assert price[held] == pytest.approx(levels.level[state.count[held]], abs=1e-9)


def test_states_are_changed_in_place() -> None:
    market, levels = ready(8)
    pool = pool_of(market)
    state = state_at(pool, levels, np.zeros(4), market.cap)
    before = ActiveState(*(np.copy(getattr(state, f)) for f in ActiveState.__slots__))
    descend(state, levels, pool.impact, market.gap, market.band)
    assert not np.array_equal(before.u, state.u)
