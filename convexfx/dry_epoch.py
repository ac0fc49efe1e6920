"""One epoch in memory: three orders, every law, no network; part of ``convexfx test``."""

from decimal import Decimal
from hashlib import sha256
from typing import Final

from convexfx.wallet.signing import Wallet
from convexfx_core import execute
from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.execution import ExecutionState
from convexfx_core.identity import Address, owner_id
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import registry_of
from convexfx_core.market.parameter_file import DEMO, packaged
from convexfx_core.market.reference import reference_from_quotes
from convexfx_core.orders.signed import Domain
from tasks.adapters.keys import Ed25519Signer

SHARD: Final = 1
HELD: Final = 10**12
AS_OF_S: Final = 1_704_196_800
QUOTES: Final = {
    "USD": Decimal(1), "EUR": Decimal("1.1"), "JPY": Decimal("0.007"),
    "GBP": Decimal("1.27"), "CHF": Decimal("1.18"), "AUD": Decimal("0.68"),
}  # fmt: skip


def demo_signer(name: str) -> Ed25519Signer:
    """A key that everybody knows, for the dry epoch only."""
    return Ed25519Signer(sha256(b"convexfx dry epoch " + name.encode()).digest())


def dry_opening(pool: Ed25519Signer, owners: list[bytes]) -> Opening:
    """An opening with packaged parameters, fixed quotes and equal holdings."""
    rows = [
        (name, 6, str(Address(owner_id(demo_signer(f"mint {name}").public_key), SHARD)))
        for name in QUOTES
    ]
    registry = registry_of(rows)
    params = packaged(DEMO).params(registry)
    return Opening(
        network_id=network_id("convexfx-dry"),
        shard=SHARD,
        epoch=1,
        params=params,
        registry=registry,
        reference=reference_from_quotes(QUOTES, AS_OF_S, params, registry),
        pool=PoolState(owner_id(pool.public_key), 0, params.target, (0,) * len(rows)),
        vaults=VaultTable.from_rows([(o, 0, [HELD] * len(rows)) for o in owners], len(rows)),
    )


def run_dry_epoch() -> str:
    """Sign, clear, check every law, derive the diffs; a line about it.

    Raises
    ------
    ConvexFxError
        Whatever part of it does not work.
    """
    pool, users = demo_signer("pool"), [demo_signer("alice"), demo_signer("bob")]
    opening = dry_opening(pool, [owner_id(user.public_key) for user in users])
    address = Address(owner_id(pool.public_key), SHARD)
    domain = Domain(opening.network_id, address, opening.registry)
    alice, bob = (Wallet(user, domain) for user in users)
    orders = [
        alice.order("USD", "EUR", "1000", nonce=1),
        bob.order("EUR", "USD", "400", nonce=1),
        bob.order("GBP", "JPY", "50", nonce=2),
    ]
    state = ExecutionState(opening, pool.public_key, pool.sign)
    made = execute([order.verifiable for order in orders], state)
    if len(made) != 2 * len(orders):
        raise ExecutionError(
            ExecutionCode.MESSAGE_FORMAT, "dry epoch", f"{2 * len(orders)} verifiables", len(made)
        )
    return f"{len(orders)} orders cleared, every law holds, {len(made)} verifiables with diffs"
