"""Inbox messages, version 1: verifiables inline, or the name of a bundle in the bucket.

The inbox is a queue, and a message of a queue is small: a thousand orders at most fit in one. More
of them go into the bucket as a bundle; the message names it and holds its hash, so that nobody can
exchange the bundle later. A message that cannot be read is refused as a whole; an item that cannot
be read is refused alone.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from convexfx_core.encoding.canonical_json import json_bytes, strict_json
from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import BUNDLE_ITEMS_MAX, MESSAGE_BYTES_MAX, MESSAGE_ITEMS_MAX
from convexfx_core.wire.delta import Verifiable
from convexfx_core.wire.types import Strict, validate

MESSAGE_VERSION: Final = 1
SHA256_PATTERN: Final = "^[0-9a-f]{64}$"
KEY_PATTERN: Final = "^inbox/[0-9a-f]{64}\\.(json\\.gz|parquet)$"


class InlineMessage(Strict):
    """Items as they stood in the message; each is checked for itself."""

    version: Literal[1]
    kind: Literal["verifiables"]
    items: list[Any] = Field(min_length=1)


class BundleMessage(Strict):
    """A bundle: where it lies, what it hashes to, how many items it holds."""

    version: Literal[1]
    kind: Literal["bundle"]
    key: str = Field(pattern=KEY_PATTERN)
    sha256: str = Field(pattern=SHA256_PATTERN)
    count: int = Field(ge=1)

    @property
    def columnar(self) -> bool:
        """Whether the object is Parquet rather than lines of JSON."""
        return self.key.endswith(".parquet")


class DocumentedInlineMessage(InlineMessage):
    """An inline message with the shape of its items written out, for its JSON Schema."""

    items: list[Verifiable] = Field(min_length=1, max_length=MESSAGE_ITEMS_MAX)


InboxMessage: TypeAlias = InlineMessage | BundleMessage
DocumentedMessage: TypeAlias = Annotated[
    DocumentedInlineMessage | BundleMessage, Field(discriminator="kind")
]

_MODELS: Final[dict[str, TypeAdapter[Any]]] = {
    "verifiables": TypeAdapter(InlineMessage),
    "bundle": TypeAdapter(BundleMessage),
}


def parse_message(body: bytes) -> InboxMessage:
    """Parse a message of the inbox queue.

    Raises
    ------
    RejectedOrder : a code of :func:`~convexfx_core.encoding.canonical_json.strict_json`,
        VERSION_UNKNOWN, KIND_UNKNOWN, TOO_MANY_ITEMS or SCHEMA. Items of an inline message are not
        looked at.
    """
    value = strict_json(body, bytes_max=MESSAGE_BYTES_MAX)
    if not isinstance(value, dict):
        raise RejectedOrder(RejectCode.SCHEMA, "message", "a JSON object", type(value).__name__)
    version, kind = value.get("version"), value.get("kind")
    if type(version) is not int or version != MESSAGE_VERSION:
        raise RejectedOrder(RejectCode.VERSION_UNKNOWN, "version", "1", repr(version)[:40])
    if not isinstance(kind, str) or kind not in _MODELS:
        expected = " or ".join(_MODELS)
        raise RejectedOrder(RejectCode.KIND_UNKNOWN, "kind", expected, repr(kind)[:40])
    message: InboxMessage = validate(_MODELS[kind], value, "message")
    _check_size(message)
    return message


def _check_size(message: InboxMessage) -> None:
    inline = isinstance(message, InlineMessage)
    count = len(message.items) if isinstance(message, InlineMessage) else message.count
    most = MESSAGE_ITEMS_MAX if inline else BUNDLE_ITEMS_MAX
    if count > most:
        raise RejectedOrder(RejectCode.TOO_MANY_ITEMS, "items", f"at most {most}", count)
    if isinstance(message, BundleMessage) and message.sha256 not in message.key:
        raise RejectedOrder(RejectCode.SCHEMA, "message.key", "the key of its sha256", message.key)


def inline_message(items: Sequence[object]) -> bytes:
    """Body of an inline message; the caller keeps to 1,000 items and 200 KiB."""
    return json_bytes({"version": MESSAGE_VERSION, "kind": "verifiables", "items": list(items)})


def bundle_message(key: str, sha256_hex: str, count: int) -> bytes:
    """Body of a message that names a bundle."""
    body = {"version": MESSAGE_VERSION, "kind": "bundle", "key": key}
    return json_bytes({**body, "sha256": sha256_hex, "count": count})
