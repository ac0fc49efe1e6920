"""The scripts in ``examples/``, run as their page says, and the lines that they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
PAGE = (EXAMPLES / "README.md").read_text()
PROMISED = {
    "clear_a_batch.py": [
        "every law holds",
        "order 0 receives one unit more, refused by L3:",
        "order 0 is filled one unit short, refused by L4:",
        "order 4 is filled one unit, refused by L2:",
    ],
    "sign_an_order.py": [
        "payload    272 bytes",
        "order id   554bfaa15243d40837bc9f51e89befd81f098c11556a2d5b26c7ff94a17d2bcc",
        "pays at most 1000000000 base units of USD",
        "one bit of the budget changed, refused: SIGNATURE:",
    ],
    "replay_an_epoch.py": [
        "3 of 4 orders consumed",
        "replayed: epoch 1, 3 fills, every law holds",
        "refused each time:",
        "times by L18 diffs follow from fills and sum to zero",
    ],
}


@pytest.mark.parametrize("script", PROMISED)
def test_a_script_prints_what_it_promises(script: str) -> None:
    done = subprocess.run(
        [sys.executable, f"examples/{script}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line for line in PROMISED[script] if line not in done.stdout] == []


def test_every_example_is_run_and_stands_on_the_page() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    assert files == {*PROMISED, "small_market.py", "clearing.ipynb"}
    assert files == set(re.findall(r"\]\(([a-z_]+\.(?:py|ipynb))\)", PAGE))


@pytest.mark.parametrize("script", [*PROMISED, "small_market.py"])
def test_an_example_needs_nothing_from_the_tests(script: str) -> None:
    """What a newcomer copies works with the installed packages alone."""
    assert not re.search(
        r"^(?:from|import) (?:tests|bench)\b", (EXAMPLES / script).read_text(), re.M
    )
