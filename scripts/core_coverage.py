"""How much of ``convexfx_core`` its own unit tests run: ``make coverage``.

Runs the tests that mirror the core, two at a time, with a line counter, then prints the figure, the
files with most lines that nothing ran, and those lines. Exit 1: a test failed, or less than
:data:`LEAST_PERCENT` of the lines ran. Lines are a floor and no proof: what a law checks is held by
its smallest violations and by mutants (``tests/attack``), not by this figure.

What is counted stands in ``pyproject.toml`` under ``[tool.coverage]``.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEAST_PERCENT = 95.0
WORST, SPANS_MAX = 10, 12
TESTS = "tests/unit/convexfx_core"
TEST_S_MAX = 900
"""A counted test takes up to three times as long, and longer where the machine is busy."""


def measure(tests: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Exit status of the tests, and the report of their coverage."""
    report = folder / "coverage.json"
    options = ["-n", "2", "--dist", "loadfile", f"--timeout={TEST_S_MAX}", "-p", "no:cacheprovider"]
    counted = ["--cov", "--cov-config=pyproject.toml", f"--cov-report=json:{report}"]
    command = [sys.executable, "-m", "pytest", *options, *counted, tests]
    done = subprocess.run(
        command, env=os.environ | {"COVERAGE_FILE": str(folder / ".coverage")}, check=False
    )
    return done.returncode, json.loads(report.read_text()) if report.exists() else {}


def spans(lines: list[int]) -> str:
    """Numbers of lines, neighbours joined, the first dozen: ``3-5, 9``."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in found]
    return ", ".join([*texts[:SPANS_MAX], *(["..."] if len(texts) > SPANS_MAX else [])])


def lines_of(report: dict[str, Any]) -> Iterator[str]:
    """What people read: the figure, then the worst files."""
    totals = report["totals"]
    yield (
        f"convexfx_core: {totals['percent_covered']:.2f} % of {totals['num_statements']:,} lines,"
        f" {totals['missing_lines']} not run; at least {LEAST_PERCENT:.0f} % are asked for"
    )
    worst = sorted(report["files"].items(), key=lambda item: -item[1]["summary"]["missing_lines"])
    for name, file in worst[:WORST]:
        if file["missing_lines"]:
            share = file["summary"]["percent_covered"]
            yield f"  {share:5.1f} %  {name}: {spans(file['missing_lines'])}"


def main() -> int:
    """Measure, print, judge."""
    with tempfile.TemporaryDirectory() as folder:
        failed, report = measure(TESTS, Path(folder))
    if not report:
        return failed or 1
    print(*lines_of(report), sep="\n")
    return 1 if failed or report["totals"]["percent_covered"] < LEAST_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
