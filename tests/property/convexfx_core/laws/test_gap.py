"""The gap is a bound: no rival outcome that anybody can name is better by more.

The programme of ``docs/invariants.md`` in exact fractions: risk of the inventory off target, cost
of overflow at the band, worth of the fills by their limits (logarithms to fifty digits).
"""

from dataclasses import replace
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import limit_rates, rate_table
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of

DIGITS = Context(prec=50)
TWO_64 = 1 << 64
SHAPES = (
    Shape(assets=3, orders=12, impact=2.0),
    Shape(assets=4, orders=30, impact=0.5, tick=1.0),
    Shape(assets=2, orders=6, impact=3.0, band=3.0, gross=900.0),
    Shape(assets=5, orders=25, impact=1.0, depth=3.0, decimals=(2, 6)),
)


class Programme:
    """Value of outcomes of one case at the rates of one certified result, in base units."""

    def __init__(self, case: ClearingCase, claims: ClearingClaims) -> None:
        self.case, self.claims, self.n = case, claims, case.params.n
        table = rate_table(case, claims.prices)
        pair = case.orders["pay"].astype(np.intp) * self.n + case.orders["receive"]
        limits = limit_rates(case.orders, pair, table).tolist()
        self.pbar = [Fraction(p, TWO_64) for p in case.reference.pbar]
        self.price = [
            self._log(p, q) for p, q in zip(claims.prices, case.reference.pbar, strict=True)
        ]
        self.band = [
            max(abs(self._log(lo, q)), abs(self._log(hi, q)))
            for lo, hi, q in zip(
                case.reference.plo, case.reference.phi, case.reference.pbar, strict=True
            )
        ]
        self.inside = [
            self._log(int(table.net[p]), limit)
            for p, limit in zip(pair.tolist(), limits, strict=True)
        ]
        self.after = [self._value(i, claims.inventory_after[i]) for i in range(self.n)]

    @staticmethod
    def _log(a: int, b: int) -> Fraction:
        return Fraction(DIGITS.ln(DIGITS.divide(Decimal(a), Decimal(b))))

    def _value(self, asset: int, amount: int) -> Fraction:
        return (amount - self.case.params.target[asset]) * self.pbar[asset]

    def gain(self, paid: list[int], overflow: list[Fraction]) -> Fraction:
        """How much better the rival is than the certified outcome; orders trade at its rates."""
        own, rival = list(self.after), list(self.after)
        worth = Fraction(0)
        for k, order in enumerate(self.case.orders):
            i, j = int(order["pay"]), int(order["receive"])
            moved = (paid[k] - int(self.claims.paid[k])) * self.pbar[i]
            rival[i] += moved
            rival[j] -= moved
            worth += moved * (self.inside[k] + self.price[j] - self.price[i])
        held = [Fraction(v) for v in self.claims.overflow]
        own = [x - v for x, v in zip(own, held, strict=True)]
        rival = [x - v for x, v in zip(rival, overflow, strict=True)]
        cost = sum(b * (abs(v) - abs(w)) for b, v, w in zip(self.band, overflow, held, strict=True))
        return worth - cost - self._risk(rival) + self._risk(own)

    def _risk(self, off: list[Fraction]) -> Fraction:
        rows = (sum(g * x for g, x in zip(row, off, strict=True)) for row in self.case.params.risk)
        return sum((x * row for x, row in zip(off, rows, strict=True)), Fraction(0)) / (1 << 113)


def certified(seed: int) -> tuple[ClearingCase, Proposal, ClearingClaims, Certificate]:
    case = case_of(SHAPES[seed % len(SHAPES)], 300 + seed)
    proposal = propose(case, kernels="numpy")
    claims = claims_of(proposal, settle(case, proposal))
    return case, proposal, claims, check_clearing(case, claims)


def rivals(rng: np.random.Generator, case: ClearingCase, claims: ClearingClaims) -> list[list[int]]:
    """Other fills: one order moved, many moved, everybody, nobody, a little of everybody."""
    budgets, paid = case.orders["budget"].tolist(), claims.paid.tolist()
    found = [budgets, [0] * len(budgets)]
    for k in range(len(budgets)):
        amounts = (0, budgets[k], budgets[k] // 2, max(0, paid[k] - 1))
        found += [[a if at == k else p for at, p in enumerate(paid)] for a in amounts]
    for _ in range(10):
        found.append([int(rng.random() * b) for b in budgets])
        near = [
            p + int((rng.random() - 0.5) * 1e-6 * b) for p, b in zip(paid, budgets, strict=True)
        ]
        found.append([min(max(p, 0), b) for p, b in zip(near, budgets, strict=True)])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_rival_is_better_by_more_than_the_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case, _, claims, certificate = certified(seed)
    programme = Programme(case, claims)
    held = [Fraction(v) for v in claims.overflow]
    best = max(programme.gain(paid, held) for paid in rivals(rng, case, claims))
    assert best <= certificate.gap
    for asset in range(1, case.params.n):
        for by in (Fraction(10**6), Fraction(-(10**6)), Fraction(10**12)):
            moved = [v + by * (i == asset) for i, v in enumerate(held)]
            assert programme.gain(claims.paid.tolist(), moved) <= certificate.gap


@pytest.mark.parametrize("seed", range(4))
def test_canary_an_outcome_that_leaves_somebody_out_has_a_better_rival(seed: int) -> None:
    case, proposal, claims, certificate = certified(seed)
    worth = np.array(Programme(case, claims).inside, dtype=float) * claims.paid.astype(float)
    short = claims.paid.copy()
    short[int(np.argmax(worth))] = 0
    poor = replace(proposal, paid=short)
    programme = Programme(case, claims_of(poor, settle(case, poor)))
    gain = programme.gain(claims.paid.tolist(), [Fraction(v) for v in claims.overflow])
    assert gain > certificate.gap


@pytest.mark.parametrize("seed", range(8))
def test_the_gap_is_next_to_nothing(seed: int) -> None:
    case, _, _, certificate = certified(seed)
    budgets = zip(case.orders["budget"].tolist(), case.orders["pay"].tolist(), strict=True)
    turnover = sum(b * case.reference.pbar[i] >> 64 for b, i in budgets)
    assert certificate.gap <= 3 + turnover // 10**11


@pytest.mark.parametrize("seed", range(8))
def test_objective_terms_are_those_of_the_formula(seed: int) -> None:
    case, _, claims, certificate = certified(seed)
    programme = Programme(case, claims)
    off = [x - v for x, v in zip(programme.after, claims.overflow, strict=True)]
    tracking = sum(w * u * u / 2 for w, u in zip(case.params.depth, programme.price, strict=True))
    total = programme._risk(off)
    assert abs(certificate.price_tracking - tracking) <= 1 + tracking / 10**9
    assert abs(certificate.inventory_risk + certificate.price_tracking - total) <= (
        2 + total / 10**9
    )
    assert certificate.inventory_risk >= 0
    assert certificate.fill_incentive <= 0
    assert certificate.total == (
        certificate.inventory_risk + certificate.price_tracking + certificate.fill_incentive
    )


@pytest.mark.parametrize("seed", range(8))
def test_surplus_is_what_the_limits_left(seed: int) -> None:
    case, proposal, claims, certificate = certified(seed)
    found = settle(case, proposal)
    surplus = [0] * case.params.n
    for k, order in enumerate(case.orders):
        i, j = int(order["pay"]), int(order["receive"])
        asked = (int(claims.paid[k]) * int(found.limit_rate[k])) >> int(found.shift[i, j])
        assert asked <= int(claims.received[k])
        surplus[j] += int(claims.received[k]) - asked
    worth = sum(s * p for s, p in zip(surplus, case.reference.pbar, strict=True)) >> 64
    assert certificate.fill_incentive == -worth


@pytest.mark.parametrize("seed", range(8))
def test_the_pool_never_loses_at_the_clearing_prices(seed: int) -> None:
    case, _, claims, _ = certified(seed)
    moved = 0
    for i, price in enumerate(claims.prices):
        moved += (claims.inventory_after[i] - case.inventory[i]) * price
    assert moved >= 0


@pytest.mark.parametrize("seed", range(8))
def test_no_round_trip_through_three_assets_gains(seed: int) -> None:
    case, _, claims, _ = certified(seed)
    table, n = rate_table(case, claims.prices), case.params.n
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if len({i, j, k}) == 3:
                    legs = (i * n + j, j * n + k, k * n + i)
                    rates = [table.at(leg) for leg in legs]
                    product = rates[0].gross * rates[1].gross * rates[2].gross
                    assert product <= 1 << sum(rate.shift for rate in rates)
