"""``docs/proof.md``: its commands are run, its names are those of the code."""

import re
from pathlib import Path

import pytest

from convexfx.cli import epoch as epoch_commands
from convexfx_core.errors import ExecutionCode, ProofCode
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.witness.public_values import FIELD_NAMES
from devnet.settlement.agreement import MODES
from tests.support.api_world import ApiWorld
from tests.support.fake_laws_host import VKEY, FakeHost
from tests.unit.convexfx.cli.test_proof import CORE, Run, fake, run, world

__all__ = ["fake", "run", "world"]
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/proof.md").read_text()
README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs/runbook.md").read_text()


def commands(section: str) -> list[str]:
    """Lines of the fenced blocks of a section of the page."""
    body = PAGE.split(f"\n## {section}")[1].split("\n## ")[0]
    return [
        line.removeprefix("convexfx ")
        for block in re.findall(r"^```\n(.*?)^```$", body, re.M | re.S)
        for line in block.splitlines()
    ]


@pytest.fixture
def stranger(
    run: Run, world: ApiWorld, fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """A folder with the files that the page speaks of."""
    monkeypatch.setattr(epoch_commands, "_store", lambda _config: world.store)
    (tmp_path / "vkey.bin").write_bytes(fake.program.vkey_file.read_bytes())
    (tmp_path / "vkey.txt").write_text(VKEY + "\n")

    def call(command: str) -> tuple[int, str, str]:
        answer = run(command.replace("$(cat vkey.txt)", VKEY))
        for proof in tmp_path.glob("epoch-1/proofs/*/core/proof.bin"):
            (tmp_path / "proof.bin").write_bytes(proof.read_bytes())
        return answer

    return call


def test_a_stranger_s_commands_work_in_their_order(stranger: Run) -> None:
    found = commands("4. ")
    assert [command.split()[0] for command in found] == ["epoch", "proof", "proof", "witness"]
    for command in found:
        code, out, err = stranger(command)
        assert (code, err) == (0, ""), command
        assert out
        if command.startswith("proof verify"):
            assert out.startswith(f"epoch {CORE}: mode core: verified\n")


def test_the_other_commands_work(stranger: Run) -> None:
    for command in commands("3. "):
        if not command.startswith("up "):
            assert stranger(command)[0] == 0, command


def test_every_mode_stands_in_the_tables() -> None:
    table = PAGE.split("## 3. Modes")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(MODES)
    assert all(f"`{mode}`" in README for mode in MODES)


def test_the_statement_names_every_public_value_and_every_law() -> None:
    said = PAGE.split("## 1. The statement")[1].split("\n## 2")[0]
    ours = set(FIELD_NAMES) - {"version", "domain_tag", "n_orders", "n_fills"}
    assert {name for name in ours if f"`{name}" not in said and name not in said} == set()
    named = {int(number) for number in re.findall(r"\bL(\d+)\b", said)}
    assert set(LAW_NAMES) - named == {17}, "L17, who pays receives, needs no words of its own"


def test_the_runbook_has_every_code_of_a_proof() -> None:
    for code in (*ProofCode, ExecutionCode.GUEST_TRAPPED):
        assert f"`{code}`" in RUNBOOK


def test_the_readme_leads_here() -> None:
    assert "(docs/proof.md)" in README
