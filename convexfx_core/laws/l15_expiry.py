"""L15: no order stands in an epoch after its last one. Index: order index.

A signature holds as long as it says. ``valid_until_epoch`` 0 means the epoch that seals the order,
and admission enforces it: the witness does not say which epoch sealed an order. Source:
``docs/invariants.md``, L15.
"""

import numpy as np

from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import WitnessView

LAW = 15


def check_rows(view: WitnessView) -> None:
    """Row by row; :class:`LawViolated` with the smallest index."""
    epoch = view.witness.epoch
    for index, row in enumerate(view.orders):
        if 0 < row["valid_until"] < epoch:
            raise LawViolated(LAW, index, int(row["valid_until"]), f"0 or at least {epoch}")


def holds(view: WitnessView) -> bool:
    """By columns: whether :func:`check_rows` raises nothing."""
    last = view.orders["valid_until"]
    epoch = min(view.witness.epoch, (1 << 64) - 1)
    return not bool(((last > 0) & (last < np.uint64(epoch))).any())
