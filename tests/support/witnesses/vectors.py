"""Writes ``tests/vectors/laws``: witnesses with the verdict that every implementation must give.

``python -m tests.support.witnesses.vectors`` rewrites the directory; its README says how.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from convexfx_core.witness.public_values import PublicValues
from tests.support.clearing_cases import Shape
from tests.support.witnesses.edges import edge_vectors
from tests.support.witnesses.epochs import (
    Epoch,
    epoch_of,
    nothing_consumed,
    only_cancels,
    plain_epoch,
    rationed_epoch,
    rationed_reject_epoch,
    reject_epoch,
)
from tests.support.witnesses.malformed import malformed
from tests.support.witnesses.violations import public_value_violations, violations

DIRECTORY = Path(__file__).parents[2] / "vectors" / "laws"
INDEX = "index.tsv"


class Vector(NamedTuple):
    """A witness and its verdict: ``law`` None where every law holds, then with public values."""

    name: str
    data: bytes
    law: int | None
    index: int | None
    public_values: bytes | None

    def line(self) -> str:
        law = "ok" if self.law is None else str(self.law)
        index = "-" if self.index is None else str(self.index)
        values = "-" if self.public_values is None else self.public_values.hex()
        return f"{self.name}.bin\t{law}\t{index}\t{values}\n"


def banded_epoch() -> Epoch:
    """An epoch in which prices stand at the edges of their bands and flow overflows them."""
    return epoch_of(Shape(assets=3, orders=16, gross=400.0, band=5.0), 2, cancels=1)


def odd_digits_epoch() -> Epoch:
    """Assets with 0 to 9 decimals."""
    return epoch_of(Shape(assets=5, orders=30, gross=50.0, decimals=(0, 9)), 56, cancels=2)


def one_order_epoch() -> Epoch:
    """One order, one vault."""
    return epoch_of(Shape(assets=2, orders=1, gross=1.0, market=1.0), 1)


def six_assets_epoch() -> Epoch:
    """A hundred orders in six assets, more than one chunk of every table."""
    return epoch_of(Shape(assets=6, orders=100, gross=60.0), 7, cancels=4)


VALID = {
    "valid-plain": plain_epoch,
    "valid-rationed": rationed_epoch,
    "valid-rejects": reject_epoch,
    "valid-rejects-in-a-ration": rationed_reject_epoch,
    "valid-band-edges": banded_epoch,
    "valid-odd-digits": odd_digits_epoch,
    "valid-one-order": one_order_epoch,
    "valid-six-assets": six_assets_epoch,
    "valid-only-cancels": only_cancels,
    "valid-nothing-consumed": nothing_consumed,
}


def vectors() -> Iterator[Vector]:
    """All vectors, made anew."""
    for name, make in VALID.items():
        result = make().apply()
        yield Vector(name, result.witness, None, None, result.public_values.to_bytes())
    for name, index, data in malformed():
        yield Vector(f"l00-{name}", data, 0, index, None)
    for case in violations():
        yield Vector(case.name, case.data(), case.law, case.index, None)
    for name, index, data in public_value_violations():
        yield Vector(name, data, 19, index, None)
    for edge in edge_vectors():
        values = PublicValues.from_bytes(edge.data[-392:]).to_bytes() if edge.law is None else None
        yield Vector(edge.name, edge.data, edge.law, edge.index, values)


def stored(directory: Path = DIRECTORY) -> Iterator[Vector]:
    """The vectors in a directory."""
    for line in (directory / INDEX).read_text().splitlines():
        file, law, index, values = line.split("\t")
        data = (directory / file).read_bytes()
        yield Vector(
            file.removesuffix(".bin"),
            data,
            None if law == "ok" else int(law),
            None if index == "-" else int(index),
            None if values == "-" else PublicValues.from_bytes(bytes.fromhex(values)).to_bytes(),
        )


def write(directory: Path, made: Iterable[Vector]) -> int:
    """Write a directory of vectors anew; how many they are."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.bin"):
        old.unlink()
    lines = []
    for vector in made:
        (directory / f"{vector.name}.bin").write_bytes(vector.data)
        lines.append(vector.line())
    (directory / INDEX).write_text("".join(lines))
    return len(lines)


if __name__ == "__main__":
    print(write(DIRECTORY, vectors()))
