"""The runbook's commands, run: on a chain in memory, and where nobody answers."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from convexfx.cli import epoch as epoch_commands
from convexfx.cli.main import main
from convexfx_core.encoding.canonical_json import json_bytes
from tasks.adapters import peer_http
from tasks.adapters.keys import write_key
from tests.support.api_world import DOMAIN, ApiWorld, api_world

NOBODY = "http://127.0.0.1:9"
UNSUBMITTED = {"payout_signatures.bin", "intent.json"}
Run = Callable[[str], tuple[int, str, str]]


def failing(replayed: str) -> set[str]:
    """Objects that `epoch replay` complains of."""
    lines = [line.split(None, 2) for line in replayed.splitlines()]
    assert {line[0] for line in lines} <= {"ok", "FAIL"}
    return {line[1].rstrip(":") for line in lines if line[0] == "FAIL"}


@pytest.fixture(scope="module")
def world() -> ApiWorld:
    """Two settled epochs. Nobody submits here, so the two objects of that stage are missing."""
    made = api_world()
    alice, bob = made.wallets["alice"], made.wallets["bob"]
    made.send(alice.order("USD", "EUR", "1000", nonce=1), bob.order("EUR", "USD", "900", nonce=1))
    made.epoch()
    made.send(alice.order("USD", "JPY", "500", nonce=2))
    made.epoch()
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command line of the runbook in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(command: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", command.split())
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def reading(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> ApiWorld:
    """Commands read the bucket and ask the network of ``world``."""
    monkeypatch.setattr(epoch_commands, "_store", lambda _config: world.store)
    context = "tasks.adapters.wiring.context_from_settings"
    monkeypatch.setattr(context, lambda _settings: world.ctx)
    return world


def test_the_chain_is_listed_shown_and_replayed(run: Run, reading: ApiWorld) -> None:
    code, out, _ = run("convexfx epoch list")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [["1", "settled"], ["2", "settled"]]
    code, out, _ = run("convexfx epoch show 2")
    assert code == 0
    assert "proof attested (not a proof)" in out
    code, out, _ = run("convexfx epoch replay 2")
    assert code == 1
    assert failing(out) == UNSUBMITTED
    assert len(out.splitlines()) == 17


def test_an_order_is_explained_and_an_unknown_one_is_a_no(run: Run, reading: ApiWorld) -> None:
    signed = reading.wallets["alice"].order("USD", "JPY", "500", nonce=2)
    code, out, _ = run(f"convexfx epoch explain {signed.order_id.hex()}")
    assert code == 0
    assert out.startswith("epoch 2: filled")
    assert run(f"convexfx epoch explain {'0' * 64}")[0] == 1


def test_an_epoch_is_exported(run: Run, reading: ApiWorld) -> None:
    code, out, _ = run("convexfx epoch export 1 folder")
    assert code == 0
    assert "epochs/00000001/outcome.json" in out.splitlines()
    assert all((Path("folder") / key).read_bytes() for key in out.splitlines())


def test_an_epoch_that_is_not_there_is_one_line(run: Run, reading: ApiWorld) -> None:
    code, _, err = run("convexfx epoch show 7")
    assert code == 1
    assert (
        err == "convexfx: COMMIT_CONFLICT: epoch 7: expected a sealed epoch, 1 to 2, found none\n"
    )


def test_a_changed_object_is_named(run: Run, reading: ApiWorld) -> None:
    key = "epochs/00000002/verdict.json"
    bodies = reading.store.objects.bodies
    before = bodies[key]
    bodies[key] = before.replace(b"true", b"True", 1)
    try:
        code, out, _ = run("convexfx epoch replay 2")
    finally:
        bodies[key] = before
    assert code == 1
    assert failing(out) == {"verdict.json", *UNSUBMITTED}


def test_an_active_agreement_is_a_yes(run: Run, reading: ApiWorld) -> None:
    code, out, _ = run("convexfx check-domain-agreement")
    assert (code, out) == (0, "active for shard 1 since delta epoch 3; attested\n")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (None, "expected an active agreement; run `convexfx submit-domain-agreement`"),
        ({"active_from": 8}, "found active from delta epoch 8, now 7"),
        ({"params_hash": "00" * 32}, "AGREEMENT: params_hash: expected"),
        ({"allowed_modes": ("gpu",)}, "AGREEMENT: proof_mode: expected one of gpu, found attested"),
    ],
)
def test_no_active_agreement_says_why_and_what_helps(
    run: Run, reading: ApiWorld, changes: dict[str, object] | None, said: str
) -> None:
    gateway, active = reading.gateway, reading.gateway.active
    assert active is not None
    gateway.active = None if changes is None else replace(active, **changes)
    try:
        code, _, err = run("convexfx check-domain-agreement")
    finally:
        gateway.active = active
    assert code == 1
    assert err.startswith("convexfx: Domain agreement not found: AGREEMENT: ")
    assert said in err
    assert err.endswith("(see `convexfx submit-domain-agreement`)\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds a configuration whose peers are at an address where nobody listens."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings_of_nobody(tmp_path)
    return tmp_path


def settings_of_nobody(folder: Path) -> None:
    write_key(folder / "operator.json", sha256(b"operator").digest())
    assets = [
        {"id": a.id, "decimals": a.decimals, "token": str(a.token)} for a in DOMAIN.registry.assets
    ]
    (folder / "tokens.json").write_bytes(json_bytes({"assets": assets}))
    lines = [
        f"base_layer_rpc: {NOBODY}", f"gateway: {NOBODY}", "keypair: operator.json",
        "attestor: operator.json", "tokens: tokens.json",
    ]  # fmt: skip
    (folder / "executor.yaml").write_text("\n".join(lines))


@pytest.mark.parametrize(
    "command", ["convexfx check-domain-agreement", "convexfx submit-domain-agreement --fee 1000000"]
)
def test_a_base_layer_that_is_not_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path, command: str
) -> None:
    monkeypatch.setattr(peer_http.Peer.__init__, "__kwdefaults__", quick(peer_http.Peer))
    code, _, err = run(command)
    assert code == 3
    assert err.startswith("convexfx: Failed to connect to base layer RPC: PEER_UNREACHABLE: ")
    assert NOBODY in err
    assert err.endswith("(see `convexfx test`)\n")
    assert err.count("\n") == 1


def quick(peer: type[peer_http.Peer]) -> dict[str, object]:
    """The peer's defaults without pauses between attempts."""
    return {**(peer.__init__.__kwdefaults__ or {}), "pauses_s": ()}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shard: 0", "SETTING: shard: "),
        ("keypair: absent.json", "KEYPAIR: absent.json: "),
        ("tokens: absent.json", "REGISTRY: absent.json: "),
        ("parameters: absent.json", "PARAMS: absent.json: "),
        ("proof_mode: gpu", "SETTING: proof_mode: expected attested"),
    ],
)
def test_a_wrong_setting_is_one_line(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    monkeypatch.setenv("CONVEXFX_RUST_BIN", "")
    key = line.split(":")[0]
    path = folder / "executor.yaml"
    kept = [row for row in path.read_text().splitlines() if not row.startswith(f"{key}:")]
    path.write_text("\n".join([*kept, line]))
    code, _, err = run("convexfx check-domain-agreement")
    assert code == 2
    assert err.startswith(f"convexfx: {said}")
    assert err.count("\n") == 1


def test_the_self_test_says_what_is_missing(run: Run, folder: Path) -> None:
    (folder / "executor.yaml").write_text("keypair: absent.json")
    code, out, _ = run("convexfx test")
    assert code == 1
    assert out.startswith("ok   laws and one dry epoch: ")
    assert "FAIL settings: KEYPAIR: absent.json" in out
    code, out, _ = run("convexfx test --json")
    assert [row["passed"] for row in json.loads(out)] == [True, False, True]


def test_nothing_to_stop_is_no_failure(run: Run) -> None:
    assert run("convexfx down") == (0, "nothing is running\n", "")
