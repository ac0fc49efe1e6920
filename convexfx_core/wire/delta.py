"""delta's signed verifiables as JSON, externally tagged.

The shapes are delta's, not ours: an object with one key that names its kind. ``wire.orders`` makes
signed orders of them.
"""

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from pydantic import FailFast, Field, Tag, TypeAdapter

from convexfx_core.limits import AUXILIARY_BYTES_MAX
from convexfx_core.wire.types import (
    EXTERNALLY_TAGGED,
    U64,
    AddressText,
    Byte,
    ShardNumber,
    Strict,
)

Content = TypeVar("Content")

Auxiliary = Annotated[list[Byte], FailFast(), Field(max_length=AUXILIARY_BYTES_MAX)]


class Ed25519Parts(Strict):
    """Public key and signature in base58."""

    pub_key: str
    signature: str


class PasskeyParts(Strict):
    """A passkey's assertion; known as a type, not accepted for orders."""

    authenticator_data: str
    client_data: str
    pub_key: str
    signature: str


class MultisigKey(Strict):
    """Weights of the signers by key, and the weight that suffices."""

    signers: dict[str, U64]
    threshold: U64


class MultisigParts(Strict):
    """Several signatures under one key; known as a type, not accepted for orders."""

    pub_key: MultisigKey
    signatures: list["Signature"]


class Ed25519(Strict):
    """``{"Ed25519": {"pub_key", "signature"}}``."""

    Ed25519: Ed25519Parts


class Passkey(Strict):
    """``{"Passkey": {...}}``."""

    Passkey: PasskeyParts


class Multisig(Strict):
    """``{"Multisig": {...}}``."""

    Multisig: MultisigParts


Signature: TypeAlias = Annotated[
    Annotated[Ed25519, Tag("Ed25519")]
    | Annotated[Passkey, Tag("Passkey")]
    | Annotated[Multisig, Tag("Multisig")],
    EXTERNALLY_TAGGED,
]


class Payload(Strict, Generic[Content]):
    """What is signed: content and auxiliary bytes."""

    auxiliary: Auxiliary
    content: Content


class SignedMessage(Strict, Generic[Content]):
    """A payload with its signature."""

    payload: Payload[Content]
    signature: Signature


class FungibleAmount(Strict):
    """``{"Fungible": u64}``, base units."""

    Fungible: U64


class NonFungibleIds(Strict):
    """``{"NonFungible": [u64, ...]}``."""

    NonFungible: list[U64]


AllowanceAmount: TypeAlias = Annotated[
    Annotated[FungibleAmount, Tag("Fungible")] | Annotated[NonFungibleIds, Tag("NonFungible")],
    EXTERNALLY_TAGGED,
]


class DebitAllowanceContent(Strict):
    """An allowance from the signer's vault on ``debited_shard`` to ``credited``."""

    credited: AddressText
    debited_shard: ShardNumber
    new_nonce: U64
    allowances: dict[str, AllowanceAmount]


class TokenMetadata(Strict):
    """Name and symbol of a fungible token."""

    name: str
    symbol: str


class CreditedAmount(Strict):
    """What a mint credits to one vault."""

    address: AddressText
    amount: U64


class CreateParts(Strict):
    """Metadata and first credits of a new token."""

    metadata: TokenMetadata
    credited: list[CreditedAmount]


class IncreaseParts(Strict):
    """Credits of more supply."""

    credited: list[CreditedAmount]


class CreateMint(Strict):
    """``{"Create": {...}}``."""

    Create: CreateParts


class IncreaseMint(Strict):
    """``{"IncreaseSupply": {...}}``."""

    IncreaseSupply: IncreaseParts


class FungibleMintContent(Strict):
    """A mint by the signer's vault on ``shard``."""

    new_nonce: U64
    shard: ShardNumber
    operation: Annotated[
        Annotated[CreateMint, Tag("Create")] | Annotated[IncreaseMint, Tag("IncreaseSupply")],
        EXTERNALLY_TAGGED,
    ]


class DebitAllowanceVerifiable(Strict):
    """``{"DebitAllowance": signed message}``."""

    DebitAllowance: SignedMessage[DebitAllowanceContent]


class FungibleTokenMintVerifiable(Strict):
    """``{"FungibleTokenMint": signed message}``."""

    FungibleTokenMint: SignedMessage[FungibleMintContent]


Verifiable: TypeAlias = Annotated[
    Annotated[DebitAllowanceVerifiable, Tag("DebitAllowance")]
    | Annotated[FungibleTokenMintVerifiable, Tag("FungibleTokenMint")],
    EXTERNALLY_TAGGED,
]


MultisigParts.model_rebuild()

VERIFIABLE: Final[TypeAdapter[Any]] = TypeAdapter(Verifiable)
"""Validator of one verifiable."""
