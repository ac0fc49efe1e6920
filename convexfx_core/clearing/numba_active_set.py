"""Compiled twins of ``active_set.py`` and ``subproblem.py``: same algorithm, loops for arrays.

A reason that stands in those two files is not repeated here. numba's cache on disk follows the
changes of one file only. Therefore all that calls each other stands in this file, and the constants
of other files come in as ``settings``: STILL_BPS, ROUNDING, PARALLEL, SIGN_TOLERANCE, STEPS_MAX.
"""

from typing import Any, TypeAlias

import numpy as np

from convexfx_core.clearing.numba_jit import compiled
from convexfx_core.clearing.problem import BPS, F64, I64, Mask

Settings: TypeAlias = tuple[float, float, float, float, int]
"""STILL_BPS, ROUNDING, PARALLEL, SIGN_TOLERANCE, STEPS_MAX of ``active_set``.

A step length of 3.0 means "never" in this file, as ``_BEYOND`` does there: no step exceeds 1.
"""


@compiled
def _manifold(
    net: F64,
    impact: F64,
    band: F64,
    pay: I64,
    receive: I64,
    level: F64,
    count: I64,
    pairs: I64,
    assets: I64,
    pinned: I64,
) -> tuple[F64, F64]:
    """Shadow inventory (q,) and multipliers of the pins; see ``_Search.manifold``.

    ``pins`` (q, m) has +1 and -1 where the numpy version has ``plus`` and ``minus``; the numeraire
    has no row.
    """
    held, q = len(pairs), len(impact)
    m = held + len(assets)
    shadow = net[1:].copy()
    if m == 0:
        return shadow, np.zeros(0)
    pins, wanted = np.zeros((q, m)), np.zeros(m)
    for c in range(held):
        i, j = pay[pairs[c]] - 1, receive[pairs[c]] - 1
        if i >= 0:
            pins[i, c] = 1.0
        if j >= 0:
            pins[j, c] = -1.0
        wanted[c] = level[count[pairs[c]]]
    for c in range(held, m):
        asset = assets[c - held]
        pins[asset, c] = pinned[asset]
        wanted[c] = -band[asset + 1]
    through = impact @ pins
    matrix = pins.T @ through
    scale = np.empty(m)
    for c in range(m):
        scale[c] = 1.0 / np.sqrt(max(matrix[c, c], 1e-300))
    right = (wanted - shadow @ through) * scale
    for c in range(m):
        matrix[c, :] *= scale[c]
        matrix[:, c] *= scale[c]
    multiplier = np.linalg.solve(matrix, right) * scale
    return shadow + pins @ multiplier, multiplier


@compiled
def _shift(pair: int, up: int, count: I64, net: F64, volume: F64, pay: I64, receive: I64) -> None:
    """Empty (-1) the last full level of a pair, or fill (+1) the next one."""
    if up < 0:
        count[pair] -= 1
    size = up * volume[count[pair]]
    if up > 0:
        count[pair] += 1
    net[pay[pair]] += size
    net[receive[pair]] -= size


@compiled
def _kink_times(
    u: F64,
    along: F64,
    parallel: float,
    pay: I64,
    receive: I64,
    level: F64,
    first: I64,
    last: I64,
    count: I64,
    partial: Mask,
) -> F64:
    """Step length at which each pair meets its next kink; 3.0 (never) where it meets none."""
    time = np.full(len(along), 3.0)
    for p in range(len(along)):
        if partial[p]:
            continue
        price = u[receive[p]] - u[pay[p]]
        if along[p] > parallel and count[p] > first[p]:
            time[p] = max((level[count[p] - 1] - price) / along[p], 0.0)
        elif along[p] < -parallel and count[p] < last[p]:
            time[p] = max((level[count[p]] - price) / along[p], 0.0)
    return time


@compiled
def _band_time(u: F64, move: F64, parallel: float, band: F64, pinned: I64) -> tuple[float, int]:
    """Step at which the first free asset meets its band, and that asset; (3, -1) without one."""
    band_time, asset = 3.0, -1
    for i in range(len(pinned)):
        if pinned[i] == 0 and abs(move[i + 1]) > parallel:
            edge = band[i + 1] if move[i + 1] > 0 else -band[i + 1]
            time = (edge - u[i + 1]) / move[i + 1]
            if time < band_time:
                band_time, asset = time, i
    return max(band_time, 0.0), asset


@compiled
def _earliest(kink: F64) -> tuple[float, int]:
    """Earliest kink and its pair; (3, -1) without one."""
    next_kink, pair = 3.0, -1
    for p in range(len(kink)):
        if kink[p] < next_kink:
            next_kink, pair = kink[p], p
    return next_kink, pair


@compiled
def _walk(
    u: F64, shadow: F64, goal: F64, net: F64, impact: F64, band: F64,
    pay: I64, receive: I64, level: F64, volume: F64, first: I64, last: I64,
    count: I64, partial: Mask, pinned: I64, still: float, parallel: float,
) -> tuple[bool, int]:  # fmt: skip
    """Exact line search towards ``goal``: whether the state moved, and the kinks crossed.

    ``_Search.walk`` and ``_Search._cross`` in one. The state is changed in place.
    """
    kinks = 0
    target, change = -(impact @ goal), goal - shadow
    move = np.zeros(len(impact) + 1)
    move[1:] = target - u[1:]
    largest, curvature = np.abs(move).max(), -np.dot(move[1:], change)
    if largest <= still or curvature <= 0.0:
        return False, 0
    parallel *= largest
    along = move[receive] - move[pay]
    kink = _kink_times(u, along, parallel, pay, receive, level, first, last, count, partial)
    band_time, asset = _band_time(u, move, parallel, band, pinned)
    time, jump, pin, at_band = 0.0, 0.0, -1, False
    while True:
        next_kink, pair = _earliest(kink)
        inside = 1.0 - jump / curvature
        if inside <= next_kink and inside <= band_time:
            time = max(inside, time)
            break
        if band_time <= next_kink:
            time, at_band = band_time, True
            break
        time, speed = next_kink, along[pair]
        at = count[pair] - 1 if speed > 0 else count[pair]
        jump += volume[at] * abs(speed)
        kinks += 1
        if curvature * (time - 1.0) + jump >= 0:
            pin = pair
            break
        _shift(pair, -1 if speed > 0 else 1, count, net, volume, pay, receive)
        price = u[receive[pair]] - u[pay[pair]]
        kink[pair] = 3.0  # never, unless another level is ahead
        if speed > 0 and count[pair] > first[pair]:
            kink[pair] = max(time, (level[count[pair] - 1] - price) / speed)
        elif speed < 0 and count[pair] < last[pair]:
            kink[pair] = max(time, (level[count[pair]] - price) / speed)
    u += time * move
    shadow += time * change
    if pin >= 0:
        if along[pin] > 0:
            _shift(pin, -1, count, net, volume, pay, receive)
        partial[pin] = True
        return True, kinks
    if at_band:
        pinned[asset] = 1 if move[asset + 1] > 0 else -1
        u[asset + 1] = pinned[asset] * band[asset + 1]
        return True, kinks
    if time < 1.0 - 1e-9:
        return True, kinks
    u[1:] = target
    return jump > 0, kinks


@compiled
def _release(
    pairs: I64,
    assets: I64,
    multiplier: F64,
    net: F64,
    pay: I64,
    receive: I64,
    volume: F64,
    count: I64,
    partial: Mask,
    pinned: I64,
    tolerance: float,
) -> bool:
    """Drop the pin whose multiplier is worst; False when all are in range."""
    held, worst, choice = len(pairs), tolerance, -1
    for c in range(held):
        below = -multiplier[c] / volume[count[pairs[c]]]
        if below > worst:
            worst, choice = below, c
    for c in range(held):
        above = multiplier[c] / volume[count[pairs[c]]] - 1.0
        if above > worst:
            worst, choice = above, c + held
    for c in range(len(assets)):
        if -multiplier[held + c] > worst:
            worst, choice = -multiplier[held + c], c + 2 * held
    if choice < 0:
        return False
    if choice < held:
        partial[pairs[choice]] = False
    elif choice < 2 * held:
        partial[pairs[choice - held]] = False
        _shift(pairs[choice - held], 1, count, net, volume, pay, receive)
    else:
        pinned[assets[choice - 2 * held]] = 0
    return True


@compiled
def _descend(
    u: F64, shadow: F64, offset: F64, filled: F64, impact: F64, band: F64,
    pay: I64, receive: I64, level: F64, volume: F64, first: I64, last: I64,
    count: I64, partial: Mask, pinned: I64, settings: Settings,
) -> tuple[F64, F64, int, int, bool]:  # fmt: skip
    """Fields of ``Descent``; u, shadow, count, partial and pinned are changed in place."""
    part, overflow, kinks, net = np.zeros(len(pay)), np.zeros(len(impact)), 0, offset.copy()
    for p in range(len(pay)):
        net[pay[p]] += filled[p]
        net[receive[p]] -= filled[p]
    total = np.abs(offset).sum() + filled.sum()
    still = max(settings[0], settings[1] * np.abs(impact).max() * total)
    for step in range(1, settings[4] + 1):
        pairs, assets = np.flatnonzero(partial), np.flatnonzero(pinned)
        goal, multiplier = _manifold(
            net, impact, band, pay, receive, level, count, pairs, assets, pinned
        )
        moved, crossed = _walk(
            u, shadow, goal, net, impact, band, pay, receive, level, volume,
            first, last, count, partial, pinned, still, settings[2],
        )  # fmt: skip
        kinks += crossed
        if moved:
            continue
        if _release(
            pairs,
            assets,
            multiplier,
            net,
            pay,
            receive,
            volume,
            count,
            partial,
            pinned,
            settings[3],
        ):
            continue
        shadow[:] = goal
        u[1:] = -(impact @ goal)
        for c in range(len(assets)):
            u[assets[c] + 1] = pinned[assets[c]] * band[assets[c] + 1]
        held = len(pairs)
        for c in range(held):
            part[pairs[c]] = min(max(multiplier[c], 0.0), volume[count[pairs[c]]])
        for c in range(len(assets)):
            overflow[assets[c]] = -max(multiplier[held + c], 0.0) * pinned[assets[c]]
        return part, overflow, step, kinks, True
    return part, overflow, settings[4], kinks, False


@compiled
def _conservation(
    n: int, pay: I64, receive: I64, u: F64, volume: F64, before: tuple[F64, F64]
) -> tuple[F64, F64]:
    """Correction and depth of ``subproblem.conservation``, averaged with those ``before``."""
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
    """Largest violation of the price rule with exact conservation, bps."""
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
    settings: Settings,
) -> tuple[F64, F64, F64, F64, F64, Any, int, int, bool]:
    """Fields of ``Step``; u, shadow and the pins are changed in place."""
    pay, receive, base, prefix = pairs
    level, size, first, last = levels
    count, partial, pinned = pins
    n = len(gap)
    correction, depth = _conservation(n, pay, receive, u, volume, before)
    inner = np.ascontiguousarray(depth[1:, 1:])
    stepped = np.linalg.solve(np.eye(n - 1) + impact @ inner, impact)
    stepped = 0.5 * (stepped + stepped.T)
    offset = gap + correction - depth @ u
    shadow -= inner @ u[1:]
    filled = base + prefix[count] - prefix[first]
    part, overflow, steps, kinks, exact = _descend(
        u, shadow, offset, filled, stepped, band, pay, receive, level, size, first, last,
        count, partial, pinned, settings,
    )  # fmt: skip
    shadow += inner @ u[1:]
    filled = base + prefix[count] - prefix[first] + part
    residual = _residual(gap, impact, pay, receive, u, filled, overflow)
    return correction, depth, filled, part, overflow, residual, steps, kinks, exact
