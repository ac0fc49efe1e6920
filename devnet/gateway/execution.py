"""Rules of delta on a list of messages: signatures, nonces, allowances, balances, supply.

The gateway refuses at once what the settlement layer would refuse later, so that an accepted
message can settle; with ``--nonce-rule larger`` its nonce rule alone is weaker. The rules work on a
staging of the local view, which ``state`` keeps or drops.
"""

import os
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import nacl.bindings
import nacl.exceptions

from devnet.gateway.codec import I64_MAX, U64_MAX, VaultKey
from devnet.gateway.refusal import Refused
from devnet.gateway.vaults import Metadata, Staging
from devnet.gateway.verifiable import Debit, Mint, Signed, Verifiable

SLICE: Final = 1_000
"""Signatures that one thread checks in one go."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A verifiable with what was executed of it.

    Attributes
    ----------
    verifiable : the signed message.
    amounts : base units debited of each allowance, in its order; empty for a mint.
    """

    verifiable: Verifiable
    amounts: tuple[int, ...]


def full(verifiable: Verifiable) -> Executed:
    """Default execution: every allowance is debited in full."""
    if isinstance(verifiable, Mint):
        return Executed(verifiable, ())
    return Executed(verifiable, tuple(amount for _, amount in verifiable.allowances))


def check_signatures(messages: Sequence[Signed], pool: ThreadPoolExecutor) -> None:
    """Verify all signatures on a thread pool (libsodium runs outside the interpreter's lock).

    Raises
    ------
    Refused
        ``SIGNATURE`` with the first position whose signature does not hold.
    """
    starts = range(0, len(messages), SLICE)
    slices = [messages[start : start + SLICE] for start in starts]
    for start, bad in zip(starts, pool.map(_first_bad, slices), strict=True):
        if bad is not None:
            raise Refused("SIGNATURE", "expected a valid Ed25519 signature", start + bad)


def signature_threads() -> ThreadPoolExecutor:
    """Pool of one thread for each core."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="ed25519")


def _first_bad(messages: Sequence[Signed]) -> int | None:
    for place, message in enumerate(messages):
        try:
            nacl.bindings.crypto_sign_open(message.signature + message.payload, message.pub_key)
        except (nacl.exceptions.CryptoError, ValueError):
            return place
    return None


class Rules:
    """Rules of one shard.

    Parameters
    ----------
    shard : the domain's own shard; only its vaults may be debited.
    strict_nonces : a new nonce must be the next one; else only larger.
    """

    def __init__(self, shard: int, strict_nonces: bool = True) -> None:
        self._shard = shard
        self._strict = strict_nonces

    def apply(self, staging: Staging, items: Sequence[Executed], seen: Set[bytes]) -> set[bytes]:
        """Apply ``items`` in order; ``seen`` holds the digests of what was applied before.

        Returns
        -------
        The digests of ``items``.

        Raises
        ------
        Refused
            With the position of the first item that breaks a rule; the staging is then spoilt.
        """
        added: set[bytes] = set()
        for position, item in enumerate(items):
            digest = item.verifiable.signed.digest
            if digest in seen or digest in added:
                raise Refused("DUPLICATE", "this verifiable was already applied", position)
            try:
                self._one(staging, item)
            except Refused as refusal:
                raise refusal.at(position) from None
            added.add(digest)
        return added

    def _one(self, staging: Staging, item: Executed) -> None:
        verifiable = item.verifiable
        if isinstance(verifiable, Debit):
            self._debit(staging, verifiable, item.amounts)
        else:
            self._mint(staging, verifiable)

    def _take_nonce(self, staging: Staging, key: VaultKey, nonce: int) -> None:
        if key[1] != self._shard:
            raise Refused("SHARD", f"expected the domain's shard {self._shard}, found {key[1]}")
        vault = staging.edit(key)
        expected = vault.nonce + 1
        if nonce != expected if self._strict else nonce < expected:
            raise Refused("NONCE", f"expected {expected}, found {nonce}")
        vault.nonce = nonce

    def _debit(self, staging: Staging, debit: Debit, amounts: tuple[int, ...]) -> None:
        if debit.credited == debit.debited:
            raise Refused("CREDITED", "expected another vault than the debited one")
        self._take_nonce(staging, debit.debited, debit.nonce)
        source = staging.edit(debit.debited)
        if source.mint is not None:
            raise Refused("VAULT_KIND", "the debited vault is a mint and holds no tokens")
        for (token, allowed), amount in zip(debit.allowances, amounts, strict=True):
            minted = staging.look(token)
            if minted is None or minted.mint is None:
                raise Refused("TOKEN", "no mint has this token")
            if not 0 <= amount <= allowed:
                raise Refused("ALLOWANCE", f"expected a debit of 0 to {allowed}, found {amount}")
            held = source.holdings.get(token, 0)
            if amount > held:
                raise Refused("BALANCE", f"expected at most {held}, found {amount}")
            if amount:
                source.add(token, -amount)
                self._credit(staging, debit.credited, token, amount)

    def _credit(self, staging: Staging, key: VaultKey, token: VaultKey, amount: int) -> None:
        target = staging.edit(key)
        if target.mint is not None:
            raise Refused("VAULT_KIND", "the credited vault is a mint and cannot hold tokens")
        if amount > I64_MAX or target.holdings.get(token, 0) + amount > U64_MAX:
            raise Refused("RANGE", "the credited balance or its difference leaves its 64 bits")
        target.add(token, amount)

    def _mint(self, staging: Staging, mint: Mint) -> None:
        self._take_nonce(staging, mint.mint, mint.nonce)
        vault = staging.edit(mint.mint)
        if mint.metadata is not None:
            if vault.mint is not None or vault.holdings:
                raise Refused("VAULT_KIND", "Create expects a vault without a mint or holdings")
            vault.mint = Metadata(*mint.metadata, 0)
        if vault.mint is None:
            raise Refused("TOKEN", "IncreaseSupply expects a vault with a mint")
        supply = vault.mint.supply + sum(amount for _, amount in mint.credits)
        if supply > U64_MAX:
            raise Refused("SUPPLY", "expected a supply below 2^64")
        vault.mint = replace(vault.mint, supply=supply)
        for key, amount in mint.credits:
            if amount:
                self._credit(staging, key, mint.mint, amount)
