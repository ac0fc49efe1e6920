"""The gateway's own client of the settlement layer: answers, refusals, losses."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from devnet.gateway.refusal import Refused
from devnet.gateway.upstream import Declined, Settlement, Unreachable
from devnet.gateway.vaults import Metadata, Staging, Vault, holdings_json, vault_json
from devnet.gateway.view import assets_of, read_view
from tests.support.devnet_world import MINTS, SHARD, TOKENS, Wallet, agreement, text

ALICE = Wallet("alice")


class Peer:
    """Answers every request with ``status`` and ``body``; None drops the connection."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.body = b"{}"
        self.seen: list[tuple[str, str, bytes]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                peer.seen.append((self.command, self.path, self.rfile.read(length)))
                if peer.status is None:
                    self.close_connection = True
                    return
                self.send_response(peer.status)
                self.send_header("Content-Length", str(len(peer.body)))
                self.end_headers()
                self.wfile.write(peer.body)

            do_GET = do_POST = _any

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


CALLS: dict[str, tuple[Callable[[Settlement], Any], str, str]] = {
    "state": (lambda s: s.state(), "GET", "/state"),
    "shard": (lambda s: s.shard(3), "GET", "/shards/3"),
    "agreement": (lambda s: s.agreement(3), "GET", "/agreements/3"),
    "sdl": (lambda s: s.sdl("h"), "GET", "/sdls/h"),
    "submit_sdl": (lambda s: s.submit_sdl({"a": 1}), "POST", "/sdls"),
    "submit_proof": (lambda s: s.submit_proof({"a": 1}), "POST", "/proofs"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_go_where_the_page_says(peer: Peer, name: str) -> None:
    call, method, path = CALLS[name]
    peer.body = b'{"x": 1}'
    assert call(Settlement(peer.url)) == {"x": 1}
    assert peer.seen == [(method, path, b'{"a":1}' if method == "POST" else b"")]


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_is_declined_with_its_reason(peer: Peer, name: str) -> None:
    peer.status, peer.body = 409, b'{"code": "REPLAY", "message": "was applied before"}'
    with pytest.raises(Declined, match=r"^REPLAY: was applied before$"):
        CALLS[name][0](Settlement(peer.url))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("status", "body"),
    [(None, b""), (500, b"{}"), (503, b""), (409, b"no json"), (409, b"[]"), (200, b"[]"),
     (200, b""), (200, b"no json"), (302, b"{}")],
)  # fmt: skip
def test_anything_else_is_unreachable_and_not_repeated(
    peer: Peer, name: str, status: int | None, body: bytes
) -> None:
    peer.status, peer.body = status, body
    with pytest.raises(Unreachable):
        CALLS[name][0](Settlement(peer.url))
    assert len(peer.seen) == 1


@pytest.mark.parametrize("name", CALLS)
def test_a_refused_connection_is_unreachable(name: str) -> None:
    closed = Peer()
    closed.close()
    with pytest.raises(Unreachable, match="ConnectionRefused"):
        CALLS[name][0](Settlement(closed.url))


@pytest.mark.parametrize("name", ["agreement", "sdl"])
def test_what_may_be_absent_is_none(peer: Peer, name: str) -> None:
    peer.status, peer.body = 404, b'{"code": "NOT_FOUND", "message": "x"}'
    assert CALLS[name][0](Settlement(peer.url)) is None


@pytest.mark.parametrize("name", ["state", "shard", "submit_sdl", "submit_proof"])
def test_what_must_be_there_is_not_none(peer: Peer, name: str) -> None:
    peer.status, peer.body = 404, b'{"code": "NOT_FOUND", "message": "x"}'
    with pytest.raises(Declined, match="NOT_FOUND"):
        CALLS[name][0](Settlement(peer.url))


@pytest.mark.parametrize("url", ["", "127.0.0.1:9000", "https://127.0.0.1", "http://", "ftp://x"])
def test_only_a_plain_url_is_taken(url: str) -> None:
    with pytest.raises(ValueError, match="settlement URL: expected http://"):
        Settlement(url)


# Reading of answers


def row(**changes: Any) -> dict[str, Any]:
    return {
        "address": text(ALICE.vault()),
        "nonce": 3,
        "balance": 5,
        "holdings": {text(TOKENS["USD"]): 7},
        "mint": None,
    } | changes


def state(*rows: Any, **changes: Any) -> dict[str, Any]:
    return {"vaults": list(rows), "applied": ["h"], "outside_changes": 2} | changes


def test_a_view_is_read_from_the_final_state() -> None:
    mint = {"name": "US dollar", "symbol": "USD", "supply": 7}
    minted = row(address=text(TOKENS["USD"]), holdings={}, mint=mint)
    view, applied, changes = read_view(state(row(), minted))
    assert view[ALICE.vault()] == Vault(3, 5, {TOKENS["USD"]: 7}, None)
    assert view[TOKENS["USD"]].mint == Metadata("US dollar", "USD", 7)
    assert (applied, changes) == ({"h"}, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"vaults": 1},
        state({}),
        state(1),
        state(row(address="x")),
        state(row(holdings={"x": 1})),
        state(row(mint={"name": "x"})),
        state(row(), outside_changes="x"),
        state(row(), applied=None),
    ],
)
def test_another_shape_of_the_state_is_refused(wrong: Any) -> None:
    with pytest.raises(Refused, match=r"SETTLEMENT_ANSWER|SCHEMA"):
        read_view(wrong)


def test_the_registry_of_the_agreement_gives_the_asset_indices() -> None:
    assert assets_of(agreement()) == {token: at for at, token in enumerate(TOKENS.values())}
    assert assets_of(None) == {}


@pytest.mark.parametrize("wrong", [{}, {"registry": 1}, {"registry": "?"}, {"registry": None}])
def test_another_shape_of_the_agreement_is_refused(wrong: Any) -> None:
    with pytest.raises(Refused, match="SETTLEMENT_ANSWER: unreadable agreement"):
        assets_of(wrong)


# Vaults and staging


def test_a_vault_keeps_no_zero_holdings() -> None:
    vault = Vault()
    vault.add(TOKENS["USD"], 5)
    vault.add(TOKENS["EUR"], 1)
    vault.add(TOKENS["USD"], -5)
    assert vault.holdings == {TOKENS["EUR"]: 1}


def test_a_copy_shares_nothing() -> None:
    vault = Vault(1, 2, {TOKENS["USD"]: 5})
    copy = vault.copy()
    copy.add(TOKENS["USD"], 1)
    copy.nonce = 9
    assert (vault.nonce, vault.holdings) == (1, {TOKENS["USD"]: 5})


def test_staged_changes_are_seen_only_after_the_commit() -> None:
    view = {ALICE.vault(): Vault(1)}
    staging = Staging(view)
    staging.edit(ALICE.vault()).nonce = 2
    staging.edit(POOL_LIKE).nonce = 7
    seen = staging.look(ALICE.vault())
    assert seen is not None
    assert (seen.nonce, view[ALICE.vault()].nonce, POOL_LIKE in view) == (2, 1, False)
    staging.commit()
    assert (view[ALICE.vault()].nonce, view[POOL_LIKE].nonce) == (2, 7)


POOL_LIKE = Wallet("pool like").vault()


def test_a_dropped_staging_changes_nothing() -> None:
    view = {ALICE.vault(): Vault(1)}
    Staging(view).edit(ALICE.vault()).nonce = 2
    assert view[ALICE.vault()].nonce == 1
    assert Staging(view).look(POOL_LIKE) is None


def test_vaults_have_deltas_json() -> None:
    assert vault_json(Vault(), SHARD) == {"balance": 0, "shard": SHARD, "data": None}
    held = vault_json(Vault(holdings={TOKENS["USD"]: 5}), SHARD)
    fungibles = {text(TOKENS["USD"]): 5}
    assert held["data"] == {"TokenHoldings": {"fungibles": fungibles, "nfts": {}}}
    minted = vault_json(Vault(mint=Metadata("US dollar", "USD", 9)), SHARD)
    metadata = {"name": "US dollar", "symbol": "USD"}
    assert minted["data"] == {"FungibleTokenMint": {"metadata": metadata, "supply": 9}}


def test_holdings_are_listed_in_the_order_of_addresses() -> None:
    tokens = [wallet.vault() for wallet in MINTS.values()]
    holdings = dict.fromkeys(tokens, 1)
    assert list(holdings_json(holdings)) == [text(token) for token in sorted(tokens)]
    assert json.dumps(holdings_json(holdings))
