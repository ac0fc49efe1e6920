"""L3: received and fee follow from paid by the floor rule, and amounts fit a balance.

One price vector serves all: nobody can be given a better rate than a neighbour. Both floors favour
the pool. Source: ``docs/invariants.md``, L3. Letters: ``docs/glossary.md``.
"""

from typing import Final

import numpy as np

from convexfx_core.laws.breach import Breach
from convexfx_core.laws.columns import Columns, Mask
from convexfx_core.laws.order_facts import OrderFacts
from convexfx_core.limits import BALANCE_MAX

AMOUNT_BOUND: Final = np.uint64(BALANCE_MAX)
"""2^63 - 1: what delta can add to a balance."""


def breach(order: OrderFacts) -> Breach | None:
    """Return the breach of the floor rule or of the range of amounts, if there is one.

    received = (paid Rn) >> S, fee = ((paid R) >> S) - received, received + fee < 2^63.
    """
    received, gross = order.net(order.paid), order.gross(order.paid)
    if (order.received, order.fee) != (received, gross - received):
        return Breach((order.received, order.fee), (received, gross - received))
    return Breach(gross, BALANCE_MAX) if gross > BALANCE_MAX else None


def breached(rows: Columns) -> Mask:
    """Rows that breach it."""
    wrong: Mask = rows.received != rows.filled.net
    wrong |= rows.fee != rows.filled.gross - rows.filled.net
    wrong |= rows.filled.gross > AMOUNT_BOUND
    wrong |= rows.filled.beyond != 0
    return wrong
