"""The wheel: built from the tracked files, installed in an empty folder, used from elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("convexfx", "convexfx_core", "devnet", "flows", "tasks")
FRAME = ("pyproject.toml", "README.md", "LICENSE", "Makefile")
WHERE = """
import convexfx, convexfx_core, devnet, flows, json, tasks
from importlib.metadata import entry_points
ours = [convexfx, convexfx_core, devnet, flows, tasks]
scripts = [e.value for e in entry_points(group="console_scripts") if e.name.startswith("convexfx")]
print(json.dumps({"files": [m.__file__ for m in ours], "scripts": scripts}))
"""
DATA = """
import json
from convexfx_core.market.parameter_file import DEMO, HOUSE, packaged
print(json.dumps([packaged(name) and name.split("-")[0] for name in (DEMO, HOUSE)]))
"""


def tracked(*paths: str) -> list[str]:
    """Files below ``paths`` that belong to the tree, as they are now."""
    git = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(n for n in found.stdout.split("\0") if n and (ROOT / n).is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make wheel`` builds in a copy of the tree, so that nothing is left behind here."""
    copy = tmp_path_factory.mktemp("tree")
    for name in tracked(*PACKAGES, *FRAME):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    build = [
        "make",
        "-o",
        "env",
        "-o",
        ".venv/.ready",
        "wheel",
        f"BIN={Path(sys.executable).parent}",
    ]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    (made,) = (copy / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder into which the wheel was installed; dependencies come from elsewhere."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([*pip, *options, str(wheel)], check=True, timeout=120)
    return folder


@pytest.fixture
def outside(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A working directory without a checkout, and an environment that finds the installation."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONVEXFX_", "PYTHON"))}
    return tmp_path, kept | {"PYTHONPATH": str(installed)}


def call(outside: tuple[Path, dict[str, str]], *argv: str) -> subprocess.CompletedProcess[str]:
    folder, env = outside
    return subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def test_it_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == set(tracked(*PACKAGES))
    data = {name for name in held if not name.endswith(".py")}
    assert {"convexfx_core/parameters/demo-v1.json", "convexfx_core/schemas/swap.json"} <= data
    assert {f"{package}/py.typed" for package in PACKAGES} <= data


def test_it_carries_its_licence_and_names_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith("METADATA"))
        text = archive.read(info).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: Apache-2.0" in text
    needed = [line.split(" ", 1)[1] for line in text.splitlines() if line.startswith("Requires-D")]
    assert {"prefect", "boto3", "numpy"} <= {name.split(">")[0].split("<")[0] for name in needed}


def test_it_is_what_python_finds_outside(
    outside: tuple[Path, dict[str, str]], installed: Path
) -> None:
    done = call(outside, sys.executable, "-c", WHERE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(Path(name).is_relative_to(installed) for name in found["files"])
    assert set(found["scripts"]) == {"convexfx.cli.main:main"}


@pytest.mark.parametrize("script", ["convexfx", "convexfx-delta"])
def test_its_commands_answer(
    outside: tuple[Path, dict[str, str]], installed: Path, script: str
) -> None:
    done = call(outside, sys.executable, str(installed / "bin" / script), "--help")
    assert done.returncode == 0, done.stderr
    for command in ("up", "run", "clear", "verify", "wallet", "epoch", "submit-domain-agreement"):
        assert command in done.stdout


def test_it_reads_its_own_data(outside: tuple[Path, dict[str, str]]) -> None:
    done = call(outside, sys.executable, "-c", DATA)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["demo", "house"]


def test_its_schemas_are_those_of_the_tree(installed: Path) -> None:
    for name in tracked("convexfx_core/schemas", "convexfx_core/parameters"):
        assert (installed / name).read_bytes() == (ROOT / name).read_bytes()
