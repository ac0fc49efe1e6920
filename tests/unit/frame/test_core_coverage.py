"""What ``make coverage`` prints and when it fails; the tests that it counts are not run here."""

from pathlib import Path
from typing import Any

import pytest

from scripts import core_coverage


def report(percent: float) -> dict[str, Any]:
    """A report of three files, one of them without a gap."""
    files = {
        f"convexfx_core/{name}.py": {
            "missing_lines": lines,
            "summary": {"missing_lines": len(lines), "percent_covered": 90.0},
        }
        for name, lines in (("a", [4]), ("b", [3, 4, 5, 9]), ("c", []))
    }
    totals = {"percent_covered": percent, "num_statements": 1_000, "missing_lines": 5}
    return {"totals": totals, "files": files}


def test_neighbours_are_joined_and_long_lists_end() -> None:
    assert core_coverage.spans([9, 3, 5, 4]) == "3-5, 9"
    assert core_coverage.spans([]) == ""
    assert core_coverage.spans(list(range(0, 60, 2))).endswith(", 22, ...")


def test_the_figure_comes_first_and_the_worst_file_next() -> None:
    lines = list(core_coverage.lines_of(report(99.5)))
    assert lines[0].startswith("convexfx_core: 99.50 % of 1,000 lines, 5 not run")
    assert [line.split()[2] for line in lines[1:]] == ["convexfx_core/b.py:", "convexfx_core/a.py:"]
    assert lines[1].endswith(": 3-5, 9")


@pytest.mark.parametrize(
    ("status", "found", "exit_code"),
    [
        (0, report(95.0), 0),
        (0, report(94.99), 1),
        (1, report(99.0), 1),
        (4, {}, 4),
        (0, {}, 1),
    ],
)
def test_it_fails_below_the_least_and_when_a_test_fails(
    monkeypatch: pytest.MonkeyPatch, status: int, found: dict[str, Any], exit_code: int
) -> None:
    monkeypatch.setattr(core_coverage, "measure", lambda tests, folder: (status, found))
    assert core_coverage.main() == exit_code


def test_it_counts_in_a_folder_of_its_own(tmp_path: Path) -> None:
    status, found = core_coverage.measure("tests/unit/no-such-folder", tmp_path)
    assert status != 0
    assert found.get("totals", {"percent_covered": 0})["percent_covered"] < 95
