"""Whether the rows of an epoch's orders are what their owners signed.

The seal trusts the intake, which checked each signature as it came. ``replay`` trusts nobody and
asks again here, for whole tables at once.
"""

import numpy as np

from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import Domain
from convexfx_core.orders.signed_columns import read_columns


def signature_problem(opening: Opening, orders: SealedOrders) -> str:
    """What is wrong with payloads, signatures or rows of orders, in words; empty if nothing is.

    Parameters
    ----------
    opening : names network, pool and registry, which a payload holds.
    """
    pool = Address(OwnerId(opening.pool.owner), opening.shard)
    domain = Domain(opening.network_id, pool, opening.registry)
    columns, codes = read_columns(orders.payloads, orders.pub_keys, orders.signatures, domain)
    if codes.any():
        return f"{int(np.count_nonzero(codes))} orders are not valid"
    if columns.rows.tobytes() != orders.rows.tobytes():
        return "rows differ from their payloads"
    return "" if (columns.order_ids == orders.order_ids).all() else "ids differ from their payloads"
