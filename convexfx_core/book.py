"""Admission: which of an epoch's candidates are its batch, and why each other one is not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.sealed_orders import SealedOrders
from convexfx_core.state import Opening

Code = TypeVar("Code", bound=StrEnum)

REJECT_CODES: Final = tuple(RejectCode)
PARK_CODES: Final = tuple(ParkCode)


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut(Generic[Code]):
    """Orders that are not in the batch, each with its reason.

    Attributes
    ----------
    orders : K orders in canonical order.
    codes : u8[K], places in ``names``.
    names : the closed list of reasons.
    """

    orders: SealedOrders
    codes: NDArray[np.uint8]
    names: tuple[Code, ...]

    def code(self, position: int) -> Code:
        """Reason of one order."""
        return self.names[int(self.codes[position])]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """An epoch's admitted orders and cancels.

    Attributes
    ----------
    epoch : number of the epoch.
    orders : admitted, in canonical order (owner, nonce).
    parked : waiting for an earlier nonce or for balance; not rejects.
    rejected : refused for good.
    duplicates : number of candidates that repeated another one's order id.
    """

    epoch: int
    orders: SealedOrders
    parked: LeftOut[ParkCode]
    rejected: LeftOut[RejectCode]
    duplicates: int


def admit(candidates: SealedOrders, opening: Opening) -> Batch:
    """Admit candidates (carried, parked and new ones together, in any sequence) to the epoch.

    Parameters
    ----------
    candidates : whole and signed orders; ``order_ids`` bind owner and nonce.
    opening : domain, params, reference and the vaults before the epoch.

    Returns
    -------
    Batch
        The same for every sequence of the candidates.
    """
    raise NotImplementedError
