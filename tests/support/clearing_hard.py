"""More than a hundred hard cases by name: what breaks solvers, each small and from a fixed seed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.settlement.clearing_input import ClearingCase
from tests.support.clearing_cases import (
    Shape,
    case_of,
    million_per_unit,
    order_rows,
    params_of,
    reference_at,
)

Limits = Callable[[np.random.Generator, int], np.ndarray]


def built(
    impact: np.ndarray,
    pay: np.ndarray,
    receive: np.ndarray,
    value: np.ndarray,
    limit: np.ndarray,
    *,
    band: float = 20.0,
    gap: np.ndarray | None = None,
    fee_ppm: int = 300,
    room: float = 1e7,
    min_fill: np.ndarray | None = None,
) -> ClearingCase:
    """A case from columns: values in $M, limits in bps, six decimals, prices near 1."""
    n = len(impact)
    digits, quotes = np.full(n, 6), 1.0 + 0.37 * np.arange(n)
    reference = reference_at(quotes, digits, [band] * n)
    unit = million_per_unit(reference, 6)
    held = np.zeros(n) if gap is None else gap
    target = [round(300.0 / u) for u in unit]
    inventory = tuple(t + round(g / u) for t, g, u in zip(target, held, unit, strict=True))
    params = params_of(
        digits, band, impact, np.full((n, n), fee_ppm), target,
        [q - round(room / u) for q, u in zip(inventory, unit, strict=True)],
        [q + round(room / u) for q, u in zip(inventory, unit, strict=True)],
    )  # fmt: skip
    budget = np.clip(np.rint(value / unit[pay]), 1, 2.0**61).astype(np.uint64)
    least = np.zeros(len(pay)) if min_fill is None else min_fill
    asked = np.minimum(np.ceil(least * budget.astype(np.float64)).astype(np.uint64), budget)
    rows = order_rows(params, reference, pay, receive, budget, limit, asked)
    return ClearingCase(params, reference, inventory, rows)


def risk(n: int, scale: float = 1.0, correlation: float = 0.0) -> np.ndarray:
    """Impact with equal variances and one correlation, bps per $M."""
    out = np.zeros((n, n))
    out[1:, 1:] = scale * (correlation + (1.0 - correlation) * np.eye(n - 1))
    return out


def pairs(rng: np.random.Generator, n: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random directed pairs."""
    pay = rng.integers(0, n, count)
    return pay, (pay + rng.integers(1, n, count)) % n


def _near_singular() -> Iterator[tuple[str, ClearingCase]]:
    for correlation in (0.9, 0.999, 1 - 1e-6, 1 - 1e-9, 1 - 1e-12, 1.0):
        for seed in range(2):
            rng = np.random.default_rng(seed)
            pay, receive = pairs(rng, 5, 80)
            value, limit = rng.uniform(0.1, 2.0, 80), rng.normal(size=80) * 5
            limit[rng.random(80) < 0.3] = np.inf
            matrix = risk(5, 1.0, correlation)
            yield f"correlation {correlation} {seed}", built(matrix, pay, receive, value, limit)


def _riskless() -> Iterator[tuple[str, ClearingCase]]:
    for risky in range(4):
        for seed in range(2):
            rng = np.random.default_rng(seed)
            pay, receive = pairs(rng, 4, 60)
            matrix = risk(4)
            matrix[risky + 1 :, :] = matrix[:, risky + 1 :] = 0.0
            limit = np.round(rng.normal(size=60) * 3)
            value = rng.uniform(0.1, 1.0, 60)
            yield f"only {risky} risky {seed}", built(matrix, pay, receive, value, limit)


def _huge() -> Iterator[tuple[str, ClearingCase]]:
    for gross in (1e4, 1e5, 1e6):
        for scale in (0.001, 1.0, 20.0):
            for band in (20.0, 300.0):
                rng = np.random.default_rng(7)
                pay, receive = pairs(rng, 6, 120)
                value = rng.uniform(0.5, 1.5, 120) * gross / 120
                limit = rng.normal(size=120) * band / 4
                limit[::4] = np.inf
                case = built(risk(6, scale, 0.3), pay, receive, value, limit, band=band, room=1e9)
                yield f"gross {gross} impact {scale} band {band}", case


def _equal_limits() -> Iterator[tuple[str, ClearingCase]]:
    for limit in (-5.0, 0.0, 1e-9, 3.0, 39.999999, 40.0, 41.0):
        for count in (1, 2, 200):
            rng = np.random.default_rng(count)
            pay, receive = pairs(rng, 4, count)
            value = rng.uniform(0.01, 0.5, count)
            yield (
                f"all limits {limit} x {count}",
                built(risk(4), pay, receive, value, np.full(count, limit)),
            )


def _cycles() -> Iterator[tuple[str, ClearingCase]]:
    for n in (3, 4, 6, 9):
        for step in (0.0, 1.0):
            ring = np.arange(n)
            pay = np.concatenate((ring, (ring + 1) % n))
            receive = np.concatenate(((ring + 1) % n, ring))
            level = step * ring
            limit = np.concatenate((np.roll(level, -1) - level, level - np.roll(level, -1))).astype(
                float
            )
            value = np.linspace(1.0, 2.0, 2 * n)
            gap = np.concatenate(([0.0], np.linspace(-3.0, 3.0, n - 1)))
            yield (
                f"consistent cycle of {n} by {step}",
                built(risk(n), pay, receive, value, limit, gap=gap),
            )


def _chains() -> Iterator[tuple[str, ClearingCase]]:
    for tick in (1e-9, 1e-7, 1e-3, 0.5):
        for seed in range(2):
            rng = np.random.default_rng(seed)
            pay, receive = pairs(rng, 3, 150)
            limit = tick * rng.integers(-100, 100, 150)
            value = rng.uniform(0.01, 0.2, 150)
            yield f"chain of ticks {tick} {seed}", built(risk(3), pay, receive, value, limit)


def _dust() -> Iterator[tuple[str, ClearingCase]]:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        pay, receive = pairs(rng, 5, 150)
        value = np.where(rng.random(150) < 0.7, 0.0, rng.uniform(0.1, 2.0, 150))
        limit = np.where(rng.random(150) < 0.5, 0.0, rng.normal(size=150))
        yield f"one-unit orders {seed}", built(risk(5), pay, receive, value, limit)


def _edges() -> Iterator[tuple[str, ClearingCase]]:
    for band in (0.0, 1e-6, 0.5, 300.0):
        for size in (1.0, 1000.0):
            rng = np.random.default_rng(3)
            pay, receive = pairs(rng, 4, 40)
            receive = np.where(pay == 1, receive, 1)
            limit = np.full(40, np.inf)
            value = rng.uniform(0.5, 1.0, 40) * size
            yield f"band {band} size {size}", built(risk(4), pay, receive, value, limit, band=band)
    nothing = np.zeros(0, dtype=np.int64)
    for gap in (0.0, 5.0, 5000.0):
        held = np.array([0.0, gap, -gap])
        yield f"no orders gap {gap}", built(risk(3), nothing, nothing, nothing * 1.0,
                                            nothing * 1.0, gap=held)  # fmt: skip
    one = np.array([0])
    for limit in (-100.0, 0.0, 2.0, np.inf):
        yield (
            f"one order limit {limit}",
            built(risk(2), one, one + 1, np.array([4.0]), np.array([limit])),
        )
    for seed in range(2):
        rng = np.random.default_rng(seed)
        pay, receive = pairs(rng, 3, 50)
        yield (
            f"an asset without orders {seed}",
            built(risk(5, 1.0, 0.5), pay, receive, rng.uniform(0, 1, 50), rng.normal(size=50) * 4,
                  gap=np.array([0.0, 1.0, 2.0, 30.0, -4.0])),
        )  # fmt: skip


def _bounds_and_minimum() -> Iterator[tuple[str, ClearingCase]]:
    for room in (0.0, 1e-6, 0.5, 20.0):
        for least in (0.0, 0.5, 1.0):
            rng = np.random.default_rng(11)
            pay, receive = pairs(rng, 4, 60)
            receive = np.where(pay == 2, receive, 2)
            limit = rng.normal(size=60) * 6
            limit[::3] = np.inf
            value = rng.uniform(0.1, 2.0, 60)
            yield (
                f"room {room} minimum {least}",
                built(risk(4), pay, receive, value, limit, room=room,
                      min_fill=np.full(60, least)),
            )  # fmt: skip


def _wide() -> Iterator[tuple[str, ClearingCase]]:
    for seed in range(4):
        shape = Shape(assets=50, orders=300, gross=300.0, min_fill=0.2, bounds=20.0)
        yield f"fifty assets {seed}", case_of(shape, seed)
    outside = case_of(Shape(assets=5, orders=80, bounds=3.0), 5)
    moved = tuple(q + (hi - lo) for q, lo, hi in zip(
        outside.inventory, outside.params.q_min, outside.params.q_max, strict=True))  # fmt: skip
    yield "opening above all bounds", replace(outside, inventory=moved)
    moved = tuple(q - (hi - lo) for q, lo, hi in zip(
        outside.inventory, outside.params.q_min, outside.params.q_max, strict=True))  # fmt: skip
    yield "opening below all bounds", replace(outside, inventory=moved)


def hard_cases() -> list[tuple[str, ClearingCase]]:
    """All of them, in a fixed order."""
    groups = (
        _near_singular, _riskless, _huge, _equal_limits, _cycles, _chains, _dust, _edges,
        _bounds_and_minimum, _wide,
    )  # fmt: skip
    return [named for group in groups for named in group()]
