"""`tests/README.md` names every helper, marker, variable and command, and nothing that is gone."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
PAGE = (TESTS / "README.md").read_text()
HELPERS = ("support", "support/witnesses", "attack", "differential/laws")


def section(folder: str) -> str:
    """What the page says of a folder of helpers."""
    _, heading, rest = PAGE.partition(f": `{folder}/`" if "/w" not in folder else f", `{folder}/`")
    assert heading, folder
    return re.split(r"\n## |\nWitnesses, ", rest)[0]


def named(folder: str) -> set[str]:
    """Files that the section names."""
    return set(re.findall(r"`(\w+\.(?:py|tsv))`", section(folder)))


def there(folder: str, tests_too: bool) -> set[str]:
    """Files of a folder, test files only where they are wanted."""
    names = {path.name for path in (TESTS / folder).iterdir() if path.suffix in (".py", ".tsv")}
    return names if tests_too else {name for name in names if not name.startswith("test_")}


@pytest.mark.parametrize("folder", HELPERS)
def test_every_helper_stands_on_the_page_and_nothing_else(folder: str) -> None:
    assert named(folder) == there(folder, tests_too=folder == "attack")


def test_every_folder_stands_on_the_page() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", PAGE, re.MULTILINE))


def test_every_marker_stands_on_the_page() -> None:
    listed = (TESTS.parent / "pyproject.toml").read_text().split("markers = [")[1].split("]")[0]
    markers = set(re.findall(r'^ +"(\w+):', listed, re.MULTILINE))
    assert markers == set(re.findall(r"^\| `(\w+)` \| [^|]+ \| `-m", PAGE, re.MULTILINE))


def test_every_variable_on_the_page_is_read_by_a_test() -> None:
    sources = "".join(path.read_text() for path in TESTS.rglob("*.py") if path != Path(__file__))
    variables = set(re.findall(r"CONVEXFX_[A-Z]+(?:_[A-Z]+)*", PAGE))
    assert variables
    assert [name for name in variables if f'"{name}"' not in sources] == []


def test_every_command_on_the_page_is_a_module() -> None:
    modules = set(re.findall(r"`(tests\.[\w.]+)`", PAGE))
    assert modules
    assert [name for name in modules if find_spec(name) is None] == []


def test_every_link_on_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert links
    assert [link for link in links if not os.path.exists(TESTS / link)] == []
