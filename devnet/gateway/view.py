"""Reads what the settlement layer answers: final vaults, and the registry of the domain agreement.

``state`` builds its local view from this when it starts, and whenever settlement may have changed
vaults by itself.
"""

import base64
import binascii
from typing import Any

from devnet.gateway.codec import VaultKey, parse_address, registry_tokens
from devnet.gateway.refusal import Refused
from devnet.gateway.vaults import Metadata, Vault


def read_view(state: dict[str, Any]) -> tuple[dict[VaultKey, Vault], set[str], int]:
    """Final vaults, hashes of applied SDLs and the counter of outside changes.

    Raises
    ------
    Refused
        ``SETTLEMENT_ANSWER`` when the answer has another shape.
    """
    try:
        view = {parse_address(row["address"], "address"): _vault(row) for row in state["vaults"]}
        return view, set(state["applied"]), int(state["outside_changes"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("SETTLEMENT_ANSWER", f"unreadable state: {error!r}") from None


def _vault(row: dict[str, Any]) -> Vault:
    mint = row["mint"]
    return Vault(
        row["nonce"],
        row["balance"],
        {parse_address(token, "token"): amount for token, amount in row["holdings"].items()},
        None if mint is None else Metadata(mint["name"], mint["symbol"], mint["supply"]),
    )


def assets_of(agreement: dict[str, Any] | None) -> dict[VaultKey, int]:
    """Registry index by token; empty without an agreement."""
    if agreement is None:
        return {}
    try:
        section = base64.b64decode(agreement["registry"], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise Refused("SETTLEMENT_ANSWER", f"unreadable agreement: {error!r}") from None
    return {token: index for index, token in enumerate(registry_tokens(section))}
