"""Small clearing cases made by hand, and the claims that settle them, in plain integers."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from convexfx_core.errors import LawViolated
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.market.params import params_from_matrices
from convexfx_core.market.reference import reference_from_prices
from convexfx_core.orders.row import LIMIT_LIMIT, ORDER_DTYPE
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Ration
from convexfx_core.units import gross_rate, net_rate, rate_shift

UNIT = 10**6


class Order(NamedTuple):
    """One order: amounts in base units, ratio in units of pay for one of receive, all in."""

    pay: int
    receive: int
    budget: int
    ratio: str | None = None
    min_fill: int = 0


def make_case(
    orders: list[Order],
    *,
    prices: tuple[str, ...] = ("1", "1.25"),
    decimals: tuple[int, ...] = (6, 6),
    gamma: list[list[str]] | None = None,
    depth: tuple[str, ...] | None = None,
    fee_ppm: int = 1000,
    inventory: tuple[int, ...] | None = None,
    room: tuple[int, ...] | None = None,
    band_bps: str = "20",
) -> ClearingCase:
    """Case with target = inventory and bounds ``room`` around it; by default without risk."""
    n = len(prices)
    held = inventory or (10**6 * UNIT,) * n
    wide = room or (10**5 * UNIT,) * n
    params = params_from_matrices(
        decimals=decimals,
        band_bps=[Decimal(band_bps)] * n,
        gamma=[[Decimal(x) for x in row] for row in gamma or [["0"] * n] * n],
        depth=[Decimal(x) for x in depth or ("0",) * n],
        fee_ppm=[[0 if i == j else fee_ppm for j in range(n)] for i in range(n)],
        target=held,
        q_min=[q - r for q, r in zip(held, wide, strict=True)],
        q_max=[q + r for q, r in zip(held, wide, strict=True)],
    )
    reference = reference_from_prices([Decimal(p) for p in prices], 0, params)
    return ClearingCase(params, reference, held, order_rows(orders, decimals))


def order_rows(orders: list[Order], decimals: tuple[int, ...]) -> np.ndarray:
    """Order rows with owners and nonces of their own."""
    rows = np.zeros(len(orders), dtype=ORDER_DTYPE)
    for k, order in enumerate(orders):
        row = rows[k]
        row["owner"][3], row["nonce"], row["kind"] = k + 1, 1, 1
        row["pay"], row["receive"], row["budget"] = order.pay, order.receive, order.budget
        row["min_fill"] = order.min_fill
        if order.ratio is not None:
            ratio, pair = Decimal(order.ratio), (decimals[order.pay], decimals[order.receive])
            row["limit_kind"] = LIMIT_LIMIT
            row["limit_e"], row["limit_m"] = limit_from_ratio(ratio, *pair)
    return rows


def make_claims(
    case: ClearingCase,
    paid: list[int],
    *,
    prices: tuple[int, ...] | None = None,
    overflow: tuple[int, ...] | None = None,
    ration: tuple[tuple[int, ...], list[int]] | None = None,
    rejected: dict[int, int] | None = None,
) -> ClearingClaims:
    """Claims that follow from what is paid, computed here from the floor rules."""
    prices = prices or case.reference.pbar
    after, received, fees = list(case.inventory), [], []
    for order, amount in zip(case.orders, paid, strict=True):
        i, j = int(order["pay"]), int(order["receive"])
        shift, gross, net = rates(case, prices, i, j)
        received.append((amount * net) >> shift)
        fees.append(((amount * gross) >> shift) - received[-1])
        after[i] += amount
        after[j] -= received[-1] + fees[-1]
    positions = sorted(rejected or {})
    return ClearingClaims(
        prices=prices,
        paid=np.array(paid, dtype=np.uint64),
        received=np.array(received, dtype=np.uint64),
        fee=np.array(fees, dtype=np.uint64),
        overflow=overflow or (0,) * case.params.n,
        inventory_after=tuple(after),
        ration=None if ration is None else Ration(ration[0], np.array(ration[1], dtype=np.uint64)),
        rejected=np.array(positions, dtype=np.int64),
        reject_kinds=np.array([(rejected or {})[k] for k in positions], dtype=np.uint8),
    )


def rates(case: ClearingCase, prices: tuple[int, ...], i: int, j: int) -> tuple[int, int, int]:
    """Shift, gross and net rate of a pair."""
    shift = rate_shift(case.reference.pbar[i], case.reference.pbar[j])
    gross = gross_rate(prices[i], prices[j], shift)
    return shift, gross, net_rate(gross, case.params.fee_ppm[i][j])


def ratio_at(case: ClearingCase, i: int, j: int, nudge: str = "0") -> str:
    """Limit ratio that is exactly at the reference price, all in, times 1 + nudge."""
    shift, _, net = rates(case, case.reference.pbar, i, j)
    digits = case.params.decimals
    exact = Fraction(10) ** (digits[j] - digits[i]) * (1 << shift) / net
    exact *= 1 + Fraction(nudge)
    return (
        f"{exact.numerator * 10**40 // exact.denominator:041d}"[:-40]
        + "."
        + (f"{exact.numerator * 10**40 // exact.denominator:041d}"[-40:])
    )


def violation(case: ClearingCase, claims: ClearingClaims) -> tuple[int, int] | None:
    """(law, index) that both engines report, None where all laws hold."""
    seen = [verdict(case, claims, engine) for engine in ("scalar", "columnar")]
    assert seen[0] == seen[1]
    found = seen[0]
    return (found.law, found.index) if isinstance(found, _Violation) else None


def certificate(case: ClearingCase, claims: ClearingClaims) -> Certificate:
    """Certificate that both engines give."""
    seen = [check_clearing(case, claims, engine=engine) for engine in ("scalar", "columnar")]
    assert seen[0] == seen[1]
    return seen[0]


class _Violation(NamedTuple):
    law: int
    index: int
    observed: str
    bound: str


def verdict(case: ClearingCase, claims: ClearingClaims, engine: str) -> _Violation | Certificate:
    """What one engine says."""
    try:
        return check_clearing(case, claims, engine=engine)
    except LawViolated as error:
        return _Violation(error.law, error.index, str(error.observed), str(error.bound))


def changed(claims: ClearingClaims, column: str, position: int, by: int) -> ClearingClaims:
    """Claims with one entry of a column moved."""
    values = getattr(claims, column)
    if isinstance(values, tuple):
        moved = tuple(v + by if k == position else v for k, v in enumerate(values))
        return replace(claims, **{column: moved})
    values = values.copy()
    values[position] = int(values[position]) + by
    return replace(claims, **{column: values})
