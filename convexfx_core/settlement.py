"""Integer settlement of a proposal: rates, amounts received, fees, flows (exact, columnar)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.case import ClearingCase
from convexfx_core.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything that follows from prices and paid amounts by the floor rules.

    Attributes
    ----------
    shift : i64[n, n] shifts S; 0 on the diagonal.
    rate, net_rate : u64[n, n] R and Rn at scale 2^S, pay asset by row; 0 on the diagonal.
    limit_rate : u64[K] least net rate l of every order, scale 2^S of its pair.
    received, fee : u64[K] base units of the receive asset.
    flow_in, flow_out : n sums of paid, and of received + fee, base units.
    fees : n sums of fee, base units.
    inventory_after : n inventories in base units.
    """

    shift: NDArray[np.int64]
    rate: NDArray[np.uint64]
    net_rate: NDArray[np.uint64]
    limit_rate: NDArray[np.uint64]
    received: NDArray[np.uint64]
    fee: NDArray[np.uint64]
    flow_in: tuple[int, ...]
    flow_out: tuple[int, ...]
    fees: tuple[int, ...]
    inventory_after: tuple[int, ...]


def settle(case: ClearingCase, proposal: Proposal) -> Settlement:
    """Settle ``proposal`` on ``case`` by the floor rules of ``docs/spec.md`` section 7."""
    raise NotImplementedError
