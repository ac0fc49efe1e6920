"""Compiled twin of ``newton.py`` and ``begin.py``: same algorithm, loops instead of arrays.

A reason that stands in those two files is not repeated here. What calls each other stands in this
one file, because numba's cache on disk follows the changes of one file only; constants of other
files come in as arguments.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexfx_core.clearing.numba_jit import compiled
from convexfx_core.clearing.problem import BPS, F64, I64, Mask


@compiled
def _binned(price: F64, base: F64, above: F64, cap: float, volume: F64, slope: F64) -> None:
    """Writes volume and slope of ``curves.BinnedCurve`` at the prices."""
    bins = above.shape[1] - 1
    width = 2.0 * cap / bins
    for p in range(len(price)):
        place = min(max((price[p] + cap) / width, 0.0), bins - 1e-9)
        b = int(place)
        left, right = above[p, b], above[p, b + 1]
        volume[p] = base[p] + left + (right - left) * (place - b)
        slope[p] = (left - right) / width


@compiled
def _full_levels(price: F64, level: F64, first: I64, last: I64) -> I64:
    """First level of each pair that is not strictly above its price; levels fall inside a pair."""
    out = np.empty(len(price), np.int64)
    for p in range(len(price)):
        low, high = first[p], last[p]
        while low < high:
            middle = (low + high) // 2
            if level[middle] > price[p]:
                low = middle + 1
            else:
                high = middle
        out[p] = low
    return out


@compiled
def _levels(
    price: F64, base: F64, levels: tuple[F64, F64, F64, I64, I64], half: float,
    volume: F64, slope: F64,
) -> None:  # fmt: skip
    """Writes volume and slope of ``curves.level_curve``, without its table of knots.

    Left of the price stands the middle of the last full level, or the far end of the first ramp;
    right of it the middle of the next level, or the far end of the last ramp.
    """
    level, size, prefix, first, last = levels
    count = _full_levels(price, level, first, last)
    for p in range(len(price)):
        k, low, high = count[p], first[p], last[p]
        volume[p], slope[p] = base[p], 0.0
        if low == high:
            continue
        x0, y0 = level[low] + half, 0.0
        if k > low:
            x0, y0 = level[k - 1], prefix[k - 1] - prefix[low] + 0.5 * size[k - 1]
        x1, y1 = level[high - 1] - half, prefix[high] - prefix[low]
        if k < high:
            x1, y1 = level[k], prefix[k] - prefix[low] + 0.5 * size[k]
        if price[p] >= x0:
            volume[p] += y0
        elif price[p] <= x1:
            volume[p] += y1
        else:
            slope[p] = (y1 - y0) / max(x0 - x1, 1e-12)
            volume[p] += y0 + slope[p] * (x0 - price[p])


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
        if not free[i]:  # the row of the identity: a held asset does not move
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
    bins: tuple[F64, float],
    base: F64,
    levels: tuple[F64, F64, F64, I64, I64],
    half: float,
    at_band: float,
    tolerance: float,
    steps_max: int,
) -> tuple[F64, F64, int]:
    """Prices (n,) bps, volumes f64[P] $M, steps; ``bins`` with one column means ``levels``.

    The first pass has a step of length 0: it evaluates the start, and is not counted.
    """
    pairs, u = len(pay), start.copy()
    volume, slope, out = np.zeros(pairs), np.zeros(pairs), np.zeros(pairs)
    binned = bins[0].shape[1] > 1
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
            _binned(price, base, bins[0], bins[1], volume, slope)
        else:
            _levels(price, base, levels, half, volume, slope)
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


@compiled
def begin(
    pool: tuple[F64, F64, F64, F64],
    start: F64,
    pay: I64,
    receive: I64,
    base: F64,
    levels: tuple[F64, F64, F64, I64, I64],
    half: float,
    at_band: float,
    tolerance: float,
    steps_max: int,
) -> tuple[F64, F64, I64, I64, F64]:
    """Fields u, shadow, count and pinned of the first state, and pair volumes f64[P]."""
    gap, impact, stiffness, band = pool
    u, volume, _ = balance(
        gap, impact, stiffness, band, start, pay, receive, (np.zeros((0, 1)), 0.0),
        base, levels, half, at_band, tolerance, steps_max,
    )  # fmt: skip
    shadow = -(stiffness @ u[1:])
    for _ in range(2):
        shadow = shadow - stiffness @ (u[1:] + impact @ shadow)
    u[1:] = np.minimum(np.maximum(-(impact @ shadow), -band[1:]), band[1:])
    pinned = np.zeros(len(impact), np.int64)
    for i in range(len(impact)):
        if abs(u[i + 1]) >= band[i + 1] - at_band and u[i + 1] != 0.0:
            pinned[i] = 1 if u[i + 1] > 0.0 else -1
    price = np.empty(len(pay))
    for p in range(len(pay)):
        price[p] = u[receive[p]] - u[pay[p]]
    return u, shadow, _full_levels(price, levels[0], levels[3], levels[4]), pinned, volume
