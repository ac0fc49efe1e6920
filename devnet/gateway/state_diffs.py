"""State diffs of the HTTP body: read strictly, they say what was executed of each message.

A message allows a debit of at most so much; the exchange decides how much of it is executed and
says so by diffs. This module accepts only diffs that the signed message permits.
"""

from devnet.gateway.codec import I64_MAX, VaultKey
from devnet.gateway.execution import Executed
from devnet.gateway.refusal import Refused
from devnet.gateway.verifiable import Debit, Mint, Reader, exact, single, u64


def read_executed(reader: Reader, item: object) -> Executed:
    """One ``VerifiableWithDiffs``; the diffs must be ones that the verifiable permits.

    Raises
    ------
    Refused
        ``SCHEMA`` for another shape; ``DIFFS`` when the diffs touch a third vault, a token
        without allowance, do not sum to zero, or differ from what a mint does.
    """
    verifiable_json, diffs = exact(item, ("verifiable", "state_diffs"))
    verifiable = reader.read(verifiable_json)
    if not isinstance(diffs, list):
        raise Refused("SCHEMA", "state_diffs: expected an array")
    if isinstance(verifiable, Debit):
        return Executed(verifiable, _debited(reader, verifiable, diffs))
    _check_mint(reader, verifiable, diffs)
    return Executed(verifiable, ())


def _operation(reader: Reader, diff: object) -> tuple[VaultKey, str, object]:
    address, operation = exact(diff, ("address", "operation"))
    kind, value = single(operation, "operation")
    return reader.address(address, "address"), kind, value


def _token_diffs(reader: Reader, value: object) -> dict[VaultKey, int]:
    if not isinstance(value, dict) or not value:
        raise Refused("SCHEMA", "TokenDiffs: expected at least one token")
    changes: dict[VaultKey, int] = {}
    for token, change in value.items():
        kind, amount = single(change, "TokenDiffs")
        if kind != "Fungible" or type(amount) is not int or abs(amount) > I64_MAX:
            raise Refused("SCHEMA", "TokenDiffs: expected a Fungible difference inside 64 bits")
        changes[reader.address(token, "TokenDiffs")] = amount
    return changes


def _debited(reader: Reader, debit: Debit, diffs: list[object]) -> tuple[int, ...]:
    by_vault: dict[VaultKey, dict[VaultKey, int]] = {}
    for diff in diffs:
        key, kind, value = _operation(reader, diff)
        if kind != "TokenDiffs" or key in by_vault:
            raise Refused("DIFFS", "expected one TokenDiffs for a vault")
        if key not in (debit.debited, debit.credited):
            raise Refused("DIFFS", "expected only the debited and the credited vault")
        by_vault[key] = _token_diffs(reader, value)
    if debit.debited not in by_vault:
        raise Refused("DIFFS", "expected a difference of the debited vault, zero if need be")
    losses = by_vault[debit.debited]
    gains = by_vault.get(debit.credited, {})
    tokens = {token for token, _ in debit.allowances}
    if not tokens.issuperset(losses) or not tokens.issuperset(gains):
        raise Refused("DIFFS", "expected only tokens with an allowance")
    for token in tokens:
        if losses.get(token, 0) + gains.get(token, 0):
            raise Refused("DIFFS", "expected differences that sum to zero for each token")
    return tuple(-losses.get(token, 0) for token, _ in debit.allowances)


def _check_mint(reader: Reader, mint: Mint, diffs: list[object]) -> None:
    credited: dict[VaultKey, int] = {}
    for key, amount in mint.credits:
        credited[key] = credited.get(key, 0) + amount
    if len(diffs) != 1 + len(credited):
        raise Refused("DIFFS", "expected one difference for the mint and for each credited vault")
    key, kind, value = _operation(reader, diffs[0])
    if key != mint.mint or kind != "FungibleTokenMint":
        raise Refused("DIFFS", "expected the mint's own vault first")
    _check_supply(mint, value, sum(credited.values()))
    for diff, (vault, amount) in zip(diffs[1:], credited.items(), strict=True):
        key, kind, value = _operation(reader, diff)
        if key != vault or kind != "TokenDiffs":
            raise Refused("DIFFS", "expected the credited vaults in the signed order")
        if _token_diffs(reader, value) != {mint.mint: amount}:
            raise Refused("DIFFS", f"expected a credit of {amount} of the minted token")


def _check_supply(mint: Mint, value: object, supply: int) -> None:
    operation, inner = single(value, "FungibleTokenMint")
    if mint.metadata is not None and operation == "Create":
        metadata, claimed = exact(inner, ("metadata", "supply"))
        name, symbol = exact(metadata, ("name", "symbol"))
        matches = (name, symbol) == mint.metadata
    else:
        matches, claimed = mint.metadata is None and operation == "IncreaseSupply", inner
    if not matches or u64(claimed, "supply") != supply:
        raise Refused("DIFFS", f"expected the signed operation with a supply of {supply}")
