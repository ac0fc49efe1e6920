"""``docs/glossary.md`` has every letter that the laws and the specification calculate with."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "glossary.md").read_text()
LAWS = (DOCS / "invariants.md").read_text()
SPEC = (DOCS / "spec.md").read_text()
OTHERS = sorted(path.stem for path in DOCS.glob("*.md") if path.stem != "glossary")
"""Pages that use the terms and letters."""
WORDS = set(
    re.findall(
        r"\w+",
        "abs ceil floor ln min max sum of in implies or and not both each for with over by where "
        "orders order flows receive pay paying touching that",
    )
)
"""What is no letter in a formula: functions, and words between the letters."""
NAME = re.compile(r"[A-Za-z]\w*(?:['~]|\^\+)?(?:_\w+)?|\w*[A-Za-z]")


def rows(heading: str) -> dict[str, str]:
    """Rows of the tables under a heading of the page: first cell to the others."""
    body = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (?!-|letter|term)([^|]+) \| (.+) \|$", body, re.M)
    return dict(cells)


def base(letter: str) -> str:
    """A letter without its index: ``q'_i`` is ``q'``, ``min_fill`` stays."""
    return re.sub(r"_(?:[a-zA-Z]{1,2}|0|pay|receive)$", "", letter)


def explained() -> set[str]:
    """Letters of the glossary, with and without their index."""
    found = {
        letter
        for heading in ("Letters of the integers", "Letters of the float side")
        for cell in rows(heading)
        for letter in re.findall(r"`([^`]+)`", cell)
    }
    return found | {base(letter) for letter in found}


def letters(formula: str) -> set[str]:
    """Names in a formula that are neither numbers nor words."""
    names = set(NAME.findall(re.sub(r"\b\d+e-?\d+\b", "", formula)))
    return names - WORDS


def formulas(page: str) -> list[str]:
    """Formulas of the laws: code in a formula's paragraph and in the gap, indented lines."""
    paragraphs = re.findall(r"^\*\*Formula\.\*\*.*?(?=^\*\*Why|\Z)", page, re.M | re.S)
    paragraphs.append(page.split("\n## The gap\n")[1])
    inline = [code for text in paragraphs for code in re.findall(r"`([^`\n]+)`", text)]
    indented = [re.split(r" {3,}", line[4:])[0] for line in re.findall(r"^ {4}\S.*$", page, re.M)]
    return [code for code in inline + indented if not re.search(r"\.(?:md|py)\b", code)]


def unknown(found: list[str]) -> set[str]:
    known = explained()
    return {name for code in found for name in letters(code) if base(name) not in known}


def test_every_letter_of_the_laws_is_explained() -> None:
    found = formulas(LAWS)
    assert len(found) > 40
    assert {"Rn", "omega", "tau", "kappa", "q'"} <= {base(n) for c in found for n in letters(c)}
    assert unknown(found) == set()


@pytest.mark.parametrize("formula", ["`zeta_i <= P_i`", "`y'_i = q_i`", "`paid <= cap`"])
def test_canary_a_letter_without_a_row_is_seen(formula: str) -> None:
    assert (
        len(unknown(formulas(LAWS.replace("`paid > 0 implies", formula + " `paid implies")))) == 1
    )


def test_every_symbol_of_the_specification_is_explained() -> None:
    section = SPEC.split("\n## 7. ")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (?!-|symbol)([^|]+) \| ", section, re.M)
    names = {name for cell in cells for name in re.findall(r"\w+", re.sub(r"\(.*\)", "", cell))}
    prose = {"a", "bounds", "fill", "limit", "market", "of", "partial", "rationed"}
    assert len(names - prose) > 30
    known = explained() | set(rows("Terms of art"))
    assert {name for name in names - prose if base(name) not in known} == set()


def test_every_letter_has_its_unit_and_its_place() -> None:
    for heading in ("Letters of the integers", "Letters of the float side"):
        for letter, rest in rows(heading).items():
            meaning, unit, place = rest.split(" | ")
            assert all((meaning, unit, place)), letter


def test_terms_stand_in_the_order_of_the_alphabet() -> None:
    terms = [term.lower() for term in rows("Terms of art")]
    assert len(terms) > 60
    assert terms == sorted(terms)


@pytest.mark.parametrize("name", OTHERS)
def test_every_page_points_here_before_its_first_section(name: str) -> None:
    assert "(glossary.md)" in (DOCS / f"{name}.md").read_text().split("\n## ")[0]
