"""L19: the claimed public values are those that follow from the witness.

A proof speaks through these 392 bytes alone, so none of them may be chosen. Index: place of the
first field that differs in ``public_values.FIELD_NAMES``. Source: ``docs/spec.md`` section 5 and
``docs/invariants.md``, L19.
"""

from convexfx_core.encoding.hashing import (
    TAG_BATCH,
    TAG_LEFT,
    TAG_PARAMS,
    TAG_PRICES,
    TAG_REFERENCE,
    tagged_hash,
)
from convexfx_core.encoding.merkle import table_root
from convexfx_core.errors import LawViolated
from convexfx_core.laws.claims import Certificate
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.laws.l16_balances import vault_table
from convexfx_core.ledger.diffs import orders_root, pool_after, sdl_hash, vaults_after
from convexfx_core.ledger.vaults import state_root
from convexfx_core.orders.row import ORDER_DTYPE, order_bytes
from convexfx_core.witness.layout import price_bytes
from convexfx_core.witness.public_values import PublicValues, first_difference

LAW = 19


def derive(decoded: DecodedWitness, certificate: Certificate) -> PublicValues:
    """Public values of a witness whose other laws hold."""
    witness, fills = decoded.witness, decoded.fills
    root = orders_root(witness.consumed)
    left_root = table_root(TAG_LEFT, order_bytes(witness.left), ORDER_DTYPE.itemsize)
    before = vault_table(decoded)
    after = state_root(pool_after(witness.pool, fills), vaults_after(before, fills))
    return PublicValues(
        shard=witness.shard,
        epoch=witness.epoch,
        params_hash=tagged_hash(TAG_PARAMS, witness.params, witness.registry),
        reference_hash=tagged_hash(TAG_REFERENCE, witness.reference),
        prices_hash=tagged_hash(TAG_PRICES, price_bytes(witness.prices)),
        batch_root=tagged_hash(TAG_BATCH, root, left_root),
        pre_state_root=state_root(witness.pool, before),
        post_state_root=after,
        sdl_hash=sdl_hash(witness.network_id, witness.pool, witness.shard, fills, root),
        n_orders=len(decoded.orders),
        n_fills=fills.count,
        network_id=witness.network_id,
        gap=certificate.gap,
        inventory_risk=certificate.inventory_risk,
        price_tracking=certificate.price_tracking,
        fill_incentive=certificate.fill_incentive,
        total=certificate.total,
    )


def check(decoded: DecodedWitness, derived: PublicValues) -> None:
    """Compare the claimed bytes with the derived values."""
    claimed, due = decoded.witness.public_values, derived.to_bytes()
    index = first_difference(claimed, due)
    if index is not None:
        raise LawViolated(LAW, index, claimed.hex(), due.hex())
