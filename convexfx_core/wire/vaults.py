"""delta's state diffs as JSON: what one vault undergoes for one message.

A settled epoch leaves the core in this form (:mod:`convexfx_core.records.gateway_array`). The
shapes are delta's, not ours.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Tag, TypeAdapter

from convexfx_core.wire.delta import TokenMetadata, Verifiable
from convexfx_core.wire.types import (
    EXTERNALLY_TAGGED,
    I64,
    U64,
    AddressText,
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


VERIFIABLES_WITH_DIFFS: Final[TypeAdapter[Any]] = TypeAdapter(list[VerifiableWithDiffs])
"""Validator of the array that ``/intents/submit`` takes."""
