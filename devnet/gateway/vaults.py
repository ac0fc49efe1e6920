"""The domain's local view of vaults, and a staging layer that is kept or dropped as a whole.

A POST of messages is applied as a whole or not at all: it changes a :class:`Staging`, which becomes
the view only after the last message was accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devnet.gateway.codec import VaultKey, address_text


@dataclass(frozen=True, slots=True)
class Metadata:
    """Name, symbol and supply (base units) of a minted token."""

    name: str
    symbol: str
    supply: int


@dataclass(slots=True)
class Vault:
    """One vault: either holdings or one mint.

    Attributes
    ----------
    nonce : nonce of the last applied message, 0 before the first.
    native : native plancks.
    holdings : base units by token, no zero entries.
    mint : what this vault minted, or None.
    """

    nonce: int = 0
    native: int = 0
    holdings: dict[VaultKey, int] = field(default_factory=dict)
    mint: Metadata | None = None

    def copy(self) -> "Vault":
        """A vault that can be changed without touching this one."""
        return Vault(self.nonce, self.native, dict(self.holdings), self.mint)

    def add(self, token: VaultKey, amount: int) -> None:
        """Change the holding of ``token`` by a signed amount of base units."""
        balance = self.holdings.get(token, 0) + amount
        if balance:
            self.holdings[token] = balance
        else:
            self.holdings.pop(token, None)


class Staging:
    """Changes on top of a view; :meth:`commit` writes them, dropping the object forgets them."""

    def __init__(self, view: dict[VaultKey, Vault]) -> None:
        self._view = view
        self._staged: dict[VaultKey, Vault] = {}

    def look(self, key: VaultKey) -> Vault | None:
        """Vault as it stands now, not to be changed; None when there is none."""
        return self._staged.get(key) or self._view.get(key)

    def edit(self, key: VaultKey) -> Vault:
        """Vault to be changed; a new one when there is none."""
        vault = self._staged.get(key)
        if vault is None:
            held = self._view.get(key)
            vault = self._staged[key] = held.copy() if held is not None else Vault()
        return vault

    def commit(self) -> None:
        """Write every staged vault into the view."""
        self._view.update(self._staged)
        self._staged = {}


def vault_json(vault: Vault, shard: int) -> dict[str, object]:
    """Vault as ``GET /vaults/{owner_id}`` answers it."""
    data: dict[str, object] | None = None
    if vault.mint is not None:
        meta = {"name": vault.mint.name, "symbol": vault.mint.symbol}
        data = {"FungibleTokenMint": {"metadata": meta, "supply": vault.mint.supply}}
    elif vault.holdings:
        data = {"TokenHoldings": {"fungibles": holdings_json(vault.holdings), "nfts": {}}}
    return {"balance": vault.native, "shard": shard, "data": data}


def holdings_json(holdings: Mapping[VaultKey, int]) -> dict[str, int]:
    """Base units by token address, sorted."""
    return {address_text(token): holdings[token] for token in sorted(holdings)}
