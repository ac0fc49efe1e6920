"""The HTTP client of gateway and settlement layer: what each answer and each loss becomes."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from convexfx_core.errors import AgreementError, CommitUnknown, GatewayError, PeerUnreachable
from tasks.adapters.gateway_http import HttpGateway, HttpSettlement
from tasks.ports import SdlPhase, SdlState

Answer = tuple[int, bytes] | None
"""Status and body; None drops the connection."""


class Script:
    """A server that gives prepared answers and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, str, bytes, str]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                kind = self.headers.get("Content-Type", "")
                script.requests.append((self.command, self.path, body, kind))
                answer = script.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_GET = do_POST = _any

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def will(self, *answers: Any) -> None:
        """Answer 200 with JSON, or as given when it is a pair or None-drop."""
        self.answers = [a if isinstance(a, tuple) or a is DROP else ok(a) for a in answers]
        self.answers = [None if a is DROP else a for a in self.answers]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


DROP: Any = object()


def ok(value: Any) -> Answer:
    return 200, json.dumps(value).encode()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.close()


@pytest.fixture
def gateway(script: Script) -> Iterator[HttpGateway]:
    gateway = HttpGateway(script.url, script.url, pauses_s=(0.0, 0.0))
    yield gateway
    gateway.close()


CHANGES: dict[str, tuple[Callable[[HttpGateway], Any], str]] = {
    "execute": (lambda g: g.execute([{"a": 1}]), "/intents/execute"),
    "submit": (lambda g: g.submit([{"a": 1}]), "/intents/submit"),
    "submit_sdl": (lambda g: g.submit_sdl(), "/sdls/submit"),
    "prove": (lambda g: g.prove("h", b"envelope"), "/sdls/h/prove"),
    "submit_proof": (lambda g: g.submit_proof("h"), "/sdls/h/submit_proof"),
}
READS: dict[str, tuple[Callable[[HttpGateway], Any], str]] = {
    "vault": (lambda g: g.vault("o"), "/vaults/o"),
    "next_nonce": (lambda g: g.next_nonce("o"), "/vaults/o/nonce"),
    "sdls": (lambda g: g.sdls(), "/sdls"),
    "sdl": (lambda g: g.sdl("h"), "/sdls/h"),
    "agreement": (lambda g: g.agreement(1), "/agreements/1"),
    "delta_epoch": (lambda g: g.delta_epoch(), "/epoch"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_sent_once_and_its_loss_is_unknown(
    script: Script, gateway: HttpGateway, name: str
) -> None:
    call, path = CHANGES[name]
    script.will(DROP)
    with pytest.raises(CommitUnknown, match="COMMIT_UNKNOWN: gateway"):
        call(gateway)
    assert [(method, at) for method, at, _, _ in script.requests] == [("POST", path)]


@pytest.mark.parametrize("name", CHANGES)
def test_an_error_answer_of_a_change_carries_the_body(
    script: Script, gateway: HttpGateway, name: str
) -> None:
    script.will((500, b'{"error": "NONCE: verifiable 3"}'))
    with pytest.raises(GatewayError, match="NONCE: verifiable 3"):
        CHANGES[name][0](gateway)
    assert len(script.requests) == 1


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_is_not_found_is_not_done(
    script: Script, gateway: HttpGateway, name: str
) -> None:
    script.will((404, b'{"error": "SDL not found"}'))
    with pytest.raises(GatewayError, match=r"404 .*SDL not found"):
        CHANGES[name][0](gateway)
    assert len(script.requests) == 1


@pytest.mark.parametrize("name", [*CHANGES, *READS])
def test_a_refused_connection_took_no_effect(name: str) -> None:
    closed = Script()
    closed.close()
    gateway = HttpGateway(closed.url, closed.url, pauses_s=())
    with pytest.raises(PeerUnreachable, match="PEER_UNREACHABLE"):
        (CHANGES | READS)[name][0](gateway)
    gateway.close()


@pytest.mark.parametrize("name", READS)
def test_a_read_is_tried_again(script: Script, gateway: HttpGateway, name: str) -> None:
    call, path = READS[name]
    script.will(DROP, (503, b""), (500, b"body of the third"))
    with pytest.raises(GatewayError, match="body of the third"):
        call(gateway)
    assert [at for _, at, _, _ in script.requests] == [path] * 3


@pytest.mark.parametrize("name", READS)
def test_a_read_gives_up_after_its_pauses(script: Script, gateway: HttpGateway, name: str) -> None:
    script.will(DROP, DROP, DROP)
    with pytest.raises(PeerUnreachable):
        READS[name][0](gateway)
    assert len(script.requests) == 3


@pytest.mark.parametrize("name", ["vault", "sdl", "agreement"])
def test_not_found_is_none(script: Script, gateway: HttpGateway, name: str) -> None:
    script.will((404, b'"Vault not found"'))
    assert READS[name][0](gateway) is None


def test_bodies_are_what_the_gateway_expects(script: Script, gateway: HttpGateway) -> None:
    script.will({}, {}, None, "x", "y")
    gateway.execute([{"b": 1}])
    gateway.submit([{"b": 2}, {"c": (1 << 64) - 1}])
    assert gateway.submit_sdl() is None
    gateway.prove("h", b"\x00\xff")
    gateway.submit_proof("h")
    bodies = [(body, kind) for _, _, body, kind in script.requests]
    assert bodies == [
        (b'[{"b":1}]', "application/json"),
        (b'[{"b":2},{"c":18446744073709551615}]', "application/json"),
        (b"", "application/json"),
        (b"\x00\xff", "application/octet-stream"),
        (b"", "application/json"),
    ]


def test_answers_become_values(script: Script, gateway: HttpGateway) -> None:
    script.will(
        {"balance": 0, "shard": 1, "data": None},
        7,
        [["h", "Proven"], ["i", {"ProvingFailed": "no"}]],
        "hash",
        "BaseLayerApplied",
        {"epoch": 4, "epoch_seconds": 0},
    )
    assert gateway.vault("o") == {"balance": 0, "shard": 1, "data": None}
    assert gateway.next_nonce("o") == 7
    failed = SdlState(SdlPhase.PROVING_FAILED, "no")
    assert gateway.sdls() == {"h": SdlState(SdlPhase.PROVEN), "i": failed}
    assert gateway.submit_sdl() == "hash"
    assert gateway.sdl("hash") == SdlState(SdlPhase.APPLIED)
    assert gateway.delta_epoch() == 4


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("vault", [1]),
        ("next_nonce", "7"),
        ("next_nonce", True),
        ("next_nonce", 7.0),
        ("sdls", {"h": "Proven"}),
        ("sdls", [["h"]]),
        ("submit_sdl", 3),
        ("delta_epoch", {}),
        ("agreement", []),
        ("agreement", {"shard": 1}),
    ],
)
def test_another_shape_is_an_error(
    script: Script, gateway: HttpGateway, name: str, answer: Any
) -> None:
    script.will(answer)
    with pytest.raises(GatewayError, match="expected"):
        (CHANGES | READS)[name][0](gateway)


def test_an_answer_that_is_no_json_is_an_error(script: Script, gateway: HttpGateway) -> None:
    script.will((200, b"<html>"))
    with pytest.raises(GatewayError, match="expected JSON"):
        gateway.vault("o")


VAULT = {"balance": 0, "shard": 1, "data": None}
FINAL = VAULT | {"nonce": 1, "moved_to": 0}
SHARD = {"shard": 1, "pool": None, "last_epoch": 2, "fees_accrued": ["3"], "outside_changes": 0}
RECORD = {
    "sdl_hash": "h",
    "shard": 1,
    "status": "failed",
    "code": "NONCE",
    "message": "why",
    "mode": "",
    "epoch": 0,
    "public_values": "",
    "delta_epoch": 4,
}
AGREEMENT = {
    "shard": 1,
    "operator": "op",
    "operator_key": "key",
    "program_hash": "00",
    "allowed_modes": ["attested"],
    "attestor_key": "at",
    "params_hash": "11",
    "fee": 5,
    "network": "net",
    "params": "",
    "registry": "",
    "signature": "",
    "active_from": 3,
}


def test_an_agreement_is_registered(script: Script) -> None:
    settlement = HttpSettlement(script.url)
    script.will(AGREEMENT)
    found = settlement.register_agreement({"shard": 1})
    assert (found.active_from, found.allowed_modes, found.fee) == (3, ("attested",), 5)
    assert script.requests[0][:3] == ("POST", "/agreements", b'{"shard": 1}')
    settlement.close()


def test_a_refused_agreement_says_why(script: Script) -> None:
    settlement = HttpSettlement(script.url)
    script.will((409, b'{"code": "FEE", "message": "fee: expected at least 9"}'))
    with pytest.raises(AgreementError, match="fee: expected at least 9"):
        settlement.register_agreement({"shard": 1})
    settlement.close()


def test_an_agreement_that_nobody_takes_is_not_registered(script: Script) -> None:
    settlement = HttpSettlement(script.url)
    script.will((404, b"no such route"))
    with pytest.raises(AgreementError, match="404 no such route"):
        settlement.register_agreement({"shard": 1})
    settlement.close()


SETTLEMENT: dict[str, tuple[Callable[[HttpSettlement], Any], dict[str, Any]]] = {
    "shard": (lambda s: s.shard(1), SHARD),
    "sdl": (lambda s: s.sdl("h"), RECORD),
    "vault": (lambda s: s.vault("o", 1), FINAL),
    "supply.t": (lambda s: s.supply(), {"supply": 1, "held": 1}),
    "agreement": (lambda s: s.agreement(1), AGREEMENT),
    "epoch": (lambda s: s.delta_epoch(), {"epoch": 3}),
}
UNREAD = {"outside_changes", "operator_key", "params", "registry", "signature"}
"""Fields that we do not use; they may be anything."""


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name, (_, body) in SETTLEMENT.items() for key in body if key not in UNREAD],
)
def test_a_field_that_is_missing_or_of_another_type_is_named(
    script: Script, name: str, key: str
) -> None:
    call, body = SETTLEMENT[name]
    settlement = HttpSettlement(script.url)
    for changed, seen in (
        ({k: v for k, v in body.items() if k != key}, "expected a value, found nothing"),
        (body | {key: {"a": 1}}, "found"),
        (body | {key: -1.5}, "found -1.5"),
        (body | {key: True}, "found true"),
    ):
        script.will({"t": changed} if name == "supply.t" else changed)
        with pytest.raises(GatewayError, match=f"{name}.{key}.*{seen}"):
            call(settlement)
    settlement.close()


@pytest.mark.parametrize("missing", ["shard", "fee", "active_from", "allowed_modes", "network"])
def test_an_agreement_without_a_field_is_an_error(script: Script, missing: str) -> None:
    settlement = HttpSettlement(script.url)
    script.will({name: value for name, value in AGREEMENT.items() if name != missing})
    with pytest.raises(GatewayError, match=missing):
        settlement.agreement(1)
    settlement.close()


def test_the_settlement_side_is_read(script: Script) -> None:
    settlement = HttpSettlement(script.url)
    supply = {"t": {"supply": 1, "held": 1}}
    script.will(SHARD, RECORD, FINAL, supply)
    assert settlement.shard(1) == SHARD
    assert settlement.sdl("h") == RECORD
    assert settlement.vault("o", 1) == FINAL
    assert settlement.supply() == supply
    paths = [path for _, path, _, _ in script.requests]
    assert paths == ["/shards/1", "/sdls/h", "/vaults/o/1", "/supply"]
    settlement.close()


def test_many_vaults_are_read_at_once(script: Script, gateway: HttpGateway) -> None:
    script.will([[2, None], [1, VAULT]])
    assert gateway.vaults(["o", "p"]) == [(2, None), (1, VAULT)]
    assert script.requests == [("POST", "/admin/vaults", b'["o", "p"]', "")]


def test_many_vaults_of_a_gateway_that_knows_only_single_ones(
    script: Script, gateway: HttpGateway
) -> None:
    script.will((404, b""), 3, VAULT)
    assert gateway.vaults(["o"]) == [(3, VAULT)]
    paths = [path for _, path, _, _ in script.requests]
    assert paths == ["/admin/vaults", "/vaults/o/nonce", "/vaults/o"]


def test_a_missing_vault_row_is_an_error(script: Script, gateway: HttpGateway) -> None:
    script.will([[2, None]])
    with pytest.raises(GatewayError, match="2 vaults"):
        gateway.vaults(["o", "p"])
