"""Every target of the Makefile is run, by ``.ci/run`` or by a test; a new one without either fails.

What a test cannot run (an hour of proofs, the network, a rewrite of committed files) is read as
``make -n`` prints it, and what it calls must exist: that is less than a run, and ``DRY`` says so.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()
CI = (ROOT / ".ci" / "run").read_text()
RULE = re.compile(r"^([a-z-]+):(?!=)([^#\n]*)", re.M)
TARGETS = {name: needed.split() for name, needed in RULE.findall(MAKEFILE)}
BIN = Path(sys.executable).parent
HERE = "tests/unit/frame/test_makefile.py"
RUN_BY = {
    "help": f"{HERE}::test_help_lists_every_target",
    "format": f"{HERE}::test_format_writes_what_lint_asks_for",
    "notebook": f"{HERE}::test_notebook_runs_the_runner_that_a_test_runs",
    "bench": f"{HERE}::test_bench_runs_on_a_small_size",
    "tf": f"{HERE}::test_tf_says_where_terraform_is_missing",
    "wheel": "tests/integration/test_wheel.py::wheel",
    "clean": f"{HERE}::test_clean_removes_what_is_made_and_nothing_else",
}
"""Targets and the test, or the fixture of tests, that runs them."""
DRY = {
    "constraints": "asks a package index, and rewrites constraints.txt",
    "coverage": "runs the core's tests a second time; its verdict is under test by itself",
    "elf": "rewrites the committed ELF; .ci/run runs elf-check, which builds the same guest",
    "prove-all": "an hour; .ci/run runs prove, which is the first part of it",
    "sim": "an hour; make test runs the same tests with one seed each",
}
"""Targets that are only read, and why."""


def make(*words: str, folder: Path = ROOT, dry: bool = False) -> subprocess.CompletedProcess[str]:
    """``make`` with this interpreter's environment in place of ``.venv``."""
    settled = ["-o", "env", "-o", ".venv/.ready", *(["-n"] if dry else [])]
    command = ["make", "-s", "--no-print-directory", *settled, *words, f"BIN={BIN}"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )


def in_ci() -> set[str]:
    """Targets that ``.ci/run`` makes, with those that they need or make in turn."""
    found, todo = set[str](), re.findall(r"^.*\bstep make ([a-z-]+)", CI, re.M)
    while todo:
        name = todo.pop()
        if name not in found and name in TARGETS:
            found.add(name)
            recipe = MAKEFILE[MAKEFILE.index(f"\n{name}:") + 1 :].split("\n\n")[0]
            todo += [*TARGETS[name], *re.findall(r"\$\(MAKE\)[^\n]* ([a-z-]+)$", recipe, re.M)]
    return found


def test_every_target_is_run_by_something() -> None:
    assert set(TARGETS) == in_ci() | set(RUN_BY) | set(DRY)
    assert not set(DRY) & (in_ci() | set(RUN_BY))


def test_every_target_is_phony_and_says_what_it_is() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    assert phony
    assert sorted(phony[1].split()) == sorted(TARGETS)
    assert set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.M)) == set(TARGETS)


@pytest.mark.parametrize("test", RUN_BY.values(), ids=RUN_BY)
def test_the_test_that_runs_a_target_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text()


def test_canary_a_target_that_nothing_runs_is_seen() -> None:
    assert "prove" in in_ci()
    assert "lint" in in_ci()
    assert "elf" not in in_ci()
    assert set(RULE.findall("new-one: env ## text\n\t@true\n")[0]) == {"new-one", " env "}


def test_help_lists_every_target() -> None:
    done = make("help")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(TARGETS)


@pytest.mark.parametrize("target", DRY)
def test_what_a_target_calls_exists(target: str) -> None:
    done = make(target, dry=True)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        program = ROOT / words[0]
        assert program.exists() or shutil.which(words[0]), line
        for flag, module in pairwise(words):
            if flag == "-m":
                path = ROOT / module.replace(".", "/")
                assert path.with_suffix(".py").exists() or (BIN / module).exists(), line
        paths = [word for word in words[1:] if "/" in word and not word.startswith("-")]
        assert all((ROOT / path).exists() for path in paths), line


def test_the_constraints_hold_everything_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [
        Requirement(text) for text in (*project["dependencies"], *extras["dev"], *extras["fast"])
    ]
    held: dict[str, list[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition(";")[0].strip().partition("==")
        held.setdefault(canonicalize_name(name), []).append(version)
    missing = [
        str(need)
        for need in asked
        if not (found := held.get(canonicalize_name(need.name)))
        or not all(need.specifier.contains(version) for version in found)
    ]
    assert not missing


def scratch(folder: Path, *names: str) -> Path:
    """A folder with the Makefile and a few files of the tree."""
    for name in ("Makefile", "pyproject.toml", *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_format_writes_what_lint_asks_for(tmp_path: Path) -> None:
    ugly = scratch(tmp_path) / "ugly.py"
    ugly.write_text("import sys\nimport os\nprint( os.name,sys.path )\n")
    done = make("format", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ugly.read_text() == "import os\nimport sys\n\nprint(os.name, sys.path)\n"


def test_clean_removes_what_is_made_and_nothing_else(tmp_path: Path) -> None:
    scratch(tmp_path)
    made = ["build", "dist", "convexfx_delta.egg-info", ".localstack", ".mypy_cache"]
    made += [".ruff_cache", ".pytest_cache", ".coverage", ".coverage.host.1"]
    kept = ["convexfx", ".venv", ".hypothesis", "coverage.txt"]
    for name in (*made, *kept):
        (tmp_path / name).mkdir()
    assert make("clean", folder=tmp_path).returncode == 0
    assert {p.name for p in tmp_path.iterdir()} == {"Makefile", "pyproject.toml", *kept}


@pytest.mark.slow
def test_bench_runs_on_a_small_size() -> None:
    done = make("bench", "QUICK=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"orders": 100') == 2


def test_bench_asks_for_every_size_unless_it_is_told_otherwise() -> None:
    assert make("bench", dry=True).stdout.split()[1:] == ["-m", "bench.clearing"]


def test_notebook_runs_the_runner_that_a_test_runs() -> None:
    words = make("notebook", dry=True).stdout.split()
    assert words[1:] == ["-m", "scripts.notebook", "examples/clearing.ipynb", "--save"]
    assert "scripts.notebook" in (ROOT / "tests/unit/examples/test_notebook.py").read_text()


def test_tf_says_where_terraform_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without terraform; ``tests/integration`` runs the parts of the check on a stand-in."""
    for name in ("make", "bash"):
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONVEXFX_REQUIRE_TERRAFORM", raising=False)
    done = make("tf")
    assert done.returncode == 0, done.stderr
    assert "terraform" in done.stdout + done.stderr
