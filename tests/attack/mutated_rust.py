"""Mutants of the Rust laws: one operator, number or check changed at a time in a scratch copy.

``python -m tests.attack.mutated_rust [--every N] [FILE...]`` compiles every N-th mutant of the
sources (some seconds each), holds it against all vectors and attacks and prints those that nobody
notices.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.attack.known_witnesses import Known, known
from tests.differential.laws.rust import answers, native_verdict

LAWS = Path(__file__).resolve().parents[2] / "sp1_worker" / "laws"
SOURCES = "src"
NOT_LAWS = {"violation.rs", "skipped.rs", "bin"}
"""Printing, switches of the tests, command line."""
SWAPS = (
    (" < ", " <= "), (" < ", " >= "), (" <= ", " < "), (" > ", " >= "), (" > ", " <= "),
    (" >= ", " > "), (" == ", " != "), (" != ", " == "), (" && ", " || "), (" || ", " && "),
    (" + ", " - "), (" - ", " + "), (" * ", " + "), (" += ", " -= "), (" << ", " >> "),
    (" >> ", " << "), (" | ", " & "), (" & ", " | "), (".min(", ".max("), (".max(", ".min("),
    (".any(", ".all("), (".all(", ".any("), ("wrapping_add", "wrapping_sub"),
    ("..=", ".."),
)  # fmt: skip
NUMBER = re.compile(r"(?<![\w.])(\d+)(?=(?:u64|u32|u128|i128|usize|i32)?(?![\w.]))")
CHECK = re.compile(r"^\s*(?:expect|self\.|\w+::check|check)[\w:.]*\(.*\)\?;$")
CONDITION = re.compile(r"\bif (?!let )(.+) \{$")
SECONDS_MAX = 60


class Mutant(NamedTuple):
    """One line of one file changed."""

    file: Path
    line: int
    before: str
    change: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line + 1}: {self.change}: {self.before.strip()}"


def sources(root: Path = LAWS) -> list[Path]:
    """Source files that hold laws, relative to the crate."""
    found = sorted((root / SOURCES).rglob("*.rs"))
    names = [path.relative_to(root) for path in found if "tests" not in path.name]
    return [name for name in names if not NOT_LAWS & set(name.parts)]


def mutants(file: Path, root: Path = LAWS) -> Iterator[Mutant]:
    """Every mutant of a file; its unit tests and the switches of the canaries are left alone."""
    text = (root / file).read_text().split("#[cfg(test)]\nmod ")[0]
    for place, line in enumerate(text.splitlines()):
        code = line.split("//")[0].rstrip()
        if not code.strip() or code.lstrip().startswith(
            ("use ", "#", "pub use", "pub mod", "mod ")
        ):
            continue
        if "skipped.skips(" in code:
            continue
        for change, new in changes(code):
            yield Mutant(file, place, code, change, new)


def changes(code: str) -> Iterator[tuple[str, str]]:
    """What may be done to a line of code."""
    for old, new in SWAPS:
        for found in re.finditer(re.escape(old), code):
            yield f"{old.strip()} -> {new.strip()}", _replaced(code, found, new)
    for found in NUMBER.finditer(code):
        for value in (int(found[1]) + 1, int(found[1]) - 1):
            if value >= 0:
                yield f"{found[1]} -> {value}", _replaced(code, found, str(value))
    if CHECK.match(code):
        yield "check dropped", ""
    if found := CONDITION.search(code):
        for value in ("true", "false"):
            yield f"if {value}", code[: found.start(1)] + value + code[found.end(1) :]


def _replaced(code: str, found: re.Match[str], new: str) -> str:
    return code[: found.start()] + new + code[found.end() :]


class Bench:
    """A scratch copy of the crate in which one mutant after the other is built."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.crate, self.target = folder / "laws", target
        # New times of change: cargo takes older sources for those that it built last.
        ignored = shutil.ignore_patterns("target")
        shutil.copytree(LAWS, self.crate, ignore=ignored, copy_function=shutil.copy)

    def built(self) -> Path | None:
        """The binary, None where the sources do not compile."""
        environment = os.environ | {
            "CARGO_TARGET_DIR": str(self.target),
            "CARGO_INCREMENTAL": "1",
            "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
            "RUSTFLAGS": "-Awarnings",
        }
        ended = subprocess.run(
            ["cargo", "build", "--release", "--quiet", "--offline", "--bin", "laws-check"],
            cwd=self.crate, env=environment, capture_output=True, check=False,
        )  # fmt: skip
        return self.target / "release" / "laws-check" if ended.returncode == 0 else None

    def verdict_of(self, mutant: Mutant, witnesses: Sequence[Known]) -> str:
        """``does not compile``, the name of a witness that notices, or ``SURVIVES``."""
        path = self.crate / mutant.file
        kept = path.read_text()
        lines = kept.splitlines()
        lines[mutant.line] = mutant.text
        path.write_text("\n".join(lines) + "\n")
        try:
            binary = self.built()
            return "does not compile" if binary is None else noticed(binary, witnesses)
        finally:
            path.write_text(kept)


def noticed(binary: Path, witnesses: Sequence[Known]) -> str:
    """Name of the first witness whose verdict is not the due one, ``SURVIVES`` without any."""
    for way in ([], ["--plain"]):
        command = ["timeout", str(SECONDS_MAX), binary, *way, "--stream"]
        try:
            found = answers(command, [witness.data for witness in witnesses])
        except AssertionError:
            return "no verdict at all"
        for witness, answer in zip(witnesses, found, strict=True):
            verdict = native_verdict(answer)
            said = verdict.values if verdict.law is None else (verdict.law, verdict.index)
            numbers = answer.get("observed"), answer.get("bound")
            if said != witness.due or witness.numbers not in (None, numbers):
                return f"{witness.name} {' '.join(way)}".strip()
    return "SURVIVES"


def main() -> int:
    """Run what the arguments ask for; exit code 1 where a mutant survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--target", type=Path, help="CARGO_TARGET_DIR to keep between runs")
    options = parser.parse_args()
    chosen = [m for file in options.files or sources() for m in mutants(file)]
    chosen, ended = chosen[options.first :: options.every], Counter[str]()
    witnesses = known()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.target or Path(folder) / "target")
        assert noticed(bench.built() or Path("laws-check"), witnesses) == "SURVIVES"
        for mutant in chosen:
            verdict = bench.verdict_of(mutant, witnesses)
            kind = verdict if verdict in ("SURVIVES", "does not compile") else "noticed"
            ended[kind] += 1
            if kind == "SURVIVES":
                print(f"SURVIVES {mutant}", flush=True)
    print(dict(ended))
    return 1 if ended["SURVIVES"] else 0


if __name__ == "__main__":
    sys.exit(main())
