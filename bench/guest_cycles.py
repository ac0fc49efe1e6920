"""Counts the guest's cycles by size and part, in SP1's own executor; one JSON line a case.

``python -m bench.guest_cycles [--save] [orders ...]``. Cycles decide what a proof costs. A cycle is
one RISC-V instruction, so the figures are exact and the same on every machine that makes the same
witness. ``--save`` writes ``bench/results/guest_cycles.json``, and ``test_guest_cycles.py`` fails
when the guest needs noticeably more than stands there.

Totals are those of the committed ELF. The parts come from builds of the guest that hash nothing and
stop where a part ends (``sp1_worker/guest/src/measured.rs``): decode is L0, laws is L1 to L12 and
L17, diffs is L13 to L18 with the rows after the epoch, roots is L19, and hash is what hashing costs
in all of them.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.guest_witness import ASSETS, digest_of, witness_of
from tasks.adapters.rust_parts import NOT_BUILT, RustParts, rust_parts

ROOT = Path(__file__).resolve().parents[1]
SIZES = (10, 100, 1_000, 10_000)
PER_VAULT = (1, 4)
STOPS = ("stop-decode", "stop-laws", "stop-diffs")
UNHASHED = "unhashed"
SAVED = ROOT / "bench" / "results" / "guest_cycles.json"


def cycles_of(parts: RustParts, elf: Path, witnesses: Sequence[bytes]) -> list[int]:
    """Instructions that the guest ``elf`` runs on each witness, whatever its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place}.bin" for place in range(len(witnesses))]
        for path, witness in zip(paths, witnesses, strict=True):
            path.write_bytes(witness)
        command = [str(parts.laws_host), "--elf", str(elf), "execute", *map(str, paths)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    if len(lines) != len(witnesses):
        raise SystemExit(f"laws-host execute: {found.stderr.strip()[-500:]}")
    return [int(line["cycles"]) for line in lines]


def variant(folder: Path, stop: str) -> Path:
    """Build a guest that hashes nothing and stops at ``stop`` (``unhashed``: it does not stop)."""
    elf = folder / f"{stop}.elf"
    script = [str(ROOT / "scripts" / "rust-elf.sh"), "one", str(elf), stop]
    subprocess.run(script, check=True)
    return elf


def by_part(
    parts: RustParts, witnesses: Sequence[bytes], totals: list[int]
) -> list[dict[str, int]]:
    """Cycles of each part of each witness; they add up to the total."""
    with tempfile.TemporaryDirectory() as name:
        ends = {
            stop: cycles_of(parts, variant(Path(name), stop), witnesses)
            for stop in (*STOPS, UNHASHED)
        }
    found = []
    for place, total in enumerate(totals):
        decode, laws, diffs, unhashed = (ends[stop][place] for stop in (*STOPS, UNHASHED))
        found.append(
            {
                "decode": decode,
                "laws": laws - decode,
                "diffs": diffs - laws,
                "hash": total - unhashed,
                "roots": unhashed - diffs,
            }
        )
    return found


def figures(parts: RustParts, sizes: Sequence[int]) -> Iterator[dict[str, object]]:
    """A case for each size and number of orders a vault."""
    cases = [(orders, per_vault) for orders in sizes for per_vault in PER_VAULT]
    witnesses = [witness_of(orders, per_vault) for orders, per_vault in cases]
    totals = cycles_of(parts, parts.elf, witnesses)
    split = by_part(parts, witnesses, totals)
    for (orders, per_vault), witness, total, pieces in zip(
        cases, witnesses, totals, split, strict=True
    ):
        yield {
            "orders": orders,
            "orders_a_vault": per_vault,
            "assets": ASSETS,
            "witness": digest_of(witness),
            "cycles": total,
            "cycles_an_order": round(total / orders, 1),
            "parts_an_order": {name: round(cost / orders, 1) for name, cost in pieces.items()},
        }


def main(arguments: list[str]) -> None:
    """Print the cases, and save them where asked."""
    parts = rust_parts()
    if parts is None:
        raise SystemExit(NOT_BUILT)
    sizes = [int(text) for text in arguments if text != "--save"] or SIZES
    found = list(figures(parts, sizes))
    for case in found:
        print(json.dumps(case), flush=True)
    if "--save" in arguments:
        SAVED.parent.mkdir(exist_ok=True)
        SAVED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
