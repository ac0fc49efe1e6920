"""What the tasks need from the world outside, as Protocols; ``tasks/adapters`` implements them.

Errors of every port are those of ``convexfx_core.errors``: ``PeerUnreachable`` when a service does
not answer and nothing took effect, ``CommitUnknown`` when it could not be found out whether a call
took effect, ``CommitConflict`` when somebody else committed other bytes.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

Json = dict[str, Any]
"""A JSON object as plain Python values; integers keep their size."""


class PutResult(StrEnum):
    """What a conditional put found: nothing (``created``) or the same bytes (``unchanged``)."""

    CREATED = "created"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Versioned:
    """An object with the opaque tag that a later ``put_if_match`` names."""

    body: bytes
    tag: str


class Store(Hashable, Protocol):
    """Objects by key; the conditional chain of ``epochs/`` and ``state/`` rests on it."""

    def get(self, key: str) -> bytes | None:
        """Bytes of an object, or ``None`` where there is none."""
        ...

    def get_versioned(self, key: str) -> Versioned | None:
        """Bytes and tag of an object, or ``None`` where there is none."""
        ...

    def exists(self, key: str) -> bool:
        """Whether an object stands under the key."""
        ...

    def put_new(self, key: str, body: bytes) -> PutResult:
        """Create the object unless the key is taken (``If-None-Match: *``).

        Raises
        ------
        CommitConflict
            Other bytes stand under the key.
        CommitUnknown
            The answer was lost and a read could not settle what happened.
        """
        ...

    def put_if_match(self, key: str, body: bytes, tag: str | None) -> str:
        """Replace the version ``tag`` (``None``: create the object); the tag of the new version.

        Equal bytes already there count as done, whoever wrote them.

        Raises
        ------
        CommitConflict
            Another version, or none, stands under the key.
        CommitUnknown
            The answer was lost and a read could not settle what happened.
        """
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Keys that begin with ``prefix``, in byte order."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A received message.

    Attributes
    ----------
    id : the queue's name of the message, equal in every delivery.
    handle : the name of this delivery, for ``delete`` and ``release``.
    body : text as sent.
    receive_count : deliveries so far, this one included.
    """

    id: str
    handle: str
    body: str
    receive_count: int


@dataclass(frozen=True, slots=True)
class Depth:
    """Approximate number of messages that wait (``visible``) and that somebody holds."""

    visible: int
    in_flight: int


class Inbox(Protocol):
    """A queue that delivers each message at least once."""

    def receive(self, max_messages: int) -> list[Message]:
        """Up to ``max_messages`` messages; fewer when the queue ran empty meanwhile."""
        ...

    def delete(self, handles: Iterable[str]) -> tuple[str, ...]:
        """Delete deliveries; the handles that could not be deleted, whose messages may return."""
        ...

    def release(self, handles: Iterable[str]) -> None:
        """Make held messages visible again at once; what fails returns by itself later."""
        ...

    def send(self, bodies: Sequence[str]) -> None:
        """Send messages durably, in any order.

        Raises
        ------
        CommitUnknown
            Some may not have been sent; the error says how many. Sending all again is safe for
            readers that deduplicate.
        """
        ...

    def dead_letter(self, body: str, reason: str) -> None:
        """Copy a message into the dead letter queue with a reason attribute."""
        ...

    def depth(self) -> Depth:
        """Approximate numbers of waiting and held messages."""
        ...


@dataclass(frozen=True, slots=True)
class Quotes:
    """Reference prices of one moment.

    Attributes
    ----------
    as_of : when they count as observed, UTC; staleness is measured from here.
    published : the day on which the source published them; what is shown to people.
    source : name of the source, e.g. ``ecb-replay``.
    prices : numeraire units for one unit of each asset, the numeraire at 1.
    """

    as_of: datetime
    published: date
    source: str
    prices: Mapping[str, Decimal]


class ReferencePrices(Protocol):
    """A source of reference prices."""

    def at(self, now: datetime, epoch: int) -> Quotes:
        """Quotes for ``epoch``, sealed at ``now`` (UTC).

        Raises
        ------
        ConfigurationError
            The source has no price of an asset (``PRICE_RANGE``).
        """
        ...


class SdlPhase(StrEnum):
    """Where an SDL stands, by the gateway's own names."""

    SUBMITTED = "Submitted"
    PROVING = "Proving"
    PROVEN = "Proven"
    PROOF_SUBMITTED = "ProofSubmitted"
    APPLIED = "BaseLayerApplied"
    FAILED = "BaseLayerFailed"
    PROVING_FAILED = "ProvingFailed"


@dataclass(frozen=True, slots=True)
class SdlState:
    """Phase of an SDL; ``message`` is the gateway's own text of a ``ProvingFailed``."""

    phase: SdlPhase
    message: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Domain agreement as the settlement layer holds it (``docs/spec.md`` section 8).

    Hashes are lower case hexadecimal, keys and owners base58, ``fee`` plancks, ``active_from`` a
    delta epoch.
    """

    shard: int
    operator: str
    program_hash: str
    allowed_modes: tuple[str, ...]
    attestor_key: str
    params_hash: str
    fee: int
    network: str
    active_from: int


class Gateway(Protocol):
    """The nine operations of delta's gateway, and what the settlement layer lets everybody read.

    Every operation raises ``PeerUnreachable`` or, when the peer answers with an error,
    ``GatewayError``; those that change something raise ``CommitUnknown`` when the answer was lost.
    Nothing is sent twice: who gets ``CommitUnknown`` asks before sending again.
    """

    def execute(self, verifiables: Sequence[Json]) -> None:
        """Apply verifiables in full, in order."""
        ...

    def submit(self, verifiables_with_diffs: Sequence[Json]) -> None:
        """Apply verifiables with their executed diffs, in order, all or none."""
        ...

    def vault(self, owner: str) -> Json | None:
        """Vault of a base58 owner on the gateway's shard, or ``None``."""
        ...

    def next_nonce(self, owner: str) -> int:
        """Next nonce of an owner's vault."""
        ...

    def vaults(self, owners: Sequence[str]) -> list[tuple[int, Json | None]]:
        """(next nonce, vault or ``None``) of many owners, in their sequence."""
        ...

    def sdls(self) -> dict[str, SdlState]:
        """Every SDL of the gateway by its base58 hash."""
        ...

    def submit_sdl(self) -> str | None:
        """Bundle everything pending into an SDL; its hash, or ``None`` when nothing is pending."""
        ...

    def sdl(self, sdl_hash: str) -> SdlState | None:
        """State of an SDL, or ``None`` where the gateway knows none."""
        ...

    def prove(self, sdl_hash: str, body: bytes) -> None:
        """Start proving; ``body`` is the proof envelope or the law's input, may be empty."""
        ...

    def submit_proof(self, sdl_hash: str) -> None:
        """Send the proof of a proven SDL to the settlement layer."""
        ...

    def agreement(self, shard: int) -> Agreement | None:
        """Domain agreement of a shard at the settlement layer, or ``None``."""
        ...

    def delta_epoch(self) -> int:
        """Current epoch of the settlement layer (not one of ours)."""
        ...


@dataclass(frozen=True, slots=True)
class ProofJob:
    """A proof that is asked for.

    Attributes
    ----------
    job_id : the idempotency key: hexadecimal SHA-256 of program hash and SDL hash, and of the epoch
        where an earlier epoch took that name for another witness (:mod:`tasks.proof_job`).
    mode : name of the proof mode.
    epoch : epoch that is proven.
    witness_key, witness_sha256 : where the witness stands and what it hashes to.
    program_hash : hexadecimal, as agreed; a prover with another program refuses.
    """

    job_id: str
    mode: str
    epoch: int
    witness_key: str
    witness_sha256: str
    program_hash: str


@dataclass(frozen=True, slots=True)
class ProofResult:
    """A stored proof: keys of ``proof.bin`` and ``proof.json``, and what the latter says."""

    proof_key: str
    description_key: str
    description: Json


Progress = Callable[[float, str], None]
"""Told how much of a proof is done, 0 to 1, and what is being done."""


def no_progress(fraction: float, stage: str) -> None:
    """Tell nobody."""


class Prover(Protocol):
    """Whoever makes proofs; truth is the proof object in the store.

    A failure that every repetition would meet again is stored beside the request. Both operations
    raise it: ``LawViolated``, or ``ExecutionError`` when the guest stopped without a law.
    """

    def request(self, job: ProofJob, progress: Progress = no_progress) -> None:
        """Ask for a proof; asking again changes nothing.

        Raises
        ------
        ProofError
            It could not be made; ``passing`` says whether asking again can help.
        """
        ...

    def result(self, job: ProofJob) -> ProofResult | None:
        """The proof, or ``None`` while it is not there."""
        ...


class ProofVerifier(Protocol):
    """Whoever verifies proofs of the agreed program, with its verifying key alone."""

    def verify(self, mode: str, proof: bytes, public_values: bytes) -> None:
        """The proof shows these public values.

        Raises
        ------
        ProofError
            It does not (``PROOF_INVALID``, ``WRONG_VKEY``), or nobody here can verify it.
        """
        ...


class Signer(Protocol):
    """Holder of an Ed25519 key; the secret never leaves it."""

    @property
    def public_key(self) -> bytes:
        """Public key, 32 bytes."""
        ...

    def sign(self, payload: bytes) -> bytes:
        """Ed25519 signature of ``payload``, 64 bytes."""
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Now, UTC; may jump when the machine's time is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, which never go back: what deadlines are measured by."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
