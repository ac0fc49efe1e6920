"""Takes submissions in: judges every item for itself, then puts the good ones into the inbox.

It refuses early what no epoch could admit (a used nonce, an expiry in the past), so that a wallet
hears it at once. It decides nothing for good: admission reads the inbox again with its own rules,
and an order that is sent twice has the same id and counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from convexfx.api.chain_index.change_signal import ChangeSignal
from convexfx.api.chain_index.index import Index
from convexfx.api.chain_index.journal import Journal, queued_order
from convexfx.api.chain_index.metrics import Metrics
from convexfx.api.submission.items import Nonces, Parsed, read_item, sign_with, split_items
from convexfx_core.errors import (
    GatewayError,
    PeerUnreachable,
    RejectCode,
    RejectedOrder,
)
from convexfx_core.identity import base58_encode
from convexfx_core.limits import EXPIRY_EPOCHS_MAX
from convexfx_core.orders.signed import SignedOrder
from convexfx_core.wire.inbox import inline_message
from convexfx_core.wire.orders import order_json
from convexfx_core.wire.swap import Swap
from tasks.context import Context

MESSAGE_ITEMS: Final = 100
"""A VERIFIABLE takes about 900 bytes; a message carries 200 KiB."""
NONCES_TRIED: Final = 24
"""Signatures that are checked for one Swap without a nonce."""
REPLAYS_TRIED: Final = 8
"""Of these, nonces that the vault has used already."""

Verdict = SignedOrder | RejectedOrder


def first_free(nonce: int, taken: set[int]) -> int:
    """The least nonce from ``nonce`` on that no open order holds."""
    while nonce in taken:
        nonce += 1
    return nonce


@dataclass(slots=True)
class VaultNonces:
    """Next nonce of a vault, None where the gateway did not say; nonces of its open orders."""

    next: int | None
    taken: set[int]


class SubmissionDesk:
    """Where submissions arrive.

    Parameters
    ----------
    ctx, index, metrics, change_signal : ports and what is known; who is told.
    journal : remembers queued orders across a restart.
    """

    def __init__(
        self,
        ctx: Context,
        index: Index,
        metrics: Metrics,
        change_signal: ChangeSignal,
        journal: Journal,
    ) -> None:
        self._ctx = ctx
        self._index = index
        self._metrics = metrics
        self._change_signal = change_signal
        self._journal = journal

    def submit(self, body: bytes) -> list[Verdict]:
        """What becomes of each item; when it returns, the good ones are durable in the inbox.

        Raises
        ------
        RejectedOrder
            The body as a whole cannot be read; nothing was queued.
        PeerUnreachable, GatewayError
            A Swap names no nonce and the gateway does not say the next one; nothing was queued.
        PeerUnreachable, CommitUnknown
            The inbox did not confirm; sending the same again is safe.
        """
        parsed = [read_item(raw, self._ctx.domain) for raw in split_items(body)]
        vaults = self._vaults(parsed)
        verdicts = [self._judge(item, vaults) for item in parsed]
        self._queue([verdict for verdict in verdicts if isinstance(verdict, SignedOrder)])
        for verdict in verdicts:
            self._metrics.add_submission(
                verdict.code if isinstance(verdict, RejectedOrder) else "queued"
            )
        return verdicts

    def _judge(self, item: Parsed, vaults: dict[bytes, VaultNonces]) -> Verdict:
        order = self._with_nonce(item, vaults) if isinstance(item, Swap) else item
        if isinstance(order, RejectedOrder) or self._index.knows(order.order_id):
            return order
        refusal = self._refusal(order, vaults[bytes(order.owner)])
        if refusal is not None:
            return refusal
        vaults[bytes(order.owner)].taken.add(order.nonce)
        return order

    def _with_nonce(self, swap: Swap, vaults: dict[bytes, VaultNonces]) -> Verdict:
        try:
            vault = vaults[bytes(swap.owner_bytes)]
        except RejectedOrder as error:
            return error
        return sign_with(swap, self._ctx.domain, nonces_of(vault))

    def _refusal(self, order: SignedOrder, vault: VaultNonces) -> RejectedOrder | None:
        """Why no epoch could admit the order, as far as it can be told now."""
        following, until = self._index.head + 1, order.terms.valid_until
        if order.owner == self._ctx.domain.pool.owner:
            return RejectedOrder(RejectCode.OWNER_MISMATCH, "owner", "another vault than the pool")
        if vault.next is not None and order.nonce < vault.next:
            expected = f"at least {vault.next}, the vault's next one"
            return RejectedOrder(RejectCode.NONCE_STALE, "nonce", expected, order.nonce)
        if until and until < following:
            expected = f"0 or at least {following}, the next epoch"
            return RejectedOrder(RejectCode.EXPIRED, "valid_until_epoch", expected, until)
        if until > following + EXPIRY_EPOCHS_MAX:
            expected = f"at most {following + EXPIRY_EPOCHS_MAX}"
            return RejectedOrder(RejectCode.EXPIRY_TOO_FAR, "valid_until_epoch", expected, until)
        return None

    def _vaults(self, parsed: Sequence[Parsed]) -> dict[bytes, VaultNonces]:
        """Nonces of every vault that an item names."""
        owners: dict[bytes, None] = {}
        needed = False
        for item in parsed:
            if isinstance(item, SignedOrder):
                owners[bytes(item.owner)] = None
            elif isinstance(item, Swap) and (owner := _owner(item)) is not None:
                owners[owner] = None
                needed = True
        following = self._next_nonces(list(owners), needed)
        return {
            owner: VaultNonces(nonce, {facts.nonce for facts in self._index.open_orders(owner)})
            for owner, nonce in zip(owners, following, strict=True)
        }

    def _next_nonces(self, owners: list[bytes], needed: bool) -> list[int | None]:
        if not owners:
            return []
        try:
            found = self._ctx.gateway.vaults([base58_encode(owner) for owner in owners])
        except (PeerUnreachable, GatewayError):
            if needed:
                raise
            return [None] * len(owners)
        return [nonce for nonce, _ in found]

    def _queue(self, orders: list[SignedOrder]) -> None:
        fresh = {o.order_id: o for o in orders if not self._index.knows(o.order_id)}
        if not fresh:
            return
        self._ctx.inbox.send(messages_of(list(fresh.values())))
        payloads = [order.payload for order in fresh.values()]
        self._journal.append(payloads)
        queued = (queued_order(payload, self._ctx.domain) for payload in payloads)
        self._index.add_queued(facts for facts in queued if facts is not None)
        self._change_signal.announce()


def nonces_of(vault: VaultNonces) -> Nonces:
    """What a Swap of this vault that names no nonce may have been signed with."""
    following = vault.next or 1
    free = first_free(following, vault.taken)
    replays = range(following - 1, max(following - 1 - REPLAYS_TRIED, 0), -1)
    likely = [following, free, *replays, *sorted(n for n in vault.taken if n > following)]
    tried = islice(dict.fromkeys(likely), NONCES_TRIED)
    return Nonces(next(tried), tuple(tried))


def messages_of(orders: Sequence[SignedOrder]) -> list[str]:
    """Bodies of the inline messages that carry the orders."""
    items = [order_json(order) for order in orders]
    parts = [items[start : start + MESSAGE_ITEMS] for start in range(0, len(items), MESSAGE_ITEMS)]
    return [inline_message(part).decode("ascii") for part in parts]


def _owner(swap: Swap) -> bytes | None:
    try:
        return bytes(swap.owner_bytes)
    except RejectedOrder:
        return None
