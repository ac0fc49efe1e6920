"""Both programs as processes: a first epoch, faults on the wire, kills and restarts."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx_core.errors import CommitUnknown, GatewayError, PeerUnreachable
from devnet.gateway.__main__ import main as gateway_main
from devnet.settlement.__main__ import main as settlement_main
from tasks.adapters.gateway_http import HttpGateway
from tasks.ports import SdlPhase, SdlState
from tests.integration.devnet_processes import Network, Program
from tests.support.devnet_stage import ALICE, BOB, HOLDERS
from tests.support.devnet_world import (
    ASSETS,
    OPERATOR,
    SHARD,
    TOKENS,
    Books,
    Epoch,
    Fill,
    agreement,
    b58,
    clear,
    genesis_books,
    order,
    text,
)

APPLIED = SdlState(SdlPhase.APPLIED)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """One network for all tests of the module that leave it working."""
    network = Network(tmp_path_factory.mktemp("devnet"), gateway=("--watch-seconds", "0.05"))
    network.open(HOLDERS)
    yield network
    assert network.close() == (0, 0)


@pytest.fixture(scope="module")
def client(network: Network) -> Iterator[HttpGateway]:
    client = HttpGateway(network.gateway.url, network.settlement.url, pauses_s=(0.05, 0.2))
    yield client
    client.close()


@pytest.fixture(scope="module")
def books() -> Books:
    return genesis_books(HOLDERS)


def next_epoch(network: Network, books: Books) -> Epoch:
    number = network.settlement.get(f"/shards/{SHARD}")["last_epoch"] + 1
    nonce = books.nonces.get(ALICE.owner, 0) + 1
    fills = [
        Fill(order(ALICE, nonce, "USD", "EUR", 1_000), 1_000, 900, 2),
        Fill(order(BOB, books.nonces.get(BOB.owner, 0) + 1, "EUR", "USD", 500)),
    ]
    return clear(number, fills, books)


def drive(network: Network, client: HttpGateway, epoch: Epoch) -> SdlState:
    """The executor's way, without any fault in it."""
    client.submit(epoch.verifiables)
    name = client.submit_sdl()
    assert name == epoch.sdl_hash
    client.prove(name, epoch.envelope())
    network.wait(name, ("Proven",))
    client.submit_proof(name)
    network.wait(name, ("BaseLayerApplied", "BaseLayerFailed"))
    state = client.sdl(name)
    assert state is not None
    return state


def conserved(network: Network) -> bool:
    supply = network.settlement.get("/supply")
    return len(supply) == len(ASSETS) and all(r["supply"] == r["held"] for r in supply.values())


def test_an_epoch_settles_through_the_executors_client(
    network: Network, client: HttpGateway, books: Books
) -> None:
    epoch = next_epoch(network, books)
    assert drive(network, client, epoch) == APPLIED
    assert client.sdls()[epoch.sdl_hash] == APPLIED
    final = client.settlement.vault(b58(ALICE.owner), SHARD)
    local = client.vault(b58(ALICE.owner))
    assert final is not None
    assert local is not None
    assert final["data"] == local["data"]
    assert final["nonce"] == books.nonces[ALICE.owner] == client.next_nonce(b58(ALICE.owner)) - 1
    found = client.agreement(SHARD)
    assert found is not None
    assert found.active_from <= client.delta_epoch()
    assert conserved(network)


def lose(network: Network, fault: str, request: str) -> None:
    network.gateway.post("/admin/faults", {"request": request, "fault": fault})


def applied(network: Network, step: str, epoch: Epoch) -> bool:
    """Whether the step took effect, as an executor finds out before it sends again."""
    nonce = network.gateway.get(f"/vaults/{b58(ALICE.owner)}/nonce")
    states = dict(network.gateway.get("/sdls"))
    state = states.get(epoch.sdl_hash)
    order_nonce = next(d.nonce for d, _ in epoch.items if d.signer == ALICE)
    return {
        "POST /intents/submit": nonce == order_nonce + 1,
        "POST /sdls/submit": state is not None,
        "POST /sdls/*/prove": state not in ("Submitted", None),
        "POST /sdls/*/submit_proof": state not in ("Submitted", "Proving", "Proven", None),
    }[step]


def steps_of(client: HttpGateway, epoch: Epoch) -> dict[str, Callable[[], Any]]:
    return {
        "POST /intents/submit": lambda: client.submit(epoch.verifiables),
        "POST /sdls/submit": client.submit_sdl,
        "POST /sdls/*/prove": lambda: client.prove(epoch.sdl_hash, epoch.envelope()),
        "POST /sdls/*/submit_proof": lambda: client.submit_proof(epoch.sdl_hash),
    }


@pytest.mark.parametrize("fault", ["lost_answer", "lost_request"])
def test_a_loss_at_every_step_is_found_out_and_healed(
    network: Network, client: HttpGateway, books: Books, fault: str
) -> None:
    epoch = next_epoch(network, books)
    for step, call in steps_of(client, epoch).items():
        if step.endswith("submit_proof"):
            network.wait(epoch.sdl_hash, ("Proven",))
        lose(network, fault, step)
        with pytest.raises(CommitUnknown):
            call()
        took_effect = applied(network, step, epoch)
        assert took_effect == (fault == "lost_answer")
        if not took_effect:
            call()
    assert network.wait(epoch.sdl_hash, ("BaseLayerApplied",)) == "BaseLayerApplied"
    assert conserved(network)


def test_doubled_requests_take_effect_once(
    network: Network, client: HttpGateway, books: Books
) -> None:
    epoch = next_epoch(network, books)
    for step, call in steps_of(client, epoch).items():
        if step.endswith("submit_proof"):
            network.wait(epoch.sdl_hash, ("Proven",))
        lose(network, "duplicate", step)
        call()
    assert network.wait(epoch.sdl_hash, ("BaseLayerApplied",)) == "BaseLayerApplied"
    held = client.settlement.vault(b58(ALICE.owner), SHARD)
    assert held is not None
    usd = held["data"]["TokenHoldings"]["fungibles"][text(TOKENS["USD"])]
    assert usd == books.balances[ALICE.owner]["USD"]


def test_an_unavailable_gateway_is_read_again_but_not_written_again(
    network: Network, client: HttpGateway
) -> None:
    lose(network, "error", "GET /vaults/*")
    assert client.vault(b58(ALICE.owner)) is not None
    lose(network, "error", "POST /sdls/submit")
    with pytest.raises(GatewayError, match="UNAVAILABLE"):
        client.submit_sdl()
    assert client.submit_sdl() is None


def test_a_failed_proof_aborts_and_the_next_epoch_settles(
    network: Network, client: HttpGateway, books: Books
) -> None:
    lost = next_epoch(network, genesis_books_at(books))
    network.gateway.post("/admin/prover", {"failure": "out of memory"})
    client.submit(lost.verifiables)
    name = client.submit_sdl()
    assert name == lost.sdl_hash
    client.prove(name, lost.envelope())
    failed = network.wait(name, ({"ProvingFailed": "out of memory"},))
    assert failed == {"ProvingFailed": "out of memory"}
    network.gateway.post("/admin/prover", {"failure": ""})
    number = lost.number + 1
    fill = Fill(order(ALICE, books.nonces[ALICE.owner] + 1, "USD", "JPY", 7), 7, 900, 2)
    assert drive(network, client, clear(number, [fill], books)) == APPLIED
    assert network.settlement.get(f"/shards/{SHARD}")["last_epoch"] == number


def genesis_books_at(books: Books) -> Books:
    """A copy, for an epoch that will not be applied."""
    held = {owner: dict(row) for owner, row in books.balances.items()}
    return Books(held, dict(books.nonces), list(books.fees))


def test_a_refused_proof_is_explained_by_the_settlement_side(
    network: Network, client: HttpGateway, books: Books
) -> None:
    epoch = next_epoch(network, genesis_books_at(books)).claiming(params_hash=bytes(32))
    assert drive(network, client, epoch) == SdlState(SdlPhase.FAILED)
    record = client.settlement.sdl(epoch.sdl_hash)
    assert record is not None
    assert (record["status"], record["code"]) == ("failed", "PV_MISMATCH:params_hash")
    shown = network.gateway.get(f"/admin/sdls/{epoch.sdl_hash}")
    assert shown["reason"].startswith("PV_MISMATCH:params_hash: derived ")


def test_a_lost_verdict_between_the_two_sides_is_asked_for(
    network: Network, client: HttpGateway, books: Books
) -> None:
    fault = {"request": "POST /proofs", "fault": "lost_answer"}
    network.settlement.post("/admin/faults", fault)
    assert drive(network, client, next_epoch(network, books)) == APPLIED


def test_a_foreign_credit_reaches_the_gateways_view(
    network: Network, client: HttpGateway, books: Books
) -> None:
    """It comes from Bob's vault on another shard, which an order of migration makes first."""
    network.settlement.post("/admin/migrations", {"vault": text(BOB.vault()), "to_shard": 2})
    network.settlement.post("/epoch/advance")
    credit = {
        "from": text(BOB.vault(2)),
        "to": text(BOB.vault()),
        "token": text(TOKENS["USD"]),
        "amount": 12,
    }
    network.settlement.post("/admin/foreign-credits", credit)
    network.gateway.post("/admin/sync")
    vault = client.vault(b58(BOB.owner))
    assert vault is not None
    assert vault["data"]["TokenHoldings"]["fungibles"] == {text(TOKENS["USD"]): 12}
    assert conserved(network)


# Kills, restarts, options


def test_killed_programs_go_on_from_their_state_files(tmp_path: Path) -> None:
    network = Network(
        tmp_path,
        settlement=("--state-file", str(tmp_path / "settlement.json")),
        gateway=("--state-file", str(tmp_path / "gateway.json")),
    )
    books = genesis_books(HOLDERS)
    network.open(HOLDERS)
    epoch = next_epoch(network, books)
    network.gateway.post("/intents/submit", epoch.verifiables)
    network.gateway.kill()
    network.gateway = Program("devnet.gateway", tmp_path / "gateway.log", *network.gateway_options)
    assert network.gateway.post("/sdls/submit") == epoch.sdl_hash
    network.settlement.kill()
    network.settlement = Program(
        "devnet.settlement",
        tmp_path / "settlement.log",
        *("--state-file", str(tmp_path / "settlement.json")),
        port=network.settlement.port,
    )
    network.gateway.post(f"/sdls/{epoch.sdl_hash}/prove", epoch.envelope())
    network.wait(epoch.sdl_hash, ("Proven",))
    network.gateway.post(f"/sdls/{epoch.sdl_hash}/submit_proof")
    assert network.wait(epoch.sdl_hash, ("BaseLayerApplied",)) == "BaseLayerApplied"
    assert network.close() == (0, 0)


def test_the_gateway_waits_for_a_settlement_layer_that_is_away(tmp_path: Path) -> None:
    network = Network(tmp_path, settlement=("--state-file", str(tmp_path / "settlement.json")))
    books = genesis_books(HOLDERS)
    network.open(HOLDERS)
    epoch = next_epoch(network, books)
    network.gateway.post("/intents/submit", epoch.verifiables)
    name = network.gateway.post("/sdls/submit")
    network.gateway.post(f"/sdls/{name}/prove", epoch.envelope())
    network.wait(name, ("Proven",))
    network.settlement.kill()
    network.gateway.post(f"/sdls/{name}/submit_proof")
    answer = httpx.post(network.gateway.url + "/sdls/submit")
    assert answer.json() is None
    assert network.gateway.get(f"/sdls/{name}") == "ProofSubmitted"
    network.settlement = Program(
        "devnet.settlement",
        tmp_path / "settlement.log",
        *("--state-file", str(tmp_path / "settlement.json")),
        port=network.settlement.port,
    )
    assert network.wait(name, ("BaseLayerApplied",)) == "BaseLayerApplied"
    assert network.close() == (0, 0)


def test_delta_epochs_end_by_themselves(tmp_path: Path) -> None:
    program = Program("devnet.settlement", tmp_path / "log", "--epoch-seconds", "0.05")
    program.post("/agreements", agreement())
    while program.get("/epoch")["epoch"] < 2:
        pass
    assert program.get(f"/agreements/{SHARD}")["active_from"] <= program.get("/epoch")["epoch"]
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--shard", "0", "--shard: expected at least 1"),
        ("--settlement", "https://x", "settlement URL: expected http://"),
        ("--keypair", "nothing.json", "nothing.json"),
        ("--fault", "fire:POST /x", "--fault"),
        ("--state-file", ".", "directory"),
    ],
)
def test_a_wrong_option_ends_with_two_and_a_line(
    option: str, value: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(b58(OPERATOR.seed)))
    good = ["--settlement", "http://127.0.0.1:9", "--shard", "1", "--keypair", str(key)]
    with pytest.raises(SystemExit) as ended:
        gateway_main([*good, option, value])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("value", ["{", "[]", "{}"])
def test_an_unreadable_state_file_ends_with_two_and_a_line(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.json"
    path.write_text(value)
    with pytest.raises(SystemExit) as ended:
        settlement_main(["--state-file", str(path)])
    assert ended.value.code == 2
    assert "state" in capsys.readouterr().err.splitlines()[-1]


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert settlement_main(["--port", port]) == 2
    said = f"devnet settlement: port {port} cannot be used: Address already in use\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_right_after_the_first_line_is_not_lost(number: int, tmp_path: Path) -> None:
    program = Program("devnet.settlement", tmp_path / "log")
    program.process.send_signal(number)
    program.process.communicate(timeout=20)
    assert program.process.returncode == 0


def test_an_unreachable_gateway_is_said_to_be_so(tmp_path: Path) -> None:
    program = Program("devnet.settlement", tmp_path / "log")
    url = program.url
    assert program.stop() == 0
    client = HttpGateway(url, url, pauses_s=())
    with pytest.raises(PeerUnreachable):
        client.submit_sdl()
    client.close()
