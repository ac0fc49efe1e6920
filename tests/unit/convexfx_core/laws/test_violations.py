"""Every law rejects its smallest violation with its number and index, by both engines."""

import pytest

from convexfx_core.laws import check
from tests.support.witnesses.epochs import (
    Epoch,
    nothing_consumed,
    only_cancels,
    plain_epoch,
    rationed_epoch,
    reject_epoch,
)
from tests.support.witnesses.forge import law_off, verdict
from tests.support.witnesses.malformed import malformed
from tests.support.witnesses.violations import Violation, public_value_violations, violations

ENGINES = ("scalar", "columnar")
EPOCHS = (plain_epoch, rationed_epoch, reject_epoch, only_cancels, nothing_consumed)
ALONE = {"l01-more-than-demanded", "l13-consumed-out-of-order", "l13-left-twice",
         "l13-vaults-out-of-order", "l14-vault-missing", "l16-balance-beyond-63-bits",
         "l16-pool-one-unit-short"}  # fmt: skip
"""Violations that another law, or the roots, would still notice."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("epoch", [make() for make in EPOCHS], ids=[f.__name__ for f in EPOCHS])
def test_honest_witnesses_pass_every_law(epoch: Epoch, engine: str) -> None:
    result = epoch.apply()
    assert check(result.witness, engine) == result.public_values


@pytest.mark.parametrize("case", violations(), ids=[v.name for v in violations()])
def test_a_violation_is_reported_with_its_law_and_index(case: Violation) -> None:
    assert [verdict(case.data(), engine) for engine in ENGINES] == [(case.law, case.index)] * 2


@pytest.mark.parametrize("case", violations(), ids=[v.name for v in violations()])
def test_canary_with_the_law_off_the_violation_passes(case: Violation) -> None:
    assert case.only_this_law() == (case.name not in ALONE)
    if case.only_this_law():
        with law_off(case.law):
            assert verdict(case.data()) is None


def test_every_law_but_l19_has_a_violation_that_only_it_notices() -> None:
    alone = {case.law for case in violations() if case.only_this_law()}
    assert alone == {*range(1, 19), 20}


@pytest.mark.parametrize(("name", "index", "data"), list(public_value_violations()))
def test_every_public_value_is_compared(name: str, index: int, data: bytes) -> None:
    assert verdict(data) == (19, index), name


@pytest.mark.parametrize(
    ("index", "data"), [c[1:] for c in malformed()], ids=[c[0] for c in malformed()]
)
def test_what_does_not_decode_is_l0_with_its_section(index: int, data: bytes) -> None:
    assert [verdict(data, engine) for engine in ENGINES] == [(0, index)] * 2


def test_every_section_and_the_frame_have_a_malformed_case() -> None:
    assert {index for _, index, _ in malformed()} == set(range(15))
