"""State diff lists: which kind one is, its hash, and the transaction that carries it.

An SDL bundles the pending messages for settlement. If it holds orders and payouts in the prescribed
order, its hash is the one that the epoch's proof names; else it is a hash of the messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from devnet.gateway.codec import (
    Terms,
    VaultKey,
    base58_text,
    clearing_sdl_hash,
    general_sdl_hash,
    order_row,
    parse_terms,
    settlement_row,
    table_root,
)
from devnet.gateway.execution import Executed
from devnet.gateway.verifiable import Debit, Mint

KIND_PAYOUT = 3


class Status(StrEnum):
    """States of an SDL as the gateway's API names them."""

    SUBMITTED = "Submitted"
    PROVING = "Proving"
    PROVEN = "Proven"
    PROVING_FAILED = "ProvingFailed"
    PROOF_SUBMITTED = "ProofSubmitted"
    APPLIED = "BaseLayerApplied"
    FAILED = "BaseLayerFailed"

    @property
    def in_flight(self) -> bool:
        """Whether the SDL may still be applied."""
        return self not in (Status.PROVING_FAILED, Status.APPLIED, Status.FAILED)


@dataclass(slots=True)
class Batch:
    """What one POST added: it stands or falls as a whole.

    Attributes
    ----------
    items : executed verifiables in order.
    stored : their form in the snapshot, empty until the first snapshot needs it.
    """

    items: list[Executed]
    stored: str = ""


@dataclass(slots=True)
class Sdl:
    """An SDL that left the pending list.

    Attributes
    ----------
    digest : SDL hash, 32 bytes.
    batches : what it holds, in order; empty once the SDL has ended.
    mints_only : whether it needs no agreement and no envelope.
    status, reason : state, and why it failed (empty otherwise).
    envelope : body of ``/prove``.
    """

    digest: bytes
    batches: tuple[Batch, ...]
    status: Status = Status.SUBMITTED
    reason: str = ""
    envelope: bytes = b""
    mints_only: bool = field(init=False)

    def __post_init__(self) -> None:
        self.mints_only = all(isinstance(item.verifiable, Mint) for item in self.items)

    @property
    def items(self) -> list[Executed]:
        """Executed verifiables in order."""
        return [item for batch in self.batches for item in batch.items]

    @property
    def name(self) -> str:
        """SDL hash in base58."""
        return base58_text(self.digest)

    @property
    def state_json(self) -> object:
        """``SdlState``: a string, or the tagged object of a failed proof."""
        if self.status is Status.PROVING_FAILED:
            return {self.status.value: self.reason}
        return self.status.value


@dataclass(frozen=True, slots=True)
class SdlContext:
    """What the hash of a clearing SDL depends on.

    Attributes
    ----------
    network : network id; pool : the operator's vault.
    assets : registry index by token, from the domain agreement; empty without one.
    """

    network: bytes
    pool: VaultKey
    assets: dict[VaultKey, int]


def sdl_hash(context: SdlContext, items: Sequence[Executed], pool_nonce: int) -> bytes:
    """Hash of the SDL of ``items``; ``pool_nonce`` is the pool's nonce after them."""
    tables = _clearing_tables(context, items)
    if tables is None:
        digests = [item.verifiable.signed.digest for item in items]
        return general_sdl_hash(context.network, context.pool[1], digests)
    orders, settlements, payouts = tables
    return clearing_sdl_hash(
        context.network,
        context.pool,
        pool_nonce - payouts + 1,
        table_root("cfx.orders.v1", orders),
        table_root("cfx.settle.v1", settlements),
    )


def _clearing_tables(
    context: SdlContext, items: Sequence[Executed]
) -> tuple[list[bytes], list[bytes], int] | None:
    """(order rows, settlement rows, number of payouts), or None for any other SDL."""
    rows: list[bytes] = []
    paid: list[int] = []
    place: dict[bytes, int] = {}
    received: dict[int, int] = {}
    last = (b"", 0)
    for item in items:
        debit, terms = item.verifiable, None
        if isinstance(debit, Debit) and len(debit.allowances) == 1:
            terms = parse_terms(debit.auxiliary)
        if terms is None or not isinstance(debit, Debit):
            return None
        if terms.kind == KIND_PAYOUT:
            order = place.get(terms.pays)
            if debit.debited != context.pool or order is None or order in received:
                return None
            received[order] = item.amounts[0]
            continue
        here = (debit.debited[0], debit.nonce)
        if received or here <= last or not _orders_from(context, debit):
            return None
        last = here
        place[debit.signed.digest] = len(rows)
        rows.append(_row(context, debit, terms))
        paid.append(item.amounts[0])
    if not rows:
        return None
    settlements = [settlement_row(out, received.get(at, 0)) for at, out in enumerate(paid)]
    return rows, settlements, len(received)


def _orders_from(context: SdlContext, debit: Debit) -> bool:
    token = debit.allowances[0][0]
    return debit.credited == context.pool and token in context.assets


def _row(context: SdlContext, debit: Debit, terms: Terms) -> bytes:
    token, budget = debit.allowances[0]
    return order_row(debit.debited[0], debit.nonce, context.assets[token], budget, terms)


def transaction_items(items: Sequence[Executed]) -> list[dict[str, object]]:
    """Items of an SDL transaction for the settlement layer, bytes in hexadecimal."""
    return [
        {
            "kind": "debit" if isinstance(item.verifiable, Debit) else "mint",
            "payload": item.verifiable.signed.payload.hex(),
            "pub_key": item.verifiable.signed.pub_key.hex(),
            "signature": item.verifiable.signed.signature.hex(),
            "executed": list(item.amounts),
        }
        for item in items
    ]


def aggregated_diffs(items: Sequence[Executed]) -> list[dict[str, object]]:
    """Net difference of each changed vault by token, and its nonce where it was debited."""
    nonces: dict[VaultKey, int] = {}
    changes: dict[VaultKey, dict[VaultKey, int]] = {}

    def move(vault: VaultKey, token: VaultKey, amount: int) -> None:
        if amount == 0:
            return
        tokens = changes.setdefault(vault, {})
        tokens[token] = tokens.get(token, 0) + amount

    for item in items:
        verifiable = item.verifiable
        if isinstance(verifiable, Debit):
            nonces[verifiable.debited] = verifiable.nonce
            for (token, _), amount in zip(verifiable.allowances, item.amounts, strict=True):
                move(verifiable.debited, token, -amount)
                move(verifiable.credited, token, amount)
        else:
            nonces[verifiable.mint] = verifiable.nonce
            for vault, amount in verifiable.credits:
                move(vault, verifiable.mint, amount)
    return [
        {
            "vault": _key_text(vault),
            "new_nonce": nonces.get(vault),
            "tokens": {
                _key_text(token): amount
                for token, amount in sorted(changes.get(vault, {}).items())
                if amount
            },
        }
        for vault in sorted(nonces.keys() | changes.keys())
    ]


def _key_text(key: VaultKey) -> str:
    return f"{key[0].hex()},{key[1]}"
