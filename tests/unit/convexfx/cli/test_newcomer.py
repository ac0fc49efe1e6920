"""What a newcomer types: values of the running stack, wrong words, exit codes, ``--json``."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from convexfx.cli.main import main
from convexfx.cli.options import load_settings
from convexfx.local.exchange import Exchange
from convexfx.local.processes import identity
from convexfx.local.running import running_environment, use_running_stack, write_environment
from convexfx.local.state import StackState, StateFile
from tasks.adapters.keys import generate_key
from tests.support.api_live import LiveApi, live_api

Run = Callable[[str], tuple[int, str, str]]
VARIABLES = {
    "CONVEXFX_GATEWAY": "http://127.0.0.1:3001",
    "CONVEXFX_PROOF_MODE": "executed",
    "CONVEXFX_API_PORT": "8081",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4567",
    "AWS_ACCESS_KEY_ID": "test",
    "PREFECT_API_URL": "http://127.0.0.1:4201/api",
    "PREFECT_HOME": "not for others",
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command line in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(command: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", command.split())
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def live() -> Iterator[LiveApi]:
    with live_api() as served:
        yield served


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State folder of a stack whose supervisor is this process."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "restored afterwards")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".convexfx"
    StateFile(folder).write(StackState("marker", os.getpid(), identity(os.getpid())))
    write_environment(folder, VARIABLES)
    return folder


def test_without_a_file_the_running_stack_s_values_hold(stack: Path) -> None:
    settings = load_settings(None)
    assert (settings.gateway, settings.proof_mode) == ("http://127.0.0.1:3001", "executed")
    assert settings.api_port == 8081
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4567"
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:4201/api"
    assert "PREFECT_HOME" not in running_environment(stack)


def test_what_the_caller_says_wins(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEXFX_PROOF_MODE", "attested")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere")
    use_running_stack(stack)
    assert load_settings(None).proof_mode == "attested"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://elsewhere"
    assert "AWS_ACCESS_KEY_ID" not in os.environ, "its own credentials, wherever they stand"


def test_a_file_says_it_all(stack: Path) -> None:
    Path("executor.yaml").write_text("shard: 3\n")
    settings = load_settings(None)
    assert (settings.shard, settings.gateway) == (3, "http://127.0.0.1:3000")
    assert "AWS_ENDPOINT_URL" not in os.environ


@pytest.mark.parametrize("broken", ["ended", "no file", "not JSON"])
def test_no_running_stack_says_nothing(stack: Path, broken: str) -> None:
    if broken == "ended":
        StateFile(stack).write(StackState("marker", os.getpid(), "another process of that id"))
    elif broken == "no file":
        (stack / "environment.json").unlink()
    else:
        (stack / "environment.json").write_text("{")
    assert running_environment(stack) == {}


@pytest.mark.parametrize(
    "command",
    [
        "convexfx up --api-port 99999",
        "convexfx up --gateway-port 0",
        "convexfx up --interval 1",
        "convexfx up --epochs 0",
        "convexfx run --api-port 70000",
        "convexfx epoch show 0",
        "convexfx epoch show one",
        "convexfx epoch explain zz",
        "convexfx wallet status zz",
        "convexfx wallet cancel 0 USD --key k.json",
        "convexfx prove 1 --mode mock",
        "convexfx test --config absent.yaml --nonsense",
        "convexfx nonsense",
    ],
)
def test_invalid_words_are_usage_errors(run: Run, command: str) -> None:
    code, out, err = run(command)
    assert code == 2, (out, err)
    assert "Traceback" not in err
    assert err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("USD EUR abc", "budget: expected a decimal"),
        ("USD EUR 1e3", "budget: expected a decimal"),
        ("USD EUR 1 --limit abc", "limit_ratio: expected a decimal"),
        ("USD EUR 1 --limit 0", "limit: expected a positive ratio"),
        ("USD EUR 1 --min-fill nan", "min_fill_fraction: expected a decimal"),
        ("USD EUR 1 --min-fill 2", "min_fill_fraction: expected a number in [0, 1]"),
        ("USD EUR 0.0000001", "budget: expected at most 6 decimals for USD"),
        ("USD USD 1", "SELF_PAIR: receive: expected another asset than pay"),
        ("USD EUR 0", "budget"),
        ("USD EUR 1 --nonce 9223372036854775808", "nonce"),
        ("USD XYZ 1", "receive_asset: expected USD EUR JPY GBP CHF AUD"),
    ],
)
def test_invalid_orders_are_one_line_that_names_the_field(
    run: Run, live: LiveApi, options: str, said: str
) -> None:
    generate_key(Path("k.json"))
    code, out, err = run(f"convexfx wallet sign {options} --key k.json --api {live.url}")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_every_reading_command_of_a_wallet_answers_in_json(run: Run, live: LiveApi) -> None:
    generate_key(Path("k.json"))
    code, out, _ = run(f"convexfx wallet address --json --key k.json --api {live.url}")
    assert code == 0
    assert json.loads(out)["address"] == f"{json.loads(out)['owner']},1"
    code, out, _ = run(f"convexfx wallet balance --json --key k.json --api {live.url}")
    assert code == 0
    assert json.loads(out)["balances"]["USD"] == "0.000000"
    alice = live.world.wallets["alice"]
    order = alice.order("USD", "EUR", "10", nonce=1)
    assert live.world.post(order.verifiable)[0]["status"] == "queued"
    command = f"convexfx wallet status {order.order_id.hex()} --json --api {live.url}"
    code, out, _ = run(command)
    assert (code, json.loads(out)["order_id"]) == (0, order.order_id.hex())


def test_an_unknown_order_is_a_no_and_an_absent_exchange_unreachable(
    run: Run, live: LiveApi
) -> None:
    code, _, err = run(f"convexfx wallet status {'ab' * 32} --api {live.url}")
    assert (code, "ORDER_UNKNOWN" in err) == (1, True)
    code, _, err = run(f"convexfx wallet status {'ab' * 32} --api http://127.0.0.1:9")
    assert (code, "PEER_UNREACHABLE" in err) == (3, True)


def test_without_a_stack_and_without_variables_the_line_says_what_helps(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "absent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "absent")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it may keep another test's variables
    for command in ("epoch list", "epoch show 1", "witness dump 1", "proof verify 1"):
        code, _, err = run(f"convexfx {command}")
        assert (code, "convexfx up" in err, len(err.splitlines())) == (2, True, 1), err


def test_a_key_is_derived_only_where_the_host_is_built(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVEXFX_RUST_BIN", "")
    code, out, err = run("convexfx proof vkey --derive")
    assert (code, out) == (2, "")
    assert "--derive: expected laws-host, which derives it (make rust)" in err
    assert run("convexfx proof vkey")[0] == 0, "the committed one needs no host"


def test_a_wallet_finds_the_exchange_of_its_folder(
    run: Run, stack: Path, live: LiveApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONVEXFX_API", raising=False)
    port = live.url.rsplit(":", 1)[1]
    write_environment(stack, {**VARIABLES, "CONVEXFX_API_PORT": port})
    generate_key(Path("k.json"))
    code, out, err = run("convexfx wallet balance --key k.json")
    assert (code, err) == (0, "")
    assert out.endswith("next nonce 1\n")


@pytest.mark.parametrize(("option", "port"), [("", 8123), (" --api-port 8124", 8124)])
def test_the_api_s_port_is_a_setting_that_an_option_changes(
    run: Run, monkeypatch: pytest.MonkeyPatch, option: str, port: int
) -> None:
    seen: list[int] = []

    def started(exchange: Exchange, **_: object) -> int:
        seen.extend((exchange.ports.api, exchange.settings.api_port))
        return 0

    monkeypatch.setattr("convexfx.local.session.run_exchange", started)
    Path("executor.yaml").write_text("api_port: 8123\nproof_mode: attested\n")
    assert run(f"convexfx up{option}")[0] == 0
    assert seen == [port, port]
