"""Read vaults from the gateway into the tables of the core.

The seal takes the vaults of its candidates' owners from here; before an array is sent again,
``tasks.delivery`` asks here whether one of them moved since.
"""

from collections.abc import Sequence

from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.identity import OwnerId, base58_encode
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import Registry
from tasks.peer_answers import fungibles_of
from tasks.ports import Gateway, Json


def holdings(vault: Json | None, registry: Registry) -> tuple[int, ...]:
    """Balances of a vault in registry order, base units; zeros for no vault.

    Raises
    ------
    GatewayError
        The vault has another shape than the gateway's: its balance is not known, and not zero.
    """
    held = {} if vault is None else fungibles_of(vault, "vault")
    return tuple(held.get(str(asset.token), 0) for asset in registry.assets)


def read_vault(gateway: Gateway, owner: bytes, registry: Registry) -> tuple[int, tuple[int, ...]]:
    """Nonce of the last message and n balances of one vault."""
    name = base58_encode(owner)
    return gateway.next_nonce(name) - 1, holdings(gateway.vault(name), registry)


def read_pool(
    gateway: Gateway, owner: bytes, registry: Registry, fees: tuple[int, ...]
) -> PoolState:
    """The pool's vault, with the fees that the chain of epochs says it holds."""
    nonce, balances = read_vault(gateway, owner, registry)
    return PoolState(OwnerId(owner), nonce, balances, fees)


def read_vaults(gateway: Gateway, owners: Sequence[bytes], registry: Registry) -> VaultTable:
    """Vaults of distinct owners; an owner without one is absent from the table."""
    found = gateway.vaults([base58_encode(owner) for owner in owners])
    rows = [
        (owner, nonce - 1, holdings(vault, registry))
        for owner, (nonce, vault) in zip(owners, found, strict=True)
        if vault is not None
    ]
    return VaultTable.from_rows(rows, len(registry))


def first_moved(gateway: Gateway, opening: Opening, touched: VaultTable) -> ExecutionError | None:
    """What is no longer as it was sealed: the first of the ``touched`` vaults, or the pool's."""
    owners = [owner.tobytes() for owner in touched.owners]
    found = gateway.vaults([base58_encode(owner) for owner in (*owners, opening.pool.owner)])
    rows = zip(touched.nonces, touched.balances, strict=True)
    sealed = [(int(nonce), tuple(map(int, row))) for nonce, row in rows]
    sealed.append((opening.pool.nonce, opening.pool.balances))
    for owner, (nonce, held), (next_nonce, vault) in zip(
        (*owners, opening.pool.owner), sealed, found, strict=True
    ):
        field = f"vault {base58_encode(owner)}"
        if vault is None:
            return ExecutionError(ExecutionCode.VAULT_MISSING, field, "a vault, as sealed", "none")
        if next_nonce - 1 != nonce:
            code = ExecutionCode.NONCE_NOT_NEXT
            return ExecutionError(code, field, f"nonce {nonce}, as sealed", next_nonce - 1)
        if holdings(vault, opening.registry) != held:
            return ExecutionError(ExecutionCode.BALANCE, field, "balances as sealed", "others")
    return None
