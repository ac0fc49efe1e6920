"""Compiled twin of ``newton.py``: same algorithm, loops instead of arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexfx_core.clearing.numba_jit import compiled
from convexfx_core.clearing.problem import BPS, F64, I64, Mask


@compiled
def _binned(price: F64, base: F64, above: F64, cap: float, volume: F64, slope: F64) -> None:
    bins = above.shape[1] - 1
    width = 2.0 * cap / bins
    for p in range(len(price)):
        place = min(max((price[p] + cap) / width, 0.0), bins - 1e-9)
        b = int(place)
        left, right = above[p, b], above[p, b + 1]
        volume[p] = base[p] + left + (right - left) * (place - b)
        slope[p] = (left - right) / width


@compiled
def _knots(
    price: F64, key: F64, span: float, x: F64, y: F64, steep: F64, volume: F64, slope: F64
) -> None:
    for p in range(len(price)):
        wanted, low, high = p * span - price[p], 0, len(key)
        while low < high:
            middle = (low + high) // 2
            if key[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        segment = low + p
        slope[p] = steep[segment]
        volume[p] = y[segment] + steep[segment] * (x[segment] - price[p])


@compiled
def _inward(u: F64, gap: F64, stiffness: F64, pay: I64, receive: I64, volume: F64, out: F64) -> F64:
    """Imbalance (q,), $M; writes the received values into ``out``."""
    net = gap.copy()
    for p in range(len(pay)):
        i, j = pay[p], receive[p]
        out[p] = volume[p] * np.exp((u[j] - u[i]) * -BPS)
        net[i] += volume[p]
        net[j] -= out[p]
    return stiffness @ u[1:] + net[1:]


@compiled
def _direction(
    stiffness: F64, inward: F64, free: Mask, pay: I64, receive: I64, weight: F64
) -> NDArray[np.floating[Any]]:
    """Newton direction (q,), zero on assets that are held."""
    q = len(inward)
    jacobian = stiffness.copy()
    for p in range(len(pay)):
        i, j = pay[p] - 1, receive[p] - 1
        if i >= 0:
            jacobian[i, i] += weight[p]
        if j >= 0:
            jacobian[j, j] += weight[p]
        if i >= 0 and j >= 0:
            jacobian[i, j] -= weight[p]
            jacobian[j, i] -= weight[p]
    right = -inward
    for i in range(q):
        if not free[i]:
            jacobian[i, :] = 0.0
            jacobian[:, i] = 0.0
            jacobian[i, i] = 1.0
            right[i] = 0.0
    return np.linalg.solve(jacobian, right)


@compiled
def balance(
    gap: F64,
    impact: F64,
    stiffness: F64,
    band: F64,
    start: F64,
    pay: I64,
    receive: I64,
    bins: tuple[F64, F64, float],
    knots: tuple[F64, float, F64, F64, F64],
    at_band: float,
    tolerance: float,
    steps_max: int,
) -> tuple[F64, F64, int]:
    """Prices (n,) bps, volumes f64[P] $M, steps; ``bins`` with one column means ``knots``."""
    pairs, u = len(pay), start.copy()
    volume, slope, out = np.zeros(pairs), np.zeros(pairs), np.zeros(pairs)
    binned = bins[1].shape[1] > 1
    edge = band[1:] - at_band
    inward, length, step = np.zeros(len(impact)), 0.0, np.zeros(len(impact))
    steps = -1
    while True:
        un = u.copy()
        un[1:] = np.minimum(np.maximum(u[1:] + length * step, -band[1:]), band[1:])
        price = np.empty(pairs)
        for p in range(pairs):
            price[p] = un[receive[p]] - un[pay[p]]
        if binned:
            _binned(price, bins[0], bins[1], bins[2], volume, slope)
        else:
            _knots(price, knots[0], knots[1], knots[2], knots[3], knots[4], volume, slope)
        there = _inward(un, gap, stiffness, pay, receive, volume, out)
        change = un[1:] - u[1:]
        after, before = np.dot(there, change), abs(np.dot(inward, change))
        if after > 0.5 * before + 1e-15 and length >= 1e-5:
            length = max(0.1 * length, min(0.7 * length, length * before / (before + after)))
            continue
        u, inward, steps = un, there, steps + 1
        free = ~(((u[1:] >= edge) & (inward < 0)) | ((u[1:] <= -edge) & (inward > 0)))
        largest = np.abs(impact @ np.where(free, inward, 0.0)).max()
        if largest < tolerance or steps >= steps_max:
            return u, volume, steps
        step, length = (
            _direction(stiffness, inward, free, pay, receive, slope + 0.5 * BPS * out),
            1.0,
        )
