"""The benches that no target runs, each on a size of seconds: they start, and print JSON lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "admission": ["100"],
    "transition": ["40"],
    "intake": ["--orders", "20", "--rows", "1000"],
    "clearing_campaign": ["instances", "--count", "1"],
}
ELSEWHERE = {
    "clearing": "tests/unit/frame/test_makefile.py",
    "clearing_report": "tests/differential/clearing/test_bench.py",
    "clearing_scenarios": "tests/differential/clearing/test_scenarios.py",
    "guest_cycles": "tests/unit/sp1_worker/test_guest_cycles.py",
    "guest_witness": "tests/unit/sp1_worker/test_guest_cycles.py",
    "law_differential": "tests/differential/laws/test_law_campaign.py",
}
"""The others, and the test that runs them or what they call."""
BY_HAND = {"epoch_latency": "a stack of its own for minutes; tests/e2e runs such a stack"}
"""What no test runs, and why."""


def test_every_bench_is_run_by_a_test() -> None:
    found = {path.stem for path in (ROOT / "bench").glob("*.py")}
    assert found == {*SMALL, *ELSEWHERE, *BY_HAND}
    for name, test in ELSEWHERE.items():
        assert name in (ROOT / test).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_bench_runs_on_a_small_size(name: str) -> None:
    command = [sys.executable, "-m", f"bench.{name}", *SMALL[name]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(isinstance(line, dict) for line in lines)
