"""Domain-separated SHA-256 and its closed list of tags.

Every hash begins with a tag that says what is hashed, so that bytes of one meaning can never pass
for bytes of another. Source: ``docs/spec.md`` section 1.
"""

from hashlib import sha256
from typing import Final

from convexfx_core.errors import CodecError

TAG_BYTES: Final = 16

TAG_DEBIT: Final = "cfx.debit.v1"
TAG_MINT: Final = "cfx.mint.v1"
TAG_CHUNK: Final = "cfx.chunk.v1"
TAG_NODE: Final = "cfx.node.v1"
TAG_ORDERS: Final = "cfx.orders.v1"
TAG_LEFT: Final = "cfx.left.v1"
TAG_BATCH: Final = "cfx.batch.v1"
TAG_VAULTS: Final = "cfx.vaults.v1"
TAG_STATE: Final = "cfx.state.v1"
TAG_SETTLE: Final = "cfx.settle.v1"
TAG_SDL: Final = "cfx.sdl.v1"
TAG_PARAMS: Final = "cfx.params.v1"
TAG_REFERENCE: Final = "cfx.ref.v1"
TAG_PRICES: Final = "cfx.prices.v1"
TAG_PROGRAM: Final = "cfx.program.v1"
TAG_ATTEST: Final = "cfx.attest.v1"
TAG_AGREEMENT: Final = "cfx.agree.v1"
TAG_NETWORK: Final = "cfx.network.v1"
TAG_PUBLIC_VALUES: Final = "cfx.pv.v1"


def tag_bytes(tag: str) -> bytes:
    """``tag`` as 16 ASCII bytes, zero-padded; :class:`CodecError` if it does not fit."""
    if not tag or len(tag) > TAG_BYTES or not tag.isascii():
        raise CodecError("tag", f"1 to {TAG_BYTES} ASCII characters", tag)
    return tag.encode("ascii").ljust(TAG_BYTES, b"\0")


def tagged_hash(tag: str, *parts: bytes | memoryview) -> bytes:
    """``H(tag, parts joined)`` = SHA-256 of the padded tag and the parts, 32 bytes."""
    digest = sha256(tag_bytes(tag))
    for part in parts:
        digest.update(part)
    return digest.digest()


def network_id(name: str) -> bytes:
    """32 bytes that name a network, from its ASCII name."""
    if not name or not name.isascii():
        raise CodecError("network", "a non-empty ASCII name", name)
    return tagged_hash(TAG_NETWORK, name.encode("ascii"))
