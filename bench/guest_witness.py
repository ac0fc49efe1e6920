"""Makes the witnesses on which the guest is measured and proven.

A witness is what the guest reads: the state before, the orders and the claimed result of an epoch.
``bench.guest_cycles`` and ``sp1_worker/prove_check.py`` use these: six assets, and as many orders
in each vault as they ask for, since the guest's work grows with orders and with vaults.
"""

from hashlib import sha256

import numpy as np

from convexfx_core.clearing import propose
from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.ledger.vaults import Opening, PoolState
from convexfx_core.witness.build import clearing_case
from tests.support.clearing_cases import Shape, case_of
from tests.support.witnesses.epochs import (
    EPOCH,
    NETWORK_ID,
    POOL_NONCE,
    POOL_OWNER,
    Epoch,
    batch_of,
    number_nonces,
    owner_of,
    registry_of,
    vaults_for,
)

ASSETS, GROSS_MILLION, SPARE = 6, 200.0, 7


def witness_of(orders: int, per_vault: int, seed: int = 1) -> bytes:
    """Clear an epoch of random orders; its canonical witness.

    Parameters
    ----------
    orders : K, all of kind 1 in :data:`ASSETS` assets.
    per_vault : orders of each vault; the last one may have fewer.
    """
    case = case_of(Shape(assets=ASSETS, orders=orders, gross=GROSS_MILLION), seed)
    rows = case.orders.copy()
    np.random.default_rng(seed).shuffle(rows)
    places = np.arange(orders) // per_vault
    owners = b"".join(owner_of(place) for place in range(places[-1] + 1))
    rows["owner"] = np.frombuffer(owners, ">u8").reshape(-1, 4)[places]
    rows["nonce"] = np.arange(orders)
    rows["valid_until"] = EPOCH
    rows, before = number_nonces(rows[canonical_order(rows["owner"], rows["nonce"])])
    fees = tuple(range(ASSETS))
    held = tuple(q + f for q, f in zip(case.inventory, fees, strict=True))
    opening = Opening(
        NETWORK_ID,
        3,
        EPOCH,
        case.params,
        registry_of(case.params.decimals),
        case.reference,
        PoolState(POOL_OWNER, POOL_NONCE, held, fees),
        vaults_for(rows, before, ASSETS, SPARE),
    )
    epoch = Epoch(opening, batch_of(rows), propose(clearing_case(opening, rows), kernels="numpy"))
    return epoch.apply().witness


def digest_of(witness: bytes) -> str:
    """Twelve hexadecimal digits that name a witness.

    Figures name theirs, because the float solver of another machine may lead to another witness.
    """
    return sha256(witness).hexdigest()[:12]
