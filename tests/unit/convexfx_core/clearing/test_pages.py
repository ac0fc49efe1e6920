"""The pages of the clearing against the code: named tests and functions exist."""

import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PROPERTIES = 21
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def section(page: str, heading: str) -> str:
    text = (ROOT / "docs" / page).read_text()
    return text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]


def test_every_property_names_tests_that_exist() -> None:
    seen = []
    for line in section("clearing.md", "7. Properties").splitlines():
        if row := re.match(r"\| (\d+) \| .+ \| (`tests/.+`) \|$", line):
            named = TEST.findall(row[2])
            assert named
            for file, name in named:
                assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.M), name
            seen.append(int(row[1]))
    assert seen == list(range(1, PROPERTIES + 1))


def test_every_named_function_of_the_specification_exists() -> None:
    table = section("spec.md", "10. The clearing")
    rows = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    named = [name for row in rows for name in re.findall(r"`(\w+)\.(\w+)`", row)]
    assert len(rows) >= 14
    assert len(named) >= len(rows)
    for module, function in named:
        assert callable(getattr(import_module(f"convexfx_core.clearing.{module}"), function))
