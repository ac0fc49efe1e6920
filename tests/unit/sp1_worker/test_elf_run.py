"""The committed guest under a machine of our own whose untouched memory is hostile.

SP1 constrains the first value of an address only where the image names it, so nothing that the
guest has not written itself may decide anything: whatever stands there, the run is the same.
"""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.elf_machine import Machine

ROOT = Path(__file__).resolve().parents[3]
ELF = (ROOT / "sp1_worker" / "elf" / "laws-guest.elf").read_bytes()
VECTORS = ROOT / "tests" / "vectors" / "laws"
ROWS = [line.split("\t") for line in (VECTORS / "index.tsv").read_text().splitlines()]
BYTES_MAX = 6_000
SMALL = [row for row in ROWS if (VECTORS / row[0]).stat().st_size <= BYTES_MAX]
HONEST = [row for row in SMALL if row[1] == "ok"]
BROKEN = list({row[1]: row for row in SMALL if row[1] != "ok"}.values())


def run(name: str, seed: int) -> tuple[int, Machine]:
    machine = Machine(ELF, (VECTORS / name).read_bytes(), seed)
    return machine.run(), machine


@pytest.mark.parametrize("row", HONEST[:4], ids=lambda row: row[0])
def test_an_honest_witness_commits_its_public_values_whatever_memory_held(row: list[str]) -> None:
    steps = set()
    for seed in (1, 2):
        code, machine = run(row[0], seed)
        assert (code, machine.public_values.hex()) == (0, row[3])
        steps.add(machine.steps)
        digest = b"".join(machine.digest[i].to_bytes(4, "little") for i in range(8))
        assert digest == sha256(machine.public_values).digest()
    assert len(steps) == 1


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row[0])
def test_a_broken_law_is_the_exit_code_and_nothing_is_committed(row: list[str]) -> None:
    code, machine = run(row[0], 3)
    assert (code, machine.public_values) == (16 + int(row[1]), b"")
    assert machine.said.startswith(f"L{row[1]}: index {row[2]}: ".encode())
    digest = b"".join(machine.digest[i].to_bytes(4, "little") for i in range(8))
    assert digest == sha256(b"").digest()


def test_canary_untouched_memory_and_registers_are_garbage() -> None:
    one, other = (Machine(ELF, b"", seed) for seed in (1, 2))
    assert one.x[0] == other.x[0] == 0
    assert one.x[1:] != other.x[1:]
    assert one.word(1 << 30) != other.word(1 << 30)


def test_without_an_input_of_its_size_nothing_is_committed() -> None:
    machine = Machine(ELF, b"")
    assert (machine.run(), machine.public_values) == (16, b"")
