"""Files that people expect in a repository: hooks that fetch nothing, types that are found."""

import re
import shlex
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
LINT = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_hooks_are_local_and_fetch_nothing() -> None:
    assert [repository["repo"] for repository in HOOKS["repos"]] == ["local"]
    assert {hook["language"] for hook in HOOKS["repos"][0]["hooks"]} == {"system"}


def test_hooks_are_what_lint_runs() -> None:
    entries = [shlex.split(hook["entry"]) for hook in HOOKS["repos"][0]["hooks"]]
    assert [entry[0] for entry in entries] == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy"]
    assert [entry[1:2] for entry in entries] == [["check"], ["format"], []]
    for target in ("ruff check", "ruff format --check -q", "mypy"):
        assert target in LINT


def test_every_package_of_the_wheel_is_typed() -> None:
    for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]:
        assert (ROOT / pattern.removesuffix("*") / "py.typed").is_file()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_the_targets_that_contributors_are_told_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = set(re.findall(r"`make ([a-z-]+)", CONTRIBUTING)) - {"help"}
    assert told
    assert [name for name in told if f"\n{name}:" not in makefile] == []


def test_the_paths_that_contributors_are_told_exist() -> None:
    told = re.findall(r"`((?:tests|tasks|convexfx_core|convexfx|flows)/[^`\s:]*)`", CONTRIBUTING)
    assert told
    assert [path for path in told if not (ROOT / path).exists()] == []
