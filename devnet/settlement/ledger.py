"""Final vaults, and drafts in which an SDL is tried before it is kept.

A draft is a layer over the vaults. A check that fails in the middle drops the draft, and nothing
has changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from devnet.settlement.codec import Address
from devnet.settlement.invalid import Invalid

DIFFERENCE_MAX: Final = (1 << 63) - 1
BALANCE_MAX: Final = (1 << 64) - 1


@dataclass(slots=True)
class MintRecord:
    """What a mint vault issued: names and total supply in base units."""

    name: str
    symbol: str
    supply: int


@dataclass(slots=True)
class Account:
    """A final vault.

    Attributes
    ----------
    nonce : nonce of its last applied message.
    native : native plancks.
    tokens : positive balances in base units.
    mint : what it issued, or None.
    moved_to : shard to which it was moved by force, 0 while it is here.
    """

    nonce: int = 0
    native: int = 0
    tokens: dict[Address, int] = field(default_factory=dict)
    mint: MintRecord | None = None
    moved_to: int = 0

    def clone(self) -> "Account":
        """An equal account that shares nothing with this one."""
        record = self.mint
        mint = None if record is None else MintRecord(record.name, record.symbol, record.supply)
        return Account(self.nonce, self.native, dict(self.tokens), mint, self.moved_to)


class Ledger:
    """All final vaults of all shards."""

    def __init__(self) -> None:
        self.accounts: dict[Address, Account] = {}

    def draft(self) -> "Draft":
        """A draft on top of the final vaults."""
        return Draft(self)

    def supplies(self) -> dict[Address, tuple[int, int]]:
        """(issued, held) base units of each token, over all vaults."""
        held: dict[Address, int] = {}
        for account in list(self.accounts.values()):
            for token, amount in list(account.tokens.items()):
                held[token] = held.get(token, 0) + amount
        issued = {key: acc.mint.supply for key, acc in list(self.accounts.items()) if acc.mint}
        return {
            token: (issued.get(token, 0), held.get(token, 0))
            for token in sorted(issued.keys() | held.keys())
        }


class Draft:
    """Accounts changed by one SDL; nothing is final before :meth:`keep`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed: dict[Address, Account] = {}

    def read(self, key: Address) -> Account:
        """Account as the draft has it, empty when there is none; the caller must not change it."""
        return self._changed.get(key) or self._ledger.accounts.get(key) or Account()

    def write(self, key: Address) -> Account:
        """Account that the draft may change."""
        if key not in self._changed:
            self._changed[key] = self.read(key).clone()
        return self._changed[key]

    def take(self, key: Address, token: Address, amount: int) -> None:
        """Debit a positive amount; ``Invalid`` ``BALANCE`` when the vault holds less."""
        account = self.write(key)
        left = account.tokens.get(token, 0) - amount
        if left < 0:
            raise Invalid("BALANCE", f"vault {key}: holds {left + amount}, debited {amount}")
        account.tokens[token] = left

    def give(self, key: Address, token: Address, amount: int) -> None:
        """Credit a positive amount; a vault that was moved away comes back to life empty."""
        account = self.write(key)
        if account.mint is not None:
            raise Invalid("VAULT_KIND", f"vault {key}: is a mint and cannot hold tokens")
        total = account.tokens.get(token, 0) + amount
        if amount > DIFFERENCE_MAX or total > BALANCE_MAX:
            raise Invalid("RANGE", f"vault {key}: balance or difference leaves its 64 bits")
        account.tokens[token] = total
        account.moved_to = 0

    def differences(self) -> Iterator[tuple[Address, Account, Account]]:
        """(vault, before, after) of each account that the draft changed."""
        for key in sorted(self._changed):
            before = self._ledger.accounts.get(key) or Account()
            yield key, before, self._changed[key]

    def keep(self) -> None:
        """Make the draft final."""
        for account in self._changed.values():
            account.tokens = {token: held for token, held in account.tokens.items() if held}
        self._ledger.accounts.update(self._changed)


def net_by_token(draft: Draft) -> dict[Address, int]:
    """Sum over all vaults of what the draft changed, by token; zero sums are left out."""
    net: dict[Address, int] = {}
    for _, before, after in draft.differences():
        for token in before.tokens.keys() | after.tokens.keys():
            change = after.tokens.get(token, 0) - before.tokens.get(token, 0)
            net[token] = net.get(token, 0) + change
    return {token: change for token, change in net.items() if change}


def balances(account: Account, tokens: Iterable[Address]) -> list[int]:
    """Balances of ``account`` in the order of ``tokens``."""
    return [account.tokens.get(token, 0) for token in tokens]
