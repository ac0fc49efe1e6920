"""Judges random witnesses by the laws in Python, in Rust and in the executed guest.

    python -m bench.law_differential --first-seed 0 --witnesses 100000 --execute 1000
    python -m bench.law_differential --seed 4711 --write DIRECTORY

The laws are written twice on purpose, so that an error in one of them shows as a difference. The
tests compare a few witnesses; this is the long run. The first form prints a line for each part of
the run and ends with 1 on any difference. The second form writes the witnesses of one seed to a
folder and prints the verdict of every implementation on each.
"""

import argparse
import sys
import time
from pathlib import Path

from tasks.adapters.rust_parts import NOT_BUILT, RustParts, rust_parts
from tests.differential.laws.campaign import Checker, by_python, campaign, samples
from tests.differential.laws.rust import by_executor, by_laws_check

PART = 10_000
SEEDS_A_PART = PART // 8
"""A seed makes ten witnesses, but a tenth of them makes none: an eighth leaves some spare."""


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--witnesses", type=int, default=PART)
    parser.add_argument("--execute", type=int, default=0, help="as many also in SP1's executor")
    parser.add_argument("--seed", type=int, help="replay one seed")
    parser.add_argument("--write", type=Path, help="folder for the witnesses of that seed")
    parser.add_argument("--laws-check", type=Path, help="another laws-check than the built one")
    options = parser.parse_args()
    parts = rust_parts()
    native = options.laws_check or (parts.laws_check if parts else None)
    if native is None:
        print(NOT_BUILT, file=sys.stderr)
        return 2
    checkers = {"python": by_python("auto"), "rust": by_laws_check(native)}
    if options.seed is not None:
        return replay(options.seed, checkers, options.write)
    bad = run(options.first_seed, options.witnesses, checkers)
    if options.execute and parts:
        bad += execute(options.first_seed + (1 << 40), options.execute, parts)
    return 1 if bad else 0


def run(first: int, witnesses: int, checkers: dict[str, Checker]) -> int:
    """Compare in parts of :data:`PART` witnesses; the number of differences."""
    bad, seen = 0, 0
    for at in range(first, 1 << 62, SEEDS_A_PART):
        if seen >= witnesses:
            break
        start = time.perf_counter()
        report = campaign(range(at, at + SEEDS_A_PART), min(PART, witnesses - seen), checkers)
        seconds = time.perf_counter() - start
        print(f"from seed {at}: {report.line()}, {seconds:.0f} s", flush=True)
        print(*report.differences, sep="\n", end="\n" if report.differences else "")
        bad, seen = bad + len(report.differences), seen + report.witnesses
    return bad


def execute(first: int, witnesses: int, parts: RustParts) -> int:
    """Compare Python with the executed guest; the number of differences."""
    start = time.perf_counter()
    checkers = {"python": by_python("auto"), "guest": by_executor(parts.laws_host, parts.elf)}
    report = campaign(range(first, 1 << 62), witnesses, checkers, batch=100)
    print(f"executed: {report.line()}, {time.perf_counter() - start:.0f} s")
    print(*report.differences, sep="\n", end="\n" if report.differences else "")
    return len(report.differences)


def replay(seed: int, checkers: dict[str, Checker], folder: Path | None) -> int:
    """Print the verdicts on the witnesses of one seed, a line each; 1 if they differ."""
    bad = 0
    for sample in samples(seed):
        verdicts = {name: check([sample.data])[0] for name, check in checkers.items()}
        bad += len(set(verdicts.values())) > 1
        print(sample.place, sample.kind, {k: (v.law, v.index) for k, v in verdicts.items()})
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"seed-{seed}-{sample.place}.bin").write_bytes(sample.data)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
