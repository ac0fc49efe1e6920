"""Every example of ``docs/api.md`` and ``docs/wallets.md`` runs, and the lists there are whole."""

import json
import re
import shlex
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from convexfx.api.chain_index.order_state import OrderState
from convexfx.api.problem import ProblemCode
from convexfx.cli.main import app as commands
from convexfx.wallet import ExchangeClient
from convexfx_core.errors import GatewayError, PeerUnreachable
from convexfx_core.identity import base58_encode
from tasks.adapters.keys import write_key
from tests.support.api_live import LiveApi, live_api

ROOT = Path(__file__).resolve().parents[4]
API_PAGE = (ROOT / "docs" / "api.md").read_text()
WALLETS_PAGE = (ROOT / "docs" / "wallets.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DYNAMIC = {"balances", "balances_base_units", "orders", "stages_ms", "description"}
"""Objects whose keys depend on what happened."""


@pytest.fixture(scope="module")
def live() -> Iterator[LiveApi]:
    with live_api() as served:
        yield served


def blocks(page: str, *kinds: str) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in BLOCK.findall(page) if kind in kinds]


def curl(command: str, variables: dict[str, str]) -> httpx.Response:
    """What the curl command of an example asks."""
    for name in sorted(variables, key=len, reverse=True):
        command = command.replace(f"${name}", variables[name])
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    options: dict[str, list[str]] = {}
    urls = []
    while words:
        word = words.pop(0)
        if word in ("-X", "-H", "-d"):
            options.setdefault(word, []).append(words.pop(0))
        else:
            urls.append(word)
    [url] = urls
    headers = dict(header.split(": ", 1) for header in options.get("-H", ()))
    method, [content] = options.get("-X", ["GET"])[0], options.get("-d", [""])
    return httpx.request(method, url, headers=headers, content=content, timeout=60)


def heard(command: str, url: str, length: int) -> str:
    """The first characters of the stream that the curl command of an example listens to."""
    options = {"-N", "-H", "curl"}
    words = [word for word in shlex.split(command.replace("$API", url)) if word not in options]
    [name, value] = words[0].split(": ")
    with httpx.stream("GET", words[1], headers={name: value}, timeout=30) as answer:
        text = ""
        for part in answer.iter_text():
            text += part
            if len(text) >= length:
                break
    return text[:length]


def same_shape(shown: Any, found: Any, path: str = "$") -> None:
    """Both have the same keys and types; null stands for any type, a list's first item for all."""
    if shown is None or found is None:
        return
    assert type(shown) is type(found), f"{path}: {shown!r} beside {found!r}"
    if isinstance(shown, dict):
        if path.rsplit(".", 1)[-1] not in DYNAMIC:
            assert set(shown) == set(found), path
        for key in shown.keys() & found.keys():
            same_shape(shown[key], found[key], f"{path}.{key}")
    if isinstance(shown, list):
        for item in found:
            assert any(fits(example, item, path) for example in shown), (path, item)


def fits(shown: Any, found: Any, path: str) -> bool:
    try:
        same_shape(shown, found, f"{path}[]")
    except AssertionError:
        return False
    return True


def test_canary_another_shape_is_seen() -> None:
    same_shape({"a": [1]}, {"a": [2, 3]})
    for shown, found in (({"a": 1}, {"b": 1}), ({"a": 1}, {"a": "1"}), ([{"a": 1}], [{"a": "x"}])):
        with pytest.raises(AssertionError):
            same_shape(shown, found)


def test_every_example_of_the_api_page(live: LiveApi) -> None:
    alice = live.world.wallets["alice"]
    order = alice.order("USD", "EUR", "1000", nonce=1, limit_ratio="1.1", min_fill_fraction="0.5")
    variables = {
        "API": live.url,
        "OWNER": alice.owner,
        "ORDER_ID": order.order_id.hex(),
        "PUB_KEY": f"0x{alice.pub_key.hex()}",
        "SIGNATURE": base58_encode(order.signature),
    }
    pairs = blocks(API_PAGE, "bash", "json", "text")
    assert len(pairs) >= 18
    for (kind, command), (answer_kind, shown) in zip(pairs[::2], pairs[1::2], strict=True):
        assert kind == "bash"
        if "-N" in command:
            assert heard(command, live.url, len(shown.strip())) == shown.strip()
            continue
        answer = curl(command, variables)
        if answer_kind == "text":
            assert answer.text == shown.strip()
            continue
        example = json.loads(shown)
        assert answer.is_error == ("detail" in example and "code" in example), answer.text
        same_shape(example, answer.json())
        if command.startswith("curl -X POST $API/verifiables"):
            assert answer.json()[0]["order_id"] == order.order_id.hex()
            assert answer.json()[1] == example[1]
        if "ORDER_ID" in command:
            assert answer.json()["state"] == example["state"]
        if "99" in command:
            assert answer.json() == example


def test_every_route_and_code_and_state_is_on_the_page(live: LiveApi) -> None:
    paths = httpx.get(f"{live.url}/openapi.json", timeout=30).json()["paths"]
    page = API_PAGE.replace("{n}", "{number}")
    missing = {path for path in paths if path.replace("/schemas/{name}", "/schemas/{") not in page}
    assert missing == set()
    words = set(re.findall(r"`([A-Za-z_]+)`", API_PAGE))
    assert set(ProblemCode) <= words
    assert set(OrderState) <= words


def test_every_metric_is_on_the_page(live: LiveApi) -> None:
    text = httpx.get(f"{live.url}/metrics", timeout=30).text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    shown = {name for name in names if not name.endswith("_created")}
    assert {name for name in shown if f"`{name}`" not in API_PAGE} == set()


def test_every_python_example_of_the_wallet_page(
    live: LiveApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_key(tmp_path / "alice.json", sha256(b"api world bob").digest())
    names: dict[str, Any] = {}
    examples = blocks(WALLETS_PAGE, "python")
    assert len(examples) == 4
    for _, code in examples:
        exec(compile(code.replace("http://127.0.0.1:8080", live.url), "wallets.md", "exec"), names)
    exchange: ExchangeClient = names["exchange"]
    assert exchange.status(names["order"].order_id.hex())["state"] == "filled"
    assert exchange.status(names["cancel"].order_id.hex(), wait_s=30)["state"] == "consumed"
    assert exchange.status(names["resting"].order_id.hex())["state"] == "cancelled"
    assert exchange.status(names["signed"].order_id.hex(), wait_s=30)["state"] == "filled"


def test_every_command_of_the_wallet_page(
    live: LiveApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVEXFX_API", live.url)
    write_key(tmp_path / "alice.json", sha256(b"api world charlie").digest())
    [(_, text)] = blocks(WALLETS_PAGE, "bash")
    answers = []
    for line in text.splitlines():
        program, *words = shlex.split(line)
        assert program == "convexfx"
        result = CliRunner().invoke(commands, words)
        assert result.exit_code == 0, (line, result.output, result.exception)
        answers.append(result.output)
    assert answers[1].strip() == f"{answers[0].strip()},1"
    assert "USD 100000.000000" in answers[2]
    assert "DebitAllowance" in json.loads(answers[3])
    assert json.loads(answers[4])["status"] == "filled"


def test_the_client_tells_problems_from_silence(live: LiveApi) -> None:
    with ExchangeClient(live.url) as exchange:
        with pytest.raises(GatewayError, match="OWNER_ID: owner: expected"):
            exchange.vault("nobody")
        with pytest.raises(GatewayError, match="ORDER_UNKNOWN"):
            exchange.status("00" * 32)
    with ExchangeClient("http://127.0.0.1:9") as nobody, pytest.raises(PeerUnreachable):
        nobody.domain()
