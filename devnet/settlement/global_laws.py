"""delta's own laws on an SDL: owners, shard, nonces, allowances, balances, supply, aggregation.

They hold for every domain, whatever its local laws are; no proof is asked about them. ``chain``
executes an SDL here on a draft between the two halves of the local laws.
"""

from collections.abc import Sequence

from devnet.settlement.codec import Address, hex_address, integer
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import BALANCE_MAX, DIFFERENCE_MAX, Draft, MintRecord, net_by_token
from devnet.settlement.messages import DebitMessage, MintMessage
from devnet.settlement.transactions import Item, SdlTransaction


def execute(draft: Draft, sdl: SdlTransaction) -> None:
    """Apply the items of ``sdl`` to ``draft`` in order.

    Raises
    ------
    Invalid
        ``SHARD``, ``NONCE``, ``VAULT_MIGRATED``, ``VAULT_KIND``, ``TOKEN``, ``ALLOWANCE``,
        ``BALANCE``, ``RANGE``, ``SUPPLY``, ``CREDITED`` or ``AGGREGATION``.
    """
    minted: dict[Address, int] = {}
    for place, item in enumerate(sdl.items):
        try:
            if isinstance(item.message, DebitMessage):
                _debit(draft, sdl.shard, item.message, item.executed)
            else:
                issued = _issue(draft, sdl.shard, item.message)
                minted[item.message.mint] = minted.get(item.message.mint, 0) + issued
        except Invalid as problem:
            raise Invalid(problem.code, f"verifiable {place}: {problem.message}") from None
    if net_by_token(draft) != {token: amount for token, amount in minted.items() if amount}:
        raise Invalid("SUPPLY", "expected balances to change by what was minted and no more")
    _check_aggregation(draft, sdl)


def _next_nonce(draft: Draft, shard: int, key: Address, nonce: int) -> None:
    if key.shard != shard:
        raise Invalid("SHARD", f"expected a vault of shard {shard}, found {key.shard}")
    account = draft.write(key)
    if account.moved_to:
        raise Invalid("VAULT_MIGRATED", f"the vault was moved to shard {account.moved_to}")
    if nonce != account.nonce + 1:
        raise Invalid("NONCE", f"expected {account.nonce + 1}, found {nonce}")
    account.nonce = nonce


def _debit(draft: Draft, shard: int, message: DebitMessage, executed: Sequence[int]) -> None:
    _next_nonce(draft, shard, message.debited, message.nonce)
    if draft.read(message.debited).mint is not None:
        raise Invalid("VAULT_KIND", "the debited vault is a mint")
    if message.credited == message.debited or message.credited.shard < 1:
        raise Invalid("CREDITED", "expected another vault, on a shard of at least 1")
    for (token, allowed), amount in zip(message.allowances, executed, strict=True):
        if draft.read(token).mint is None:
            raise Invalid("TOKEN", f"no mint has the token {token}")
        if amount > allowed:
            raise Invalid("ALLOWANCE", f"allowed {allowed}, debited {amount}")
        if amount:
            draft.take(message.debited, token, amount)
            draft.give(message.credited, token, amount)


def _issue(draft: Draft, shard: int, message: MintMessage) -> int:
    """Execute a mint; returns the issued base units."""
    _next_nonce(draft, shard, message.mint, message.nonce)
    account = draft.write(message.mint)
    if message.creates:
        if account.mint is not None or any(account.tokens.values()):
            raise Invalid("VAULT_KIND", "a new mint needs a vault without mint or holdings")
        account.mint = MintRecord(message.name, message.symbol, 0)
    if account.mint is None:
        raise Invalid("TOKEN", "the vault has no mint whose supply could grow")
    issued = sum(amount for _, amount in message.credits)
    account.mint.supply += issued
    if account.mint.supply > BALANCE_MAX:
        raise Invalid("SUPPLY", "expected a supply below 2^64")
    for key, amount in message.credits:
        if key.shard < 1:
            raise Invalid("CREDITED", "expected vaults on shards of at least 1")
        if amount:
            draft.give(key, message.mint, amount)
    return issued


def _check_aggregation(draft: Draft, sdl: SdlTransaction) -> None:
    """The claimed differences equal those of the executed list, vault by vault."""
    derived = {}
    debited = {_signer_vault(item) for item in sdl.items}
    for key, before, after in draft.differences():
        tokens = before.tokens.keys() | after.tokens.keys()
        changes = {
            token: change
            for token in tokens
            if (change := after.tokens.get(token, 0) - before.tokens.get(token, 0))
        }
        derived[key] = (after.nonce if key in debited else None, changes)
    try:
        claimed = _claimed(sdl.diffs)
    except Invalid as problem:
        raise Invalid("AGGREGATION", problem.message) from None
    if claimed != {key: row for key, row in derived.items() if row != (None, {})}:
        raise Invalid("AGGREGATION", "diffs: expected the sum of what was executed")


def _signer_vault(item: Item) -> Address:
    message = item.message
    return message.debited if isinstance(message, DebitMessage) else message.mint


def _claimed(diffs: object) -> dict[Address, tuple[int | None, dict[Address, int]]]:
    if not isinstance(diffs, list):
        raise Invalid("AGGREGATION", "diffs: expected a list")
    claimed = {}
    for row in diffs:
        if not isinstance(row, dict) or row.keys() != {"vault", "new_nonce", "tokens"}:
            raise Invalid("AGGREGATION", "diffs: expected vault, new_nonce and tokens")
        nonce, tokens = row["new_nonce"], row["tokens"]
        if nonce is not None:
            nonce = integer(nonce, "new_nonce")
        if not isinstance(tokens, dict):
            raise Invalid("AGGREGATION", "tokens: expected an object")
        claimed[hex_address(row["vault"], "vault")] = (
            nonce,
            {
                hex_address(token, "tokens"): integer(
                    change, "tokens", -DIFFERENCE_MAX, DIFFERENCE_MAX
                )
                for token, change in tokens.items()
            },
        )
    if len(claimed) != len(diffs):
        raise Invalid("AGGREGATION", "diffs: a vault stands twice")
    return claimed
