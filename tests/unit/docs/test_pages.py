"""Pages against the tree: links resolve, commands exist, the README's wallet trades."""

import re
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from convexfx.cli.main import app
from convexfx.local.genesis import GUEST, USERS
from convexfx.local.localstack import aws_environment
from convexfx.wallet import client as wallet_client
from convexfx_core.orders.signed import UnsignedOrder, order_payload
from convexfx_core.orders.terms import order_terms
from tasks.adapters.keys import write_key
from tests.support.api_world import DOMAIN, ApiWorld, api_world

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("sp1_worker", "examples")
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *(ROOT / f / "README.md" for f in FOLDERS)]
)
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
CLI = typer.main.get_command(app)


def blocks(page: str, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(page) if kind == language]


def links(page: Path) -> Iterator[str]:
    """Relative targets of a page's links, without anchors."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", target):
            yield target.partition("#")[0]


def commands(text: str, program: str) -> list[str]:
    """Lines of fenced blocks and pieces of inline code that begin with a program's name."""
    lines = [line for _, body in FENCE.findall(text) for line in body.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    return [c.split(" #")[0].strip() for c in (*lines, *inline) if c.startswith(f"{program} ")]


def refusal(command: str) -> str | None:
    """What is wrong with a `convexfx` command line, None if such a command exists.

    Words after the command's name are its arguments; their number and values are not looked at.
    """
    words = command.split()[1:]
    found: Any = CLI
    while (choices := getattr(found, "commands", None)) and words and words[0][0] != "-":
        name = words.pop(0)
        if name not in choices:
            return f"{found.name} has no command {name}"
        found = choices[name]
    known = {o for p in found.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    wrong = [w for w in words if w.startswith("--") and w.split("=")[0] not in known]
    return f"{found.name} has no option {wrong[0]}" if wrong else None


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_relative_link_resolves(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page.is_dir():
            todo += sorted(page.glob("*.md"))
        elif page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            todo += [(page.parent / target).resolve() for target in links(page)]
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_command_on_a_page_exists(page: Path) -> None:
    found = {c: refusal(c) for c in commands(page.read_text(), "convexfx")}
    assert {c: wrong for c, wrong in found.items() if wrong} == {}


def test_every_make_target_on_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    named = {c.split()[1] for page in PAGES for c in commands(page.read_text(), "make")}
    assert {"run", "test"} <= named
    assert named - targets == set()


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("convexfx epoch shw 1", "epoch has no command shw"),
        ("convexfx up --epoch 3", "up has no option --epoch"),
        ("convexfx up --epochs 3 --no-traffic", None),
    ],
)
def test_canary_a_command_that_is_none_is_seen(command: str, wrong: str | None) -> None:
    assert refusal(command) == wrong


def test_make_run_passes_its_epochs_on() -> None:
    make = ["make", "-n", "-s", "-o", "env", "-o", ".venv/.ready", "run", "EPOCHS=3"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    last = done.stdout.strip().splitlines()[-1].split()
    assert last[0].endswith("convexfx")
    assert " ".join(last[1:]) == "up --epochs 3"
    assert refusal("convexfx " + " ".join(last[1:])) is None


def test_the_runbook_names_the_variables_of_the_local_store() -> None:
    exported = dict(re.findall(r"(AWS_\w+)=(\S+)", RUNBOOK))
    assert exported.items() <= aws_environment("http://127.0.0.1:4566").items()
    assert "AWS_ENDPOINT_URL" in exported


class OneEpochLater(httpx.Client):
    """The API in this process; whoever asks for an order waits for its epoch to end."""

    def __init__(self, world: ApiWorld, url: str) -> None:
        super().__init__(base_url=url)
        self._world = world

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        if str(url).startswith("/orders/"):
            self._world.epoch()
        options.pop("timeout", None)
        answer: httpx.Response = self._world.client.request(method, str(url), **options)
        return answer


def wallet_example() -> str:
    (example,) = blocks(README, "python")
    return example


def test_the_wallet_example_has_at_most_ten_lines() -> None:
    assert len([line for line in wallet_example().splitlines() if line.strip()]) <= 10


def test_the_wallet_example_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = api_world(("dana", "bob"))
    urls: list[str] = []

    def client(base_url: str, **_: object) -> OneEpochLater:
        urls.append(base_url)
        return OneEpochLater(world, base_url)

    monkeypatch.setattr(wallet_client.httpx, "Client", client)
    monkeypatch.chdir(tmp_path)
    write_key(tmp_path / ".convexfx" / "keys" / "dana.json", sha256(b"api world dana").digest())
    world.send(world.wallets["bob"].order("EUR", "USD", "900", nonce=1))
    exec(compile(wallet_example(), "README.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert urls == ["http://127.0.0.1:8080"]
    assert "'status': 'queued'" in said[0]
    assert said[1].startswith(("filled in epoch 1 {'paid': '1000", "partial in epoch 1 {'paid': '"))
    balances = world.get(f"/vaults/{world.wallets['dana'].owner}")["balances"]
    assert said[2] == str(balances)
    assert balances["USD"] != balances["AUD"]


def test_the_example_s_wallet_is_funded_and_without_traffic() -> None:
    assert f"keys/{GUEST}.json" in wallet_example()
    assert GUEST not in USERS


def test_two_owners_never_share_an_order_id() -> None:
    owners = [DOMAIN.pool.owner, *(api_world(("alice",)).wallets["alice"].owner_id,)]
    terms = order_terms(1, None, 0, 0)
    payloads = {order_payload(DOMAIN, UnsignedOrder(o, 1, 0, 1_000, terms)) for o in owners}
    assert len(payloads) == 2
    assert len({payload[:56] + payload[88:] for payload in payloads}) == 1
