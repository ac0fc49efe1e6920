"""What the gateway knows of its domain: local view, pending intents, SDLs and how far they are.

An intent is a signed message that was accepted and waits. An SDL is a batch of them that goes to
the settlement layer as one: submitted, proven, applied, or undone. The view is what the vaults
hold if everything pending goes through; it is read again whenever settlement may say otherwise.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from devnet.gateway.codec import VaultKey
from devnet.gateway.execution import Executed, Rules, check_signatures, full
from devnet.gateway.operator import Operator
from devnet.gateway.refusal import Refused
from devnet.gateway.sdl import (
    Batch,
    Sdl,
    SdlContext,
    Status,
    aggregated_diffs,
    sdl_hash,
    transaction_items,
)
from devnet.gateway.state_diffs import read_executed
from devnet.gateway.upstream import Declined, Settlement, Unreachable
from devnet.gateway.vaults import Staging, Vault
from devnet.gateway.verifiable import Reader
from devnet.gateway.view import assets_of, read_view

Answer = TypeVar("Answer")


class GatewayState:
    """State of the gateway. Every method may be called from any thread.

    Parameters
    ----------
    operator : key and shard of the domain.
    settlement : the settlement layer.
    rules : delta's rules on verifiables.
    threads : pool that verifies signatures.

    Attributes
    ----------
    stale : whether the view must be read again before its next use (:meth:`refresh`).
    on_change : called after each change, with the lock held (the snapshot).
    """

    def __init__(
        self,
        operator: Operator,
        settlement: Settlement,
        rules: Rules,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.operator = operator
        self.settlement = settlement
        self.lock = threading.RLock()
        self.pending: list[Batch] = []
        self.sdls: dict[str, Sdl] = {}
        self.on_change: Callable[[], None] = lambda: None
        self._rules = rules
        self._threads = threads
        self._view: dict[VaultKey, Vault] = {}
        self.stale = True
        self._seen: set[bytes] = set()
        self._outside_changes = 0

    # Intents

    def execute(self, body: object) -> int:
        """Apply an array of verifiables in full; returns how many."""
        reader = Reader(self.operator.network)
        return self._take(_each(body, lambda item: full(reader.read(item))))

    def submit(self, body: object) -> int:
        """Apply an array of verifiables with diffs; returns how many."""
        reader = Reader(self.operator.network)
        return self._take(_each(body, lambda item: read_executed(reader, item)))

    def _take(self, items: list[Executed]) -> int:
        check_signatures([item.verifiable.signed for item in items], self._threads)
        with self.lock:
            self._refresh()
            staging = Staging(self._view)
            added = self._rules.apply(staging, items, self._seen)
            staging.commit()
            self._seen |= added
            if items:
                self.pending.append(Batch(items))
                self.on_change()
        return len(items)

    # Vaults

    def vault(self, owner: bytes) -> Vault | None:
        """Vault of ``owner`` on the domain's shard as the local view has it."""
        return self._view.get((owner, self.operator.shard))

    def next_nonce(self, owner: bytes) -> int:
        """Nonce that the next message of this vault must have; 1 for an unknown vault."""
        vault = self.vault(owner)
        return 1 if vault is None else vault.nonce + 1

    # SDLs

    def submit_sdl(self) -> str | None:
        """Bundle everything pending into an SDL and hand it to the settlement layer.

        Returns
        -------
        Its hash in base58, or None when nothing is pending.
        """
        with self.lock:
            self._refresh()
            if not self.pending:
                return None
            sdl = Sdl(self._hash(), tuple(self.pending))
            known = self.sdls.get(sdl.name)
            if known is not None and (known.status.in_flight or known.status is Status.APPLIED):
                raise Refused("DUPLICATE", f"SDL {sdl.name} is already {known.status.value}")
            _ask(lambda: self.settlement.submit_sdl(self._sdl_transaction(sdl)))
            self.sdls.pop(sdl.name, None)
            self.sdls[sdl.name] = sdl
            self.pending = []
            self.on_change()
            return sdl.name

    def sdl(self, name: str) -> Sdl | None:
        """SDL of this hash, None when unknown."""
        return self.sdls.get(name)

    def start_proving(self, name: str, envelope: bytes) -> Sdl:
        """Keep the body of ``/prove`` and move the SDL to Proving."""
        with self.lock:
            sdl = self._in_state(name, Status.SUBMITTED)
            sdl.envelope = envelope
            sdl.status = Status.PROVING
            self.on_change()
            return sdl

    def end_proving(self, sdl: Sdl, failure: str) -> None:
        """Move the SDL to Proven, or to ProvingFailed when ``failure`` is not empty."""
        with self.lock:
            if sdl.status is not Status.PROVING:
                return
            if failure:
                self._end(sdl, Status.PROVING_FAILED, failure)
            else:
                sdl.status = Status.PROVEN
            self.on_change()

    def start_submitting(self, name: str) -> Sdl:
        """Move a proven SDL to ProofSubmitted."""
        with self.lock:
            sdl = self._in_state(name, Status.PROVEN)
            sdl.status = Status.PROOF_SUBMITTED
            self.on_change()
            return sdl

    def proof_transaction(self, sdl: Sdl) -> dict[str, object]:
        """Transaction that carries the proof of ``sdl`` to the settlement layer."""
        digest = hashlib.sha256(sdl.envelope).digest()
        return {
            "sdl_hash": sdl.name,
            "shard": self.operator.shard,
            "operator_key": self.operator.pub_key.hex(),
            "envelope": sdl.envelope.hex(),
            "signature": self.operator.sign("proof", sdl.digest, digest).hex(),
        }

    def end_submitting(self, sdl: Sdl, failure: str) -> None:
        """Write down the settlement layer's verdict; a failure drops the SDL's diffs."""
        with self.lock:
            if sdl.status is not Status.PROOF_SUBMITTED:
                return
            self._end(sdl, Status.FAILED if failure else Status.APPLIED, failure)
            self.on_change()

    # View

    def refresh(self) -> None:
        """Read the final vaults again if the view may be out of date."""
        if self.stale:
            with self.lock:
                self._refresh()

    def watch(self) -> None:
        """Notice foreign credits and migrations on the settlement layer."""
        try:
            shard = self.settlement.shard(self.operator.shard)
        except (Unreachable, Declined):
            return
        if shard.get("outside_changes") != self._outside_changes:
            self.mark_stale()

    def mark_stale(self) -> None:
        """Have the view rebuilt before its next use."""
        with self.lock:
            self.stale = True

    def _end(self, sdl: Sdl, status: Status, reason: str) -> None:
        sdl.status, sdl.reason = status, reason
        self._seen -= {item.verifiable.signed.digest for item in sdl.items}
        sdl.batches = ()
        if status is not Status.APPLIED:
            self.stale = True

    def _refresh(self) -> None:
        if not self.stale:
            return
        state = _ask(self.settlement.state)
        self._view, applied, self._outside_changes = read_view(state)
        self._seen = set()
        for sdl in list(self.sdls.values()):
            if sdl.status.in_flight and sdl.name not in applied and not self._replay(sdl.items):
                self._end(sdl, Status.FAILED, "VIEW: no longer applies to the final vaults")
        self.pending = [batch for batch in self.pending if self._replay(batch.items)]
        self.stale = False
        self.on_change()

    def _replay(self, items: Sequence[Executed]) -> bool:
        staging = Staging(self._view)
        try:
            added = self._rules.apply(staging, items, self._seen)
        except Refused:
            return False
        staging.commit()
        self._seen |= added
        return True

    def _in_state(self, name: str, status: Status) -> Sdl:
        sdl = self.sdls.get(name)
        if sdl is None:
            raise Refused("SDL_UNKNOWN", f"no SDL has the hash {name}")
        if sdl.status is not status:
            raise Refused("STATE", f"expected {status.value}, found {sdl.status.value}")
        return sdl

    def _hash(self) -> bytes:
        items = [item for batch in self.pending for item in batch.items]
        agreement = _ask(lambda: self.settlement.agreement(self.operator.shard))
        context = SdlContext(self.operator.network, self.operator.pool, assets_of(agreement))
        pool = self._view.get(self.operator.pool)
        return sdl_hash(context, items, 0 if pool is None else pool.nonce)

    def _sdl_transaction(self, sdl: Sdl) -> dict[str, object]:
        return {
            "sdl_hash": sdl.name,
            "shard": self.operator.shard,
            "operator_key": self.operator.pub_key.hex(),
            "items": transaction_items(sdl.items),
            "diffs": aggregated_diffs(sdl.items),
            "signature": self.operator.sign("sdl", sdl.digest).hex(),
        }


def _each(body: object, read: Callable[[object], Executed]) -> list[Executed]:
    if not isinstance(body, list):
        raise Refused("SCHEMA", "expected a JSON array of verifiables")
    items = []
    for position, item in enumerate(body):
        try:
            items.append(read(item))
        except Refused as refusal:
            raise refusal.at(position) from None
    return items


def _ask(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except Declined as answer:
        raise Refused("SETTLEMENT", str(answer)) from None
    except Unreachable as answer:
        raise Refused("SETTLEMENT_UNREACHABLE", str(answer)) from None
