"""The committed witnesses have the committed verdicts; the generator still makes such ones."""

from pathlib import Path

import pytest

from convexfx_core.laws import check
from tests.support.witnesses.forge import verdict
from tests.support.witnesses.vectors import DIRECTORY, INDEX, VALID, Vector, stored, vectors

STORED = list(stored())


@pytest.mark.parametrize("vector", STORED, ids=[v.name for v in STORED])
def test_a_stored_witness_has_its_verdict(vector: Vector) -> None:
    if vector.law is None:
        for engine in ("scalar", "columnar"):
            assert check(vector.data, engine).to_bytes() == vector.public_values
    else:
        assert verdict(vector.data) == (vector.law, vector.index)


def test_the_generator_makes_the_same_cases_with_the_same_verdicts() -> None:
    def cases(found: list[Vector]) -> list[tuple[str, int | None, int | None]]:
        return [(vector.name, vector.law, vector.index) for vector in found]

    assert cases(list(vectors())) == cases(STORED)


def test_every_law_and_every_section_is_among_them() -> None:
    assert {vector.law for vector in STORED} == {None, *range(21)}
    assert {v.index for v in STORED if v.law == 0} == set(range(15))
    assert {v.index for v in STORED if v.law == 19} == set(range(19))


def test_the_directory_holds_nothing_else() -> None:
    files = {path.name for path in Path(DIRECTORY).iterdir()}
    assert files == {f"{vector.name}.bin" for vector in STORED} | {INDEX, "README.md"}


def test_valid_ones_cover_what_an_epoch_can_be() -> None:
    made = {name: make() for name, make in VALID.items()}
    assert made["valid-rationed"].proposal.ration is not None
    assert set(made["valid-rejects-in-a-ration"].proposal.reject_kinds.tolist()) == {1, 2}
    assert any(made["valid-band-edges"].proposal.overflow)
    digits = made["valid-odd-digits"].opening.params.decimals
    assert min(digits) == 0
    assert max(digits) == 9
    assert made["valid-one-order"].proposal.paid.tolist()[0] > 0
