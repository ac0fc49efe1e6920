"""HTTP of both programs: routes, answers, error bodies, injected faults. No real sockets."""

from collections.abc import Iterator
from typing import Any

import pytest

from devnet.gateway.app import build_app as gateway_app
from devnet.gateway.jobs import Jobs, ProverSettings
from devnet.injected_faults import Fault, FaultKind, FaultLayer, parse_fault
from devnet.settlement.app import build_app as settlement_app
from tests.support.devnet_asgi import Answer, AsgiClient
from tests.support.devnet_stage import ALICE, BOB, HOLDERS, Stage, through_json
from tests.support.devnet_world import (
    OPERATOR,
    POOL,
    SHARD,
    TOKENS,
    Debit,
    Fill,
    Wallet,
    agreement,
    b58,
    clear,
    order,
    six_mints,
    text,
)

USD = TOKENS["USD"]
STRANGER = Wallet("stranger")


class Http:
    """Both applications behind test clients."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.prover = ProverSettings()
        self.jobs = Jobs(self.stage.gateway, self.prover, 0)
        self.faults: list[Fault] = []
        self.gateway = AsgiClient(
            gateway_app(self.stage.gateway, self.jobs, self.prover, self.faults)
        )
        self.settlement = AsgiClient(settlement_app(self.stage.chain, 0, []))

    def post(self, path: str, body: Any = None, raw: bytes = b"") -> Any:
        answer = self.gateway.post(path, body, raw)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self, envelope: bytes) -> str:
        name = self.post("/sdls/submit")
        assert self.post(f"/sdls/{name}/prove", raw=envelope) == "Proving started"
        self.wait()
        assert self.gateway.get(f"/sdls/{name}").json() == "Proven"
        assert self.post(f"/sdls/{name}/submit_proof") == "Proof submitted"
        self.wait()
        return str(name)

    def wait(self) -> None:
        for thread in self.jobs.threads:
            thread.join(20)


@pytest.fixture
def http() -> Iterator[Http]:
    http = Http()
    yield http
    http.jobs.close()
    http.stage.close()


@pytest.fixture
def opened(http: Http) -> Http:
    assert http.post("/intents/execute", six_mints(HOLDERS)) == {"applied": 6}
    http.settle(b"")
    assert http.settlement.post("/agreements", agreement()).status_code == 200
    assert http.settlement.post("/epoch/advance").json() == {"epoch": 1, "epoch_seconds": 0}
    return http


# Gateway


def test_the_nine_operations_are_in_the_openapi_document(http: Http) -> None:
    document = http.gateway.get("/openapi.json").json()
    assert document["info"]["version"] == "0.1.0"
    found = {
        (operation["operationId"], method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not path.startswith("/admin")
    }
    assert found == {
        ("intentsExecute", "POST", "/intents/execute"),
        ("intentsSubmit", "POST", "/intents/submit"),
        ("vaultsGet", "GET", "/vaults/{owner_id}"),
        ("vaultsGetNonce", "GET", "/vaults/{owner_id}/nonce"),
        ("sdlsGetAll", "GET", "/sdls"),
        ("sdlsSubmit", "POST", "/sdls/submit"),
        ("sdlsGet", "GET", "/sdls/{sdl_hash}"),
        ("sdlsProve", "POST", "/sdls/{sdl_hash}/prove"),
        ("sdlsSubmitProof", "POST", "/sdls/{sdl_hash}/submit_proof"),
    }


def test_the_document_declares_the_errors_of_delta_and_no_others(http: Http) -> None:
    paths = http.gateway.get("/openapi.json").json()["paths"]
    absent = {"/vaults/{owner_id}", "/sdls/{sdl_hash}"}
    for path, methods in paths.items():
        for operation in methods.values():
            declared = {"200", "500", *(["404"] if path in absent else [])}
            assert set(operation["responses"]) == declared, path
    assert paths["/sdls/{sdl_hash}"]["get"]["responses"]["404"]["description"] == "SDL not found"


def test_an_epoch_over_http(opened: Http) -> None:
    books = opened.stage.books = Stage().books
    books.balances = {vault[0]: dict.fromkeys(TOKENS, held) for vault, held in HOLDERS.items()}
    epoch = clear(1, [Fill(order(ALICE, 1, "USD", "EUR", 50), 50, 40, 1)], books)
    assert opened.post("/intents/submit", epoch.verifiables) == {"applied": 2}
    assert opened.settle(epoch.envelope()) == epoch.sdl_hash
    states = opened.gateway.get("/sdls").json()
    assert [state for _, state in states] == ["BaseLayerApplied"] * 2
    assert states[1][0] == epoch.sdl_hash
    record = opened.settlement.get(f"/sdls/{epoch.sdl_hash}").json()
    assert (record["status"], record["mode"], record["epoch"]) == ("applied", "attested", 1)
    assert record["public_values"] == epoch.public_values.hex()
    shard = opened.settlement.get(f"/shards/{SHARD}").json()
    assert (shard["pool"], shard["last_epoch"]) == (text(POOL), 1)
    assert shard["fees_accrued"] == ["0", "1", "0", "0", "0", "0"]


def test_vaults_and_nonces(opened: Http) -> None:
    name = b58(ALICE.owner)
    vault = opened.gateway.get(f"/vaults/{name}").json()
    assert (vault["balance"], vault["shard"]) == (0, SHARD)
    fungibles = vault["data"]["TokenHoldings"]["fungibles"]
    assert fungibles == {text(token): HOLDERS[ALICE.vault()] for token in TOKENS.values()}
    assert opened.gateway.get(f"/vaults/{name}/nonce").json() == 1
    mint = opened.gateway.get(f"/vaults/{b58(USD[0])}").json()
    supply = sum(HOLDERS.values())
    metadata = {"name": "USD", "symbol": "USD"}
    assert mint["data"] == {"FungibleTokenMint": {"metadata": metadata, "supply": supply}}
    assert opened.gateway.get(f"/vaults/{b58(USD[0])}/nonce").json() == 2


def test_an_emptied_vault_has_no_data(opened: Http) -> None:
    everything = {token: HOLDERS[ALICE.vault()] for token in TOKENS.values()}
    opened.post("/intents/execute", [Debit(ALICE, BOB.vault(), 1, everything).json])
    vault = opened.gateway.get(f"/vaults/{b58(ALICE.owner)}").json()
    assert vault == {"balance": 0, "shard": SHARD, "data": None}


def test_what_is_unknown(opened: Http) -> None:
    missing = opened.gateway.get(f"/vaults/{b58(STRANGER.owner)}")
    assert (missing.status_code, missing.json()) == (404, {"error": "Vault not found"})
    assert opened.gateway.get(f"/vaults/{b58(STRANGER.owner)}/nonce").json() == 1
    missing = opened.gateway.get("/sdls/unknown")
    assert (missing.status_code, missing.json()) == (404, {"error": "SDL not found"})
    assert opened.gateway.get("/admin/sdls/unknown").status_code == 404


def test_many_vaults_at_once(opened: Http) -> None:
    owners = [b58(ALICE.owner), b58(STRANGER.owner)]
    rows = opened.post("/admin/vaults", owners)
    assert rows == [[1, opened.gateway.get(f"/vaults/{owners[0]}").json()], [1, None]]
    assert opened.gateway.post("/admin/vaults", {}).status_code == 500


@pytest.mark.parametrize(
    ("method", "path", "body", "rule"),
    [
        ("POST", "/intents/execute", b"[", "SCHEMA: expected JSON"),
        ("POST", "/intents/submit", b"{}", "SCHEMA: expected a JSON array"),
        ("POST", "/intents/submit", b"[" * 100_000, "SCHEMA: expected JSON"),
        ("POST", "/intents/execute", b"[" + b"1" * 5_000 + b"]", "SCHEMA: expected JSON"),
        ("POST", "/sdls/unknown/prove", b"", "SDL_UNKNOWN"),
        ("POST", "/sdls/unknown/submit_proof", b"", "SDL_UNKNOWN"),
        ("GET", "/vaults/0", b"", "SCHEMA: owner_id"),
        ("GET", "/vaults/0/nonce", b"", "SCHEMA: owner_id"),
        ("POST", "/admin/prover", b'{"x": 1}', "SCHEMA"),
    ],
)
def test_a_rejection_is_500_and_names_its_rule(
    opened: Http, method: str, path: str, body: bytes, rule: str
) -> None:
    answer = opened.gateway.request(method, path, content=body)
    assert answer.status_code == 500
    assert answer.json()["error"].startswith(rule)


def test_a_body_that_is_too_large_is_refused_unread(opened: Http) -> None:
    answer = opened.gateway.post("/intents/execute", content=b"[]", content_length=str(1 << 40))
    assert answer.json()["error"].startswith("SIZE")


def test_nothing_pending_is_null(opened: Http) -> None:
    assert opened.post("/sdls/submit") is None


def test_the_domain_describes_itself(opened: Http) -> None:
    opened.post("/intents/execute", [Debit(ALICE, BOB.vault(), 1, {USD: 1}).json])
    described = opened.gateway.get("/admin/domain").json()
    assert described["pending"] == 1
    assert described["operator_key"] == OPERATOR.public.hex()
    assert described["shard"] == SHARD


def test_the_prover_is_told_to_fail(opened: Http) -> None:
    told = opened.post("/admin/prover", {"failure": "law 9 violated"})
    assert told == {"delay_s": 0.0, "failure": "law 9 violated"}
    opened.post("/intents/execute", [Debit(ALICE, BOB.vault(), 1, {USD: 1}).json])
    name = opened.post("/sdls/submit")
    opened.post(f"/sdls/{name}/prove")
    opened.wait()
    failed = {"ProvingFailed": "law 9 violated"}
    assert opened.gateway.get(f"/sdls/{name}").json() == failed
    shown = opened.gateway.get(f"/admin/sdls/{name}").json()
    assert shown == {"sdl_hash": name, "state": failed, "reason": "law 9 violated"}
    assert opened.gateway.get(f"/vaults/{b58(ALICE.owner)}/nonce").json() == 1


def test_a_synced_view_is_read_again(opened: Http) -> None:
    opened.stage.chain.ledger.accounts.clear()
    assert opened.gateway.get(f"/vaults/{b58(ALICE.owner)}").status_code == 200
    assert opened.post("/admin/sync") == "synced"
    assert opened.gateway.get(f"/vaults/{b58(ALICE.owner)}").status_code == 404


# Settlement layer


def test_reads_of_the_settlement_layer(opened: Http) -> None:
    get = opened.settlement.get
    assert get("/health").json() == "OK"
    assert get("/epoch").json() == {"epoch": 1, "epoch_seconds": 0}
    assert get(f"/agreements/{SHARD}").json() == agreement() | {"active_from": 1}
    vault = get(f"/vaults/{b58(ALICE.owner)}/{SHARD}").json()
    assert (vault["nonce"], vault["moved_to"], vault["shard"]) == (0, 0, SHARD)
    mint = get(f"/vaults/{b58(USD[0])}/{SHARD}").json()
    assert mint["data"]["FungibleTokenMint"]["supply"] == sum(HOLDERS.values())
    total = sum(HOLDERS.values())
    supply = get("/supply").json()
    assert supply == {text(token): {"supply": total, "held": total} for token in TOKENS.values()}
    assert len(get("/sdls").json()) == 1
    assert get("/state").json()["epoch"] == 1


@pytest.mark.parametrize("path", ["/agreements/9", "/sdls/x", f"/vaults/{b58(STRANGER.owner)}/1"])
def test_what_the_settlement_layer_does_not_know(opened: Http, path: str) -> None:
    answer = opened.settlement.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_an_unknown_shard_is_an_empty_one(opened: Http) -> None:
    shard = opened.settlement.get("/shards/9").json()
    assert (shard["pool"], shard["last_epoch"], shard["fees_accrued"]) == (None, 0, [])


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/agreements", b"{", 400, "SCHEMA"),
        ("/agreements", b"{}", 400, "SCHEMA"),
        ("/sdls", b"[]", 400, "SCHEMA"),
        ("/proofs", b"null", 400, "SCHEMA"),
        ("/admin/migrations", b"{}", 400, "SCHEMA"),
        ("/admin/foreign-credits", b"{}", 400, "SCHEMA"),
    ],
)
def test_refusals_of_the_settlement_layer_have_codes(
    opened: Http, path: str, body: bytes, status: int, code: str
) -> None:
    answer = opened.settlement.post(path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_rule_that_is_broken_is_a_conflict(opened: Http) -> None:
    answer = opened.settlement.post("/agreements", agreement(Wallet("other")))
    assert (answer.status_code, answer.json()["code"]) == (409, "SHARD_TAKEN")


def test_outside_events_over_http(opened: Http) -> None:
    away = {"vault": text(ALICE.vault()), "to_shard": 2}
    answer = opened.settlement.post("/admin/migrations", away)
    assert answer.json() == {"at_end_of_epoch": 1}
    opened.settlement.post("/epoch/advance")
    credit = {"from": text(ALICE.vault(2)), "to": text(BOB.vault()), "token": text(USD)}
    answer = opened.settlement.post("/admin/foreign-credits", credit | {"amount": 5})
    assert answer.json() == {"outside_changes": 2}
    opened.stage.gateway.watch()
    vault = opened.gateway.get(f"/vaults/{b58(BOB.owner)}").json()
    assert vault["data"]["TokenHoldings"]["fungibles"][text(USD)] == HOLDERS[BOB.vault()] + 5


# Faults


class Recorder:
    """An ASGI application that remembers the bodies of its requests."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        answer = f"answer {len(self.bodies)}".encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def hit(fault: Fault, requests: int = 1) -> tuple[Recorder, list[Answer], list[Fault]]:
    app, faults = Recorder(), [fault]
    client = AsgiClient(FaultLayer(app, faults))
    return app, [client.post("/intents/submit", content=b"body") for _ in range(requests)], faults


@pytest.mark.parametrize(
    ("kind", "times", "said"),
    [
        (FaultKind.LOST_ANSWER, 1, ""),
        (FaultKind.LOST_REQUEST, 0, ""),
        (FaultKind.DUPLICATE, 2, "answer 1"),
        (FaultKind.DUPLICATE_SECOND, 2, "answer 2"),
        (FaultKind.DELAY, 1, "answer 1"),
    ],
)
def test_a_fault_hits_one_request(kind: FaultKind, times: int, said: str) -> None:
    app, answers, faults = hit(Fault("POST /intents/*", kind))
    assert app.bodies == [b"body"] * times
    assert answers[0].text == said
    assert answers[0].complete == bool(said)
    assert faults == []


def test_an_error_takes_no_effect() -> None:
    app, answers, _ = hit(Fault("POST /intents/submit", FaultKind.ERROR))
    assert (app.bodies, answers[0].status_code) == ([], 503)


def test_a_fault_counts_its_requests() -> None:
    app, answers, faults = hit(Fault("* /intents/*", FaultKind.ERROR, times=2), requests=3)
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (len(app.bodies), faults) == (1, [])


@pytest.mark.parametrize("request_", ["GET /intents/submit", "POST /intents/execute", "POST /x"])
def test_a_fault_of_another_request_waits(request_: str) -> None:
    app, answers, faults = hit(Fault(request_, FaultKind.ERROR))
    assert answers[0].text == "answer 1"
    assert len(faults) == len(app.bodies) == 1


def test_faults_are_listed_added_and_cleared(http: Http) -> None:
    fault = {"request": "POST /sdls/submit", "fault": "delay", "times": 2, "delay_s": 0.5}
    assert http.post("/admin/faults", fault) == [fault]
    assert http.gateway.get("/admin/faults").json() == [fault]
    assert http.faults == [Fault("POST /sdls/submit", FaultKind.DELAY, 2, 0.5)]
    assert http.gateway.delete("/admin/faults").json() == []
    assert http.faults == []


@pytest.mark.parametrize(
    "body",
    [{}, {"request": "POST /x"}, {"request": "POST /x", "fault": "fire"}, [],
     {"request": "POST /x", "fault": "delay", "more": 1}],
)  # fmt: skip
def test_an_unknown_fault_is_refused(http: Http, body: Any) -> None:
    answer = http.gateway.post("/admin/faults", body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("SCHEMA: fault")
    assert http.faults == []


def test_faults_of_the_command_line() -> None:
    assert parse_fault("lost_answer:POST /sdls/submit") == Fault(
        "POST /sdls/submit", FaultKind.LOST_ANSWER
    )
    for wrong in ("", "lost_answer", "fire:POST /x", "delay:POST", "delay:/x"):
        with pytest.raises(ValueError, match=r"fault|fire"):
            parse_fault(wrong)


def test_a_doubled_post_is_applied_once(opened: Http) -> None:
    layered = AsgiClient(
        FaultLayer(opened.gateway.app, [Fault("POST /intents/*", FaultKind.DUPLICATE_SECOND)])
    )
    body = through_json([Debit(ALICE, BOB.vault(), 1, {USD: 70}).json])
    answer = layered.post("/intents/execute", body)
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("DUPLICATE: verifiable 0")
    vault = opened.gateway.get(f"/vaults/{b58(BOB.owner)}").json()
    assert vault["data"]["TokenHoldings"]["fungibles"][text(USD)] == HOLDERS[BOB.vault()] + 70
