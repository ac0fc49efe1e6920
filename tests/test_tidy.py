"""House rules that a machine can check."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("flows", "tasks", "convexfx_core", "convexfx", "devnet")
FILE_LINES_MAX, FILE_LINES_MEDIAN = 400, 150
FUNCTION_LINES_MAX, FUNCTION_LINES_P95, FUNCTION_LINES_MEDIAN = 70, 45, 15
DOCSTRINGS_MIN, TESTS_TO_SOURCE_MIN = 0.95, 1.2
VAGUE_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}
MARKS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")


def tracked() -> list[Path]:
    """Files that git tracks or would track; every file of an unpacked archive."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [p for name in listing.stdout.split("\0") if name and (p := ROOT / name).is_file()]


SOURCES = [p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES]
TESTS = [p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] == "tests"]
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}


def lines(path: Path) -> int:
    return path.read_text().count("\n")


def functions() -> list[tuple[int, str]]:
    return [
        (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.name}")
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]


def test_files_are_short() -> None:
    long = {str(p.relative_to(ROOT)): lines(p) for p in SOURCES if lines(p) > FILE_LINES_MAX}
    assert not long
    assert statistics.median(map(lines, SOURCES)) <= FILE_LINES_MEDIAN


def test_functions_are_short() -> None:
    sizes = sorted(functions())
    assert not [(n, name) for n, name in sizes if n > FUNCTION_LINES_MAX]
    assert sizes[int(0.95 * len(sizes))][0] <= FUNCTION_LINES_P95
    assert statistics.median(n for n, _ in sizes) <= FUNCTION_LINES_MEDIAN


def test_the_state_transition_fits_a_page() -> None:
    sizes = {name: n for n, name in functions()}
    assert sizes["convexfx_core/transition.py:apply_epoch"] <= 60


def public(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


def test_public_names_have_docstrings() -> None:
    names = [(path, node) for path, tree in TREES.items() for node in public(tree)]
    bare = [f"{p.relative_to(ROOT)}:{n.name}" for p, n in names if not ast.get_docstring(n)]
    assert len(bare) <= (1 - DOCSTRINGS_MIN) * len(names), bare


def test_modules_say_what_they_hold() -> None:
    bare = [
        str(p.relative_to(ROOT)) for p, t in TREES.items() if t.body and not ast.get_docstring(t)
    ]
    assert not bare


def test_names_are_not_vague() -> None:
    assert not [str(p.relative_to(ROOT)) for p in tracked() if p.name in VAGUE_NAMES]


def test_no_unfinished_marks_or_silenced_checks() -> None:
    marks = re.compile("|".join((*MARKS, "NotImplemented" + "Error", "type: " + "ignore")))
    found = [str(p.relative_to(ROOT)) for p in SOURCES if marks.search(p.read_text())]
    assert not found


def test_tests_outweigh_the_source() -> None:
    ratio = sum(map(lines, TESTS)) / sum(map(lines, SOURCES))
    assert ratio >= TESTS_TO_SOURCE_MIN


def test_nothing_names_a_machine_or_a_download_host() -> None:
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("crates", "io"), ("npmjs", "org"),
             ("golang", "org"), ("maven", "org")]  # fmt: skip
    roots = [f"/{name}/" for name in ("work", "farm", "root")]
    pattern = re.compile("|".join([*(rf"{a}\.{b}" for a, b in hosts), *roots]).encode())
    found = {
        str(p.relative_to(ROOT)): m.group(0)
        for p in tracked()
        if p.stat().st_size < 1_000_000 and (m := pattern.search(p.read_bytes()))
    }
    assert not found


def test_lock_files_with_download_hosts_are_not_tracked() -> None:
    assert not [p.name for p in tracked() if p.name in ("uv.lock", ".terraform.lock.hcl")]


@pytest.mark.parametrize("text", ["def f() -> None:\n" + "    pass\n" * 80])
def test_canary_a_long_function_is_seen(text: str) -> None:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
