"""The error tree and its closed lists of codes.

Every failure that is expected is one of these: a type that says what it stops, a code from a closed
list for programs, and field, expected and observed for people. Whoever catches one can act on it.
Three of them abort an epoch, which then has an outcome: ClearingRefused, LawViolated and
ExecutionError. What must be impossible is no error of this tree. It fails the run, and the epoch
stays without an outcome until a later run ends it.

    ConvexFxError            code, field, expected, observed: one line for a human
    ├── RejectedOrder        an order or message that is refused; nothing else is affected
    ├── ConfigurationError   a setting, parameter or reference price that stops work
    ├── ClearingRefused      the clearing found no certified result; nothing settles
    ├── ExecutionError       state diffs that must not be submitted
    ├── LawViolated          law, index, observed, bound
    ├── ProofError           no proof came, or one that does not hold
    ├── PublicValueMismatch  PV_MISMATCH:<field>
    ├── CodecError           bytes that do not decode
    ├── CommitConflict       another writer committed other bytes
    ├── CommitUnknown        it could not be found out whether a write or call took effect
    ├── PeerUnreachable      a service does not answer
    │   └── BaseLayerUnreachable  the settlement layer does not answer
    ├── AgreementError       no active domain agreement
    └── GatewayError         the gateway answered with an error

Every code of the lists below has a golden test.
"""

from enum import StrEnum
from typing import ClassVar


class RejectCode(StrEnum):
    """Why an item or a whole message is refused."""

    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    NOT_ASCII = "NOT_ASCII"
    NOT_JSON = "NOT_JSON"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    FLOAT_NUMBER = "FLOAT_NUMBER"
    SCHEMA = "SCHEMA"
    VERSION_UNKNOWN = "VERSION_UNKNOWN"
    KIND_UNKNOWN = "KIND_UNKNOWN"
    TOO_MANY_ITEMS = "TOO_MANY_ITEMS"
    BUNDLE_MISSING = "BUNDLE_MISSING"
    BUNDLE_TOO_LARGE = "BUNDLE_TOO_LARGE"
    BUNDLE_HASH = "BUNDLE_HASH"
    BUNDLE_COUNT = "BUNDLE_COUNT"
    BUNDLE_FORMAT = "BUNDLE_FORMAT"
    PAYLOAD = "PAYLOAD"
    VERIFIABLE_KIND = "VERIFIABLE_KIND"
    SIGNATURE_KIND = "SIGNATURE_KIND"
    PUBLIC_KEY = "PUBLIC_KEY"
    SIGNATURE = "SIGNATURE"
    NETWORK_MISMATCH = "NETWORK_MISMATCH"
    OWNER_MISMATCH = "OWNER_MISMATCH"
    CREDITED_MISMATCH = "CREDITED_MISMATCH"
    SHARD_MISMATCH = "SHARD_MISMATCH"
    ALLOWANCE_COUNT = "ALLOWANCE_COUNT"
    ALLOWANCE_KIND = "ALLOWANCE_KIND"
    ASSET_UNKNOWN = "ASSET_UNKNOWN"
    TERMS = "TERMS"
    SELF_PAIR = "SELF_PAIR"
    BUDGET_ZERO = "BUDGET_ZERO"
    BUDGET_NEGATIVE = "BUDGET_NEGATIVE"
    AMOUNT_PRECISION = "AMOUNT_PRECISION"
    AMOUNT_RANGE = "AMOUNT_RANGE"
    CANCEL_AMOUNT = "CANCEL_AMOUNT"
    LIMIT_RANGE = "LIMIT_RANGE"
    MIN_FILL_RANGE = "MIN_FILL_RANGE"
    NONCE_RANGE = "NONCE_RANGE"
    NONCE_STALE = "NONCE_STALE"
    NONCE_TAKEN = "NONCE_TAKEN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    EXPIRY_TOO_FAR = "EXPIRY_TOO_FAR"


class ParkCode(StrEnum):
    """Why an order waits."""

    NONCE_GAP = "NONCE_GAP"
    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    BEHIND_PARKED = "BEHIND_PARKED"


class ConfigurationCode(StrEnum):
    """Why settings, parameters or prices stop work."""

    SETTING = "SETTING"
    PARAMS = "PARAMS"
    REGISTRY = "REGISTRY"
    PRICE_STALE = "PRICE_STALE"
    PRICE_DEVIATES = "PRICE_DEVIATES"
    PRICE_RANGE = "PRICE_RANGE"
    STORE_SEMANTICS = "STORE_SEMANTICS"
    PORT_TAKEN = "PORT_TAKEN"
    KEYPAIR = "KEYPAIR"


class ClearingCode(StrEnum):
    """Why a clearing is refused."""

    NOT_CONVERGED = "NOT_CONVERGED"
    STEP_NORM = "STEP_NORM"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    VALUE_RANGE = "VALUE_RANGE"
    RATION_FAILED = "RATION_FAILED"


class ExecutionCode(StrEnum):
    """Why state diffs must not be submitted."""

    VAULT_MISSING = "VAULT_MISSING"
    NONCE_NOT_NEXT = "NONCE_NOT_NEXT"
    TOKENS_EMPTY = "TOKENS_EMPTY"
    BALANCE = "BALANCE"
    ASSET_UNKNOWN = "ASSET_UNKNOWN"
    MESSAGE_FORMAT = "MESSAGE_FORMAT"
    GUEST_TRAPPED = "GUEST_TRAPPED"


class ProofCode(StrEnum):
    """Why there is no proof, or one that must not be submitted."""

    PROOF_INVALID = "PROOF_INVALID"
    WRONG_VKEY = "WRONG_VKEY"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    PROVER_LOST = "PROVER_LOST"
    PROVER_ENVIRONMENT = "PROVER_ENVIRONMENT"


class ConvexFxError(Exception):
    """Base of all expected failures.

    Parameters
    ----------
    code : a member of one of the closed lists.
    field : name of what is wrong, as the person who wrote it would call it.
    expected, observed : what is accepted and what stood there.

    ``helps`` is the command that tells more or repairs it, empty where no single one does.
    """

    helps: ClassVar[str] = ""

    def __init__(self, code: str, field: str, expected: str, observed: object = "") -> None:
        self.code = str(code)
        self.field = field
        self.expected = expected
        self.observed = observed
        super().__init__(self.line())

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes: constructors of subclasses differ, processes exchange errors."""
        return _restored, (type(self), self.args, self.__dict__.copy())

    def line(self) -> str:
        """One line for a human."""
        seen = f", found {_short(self.observed)}" if self.observed != "" else ""
        said = f"{self.code}: {self.field}: expected {self.expected}"
        return (said if said.isprintable() else _escaped(said)) + seen

    def facts(self) -> dict[str, str | int | None]:
        """The line as data, for programs: ``code``, ``law``, ``index``, ``expected``, ``observed``.

        The name of the field stands in the line alone; a law says where by its index.

        ``law`` and ``index`` are integers of a :class:`LawViolated`, None of any other error.
        """
        return {
            "code": self.code,
            "law": None,
            "index": None,
            "expected": self.expected,
            "observed": _short(self.observed) if self.observed != "" else None,
        }


def _restored(
    kind: type[ConvexFxError], args: tuple[object, ...], state: dict[str, object]
) -> ConvexFxError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = _escaped(text)
    return text if len(text) <= 120 else text[:117] + "..."


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


class RejectedOrder(ConvexFxError):
    """An order or message that is refused (:class:`RejectCode`)."""


class ConfigurationError(ConvexFxError):
    """A setting, parameter or price that stops work (:class:`ConfigurationCode`)."""


class ClearingRefused(ConvexFxError):
    """No certified clearing (:class:`ClearingCode`)."""

    helps = "convexfx epoch show"

    def line(self) -> str:
        """One line for a human."""
        return "Clearing failed: " + super().line()


class ExecutionError(ConvexFxError):
    """State diffs that must not be submitted (:class:`ExecutionCode`)."""

    helps = "convexfx epoch show"

    def line(self) -> str:
        """One line for a human."""
        return "Execution failed: " + super().line()


class CodecError(ConvexFxError):
    """Bytes or text that do not decode; code ``CODEC``."""

    def __init__(self, field: str, expected: str, observed: object = "") -> None:
        super().__init__("CODEC", field, expected, observed)


class LawViolated(ConvexFxError):
    """A law does not hold: the smallest (law, index).

    Parameters
    ----------
    law : 0..20, see ``docs/invariants.md``.
    index : order, asset, row or field index, by law.
    observed, bound : the two sides of the comparison, as integers or short text.
    """

    def __init__(self, law: int, index: int, observed: object, bound: object) -> None:
        self.law = law
        self.index = index
        self.bound = bound
        super().__init__(f"L{law}", f"index {index}", str(bound), observed)

    def facts(self) -> dict[str, str | int | None]:
        """As of any error, with the law and the index in it."""
        return super().facts() | {"law": int(self.law), "index": int(self.index)}


class ProofError(ConvexFxError):
    """No proof came, or one that does not hold (:class:`ProofCode`).

    ``passing``: the same request may succeed later, or on another worker.
    """

    @property
    def passing(self) -> bool:
        """Whether asking again can help: memory ran out, or the prover was lost."""
        return self.code in (ProofCode.OUT_OF_MEMORY, ProofCode.PROVER_LOST)


class PublicValueMismatch(ConvexFxError):
    """A public value is not the one that the verifier derives; code ``PV_MISMATCH:<field>``."""

    def __init__(self, field: str, expected: str, observed: object = "") -> None:
        super().__init__(f"PV_MISMATCH:{field}", field, expected, observed)


class CommitConflict(ConvexFxError):
    """Another writer committed other bytes under the key; code ``COMMIT_CONFLICT``."""

    def __init__(self, key: str, expected: str = "equal bytes", observed: object = "") -> None:
        super().__init__("COMMIT_CONFLICT", key, expected, observed)


class CommitUnknown(ConvexFxError):
    """It could not be found out whether a write or call took effect; code ``COMMIT_UNKNOWN``."""

    def __init__(self, key: str, expected: str = "an answer", observed: object = "") -> None:
        super().__init__("COMMIT_UNKNOWN", key, expected, observed)


class PeerUnreachable(ConvexFxError):
    """A service does not answer; code ``PEER_UNREACHABLE``."""

    def __init__(self, peer: str, expected: str, observed: object = "") -> None:
        super().__init__("PEER_UNREACHABLE", peer, expected, observed)


class BaseLayerUnreachable(PeerUnreachable):
    """The settlement layer, at the setting ``base_layer_rpc``, does not answer."""

    helps = "convexfx test"

    def line(self) -> str:
        """One line for a human."""
        return "Failed to connect to base layer RPC: " + super().line()


class AgreementError(ConvexFxError):
    """No active domain agreement; code ``AGREEMENT``."""

    helps = "convexfx submit-domain-agreement"

    def __init__(self, field: str, expected: str, observed: object = "") -> None:
        super().__init__("AGREEMENT", field, expected, observed)

    def line(self) -> str:
        """One line for a human."""
        return "Domain agreement not found: " + super().line()


class GatewayError(ConvexFxError):
    """The gateway answered with an error; its body is opaque text. Code ``GATEWAY``."""

    def __init__(self, operation: str, expected: str, observed: object = "") -> None:
        super().__init__("GATEWAY", operation, expected, observed)
