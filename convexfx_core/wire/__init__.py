"""Every JSON on the wire: models, parsers and writers, gathered in one place.

The parsers raise or return :class:`convexfx_core.errors.RejectedOrder` and nothing else; those that
take several items judge each for itself.
"""

from convexfx_core.wire.bundle import (
    BUNDLE_SCHEMA,
    bundle_lines,
    check_bundle,
    json_bundle,
    parquet_bundle,
    parse_json_bundle,
    parse_parquet_bundle,
    read_parquet_bundle,
)
from convexfx_core.wire.delta import (
    VERIFIABLE,
    DebitAllowanceVerifiable,
    FungibleTokenMintVerifiable,
    Verifiable,
)
from convexfx_core.wire.inbox import (
    BundleMessage,
    InboxMessage,
    InlineMessage,
    bundle_message,
    inline_message,
    parse_message,
)
from convexfx_core.wire.orders import (
    ItemResult,
    debit_allowance,
    mint_payload,
    order_json,
    parse_items,
    parse_verifiable,
    token_diffs_json,
    verifiable_json,
)
from convexfx_core.wire.schema import SCHEMA_NAMES, schema_bytes, schema_documents
from convexfx_core.wire.swap import (
    SWAP,
    Swap,
    is_swap,
    parse_submissions,
    parse_swap,
    swap_order,
)
from convexfx_core.wire.vaults import (
    VAULT,
    VERIFIABLES_WITH_DIFFS,
    SdlPhase,
    SdlState,
    StateDiff,
    Vault,
    VerifiableWithDiffs,
    parse_sdl_state,
)

__all__ = [
    "BUNDLE_SCHEMA",
    "SCHEMA_NAMES",
    "SWAP",
    "VAULT",
    "VERIFIABLE",
    "VERIFIABLES_WITH_DIFFS",
    "BundleMessage",
    "DebitAllowanceVerifiable",
    "FungibleTokenMintVerifiable",
    "InboxMessage",
    "InlineMessage",
    "ItemResult",
    "SdlPhase",
    "SdlState",
    "StateDiff",
    "Swap",
    "Vault",
    "Verifiable",
    "VerifiableWithDiffs",
    "bundle_lines",
    "bundle_message",
    "check_bundle",
    "debit_allowance",
    "inline_message",
    "is_swap",
    "json_bundle",
    "mint_payload",
    "order_json",
    "parquet_bundle",
    "parse_items",
    "parse_json_bundle",
    "parse_message",
    "parse_parquet_bundle",
    "parse_sdl_state",
    "parse_submissions",
    "parse_swap",
    "parse_verifiable",
    "read_parquet_bundle",
    "schema_bytes",
    "schema_documents",
    "swap_order",
    "token_diffs_json",
    "verifiable_json",
]
