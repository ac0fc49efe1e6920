"""delta's gateway and settlement layer over HTTP.

The exchange speaks to delta through this alone: it reads vaults and agreements, hands in settled
messages and their proof, and asks how far they are. Reads are tried again. A call that changes
something is sent once, on a connection of its own, since a second one might take effect twice: a
refused connection is ``PeerUnreachable`` (nothing took effect), every later loss is
``CommitUnknown``, an answer of 500 is ``GatewayError`` with the body as it came.
"""

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

import httpx

from convexfx_core.errors import (
    AgreementError,
    BaseLayerUnreachable,
    CommitUnknown,
    GatewayError,
    PeerUnreachable,
)
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

CONNECT_S: Final = 5.0
READ_S: Final = 30.0
CHANGE_S: Final = 300.0
"""Seconds for a change; the gateway checks every signature before ``/intents/submit`` answers."""
READ_PAUSES_S: Final = (0.1, 0.4, 1.0)
"""Waits before a read that was not answered is tried again."""
PARALLEL_READS: Final = 32
VAULTS_AT_ONCE: Final = 10_000
UNAVAILABLE: Final = frozenset({502, 503, 504})
BODY_SHOWN: Final = 500


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted; they are read once, which takes 20 ms."""
    return httpx.create_ssl_context()


class Peer:
    """One HTTP service.

    Parameters
    ----------
    name, url : what it is called in errors, and its base URL.
    pauses_s : waits before the second, third ... attempt of a read.
    read_s, change_s : seconds that a read and a change may take.
    unreachable : what is raised when it does not answer.
    headers : sent with every request.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        pauses_s: Sequence[float] = READ_PAUSES_S,
        read_s: float = READ_S,
        change_s: float = CHANGE_S,
        unreachable: type[PeerUnreachable] = PeerUnreachable,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._kind = unreachable
        self.name = name
        self.url = url.rstrip("/")
        self._pauses_s = pauses_s
        limits = httpx.Limits(
            max_connections=PARALLEL_READS, max_keepalive_connections=PARALLEL_READS
        )
        self._reads = httpx.Client(
            timeout=httpx.Timeout(read_s, connect=CONNECT_S),
            limits=limits,
            verify=_trust(),
            headers=headers,
        )
        self._changes = httpx.Client(
            timeout=httpx.Timeout(change_s, connect=CONNECT_S),
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=_trust(),
            headers=headers,
        )

    def close(self) -> None:
        """Close the connections."""
        self._reads.close()
        self._changes.close()

    def read(self, operation: str, path: str, question: bytes | None = None) -> Any:
        """JSON of a GET, or of a POST of ``question`` that changes nothing; ``None`` for 404.

        Tried again where no answer came, or 502 to 504.
        """
        method = "GET" if question is None else "POST"
        for pause in self._pauses_s:
            try:
                answer = self._reads.request(method, self.url + path, content=question)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in UNAVAILABLE:
                return self._found(operation, answer)
            time.sleep(pause)
        try:
            answer = self._reads.request(method, self.url + path, content=question)
        except httpx.TransportError as error:
            raise self._unreachable(operation, error) from None
        return self._found(operation, answer)

    def change(
        self, operation: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> Any:
        """JSON of a POST that is sent exactly once.

        Raises
        ------
        PeerUnreachable
            No connection: the call took no effect.
        CommitUnknown
            The answer was lost.
        GatewayError
            The peer answered with an error. 404 is one: it does not know the route or the SDL, so
            nothing was done.
        """
        headers = {"Content-Type": content_type}
        try:
            answer = self._changes.post(self.url + path, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(operation, error) from None
        except httpx.TransportError as error:
            seen = _error_text(error)
            raise CommitUnknown(f"{self.name} {operation}", "an answer", seen) from None
        return self._json(operation, answer)

    def _unreachable(self, operation: str, error: Exception) -> PeerUnreachable:
        peer = f"{self.name} {operation}"
        return self._kind(peer, f"an answer at {self.url}", _error_text(error))

    def _found(self, operation: str, answer: httpx.Response) -> Any:
        """JSON of what was read; only here is 404 no error, because absence is an answer."""
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._json(operation, answer)

    def _json(self, operation: str, answer: httpx.Response) -> Any:
        if answer.status_code != httpx.codes.OK:
            raise GatewayError(operation, "status 200", _for_people(answer))
        try:
            return json.loads(answer.content)
        except ValueError:
            raise GatewayError(operation, "JSON", _for_people(answer)) from None


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _for_people(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:BODY_SHOWN]}"


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
