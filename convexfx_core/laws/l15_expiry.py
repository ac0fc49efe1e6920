"""L15: no order stands in an epoch after its last one. Index: order index.

A signature holds as long as it says. ``valid_until_epoch`` 0 means the epoch that seals the order,
and admission enforces it: the witness does not say which epoch sealed an order. Source:
``docs/invariants.md``, L15.
"""

import numpy as np

from convexfx_core.errors import LawViolated
from convexfx_core.laws.decoded_witness import DecodedWitness

LAW = 15


def check_rows(decoded: DecodedWitness) -> None:
    """Row by row; :class:`LawViolated` with the smallest index."""
    epoch = decoded.witness.epoch
    for index, row in enumerate(decoded.orders):
        if 0 < row["valid_until"] < epoch:
            raise LawViolated(LAW, index, int(row["valid_until"]), f"0 or at least {epoch}")


def holds(decoded: DecodedWitness) -> bool:
    """By columns: whether :func:`check_rows` raises nothing."""
    last = decoded.orders["valid_until"]
    epoch = min(decoded.witness.epoch, (1 << 64) - 1)
    return not bool(((last > 0) & (last < np.uint64(epoch))).any())
