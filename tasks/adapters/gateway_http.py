"""delta's gateway and settlement layer over HTTP.

The exchange speaks to delta through this alone: it reads vaults and agreements, hands in settled
messages and their proof, and asks how far they are. How a request is sent and what counts as an
answer stands in ``tasks.adapters.peer_http``: a refused connection is ``PeerUnreachable`` (nothing
took effect), every later loss of a change is ``CommitUnknown``, an answer of 500 is
``GatewayError`` with the body as it came.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from convexfx_core.errors import AgreementError, BaseLayerUnreachable, GatewayError
from tasks.adapters.peer_http import PARALLEL_READS, Peer
from tasks.peer_answers import (
    RECORD,
    SHARD,
    fields_of,
    nonce_of,
    parse_agreement,
    parse_epoch,
    parse_final_vault,
    parse_sdl_state,
    parse_sdls,
    parse_supply,
    parse_vault,
    parse_vault_rows,
    text_of,
)
from tasks.ports import Agreement, Json, SdlState

VAULTS_AT_ONCE: Final = 10_000


class HttpSettlement:
    """What the settlement layer lets everybody read, and the registration of an agreement.

    Parameters
    ----------
    url : base URL; ``options`` are those of :class:`Peer`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._peer = Peer("settlement layer", url, unreachable=BaseLayerUnreachable, **options)

    def close(self) -> None:
        """Close the connections."""
        self._peer.close()

    def agreement(self, shard: int) -> Agreement | None:
        """Domain agreement of a shard, active or waiting, or ``None``."""
        found = self._peer.read("agreement", f"/agreements/{shard}")
        return None if found is None else parse_agreement(found)

    def register_agreement(self, body: Json) -> Agreement:
        """Submit a signed agreement (``docs/spec.md`` section 8); sending it again is harmless.

        Raises
        ------
        AgreementError
            The settlement layer refuses it; the observed text is its reason.
        """
        try:
            answer = self._peer.change("agreement", "/agreements", json.dumps(body).encode())
        except GatewayError as error:
            raise AgreementError("agreement", "one that is accepted", error.observed) from None
        return parse_agreement(answer)

    def delta_epoch(self) -> int:
        """Current delta epoch."""
        return parse_epoch(self._peer.read("epoch", "/epoch"), "epoch")

    def shard(self, shard: int) -> Json:
        """``{pool, last_epoch, fees_accrued, ...}`` of a shard."""
        return fields_of(self._peer.read("shard", f"/shards/{shard}"), "shard", SHARD)

    def sdl(self, sdl_hash: str) -> Json | None:
        """Record of an SDL with the code and message of its failure, or ``None``."""
        found = self._peer.read("sdl", f"/sdls/{sdl_hash}")
        return None if found is None else fields_of(found, "sdl", RECORD)

    def vault(self, owner: str, shard: int) -> Json | None:
        """Final vault of a base58 owner, with its nonce, or ``None``."""
        found = self._peer.read("vault", f"/vaults/{owner}/{shard}")
        return None if found is None else parse_final_vault(found, "vault")

    def supply(self) -> dict[str, Json]:
        """``{supply, held}`` in base units by token address."""
        return parse_supply(self._peer.read("supply", "/supply"), "supply")


class HttpGateway:
    """A ``Gateway`` (``tasks.ports``) over HTTP.

    Parameters
    ----------
    gateway : base URL; ``options`` are those of :class:`Peer`.
    settlement : the settlement layer, or its base URL.
    """

    def __init__(self, gateway: str, settlement: str | HttpSettlement, **options: Any) -> None:
        self._peer = Peer("gateway", gateway, **options)
        if isinstance(settlement, str):
            settlement = HttpSettlement(settlement, **options)
        self.settlement = settlement

    def close(self) -> None:
        """Close the connections."""
        self._peer.close()
        self.settlement.close()

    def execute(self, verifiables: Sequence[Json]) -> None:
        """Apply verifiables in full, in order."""
        self._peer.change("intentsExecute", "/intents/execute", _array(verifiables))

    def submit(self, verifiables_with_diffs: Sequence[Json]) -> None:
        """Apply verifiables with their executed diffs, in order, all or none."""
        self._peer.change("intentsSubmit", "/intents/submit", _array(verifiables_with_diffs))

    def vault(self, owner: str) -> Json | None:
        """Vault of a base58 owner on the gateway's shard, or ``None``."""
        found = self._peer.read("vaultsGet", f"/vaults/{owner}")
        return None if found is None else parse_vault(found, "vaultsGet")

    def next_nonce(self, owner: str) -> int:
        """Next nonce of an owner's vault."""
        found = self._peer.read("vaultsGetNonce", f"/vaults/{owner}/nonce")
        return nonce_of(found, "vaultsGetNonce")

    def vaults(self, owners: Sequence[str]) -> list[tuple[int, Json | None]]:
        """(next nonce, vault or ``None``) of many owners, as :meth:`next_nonce` and :meth:`vault`.

        The devnet answers ``VAULTS_AT_ONCE`` in one request; a gateway without that route is
        asked vault by vault, ``PARALLEL_READS`` at a time.
        """
        found: list[tuple[int, Json | None]] = []
        for start in range(0, len(owners), VAULTS_AT_ONCE):
            asked = owners[start : start + VAULTS_AT_ONCE]
            rows = self._peer.read("vaults", "/admin/vaults", json.dumps(asked).encode())
            if rows is None:
                return self._vaults_one_by_one(owners)
            found += parse_vault_rows(rows, "vaults", len(asked))
        return found

    def _vaults_one_by_one(self, owners: Sequence[str]) -> list[tuple[int, Json | None]]:
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            return list(pool.map(lambda own: (self.next_nonce(own), self.vault(own)), owners))

    def sdls(self) -> dict[str, SdlState]:
        """Every SDL of the gateway by its base58 hash."""
        return parse_sdls(self._peer.read("sdlsGetAll", "/sdls"), "sdlsGetAll")

    def submit_sdl(self) -> str | None:
        """Bundle everything pending into an SDL; its hash, or ``None`` when nothing is pending."""
        made = self._peer.change("sdlsSubmit", "/sdls/submit", b"")
        return None if made is None else text_of(made, "sdlsSubmit")

    def sdl(self, sdl_hash: str) -> SdlState | None:
        """State of an SDL, or ``None`` where the gateway knows none."""
        found = self._peer.read("sdlsGet", f"/sdls/{sdl_hash}")
        return None if found is None else parse_sdl_state(found, "sdlsGet")

    def prove(self, sdl_hash: str, body: bytes) -> None:
        """Start proving; ``body`` is the proof envelope or the law's input, may be empty."""
        path = f"/sdls/{sdl_hash}/prove"
        self._peer.change("sdlsProve", path, body, "application/octet-stream")

    def submit_proof(self, sdl_hash: str) -> None:
        """Send the proof of a proven SDL to the settlement layer."""
        self._peer.change("sdlsSubmitProof", f"/sdls/{sdl_hash}/submit_proof", b"")

    def agreement(self, shard: int) -> Agreement | None:
        """Domain agreement of a shard at the settlement layer, or ``None``."""
        return self.settlement.agreement(shard)

    def delta_epoch(self) -> int:
        """Current epoch of the settlement layer (not one of ours)."""
        return self.settlement.delta_epoch()


def _array(rows: Sequence[Json]) -> bytes:
    return json.dumps(list(rows), separators=(",", ":")).encode("ascii")
