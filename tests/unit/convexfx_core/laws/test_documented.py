"""Every law stands in the code, in the names and in ``docs/invariants.md``, with its parts."""

import re
from pathlib import Path

import pytest

from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.laws.predicates import BINDING_LAWS, PREDICATE_LAWS

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "invariants.md").read_text()
SECTIONS = dict(re.findall(r"^## L(\d+): (.+)$", PAGE, re.MULTILINE))
LAWS = range(21)


def section(law: int) -> str:
    """Text of a law's section."""
    start = PAGE.index(f"## L{law}: ")
    end = PAGE.find("\n## ", start + 1)
    return PAGE[start:end]


def test_all_laws_are_named_and_documented() -> None:
    assert sorted(LAW_NAMES) == list(LAWS)
    assert sorted(map(int, SECTIONS)) == list(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_each_law_has_formula_reason_and_code(law: int) -> None:
    text = section(law)
    for part in ("**Formula.**", "**Why.**", "**Code.**"):
        assert part in text, (law, part)
    files = re.findall(r"`([a-z_]+/[a-z0-9_]+\.py)`", text.split("**Code.**")[1])
    assert files
    for name in files:
        assert (ROOT / "convexfx_core" / name).is_file(), name


@pytest.mark.parametrize("law", LAWS)
def test_each_law_has_a_file_of_its_own(law: int) -> None:
    found = list((ROOT / "convexfx_core" / "laws").glob(f"l{law:02}_*.py"))
    assert found
    assert f"L{law}" in found[0].read_text().split('"""')[1]


def test_every_law_belongs_to_one_predicate_or_binds() -> None:
    placed = [law for laws in PREDICATE_LAWS.values() for law in laws] + list(BINDING_LAWS)
    assert sorted(placed) == list(LAWS)


@pytest.mark.parametrize(
    "phrase", ["tau_i =", "E_j   =", "slack_i is what integers cannot avoid", "## The gap"]
)
def test_tau_ration_and_gap_are_written_out(phrase: str) -> None:
    assert phrase in PAGE


@pytest.mark.parametrize(
    "symbol",
    ["gap", "delta", "slack_i", "kappa_ab", "dust", "paid, rationed", "bounds of i", "tau_i"],
)
def test_symbols_of_the_laws_stand_in_the_specification(symbol: str) -> None:
    spec = (ROOT / "docs" / "spec.md").read_text()
    assert re.search(rf"^\| {re.escape(symbol)} \|", spec, re.MULTILINE), symbol
