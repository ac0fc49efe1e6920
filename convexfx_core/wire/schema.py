"""JSON Schemas of what wallets and other producers send.

They are generated from the models that parse, and the committed files are compared with them by a
test: what is published is what is accepted.
"""

import json
from typing import Any, Final

from pydantic import TypeAdapter

from convexfx_core.wire.delta import VERIFIABLE
from convexfx_core.wire.inbox import DocumentedMessage
from convexfx_core.wire.swap import SWAP

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENTS: Final[dict[str, tuple[str, TypeAdapter[Any]]]] = {
    "verifiable": ("delta's externally tagged verifiable", VERIFIABLE),
    "swap": ("Swap of the HTTP API", SWAP),
    "inbox-message": ("Message of the inbox queue, version 1", TypeAdapter(DocumentedMessage)),
}
SCHEMA_NAMES: Final = tuple(_DOCUMENTS)


def schema_documents() -> dict[str, dict[str, Any]]:
    """JSON Schema of each wire format, by the name of its file under ``schemas/``."""
    return {
        name: {"$schema": _DIALECT, "$id": f"{name}.json", **adapter.json_schema(), "title": title}
        for name, (title, adapter) in _DOCUMENTS.items()
    }


def schema_bytes(name: str) -> bytes:
    """Bytes of ``schemas/<name>.json``."""
    return json.dumps(schema_documents()[name], indent=1, sort_keys=True).encode("ascii") + b"\n"
