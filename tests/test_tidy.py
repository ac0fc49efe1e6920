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
DOCSTRINGS_MIN, TESTS_TO_SOURCE_MIN = 0.95, 1.4
VAGUE_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}
EQUAL_LINES_MAX = 9
HUBS = {
    "convexfx_core/__init__.py": "the protocol in one call, loaded when it is asked for",
    "convexfx/wallet/__init__.py": "what a wallet's author imports; docs/wallets.md shows it",
    "convexfx_core/clearing/__init__.py": "the one function behind which the solvers stand",
    "convexfx_core/laws/__init__.py": "the two questions behind which twenty laws stand",
}
"""Packages whose ``__init__`` hands on names of its files, each with its reason."""
IMPORT = re.compile(r"^ *(?:from \S+ )?import (?:\([^)]*\)|.*)$", re.MULTILINE)
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


def handed_on(tree: ast.Module) -> set[str]:
    """Names that a module imports for others: in ``__all__``, or as ``import a as a``."""
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    imported = [alias for node in nodes for alias in node.names]
    listed = {
        name.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and "__all__" in ast.unparse(node).split("=")[0]
        for name in ast.walk(node)
        if isinstance(name, ast.Constant) and isinstance(name.value, str)
    }
    return {a.asname for a in imported if a.asname and a.asname == a.name} | (
        listed & {a.asname or a.name for a in imported}
    )


def test_a_name_has_one_home() -> None:
    """No module hands on what it imported, but for the packages of ``HUBS``."""
    hubs = {str(p.relative_to(ROOT)) for p, tree in TREES.items() if handed_on(tree)}
    assert hubs == set(HUBS)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('from m import a, b\n\n__all__ = ["a", "c"]\n', {"a"}),
        ('from m import a as b\n\n__all__: Final = ("b",)\n', {"b"}),
        ('from m import a\n\n__all__ = ["c"]\n__all__ += ["a"]\n', {"a"}),
        ("from m import a as a\n", {"a"}),
        ("from m import a as b\n", set()),
        ('from m import a\n\n__all__ = ["c"]\n', set()),
        ('from m import a\n\nnames = ["a"]\n', set()),
    ],
)
def test_canary_names_that_are_handed_on_are_seen(text: str, names: set[str]) -> None:
    assert handed_on(ast.parse(text)) == names


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


def code_lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines of code: no blank line, comment or import."""
    told = IMPORT.sub(lambda found: "\n" * found[0].count("\n"), text)
    numbered = ((n, line.strip()) for n, line in enumerate(told.split("\n"), 1))
    return [(n, line) for n, line in numbered if line and line[0] != "#"]


def walled(one: str, other: str) -> bool:
    """Whether a wall stands between two files, so that each says the same for itself.

    The devnet has its own codecs, because it checks ours. Compiled kernels take every array by
    itself, and twins of the plain ones stand beside them. ``diff_checks`` recounts what
    ``diffs`` made.
    """
    return (
        one.startswith("devnet/") != other.startswith("devnet/")
        or "numba" in one
        or "numba" in other
        or (one != other and "convexfx_core/ledger/diff_checks.py" in (one, other))
    )


def repeated(texts: dict[str, str], most: int = EQUAL_LINES_MAX) -> list[str]:
    """Places, as ``file:line = file:line``, that share more than ``most`` equal lines of code."""
    seen: dict[tuple[str, ...], list[tuple[str, int, int]]] = {}
    found = []
    for name, text in texts.items():
        code = code_lines(text)
        for place in range(len(code) - most):
            window = tuple(line for _, line in code[place : place + most + 1])
            for other, line, at in seen.get(window, []):
                if not walled(name, other) and (name != other or place - at > most):
                    found.append(f"{other}:{line} = {name}:{code[place][0]}")
            seen.setdefault(window, []).append((name, code[place][0], place))
    return found


def test_nothing_is_written_twice() -> None:
    """What is equal in ten lines has one home; see ``walled`` for the walls that stay."""
    assert not repeated({str(p.relative_to(ROOT)): p.read_text() for p in (*SOURCES, *TESTS)})


@pytest.mark.parametrize(
    ("lines_equal", "names", "times"),
    [
        (10, ("tasks/a.py", "convexfx/b.py"), 1),
        (9, ("tasks/a.py", "convexfx/b.py"), 0),
        (10, ("tasks/a.py", "devnet/b.py"), 0),
        (10, ("devnet/a.py", "devnet/b.py"), 1),
        (10, ("convexfx_core/clearing/kernels.py", "convexfx_core/clearing/kernels_numba.py"), 0),
        (10, ("convexfx_core/ledger/diffs.py", "convexfx_core/ledger/diff_checks.py"), 0),
    ],
)
def test_canary_ten_equal_lines_are_seen(
    lines_equal: int, names: tuple[str, str], times: int
) -> None:
    body = "".join(f"    value += {k}\n\n    # {{0}}\n" for k in range(lines_equal))
    texts = {
        name: f'"""Of {k}."""\nfrom m{k} import (\n    a,\n)\ndef f{k}(value):\n' + body.format(k)
        for k, name in enumerate(names)
    }
    assert len(repeated(texts)) == times


def test_canary_ten_equal_lines_in_one_file_are_seen() -> None:
    body = "".join(f"    value += {k}\n" for k in range(10))
    assert repeated({"a.py": f"def f(value):\n{body}def g(value):\n{body}"}) == ["a.py:2 = a.py:13"]
    assert not repeated({"a.py": "def f(value):\n" + "    value += 1\n" * 19})
    assert repeated({"a.py": "def f(value):\n" + "    value += 1\n" * 20})


@pytest.mark.parametrize("text", ["def f() -> None:\n" + "    pass\n" * 80])
def test_canary_a_long_function_is_seen(text: str) -> None:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
