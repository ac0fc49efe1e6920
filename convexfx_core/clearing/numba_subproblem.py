"""Compiled twin of ``subproblem.py``: one SCP step without returning to Python."""

from typing import Any

import numpy as np

from convexfx_core.clearing.numba_active_set import descend
from convexfx_core.clearing.numba_jit import compiled
from convexfx_core.clearing.problem import BPS, F64, I64, Mask


@compiled
def _conservation(
    n: int, pay: I64, receive: I64, u: F64, volume: F64, before: tuple[F64, F64]
) -> tuple[F64, F64]:
    correction, depth = np.zeros(n), np.zeros((n, n))
    for p in range(len(pay)):
        i, j = pay[p], receive[p]
        out = volume[p] * np.exp((u[i] - u[j]) * BPS)
        correction[j] += volume[p] - out
        weight = 0.5 * BPS * out
        depth[i, i] += weight
        depth[j, j] += weight
        depth[i, j] -= weight
        depth[j, i] -= weight
    if len(before[0]):
        correction = 0.5 * (correction + before[0])
        depth = 0.5 * (depth + before[1])
    return correction, depth


@compiled
def _residual(
    gap: F64, impact: F64, pay: I64, receive: I64, u: F64, volume: F64, overflow: F64
) -> float:
    after = gap.copy()
    for p in range(len(pay)):
        i, j = pay[p], receive[p]
        after[i] += volume[p]
        after[j] -= volume[p] * np.exp((u[i] - u[j]) * BPS)
    worst: float = np.abs(impact @ (after[1:] - overflow) + u[1:]).max()
    return worst


@compiled
def advance(
    gap: F64,
    impact: F64,
    band: F64,
    pairs: tuple[I64, I64, F64, F64],
    levels: tuple[F64, F64, I64, I64],
    u: F64,
    shadow: F64,
    pins: tuple[I64, Mask, I64],
    volume: F64,
    before: tuple[F64, F64],
) -> tuple[F64, F64, F64, F64, F64, Any, int, int, bool]:
    """Fields of ``Step``; u, shadow and the pins are changed in place."""
    pay, receive, base, prefix = pairs
    level, size, first, last = levels
    count, partial, pinned = pins
    n = len(gap)
    correction, depth = _conservation(n, pay, receive, u, volume, before)
    inner = np.ascontiguousarray(depth[1:, 1:])
    stepped = impact @ np.linalg.inv(np.eye(n - 1) + inner @ impact)
    stepped = 0.5 * (stepped + stepped.T)
    offset = gap + correction - depth @ u
    shadow -= inner @ u[1:]
    filled = base + prefix[count] - prefix[first]
    part, overflow, steps, kinks, exact = descend(
        u, shadow, offset, filled, stepped, band, pay, receive, level, size, first, last,
        count, partial, pinned,
    )  # fmt: skip
    shadow += inner @ u[1:]
    filled = base + prefix[count] - prefix[first] + part
    residual = _residual(gap, impact, pay, receive, u, filled, overflow)
    return correction, depth, filled, part, overflow, residual, steps, kinks, exact
