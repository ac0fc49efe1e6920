"""One version: ``pyproject.toml`` sets it, the command prints it, the CHANGELOG names it."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADING = re.compile(r"^## (.+)$", re.M)


def test_the_command_prints_the_version_of_the_project() -> None:
    command = [sys.executable, "-m", "convexfx", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{VERSION}\n", "")
    assert version("convexfx-delta") == VERSION, "make env installs the new number"


def test_the_changelog_begins_with_what_is_unreleased_and_names_the_version() -> None:
    first, second, *older = HEADING.findall(CHANGELOG)
    assert first == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d\d-\d\d", second)
    for heading in (second, *older):
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", heading)


def test_versions_of_the_changelog_fall() -> None:
    numbers = [tuple(map(int, h.split(" ")[0].split("."))) for h in HEADING.findall(CHANGELOG)[1:]]
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_number_stands_nowhere_else_in_the_packages() -> None:
    packages = ("flows", "tasks", "convexfx_core", "convexfx", "devnet")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert not [path for path in files if re.search(r"__version__\s*=", path.read_text())]
