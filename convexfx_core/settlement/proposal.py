"""What the untrusted float side hands to the laws: integers only.

A proposal is frozen when it is made (``proposal.json``), since floats differ between machines; all
that follows from it does not. It refers to the kind-1 orders of a ``ClearingCase`` by position.
Letters: ``docs/glossary.md``.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class RejectKind(IntEnum):
    """Why the clearing itself left an order out."""

    MIN_FILL = 1
    RATION_MIN_FILL = 2


@dataclass(frozen=True, slots=True)
class Ration:
    """Rationing at inventory bounds (``docs/spec.md`` section 7, omega and h).

    Attributes
    ----------
    omega : n signed integers at scale 2^40, positive where an asset is at its lower bound.
    demanded : u64[K], base units of the pay asset that every order would fill without rationing.
    """

    omega: tuple[int, ...]
    demanded: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One price vector and one fill for each order; nothing in it is trusted.

    Attributes
    ----------
    prices : n prices, numeraire base units per base unit, scale 2^64.
    paid : u64[K] base units of the pay asset.
    overflow : n signed values in numeraire base units (v of the clearing formulation).
    ration : None when no inventory bound binds.
    rejected : i64[R] positions of orders rejected by the clearing, strictly increasing.
    reject_kinds : u8[R] of :class:`RejectKind`.
    iterations, step_norm_y, step_norm_alpha : of the last SCP step (log price; fill fraction).
    solver : name of the solver that found it, e.g. ``ndas-numpy``.
    """

    prices: tuple[int, ...]
    paid: NDArray[np.uint64]
    overflow: tuple[int, ...]
    ration: Ration | None
    rejected: NDArray[np.int64]
    reject_kinds: NDArray[np.uint8]
    iterations: int
    step_norm_y: float
    step_norm_alpha: float
    solver: str
