"""The reference scenarios A to J of the clearing, and the table of what they clear to.

``python -m bench.clearing_scenarios`` prints one JSON line a scenario: fill by value, p90 of the
absolute price deviation of filled orders, income of the pool. Parameters: Gamma = 1.2 Sigma per
$M, W = 6 $M per bp (F: none), bounds 20 % around the opening, fee 0, budgets in $M.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from convexfx_core.clearing import propose
from convexfx_core.market.params import Params, flat_fee, params_from_matrices
from convexfx_core.market.reference import Reference, reference_from_prices
from convexfx_core.orders.row import LIMIT_LIMIT, ORDER_DTYPE
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from convexfx_core.units import log_ratio

ASSETS = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD")
MIDS = tuple(Decimal(p) for p in ("1", "1.1", "0.006667", "1.25", "1.075", "0.75"))
MILLIONS = tuple(Decimal(q) for q in ("100", "90.91", "15000", "80", "93.02", "133.33"))
VOLATILITY = np.array([0.0, 0.6, 0.7, 0.8, 0.5, 0.75]) / 100.0
CORRELATION = {
    (1, 2): -0.2, (1, 3): 0.8, (1, 4): -0.7, (1, 5): 0.4, (2, 3): -0.15,
    (2, 4): 0.1, (2, 5): 0.3, (3, 4): -0.6, (3, 5): 0.5, (4, 5): -0.4,
}  # fmt: skip
BILATERAL = ((0, 1), (1, 3), (3, 2), (2, 4), (4, 0), (0, 2), (1, 2), (3, 4))
BASKET = (0, 1, 3, 2, 4)
ONE_MILLION = 10**12


@dataclass(frozen=True)
class Scenario:
    """One scenario: name, orders an epoch, kind of flow, budgets in $M."""

    name: str
    count: int
    flow: str
    low: float
    high: float
    wall: tuple[int, int] = (0, 0)
    limited: int = 0
    epochs: int = 1
    depth: str = "6"
    band: str = "20"


SCENARIOS = (
    Scenario("A", 0, "uniform", 0.1, 1.0),
    Scenario("B", 100, "uniform", 0.1, 1.0),
    Scenario("C", 80, "wall", 0.3, 1.0, wall=(1, 60)),
    Scenario("D", 60, "wall", 0.3, 1.0, wall=(3, 50), limited=80),
    Scenario("F", 50, "uniform", 0.5, 2.0, epochs=3, depth="0", band="100"),
    Scenario("G", 200, "uniform", 0.01, 0.1),
    Scenario("H", 40, "basket", 0.5, 2.0),
    Scenario("I", 60, "bilateral", 0.3, 1.0),
    Scenario("J", 80, "uniform", 0.5, 1.5, band="15"),
)


class Generator:
    """64-bit linear congruential generator of the scenarios."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def word(self) -> int:
        """Next 64-bit word."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return self.state

    def pick(self, count: int) -> int:
        """A number below ``count``, by its low bits as in the original."""
        return self.word() % count

    def uniform(self) -> float:
        """A number in [0, 1)."""
        return (self.word() >> 11) / (1 << 53)


def rows_of(scenario: Scenario, epoch: int) -> list[tuple[int, int, float]]:
    """(pay, receive, budget in $M) of an epoch; orders of an asset against itself are dropped."""
    draw = Generator(42 + epoch)
    all_pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    out = []
    for k in range(scenario.count):
        pair = _pair(scenario, draw, all_pairs, k)
        budget = scenario.low + draw.uniform() * (scenario.high - scenario.low)
        out.append((*pair, int(budget * 1e9) / 1e9))
    return [row for row in out if row[0] != row[1]]


def _pair(
    scenario: Scenario, draw: Generator, all_pairs: list[tuple[int, int]], k: int
) -> tuple[int, int]:
    if scenario.flow == "uniform":
        return all_pairs[draw.pick(30)]
    if scenario.flow == "bilateral":
        return BILATERAL[draw.pick(8)]
    if scenario.flow == "basket":
        return 0, BASKET[draw.pick(5)]
    target, percent = scenario.wall
    if k < scenario.count * percent // 100:
        return [i for i in range(6) if i != target][draw.pick(5)], target
    pay, receive = draw.pick(6), draw.pick(6)
    while receive == pay:
        receive = draw.pick(6)
    return pay, receive


def parameters(scenario: Scenario) -> tuple[Params, Reference, tuple[int, ...]]:
    """Parameters, reference prices and opening inventory, six decimals everywhere."""
    opening = tuple(int(q * ONE_MILLION) for q in MILLIONS)
    correlation = np.eye(6)
    for (i, j), value in CORRELATION.items():
        correlation[i, j] = correlation[j, i] = value
    sigma = correlation * np.outer(VOLATILITY, VOLATILITY)
    gamma = [[Decimal(repr(round(float(x) * 1.2e4, 9))) for x in row] for row in sigma]
    params = params_from_matrices(
        decimals=(6,) * 6,
        band_bps=[Decimal(scenario.band)] * 6,
        gamma=gamma,
        depth=[Decimal(0)] + [Decimal(scenario.depth)] * 5,
        fee_ppm=flat_fee(6, 0),
        target=opening,
        q_min=tuple(q * 8 // 10 for q in opening),
        q_max=tuple(q * 12 // 10 for q in opening),
    )
    return params, reference_from_prices(MIDS, 0, params), opening


def case_of_scenario(
    scenario: Scenario, epoch: int, inventory: tuple[int, ...] | None = None
) -> ClearingCase:
    """The clearing case of an epoch; ``inventory`` carries on from the epoch before."""
    params, reference, opening = parameters(scenario)
    orders = rows_of(scenario, epoch)
    rows = np.zeros(len(orders), ORDER_DTYPE)
    limited = len(orders) * scenario.limited // 100
    e, m = limit_from_ratio(Decimal("1.0005"), 6, 6)
    for k, (pay, receive, budget) in enumerate(orders):
        rows[k]["owner"][3] = k
        rows[k]["pay"], rows[k]["receive"] = pay, receive
        rows[k]["budget"] = int(Decimal(repr(budget)) * ONE_MILLION / MIDS[pay])
        if k < limited:
            rows[k]["limit_kind"], rows[k]["limit_e"], rows[k]["limit_m"] = LIMIT_LIMIT, e, m
    rows["nonce"], rows["kind"] = 1, 1
    return ClearingCase(params, reference, inventory or opening, rows)


@dataclass(frozen=True)
class Outcome:
    """What a scenario cleared to: fill by value, p90 deviation in bps, pool income in $."""

    fill: float
    p90_bps: float
    income: float
    iterations: int


def deviations(case: ClearingCase, proposal: Proposal) -> NDArray[np.float64]:
    """What each filled order pays away from the reference, bps."""
    logs = [
        log_ratio(p, b) / 2**64 * 1e4
        for p, b in zip(proposal.prices, case.reference.pbar, strict=True)
    ]
    u, filled = np.array(logs), np.flatnonzero(proposal.paid)
    return u[case.orders["receive"][filled]] - u[case.orders["pay"][filled]]


def outcome_of(case: ClearingCase, proposal: Proposal) -> tuple[Outcome, tuple[int, ...]]:
    """Figures of one epoch and the inventory after it."""
    settlement = settle(case, proposal)
    unit = np.array([p / 2.0**64 * 1e-6 for p in case.reference.pbar])
    value = unit[case.orders["pay"]]
    offered = float((case.orders["budget"] * value).sum())
    fill = float((proposal.paid * value).sum()) / offered if offered else 1.0
    ordered = np.sort(np.abs(deviations(case, proposal)))
    p90 = float(ordered[int(0.9 * len(ordered))]) if len(ordered) else 0.0
    moved = zip(settlement.inventory_after, case.inventory, unit, strict=True)
    income = sum((after - before) * float(u) for after, before, u in moved)
    return Outcome(fill, p90, income, proposal.iterations), settlement.inventory_after


def run(scenario: Scenario, kernels: str = "numpy") -> Outcome:
    """Clear every epoch of a scenario; the mean of its epochs."""
    inventory: tuple[int, ...] | None = None
    outcomes = []
    for epoch in range(scenario.epochs):
        case = case_of_scenario(scenario, epoch, inventory)
        proposal = propose(case, kernels="numpy" if kernels == "numpy" else "numba")
        outcome, inventory = outcome_of(case, proposal)
        outcomes.append(outcome)
    mean = [
        float(np.mean([getattr(o, f) for o in outcomes])) for f in ("fill", "p90_bps", "income")
    ]
    return replace(outcomes[0], fill=mean[0], p90_bps=mean[1], income=mean[2])


def lines() -> Iterator[str]:
    """One JSON line a scenario."""
    for scenario in SCENARIOS:
        o = run(scenario)
        yield json.dumps(
            {
                "scenario": scenario.name,
                "fill_percent": round(100 * o.fill, 2),
                "p90_bps": round(o.p90_bps, 3),
                "pool_income": round(o.income, 2),
                "iterations": o.iterations,
            }
        )


if __name__ == "__main__":
    for line in lines():
        sys.stdout.write(line + "\n")
