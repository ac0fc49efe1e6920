"""State of the settlement layer and every transaction on it.

An SDL goes through here in two steps. First the operator submits it, and it waits. Then comes its
proof, and the SDL is applied or fails at once. The checks in their order: program and mode, hash,
signatures, what the proof says of the state before, delta's laws, what it says of the state after,
and last the proof itself, which costs most. Everything happens on a draft, so a check that fails
leaves nothing changed. An SDL of mints alone needs no proof.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from devnet.settlement.agreement import Agreement, read_agreement
from devnet.settlement.clearing import general_hash, read_clearing
from devnet.settlement.codec import Address, b58, h
from devnet.settlement.global_laws import execute
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import Draft, Ledger
from devnet.settlement.local_laws import ShardRecord, check_after, check_before, open_statement
from devnet.settlement.proof import Verifier, read_envelope
from devnet.settlement.signatures import check_signers
from devnet.settlement.transactions import SdlTransaction, read_proof, read_sdl


@dataclass(frozen=True, slots=True)
class Rules:
    """Options of the settlement layer.

    Attributes
    ----------
    network : its name.
    minimum_fee : least fee of an agreement, plancks.
    epoch_gap : how many clearing epochs may stay without an SDL between two that have one.
    verifier : checks proofs.
    """

    network: str
    minimum_fee: int = 0
    epoch_gap: int = 1_440
    verifier: Verifier = field(default_factory=Verifier)

    @property
    def network_id(self) -> bytes:
        """Identifier of the network, 32 bytes."""
        return h("cfx.network.v1", self.network.encode("ascii"))


@dataclass(slots=True)
class SdlRecord:
    """What is known of an SDL.

    Attributes
    ----------
    status : ``submitted``, ``applied`` or ``failed``.
    code, message : why it failed.
    transaction : until it ended.
    mode, epoch, public_values : of the applied proof; empty, 0, empty for mints.
    delta_epoch : epoch of the settlement layer in which it ended.
    """

    name: str
    shard: int
    status: str = "submitted"
    code: str = ""
    message: str = ""
    transaction: SdlTransaction | None = None
    mode: str = ""
    epoch: int = 0
    public_values: bytes = b""
    delta_epoch: int = 0

    def as_json(self) -> dict[str, Any]:
        """What ``GET /sdls/{hash}`` answers."""
        return {
            "sdl_hash": self.name,
            "shard": self.shard,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "mode": self.mode,
            "epoch": self.epoch,
            "public_values": self.public_values.hex(),
            "delta_epoch": self.delta_epoch,
        }


@dataclass(frozen=True, slots=True)
class Migration:
    """A vault that its owner moves to another shard at the end of the delta epoch."""

    vault: Address
    to_shard: int


class Chain:
    """The settlement layer. Every method may be called from any thread."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.lock = threading.RLock()
        self.ledger = Ledger()
        self.epoch = 0
        self.agreements: dict[int, list[Agreement]] = {}
        self.shards: dict[int, ShardRecord] = {}
        self.sdls: dict[str, SdlRecord] = {}
        self.proofs: set[str] = set()
        self.migrations: list[Migration] = []
        self.outside_changes = 0
        self.on_change: Callable[[], None] = lambda: None

    # Agreements

    def agreement(self, shard: int) -> Agreement | None:
        """Agreement of a shard: the active one, else the one that waits for its epoch."""
        known = self.agreements.get(shard, [])
        active = [agreement for agreement in known if agreement.active_from <= self.epoch]
        if active:
            return active[-1]
        return known[0] if known else None

    def active_agreement(self, shard: int) -> Agreement | None:
        """Agreement that holds in the current delta epoch."""
        agreement = self.agreement(shard)
        return agreement if agreement and agreement.active_from <= self.epoch else None

    def register(self, body: object) -> Agreement:
        """Accept an agreement from the next delta epoch on; an equal one is not entered twice."""
        rules = self.rules
        with self.lock:
            new = read_agreement(
                body, rules.network, rules.network_id, rules.minimum_fee, self.epoch + 1
            )
            known = self.agreements.setdefault(new.shard, [])
            for agreement in known:
                if agreement.body == new.body:
                    return agreement
            if known and known[-1].operator_key != new.operator_key:
                raise Invalid("SHARD_TAKEN", f"shard {new.shard} belongs to another operator")
            if known and new.rows[: len(known[-1].rows)] != known[-1].rows:
                raise Invalid("REGISTRY", "registry: expected the former rows unchanged, in front")
            active = [old for old in known if old.active_from <= self.epoch]
            self.agreements[new.shard] = [*active[-1:], new]
            self.on_change()
            return new

    # SDLs and proofs

    def submit_sdl(self, body: object) -> SdlRecord:
        """Take an SDL that waits for its proof."""
        sdl = read_sdl(body, self.rules.network_id)
        with self.lock:
            self._check_operator(sdl.shard, sdl.operator_key)
            known = self.sdls.get(sdl.name)
            if known is not None and known.status == "applied":
                raise Invalid("REPLAY", f"SDL {sdl.name} was applied before")
            self._check_name(sdl, known)
            record = SdlRecord(sdl.name, sdl.shard, transaction=sdl)
            self.sdls.pop(sdl.name, None)
            self.sdls[sdl.name] = record
            self.on_change()
            return record

    def submit_proof(self, body: object) -> SdlRecord:
        """Take the proof of a waiting SDL and apply or fail it at once."""
        proof = read_proof(body, self.rules.network_id)
        with self.lock:
            record = self.sdls.get(b58(proof.sdl_hash))
            if record is None:
                raise Invalid("SDL_UNKNOWN", "expected the SDL before its proof")
            sdl = record.transaction
            if sdl is None:
                raise Invalid("REPLAY", f"SDL {record.name} is already {record.status}")
            if (proof.shard, proof.operator_key) != (sdl.shard, sdl.operator_key):
                raise Invalid("OPERATOR", "expected the operator and shard of the SDL")
            self._check_operator(sdl.shard, sdl.operator_key)
            record.transaction, record.delta_epoch = None, self.epoch
            try:
                self._apply(record, sdl, proof.envelope)
                record.status = "applied"
            except Invalid as problem:
                record.status = "failed"
                record.code, record.message = problem.code, problem.message
            self.on_change()
            return record

    def _check_name(self, sdl: SdlTransaction, known: SdlRecord | None) -> None:
        """Refuse an SDL under a name that belongs to another operator's waiting SDL.

        The name is a hash that the operator claims. Who replaces another operator's SDL must really
        have that hash; otherwise anybody with a shard could end the SDLs of others.
        """
        waiting = known.transaction if known is not None else None
        if waiting is None or waiting.operator == sdl.operator:
            return
        if self._derived_hash(sdl) != sdl.sdl_hash:
            raise Invalid("OPERATOR", f"SDL {sdl.name} of another operator waits for its proof")

    def _derived_hash(self, sdl: SdlTransaction) -> bytes | None:
        """Hash derived from what ``sdl`` holds; None where nothing of it could be applied."""
        network, agreement = self.rules.network_id, self.active_agreement(sdl.shard)
        if sdl.mints_only:
            return general_hash(network, sdl)
        if agreement is None:
            return None
        try:
            clearing = read_clearing(sdl.items, agreement)
        except Invalid:
            return None
        nonce = self.ledger.draft().read(agreement.pool).nonce
        return clearing.sdl_hash(network, agreement.pool, nonce + 1)

    def _check_operator(self, shard: int, operator_key: bytes) -> None:
        agreement = self.agreement(shard)
        if agreement is not None and agreement.operator_key != operator_key:
            raise Invalid("OPERATOR", f"shard {shard} belongs to another operator")

    def _apply(self, record: SdlRecord, sdl: SdlTransaction, envelope: bytes) -> None:
        draft = self.ledger.draft()
        if sdl.mints_only and not envelope:
            check_signers(sdl.items)
            self._check_hash(sdl, general_hash(self.rules.network_id, sdl))
            execute(draft, sdl)
            draft.keep()
        else:
            self._apply_clearing(record, sdl, envelope, draft)

    def _apply_clearing(
        self, record: SdlRecord, sdl: SdlTransaction, raw: bytes, draft: Draft
    ) -> None:
        network = self.rules.network_id
        agreement = self.active_agreement(sdl.shard)
        if agreement is None:
            raise Invalid("AGREEMENT", f"no domain agreement is active for shard {sdl.shard}")
        envelope = read_envelope(raw)
        self.rules.verifier.check_terms(envelope, agreement)
        clearing = read_clearing(sdl.items, agreement)
        pool_nonce = draft.read(agreement.pool).nonce
        self._check_hash(sdl, clearing.sdl_hash(network, agreement.pool, pool_nonce + 1))
        check_signers(sdl.items)
        shard = self.shard_record(agreement)
        statement = open_statement(agreement, clearing, envelope, network, self.rules.epoch_gap)
        digest = sha256(envelope.public_values).hexdigest()
        if digest in self.proofs:
            raise Invalid("REPLAY", "a proof of these public values was applied before")
        check_before(statement, shard, draft, sdl.sdl_hash)
        execute(draft, sdl)
        check_after(statement, shard, draft)
        self.rules.verifier.check_proof(envelope, agreement)
        draft.keep()
        self.proofs.add(digest)
        self.shards[sdl.shard] = ShardRecord(statement.epoch, list(envelope.fees_after))
        record.mode, record.epoch = envelope.mode, statement.epoch
        record.public_values = envelope.public_values

    def shard_record(self, agreement: Agreement) -> ShardRecord:
        """Record of a shard with a fee for each asset of the registry."""
        known = self.shards.get(agreement.shard, ShardRecord(0, []))
        missing = len(agreement.tokens) - len(known.fees)
        return ShardRecord(known.last_epoch, known.fees + [0] * missing)

    def _check_hash(self, sdl: SdlTransaction, derived: bytes) -> None:
        if derived != sdl.sdl_hash:
            raise Invalid("SDL_HASH", f"derived {b58(derived)}, the operator says {sdl.name}")

    # Epochs and outside events

    def advance(self) -> int:
        """End the delta epoch: move migrating vaults; returns the new epoch."""
        with self.lock:
            for migration in self.migrations:
                self._move(migration)
            self.migrations = []
            self.epoch += 1
            self.on_change()
            return self.epoch

    def migrate(self, vault: Address, to_shard: int) -> None:
        """Have ``vault`` moved to another shard at the end of this delta epoch."""
        with self.lock:
            account = self.ledger.accounts.get(vault)
            if account is None or account.mint is not None or to_shard == vault.shard:
                raise Invalid("MIGRATION", "expected a holdings vault and another shard")
            self.migrations.append(Migration(vault, to_shard))
            self.on_change()

    def _move(self, migration: Migration) -> None:
        """Move what the vault holds. Its old place keeps its nonce, so that nothing is replayed."""
        draft = self.ledger.draft()
        old = draft.write(migration.vault)
        target = Address(migration.vault.owner, migration.to_shard)
        for token, amount in list(old.tokens.items()):
            draft.take(migration.vault, token, amount)
            draft.give(target, token, amount)
        old.moved_to = migration.to_shard
        new = draft.write(target)
        new.nonce = max(new.nonce, old.nonce)
        draft.keep()
        self.outside_changes += 1

    def foreign_credit(self, source: Address, target: Address, token: Address, amount: int) -> None:
        """A vault of another domain pays into ``target``, as that domain's SDL would."""
        with self.lock:
            if source.shard == target.shard or amount < 1:
                raise Invalid("FOREIGN_CREDIT", "expected a vault of another shard, an amount")
            draft = self.ledger.draft()
            draft.take(source, token, amount)
            draft.give(target, token, amount)
            draft.keep()
            self.outside_changes += 1
            self.on_change()
