"""delta's state diffs, vaults and SDL states as JSON."""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, Tag, TypeAdapter

from convexfx_core.errors import CodecError
from convexfx_core.wire.delta import TokenMetadata, Verifiable
from convexfx_core.wire.types import (
    EXTERNALLY_TAGGED,
    I64,
    U64,
    AddressText,
    ShardNumber,
    Strict,
)


class FungibleDiff(Strict):
    """``{"Fungible": i64}``, signed base units."""

    Fungible: I64


class NonFungibleChanges(Strict):
    """Direction of each token of a collection, by its id."""

    changes: dict[str, Literal["Credit", "Debit"]]


class NonFungibleDiff(Strict):
    """``{"NonFungible": {"changes": {...}}}``."""

    NonFungible: NonFungibleChanges


class TokenDiffs(Strict):
    """``{"TokenDiffs": {token: holdings diff}}``; the key may be the native token's."""

    TokenDiffs: dict[
        str,
        Annotated[
            Annotated[FungibleDiff, Tag("Fungible")]
            | Annotated[NonFungibleDiff, Tag("NonFungible")],
            EXTERNALLY_TAGGED,
        ],
    ]


class CreatedSupply(Strict):
    """Metadata and supply of a new token."""

    metadata: TokenMetadata
    supply: U64


class CreateOperation(Strict):
    """``{"Create": {...}}`` of a mint's diff."""

    Create: CreatedSupply


class IncreaseOperation(Strict):
    """``{"IncreaseSupply": u64}`` of a mint's diff."""

    IncreaseSupply: U64


class FungibleTokenMintDiff(Strict):
    """``{"FungibleTokenMint": operation}``."""

    FungibleTokenMint: Annotated[
        Annotated[CreateOperation, Tag("Create")]
        | Annotated[IncreaseOperation, Tag("IncreaseSupply")],
        EXTERNALLY_TAGGED,
    ]


class StateDiff(Strict):
    """What one vault undergoes."""

    address: AddressText
    operation: Annotated[
        Annotated[TokenDiffs, Tag("TokenDiffs")]
        | Annotated[FungibleTokenMintDiff, Tag("FungibleTokenMint")],
        EXTERNALLY_TAGGED,
    ]


class VerifiableWithDiffs(Strict):
    """A verifiable with the diffs that were executed for it."""

    verifiable: Verifiable
    state_diffs: list[StateDiff]


class Holdings(Strict):
    """Balances by token, base units."""

    fungibles: dict[AddressText, U64]
    nfts: dict[AddressText, list[U64]] = Field(default_factory=dict)


class TokenHoldings(Strict):
    """``{"TokenHoldings": {...}}``."""

    TokenHoldings: Holdings


class MintVault(Strict):
    """``{"FungibleTokenMint": {"metadata", "supply"}}``."""

    FungibleTokenMint: CreatedSupply


class Vault(Strict):
    """A vault as the gateway answers it; the nonce has a route of its own."""

    balance: U64
    shard: ShardNumber
    data: (
        Annotated[
            Annotated[TokenHoldings, Tag("TokenHoldings")]
            | Annotated[MintVault, Tag("FungibleTokenMint")],
            EXTERNALLY_TAGGED,
        ]
        | None
    ) = None


class SdlPhase(StrEnum):
    """Where an SDL stands."""

    SUBMITTED = "Submitted"
    PROVING = "Proving"
    PROVEN = "Proven"
    PROVING_FAILED = "ProvingFailed"
    PROOF_SUBMITTED = "ProofSubmitted"
    BASE_LAYER_APPLIED = "BaseLayerApplied"
    BASE_LAYER_FAILED = "BaseLayerFailed"


class SdlState(NamedTuple):
    """Phase of an SDL, with the message of ``ProvingFailed``."""

    phase: SdlPhase
    message: str = ""


_PLAIN_PHASES: Final = frozenset(SdlPhase) - {SdlPhase.PROVING_FAILED}


def parse_sdl_state(value: object) -> SdlState:
    """Read one of the six strings or ``{"ProvingFailed": message}``; :class:`CodecError` else."""
    if isinstance(value, str) and value in _PLAIN_PHASES:
        return SdlState(SdlPhase(value))
    if isinstance(value, dict) and list(value) == [SdlPhase.PROVING_FAILED.value]:
        message = value[SdlPhase.PROVING_FAILED.value]
        if isinstance(message, str):
            return SdlState(SdlPhase.PROVING_FAILED, message)
    raise CodecError("SdlState", "a known state", repr(value)[:120])


VERIFIABLES_WITH_DIFFS: Final[TypeAdapter[Any]] = TypeAdapter(list[VerifiableWithDiffs])
"""Validator of the array that ``/intents/submit`` takes."""
VAULT: Final[TypeAdapter[Any]] = TypeAdapter(Vault)
"""Validator of a vault."""
