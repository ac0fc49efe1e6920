"""Newton's method on the integers, where doubles or grains cannot hold the sizes of the orders.

Sizes are whole quanta (``problem.quantised_sizes``). Where the budgets of an asset sum beyond 2^53
base units, a quantum is more than one of them, and a small order beside large ones is off by up
to a quantum. The integers show exactly by how much the price rule is then missed. So prices, the
partly filled levels and the overflow take one Newton step together, from exact sums; full and empty
orders stay what they are. A level that its grain made empty gets one grain, a level that it made
full leaves one: the tolerance of the price rule allows for the grain of a partial fill, and for
nothing else. ``ladder`` calls it after ``rounding`` and rounds again what comes out. Source:
``docs/clearing.md`` section 3. Letters: ``docs/glossary.md``.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from convexfx_core.clearing.flows import grouped_total
from convexfx_core.clearing.price_rule import residual_bps, tolerance_bps
from convexfx_core.clearing.problem import BPS, F64, I64, U64, Problem
from convexfx_core.clearing.rounding import Rates
from convexfx_core.clearing.scp import Equilibrium
from convexfx_core.units import log_ratio, partial_fill_shift

STEPS_MAX: Final = 3
"""Steps at most: Newton on a system that is nearly linear."""
RESIDUAL_BPS: Final = 1e-8
"""Doubles that leave more than this are worth a look at the integers."""
QUANTUM_MAX: Final = 64.0
"""Base units by which the size of an order may be wrong before the integers are looked at."""
TOLERATED: Final = 0.9
"""Part of the tolerance of the price rule that may be used before a step is taken; the laws compute
the tolerance in integers, with other roundings."""


def refined(
    problem: Problem,
    found: Equilibrium,
    prices: tuple[int, ...],
    rates: Rates,
    demanded: U64,
    overflow: tuple[int, ...],
) -> Equilibrium | None:
    """A better equilibrium than ``found``, by one Newton step on its integers.

    ``prices``, ``rates``, ``demanded`` and ``overflow`` are what ``found`` was rounded to. Returns
    None where they meet the price rule already.
    """
    if not _doubtful(problem, found, demanded):
        return None
    off = residual_bps(problem, prices, rates, demanded, overflow)
    if (np.abs(off) <= TOLERATED * tolerance_bps(problem, demanded)).all():
        return None
    n, impact = problem.market.n, problem.market.impact
    total = np.array(grouped_total(problem.demand.pair, demanded, n * n), dtype=np.float64)
    value = total * (problem.market.unit_value / problem.quantum).repeat(n)
    pairs = np.flatnonzero(found.share > 0.0)
    assets = np.flatnonzero(np.array(overflow, dtype=np.float64))
    pins = _pins(n, pairs, assets)
    move, more = _step(impact, _depth(n, value, found.u), pins, off)
    # The step starts at the integer prices, not at the floats that they were rounded from.
    logs = [log_ratio(p, r) for p, r in zip(prices, problem.case.reference.pbar, strict=True)]
    u = np.array(logs, dtype=np.float64) / 2.0**64 * 1e4 + move
    served = found.overflow.copy()
    served[assets] += more[len(pairs) :]
    share = _shares(problem, found, demanded, pairs, more[: len(pairs)])
    return replace(found, u=u, share=share, overflow=served)


def _doubtful(problem: Problem, found: Equilibrium, demanded: U64) -> bool:
    """Whether doubles or grains may have cost more than the tolerance of the price rule."""
    if problem.quantum.max() > QUANTUM_MAX or found.residual_bps > RESIDUAL_BPS:
        return True
    partial = found.partial(problem.demand)
    got = demanded[partial]
    return bool(((got == 0) | (got == problem.budget[partial])).any())


def _pins(n: int, pairs: I64, assets: I64) -> F64:
    """What a $M more of each partly filled level and overflow adds to the inventories, (n, m)."""
    pins, column = np.zeros((n, len(pairs) + len(assets))), np.arange(len(pairs))
    pins[pairs // n, column] = 1.0
    pins[pairs % n, column] = -1.0
    pins[assets, len(pairs) + np.arange(len(assets))] = -1.0
    return pins


def _depth(n: int, value: F64, u: F64) -> F64:
    """Change of the inventories (n, n) by the prices at fixed payments, $M per bps.

    What is received, V exp(-s 1e-4), falls with s = u_j - u_i: the exact derivative, not symmetric.
    """
    price = (u[None, :] - u[:, None]).ravel()
    weight = (value * np.exp(-BPS * price) * BPS).reshape(n, n)
    return np.asarray(np.diag(weight.sum(axis=0)) - weight.T, dtype=np.float64)


def _step(impact: F64, depth: F64, pins: F64, off: F64) -> tuple[F64, F64]:
    """Price moves (n,) that leave every pinned price where it is, and the multipliers (m,)."""
    n, m = pins.shape
    system = np.zeros((n + m, n + m))
    system[:n, :n] = np.eye(n) + impact @ depth
    system[:n, n:] = impact @ pins
    system[n:, :n] = pins.T
    # Least squares: pins that depend on each other make the system singular.
    answer = np.linalg.lstsq(system, np.concatenate((-off, np.zeros(m))), rcond=None)[0]
    return answer[:n], answer[n:]


def _shares(problem: Problem, found: Equilibrium, demanded: U64, pairs: I64, more: F64) -> F64:
    """Filled part f64[n*n] of each partly filled level after ``more`` $M, from its integers.

    A grain at least is filled and left.
    """
    share, n = found.share.copy(), problem.market.n
    partial = found.partial(problem.demand)
    for pair, extra in zip(pairs.tolist(), more.tolist(), strict=True):
        level = partial[problem.demand.pair[partial] == pair]
        unit = float(problem.market.unit_value[pair // n] / problem.quantum[pair // n])
        size = float(problem.demand.size[level].sum()) * float(problem.quantum[pair // n])
        filled = int(demanded[level].sum(dtype=np.uint64)) + extra / unit
        grain = float(1 << partial_fill_shift(problem.case.params.decimals[pair // n]))
        if size > 2.0 * grain:
            filled = min(max(filled, grain), size - grain)
        share[pair] = min(max(filled / size, 0.0), 1.0) if size else 0.0
    return share
