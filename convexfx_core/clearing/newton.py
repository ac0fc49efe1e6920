"""Projected Newton method on continuous demand curves.

It finds the neighbourhood in which the exact search begins: once on the histogram of all orders,
where there are many (``scp.solve``), and once on the curves through the levels (``begin``). It
solves stiffness u + inventory after trade = 0, where prices stay inside their bands; an asset that
is pushed against its band is held there. Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.curves import Curve
from convexfx_core.clearing.dense import solve_dense
from convexfx_core.clearing.problem import BPS, F64, I64, Mask, grouped_sum, largest

AT_BAND_BPS: Final = 1e-11
"""A price as near as this to its band is at it: far above rounding (1e-14), far below the price
grid (1e-10)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The pool's side: prices as a function of inventory, numeraire left out (q = n - 1).

    Attributes
    ----------
    gap : (n,) inventory minus target, $M.
    impact : (q, q) Gamma_eff, bps per $M.
    stiffness : (q, q) its inverse with a tiny ridge, $M per bps.
    band : (n,) bps.
    """

    gap: F64
    impact: F64
    stiffness: F64
    band: F64


def laplacian(n: int, pay: I64, receive: I64, weight: F64) -> F64:
    """Graph Laplacian (n, n) of undirected weights on directed pairs."""
    edges = grouped_sum(pay * n + receive, weight, n * n).reshape(n, n)
    edges = edges + edges.T
    degree = np.add.reduce(edges, axis=1)
    np.negative(edges, out=edges)
    edges.ravel()[:: n + 1] += degree
    return edges


def net_flow(n: int, pay: I64, receive: I64, paid: F64, received: F64) -> F64:
    """Change of the pool's inventory (n,), $M: what is paid in minus what is paid out."""
    return grouped_sum(pay, paid, n) - grouped_sum(receive, received, n)


class _Balance:
    """Imbalance of the market at prices u: stiffness u + inventory after trade, $M."""

    __slots__ = ("curve", "inward", "out", "pool", "slope", "u", "volume")

    def __init__(self, pool: Pool, curve: Curve, u: F64) -> None:
        self.pool, self.curve, self.u = pool, curve, u
        price = u[curve.receive] - u[curve.pay]
        self.volume, self.slope = curve.evaluate(price)
        self.out = self.volume * np.exp(price * -BPS)
        flow = net_flow(len(u), curve.pay, curve.receive, self.volume, self.out)
        self.inward = pool.stiffness @ u[1:] + (pool.gap + flow)[1:]

    def free(self) -> Mask:
        """Assets not pushed against their band, bool[q]."""
        u, band = self.u[1:], self.pool.band[1:] - AT_BAND_BPS
        held: Mask = ((u >= band) & (self.inward < 0)) | ((u <= -band) & (self.inward > 0))
        return ~held

    def direction(self, free: Mask) -> F64:
        """Newton direction (q,), zero on assets that are held."""
        # Received values V exp(-s) change with prices as well. That derivative stands in the row of
        # the receive asset alone; half of it in both rows keeps the matrix symmetric and definite.
        c, n = self.curve, len(self.u)
        weight = self.slope + 0.5 * BPS * self.out
        jacobian = self.pool.stiffness + laplacian(n, c.pay, c.receive, weight)[1:, 1:]
        if free.all():
            return -solve_dense(jacobian, self.inward)
        step, some = np.zeros(n - 1), free.nonzero()[0]
        if len(some):
            step[some] = -solve_dense(jacobian[some[:, None], some], self.inward[some])
        return step

    def moved(self, step: F64, length: float) -> "_Balance":
        """The balance after a projected step."""
        band, u = self.pool.band[1:], self.u.copy()
        u[1:] = np.minimum(np.maximum(u[1:] + length * step, -band), band)
        return _Balance(self.pool, self.curve, u)


def _line_search(at: _Balance, step: F64) -> _Balance:
    """Secant search on the directional derivative, which increases along the step.

    The derivative is negative at the start. A step is taken where it has not overshot the minimum
    by much: at its end the derivative is at most half as large upward (1e-15 is rounding). Else the
    next try has a tenth to seven tenths of the length: a bad secant neither stalls nor collapses.
    """
    length = 1.0
    while True:
        there = at.moved(step, length)
        change = there.u[1:] - at.u[1:]
        slope, start = float(there.inward @ change), abs(float(at.inward @ change))
        if slope <= 0.5 * start + 1e-15 or length < 1e-5:
            return there
        length = max(0.1 * length, min(0.7 * length, length * start / (start + slope)))


def balance(
    pool: Pool, curve: Curve, start: F64, tolerance_bps: float, steps_max: int
) -> tuple[F64, F64, int]:
    """Prices u (n,), pair volumes f64[P] and steps taken.

    Stops when the imbalance would move no free price by ``tolerance_bps``, or after ``steps_max``.
    """
    at = _Balance(pool, curve, start)
    for step in range(steps_max):
        free = at.free()
        if largest(pool.impact @ np.where(free, at.inward, 0.0)) < tolerance_bps:
            return at.u, at.volume, step
        at = _line_search(at, at.direction(free))
    return at.u, at.volume, steps_max
