"""Attacks on witnesses: each is refused with its law; canaries show that the attack is real."""

from collections import Counter
from pathlib import Path

import pytest

from convexfx.witness_text import witness_lines
from convexfx_core.errors import PublicValueMismatch
from convexfx_core.laws import check
from convexfx_core.witness.public_values import FIELD_NAMES, PublicValues
from tasks.proof_check import require_values
from tests.attack import witness_binding
from tests.attack.witness_attack import Attack, Family, made, values_of
from tests.attack.witness_families import FAMILIES, attacks, vectors
from tests.support.witnesses.forge import law_off, verdict
from tests.support.witnesses.malformed import plain
from tests.support.witnesses.vectors import stored, write

NAMES = [family.__name__ for family in FAMILIES]
WITHOUT_CANARY = {"hidden_assets", "rates", "gaps", "multiplications", "frames", "bombs",
                  "public_values", "other_statements"}  # fmt: skip
"""Families against L0 and L19, which cannot be switched off, and of true statements."""
by_family = pytest.mark.parametrize("family", FAMILIES, ids=NAMES)


@by_family
def test_every_attack_breaks_its_law_on_both_paths(family: Family) -> None:
    for attack in made(family):
        due = None if attack.law is None else (attack.law, attack.index)
        for engine in ("scalar", "columnar"):
            assert verdict(attack.data, engine) == due, attack.name


def test_a_false_witness_is_read_out_as_it_stands() -> None:
    for attack in made(witness_binding.diffs):
        assert any(line.strip() for line in witness_lines(attack.data)), attack.name


@by_family
def test_canary_with_its_law_off_an_attack_is_accepted(family: Family) -> None:
    alone = [attack for attack in made(family) if attack.alone]
    assert bool(alone) == (family.__name__ not in WITHOUT_CANARY)
    for attack in alone:
        with law_off(attack.law):
            assert verdict(attack.data) is None, attack.name


def test_there_are_enough_of_them() -> None:
    assert len(FAMILIES) >= 20
    assert len(attacks()) >= 400
    assert len({(attack.family, attack.name) for attack in attacks()}) == len(attacks())
    assert len({attack.data for attack in attacks()}) >= len(attacks()) - 5


NAMED = {
    "amount from nowhere": (3, 6),
    "rounding siphon": (3,),
    "price outside its band": (7,),
    "limit broken by one unit": (2,),
    "minimum fill": (5,),
    "hidden asset": (0,),
    "duplicate or unsorted": (13,),
    "nonce gap or reuse": (14,),
    "expired order": (15,),
    "more than the vault holds": (16,),
    "diffs differ from fills": (18,),
    "overflow": (0, 1, 3, 6, 9, 10, 19),
    "overflow of a product": (3, 9, 10, 16, 19),
    "truncated or padded": (0,),
    "length bomb": (0,),
    "ration for the operator": (0, 2, 10),
    "reject for the operator": (0, 9, 11),
    "gap understated": (19,),
    "friend at the margin": (20,),
}
"""Families that an operator is expected to think of, with the laws that stand against them."""
TRUE = {"replayed epoch", "first epoch", "other shard", "other network", "foreign pool",
        "foreign vault", "swapped parameters", "swapped reference", "other terms"}  # fmt: skip


def test_the_expected_families_are_there() -> None:
    found: dict[str, set[int | None]] = {}
    for attack in attacks():
        found.setdefault(attack.family, set()).add(attack.law)
    assert {name: tuple(sorted(found[name])) for name in NAMED} == NAMED
    assert {attack.name for attack in attacks() if attack.law is None} >= TRUE
    first = [attack for attack in attacks() if attack.family == "the five"]
    assert attacks()[: len(first)] == tuple(first)
    assert len(first) >= 5


def test_they_are_aimed_at_every_law() -> None:
    aimed = Counter(attack.law for attack in attacks())
    assert set(aimed) == {None, *range(21)}


def test_they_are_written_as_the_vectors_of_the_laws_are(tmp_path: Path) -> None:
    assert write(tmp_path, vectors()) == len(attacks())
    found = list(stored(tmp_path))
    assert [(v.law, v.index) for v in found] == [(a.law, a.index) for a in attacks()]
    lawful = next(v for v in found if v.law is None)
    assert check(lawful.data).to_bytes() == lawful.public_values


def honest() -> PublicValues:
    return values_of(plain())


@pytest.mark.parametrize("attack", [a for a in attacks() if a.law is None], ids=lambda a: a.name)
def test_another_true_statement_is_told_by_its_public_values(attack: Attack) -> None:
    values, named = check(attack.data), attack.fields
    with pytest.raises(PublicValueMismatch) as error:
        require_values(values.to_bytes(), honest().to_bytes())
    first = min(named, key=FIELD_NAMES.index)
    assert error.value.code == f"PV_MISMATCH:{first}"
    names = FIELD_NAMES[2:]
    differing = {name for name in names if getattr(values, name) != getattr(honest(), name)}
    assert differing == set(named)


def test_the_honest_witness_is_told_apart_from_all_of_them() -> None:
    require_values(check(plain()).to_bytes(), honest().to_bytes())
    assert plain() not in {attack.data for attack in attacks()}
