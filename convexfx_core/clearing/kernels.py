"""Which implementation does the heavy lifting: numpy alone, or numba with the same results.

:class:`Kernels` names the operations that touch every order, every pair or every kink; the rest of
the clearing does not know which implementation it has. Both take the same steps and give the same
integers, but for a price whose double falls on the edge of the price grid
(``docs/clearing.md`` section 2).
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np

from convexfx_core.clearing import begin, newton, problem, subproblem
from convexfx_core.clearing.active_set import ActiveState
from convexfx_core.clearing.curves import BinnedCurve, Levels
from convexfx_core.clearing.newton import Pool
from convexfx_core.clearing.problem import F64, I64, U64, Columns, Demand, blocks, grouped_sum
from convexfx_core.clearing.subproblem import Step, Terms

KernelChoice: TypeAlias = Literal["auto", "numpy", "numba"]
COMPILED_ORDERS_MIN: Final = 1 << 20
"""From here on ``auto`` takes numba; :func:`load` says why."""


class Kernels(Protocol):
    """The operations that touch every order, every pair or every kink."""

    @property
    def name(self) -> str:
        """``numpy`` or ``numba``."""

    def read_rows(self, words: U64, net: F64, n: int) -> Columns:
        """See :func:`convexfx_core.clearing.problem.read_rows`."""

    def bin_sizes(self, demand: Demand, pairs: int, cap: float, bins: int) -> tuple[F64, F64]:
        """Size f64[pairs, bins] by bin of the limit over [-cap, cap), f64[pairs] from cap on."""

    def split(self, demand: Demand, low: F64, high: F64) -> tuple[I64, F64]:
        """Positions with ``low <= limit <= high`` (by pair), size f64[pairs] above ``high``."""

    def balance(
        self, pool: Pool, curve: BinnedCurve, start: F64, tolerance_bps: float, steps_max: int
    ) -> tuple[F64, F64, int]:
        """See :func:`convexfx_core.clearing.newton.balance`."""

    def begin(self, pool: Pool, levels: Levels, cap: float, start: F64) -> tuple[ActiveState, F64]:
        """See :func:`convexfx_core.clearing.begin.begin`."""

    def advance(
        self, pool: Pool, levels: Levels, state: ActiveState, volume: F64, damping: Terms | None
    ) -> Step:
        """See :func:`convexfx_core.clearing.subproblem.advance`."""


class NumpyKernels:
    """Vectorised numpy."""

    name = "numpy"

    def read_rows(self, words: U64, net: F64, n: int) -> Columns:
        """See :class:`Kernels`."""
        return problem.read_rows(words, net, n)

    def bin_sizes(self, demand: Demand, pairs: int, cap: float, bins: int) -> tuple[F64, F64]:
        """See :class:`Kernels`."""
        # A slot on either side of the bins takes the limits below -cap, and those from cap on.
        width, slot = bins + 2, np.empty(len(demand.pair), dtype=np.int64)
        for rows in blocks(len(slot)):
            place = demand.limit[rows] * (bins / (2.0 * cap))
            place += 1.0 + bins / 2
            slot[rows] = np.clip(place, 0.0, bins + 1.0, out=place)
            slot[rows] += demand.pair[rows] * width
        sums = grouped_sum(slot, demand.size, pairs * width)
        table = sums.reshape(pairs, width)
        return table[:, 1 : bins + 1], table[:, bins + 1].copy()

    def split(self, demand: Demand, low: F64, high: F64) -> tuple[I64, F64]:
        """See :class:`Kernels`; sums of whole quanta are exact, by blocks as at once."""
        chosen, full = [np.zeros(0, dtype=np.int64)], np.zeros(len(low))
        for rows in blocks(len(demand.pair)):
            pair, limit = demand.pair[rows], demand.limit[rows]
            above = limit > high.take(pair)
            inside = limit >= low.take(pair)
            inside &= ~above
            chosen.append(np.flatnonzero(inside) + rows.start)
            full += grouped_sum(pair, demand.size[rows] * above, len(low))
        return np.concatenate(chosen), full

    def balance(
        self, pool: Pool, curve: BinnedCurve, start: F64, tolerance_bps: float, steps_max: int
    ) -> tuple[F64, F64, int]:
        """See :class:`Kernels`."""
        return newton.balance(pool, curve, start, tolerance_bps, steps_max)

    def begin(self, pool: Pool, levels: Levels, cap: float, start: F64) -> tuple[ActiveState, F64]:
        """See :class:`Kernels`."""
        return begin.begin(pool, levels, cap, start)

    def advance(
        self, pool: Pool, levels: Levels, state: ActiveState, volume: F64, damping: Terms | None
    ) -> Step:
        """See :class:`Kernels`."""
        return subproblem.advance(pool, levels, state, volume, damping)


def load(choice: KernelChoice, orders: int = 0) -> Kernels:
    """Kernels by name.

    ``auto`` is numba where it is installed and the batch has at least :data:`COMPILED_ORDERS_MIN`
    orders, else numpy: to load compiled kernels takes a process about a second, and to compile
    them the first time half a minute, while they save 20 ms on a million orders.
    """
    small = orders < COMPILED_ORDERS_MIN
    if choice == "numpy" or (choice == "auto" and (small or find_spec("numba") is None)):
        return NumpyKernels()
    compiled: Kernels = import_module("convexfx_core.clearing.kernels_numba").NumbaKernels()
    return compiled
