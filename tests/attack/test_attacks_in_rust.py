"""Every attack and every vector by the Rust laws and by the executed guest; canaries in Rust.

The same law and index as in Python, three times over; with the law left out of a test build the
attack is accepted, with the public values that the same Python laws would make.
"""

from collections import defaultdict
from collections.abc import Sequence

import pytest

from convexfx_core.laws import check
from tasks.adapters.rust_parts import RustParts
from tests.attack.witness_attack import Attack, values_of
from tests.attack.witness_families import attacks
from tests.differential.laws.campaign import Checker, Verdict
from tests.differential.laws.rust import answers, by_executor, by_laws_check
from tests.support.rust import rust
from tests.support.witnesses.vectors import Vector, stored
from tests.support.witnesses.violations import violations

__all__ = ["rust"]
TWO_WAYS = pytest.mark.parametrize("way", ["native", "plain", "executed"])


def checker(rust: RustParts, way: str) -> Checker:
    """The Rust laws in one walk, law by law, or as the guest."""
    if way == "executed":
        return by_executor(rust.laws_host, rust.elf)
    return by_laws_check(rust.laws_check, plain=way == "plain")


def due(attack: Attack) -> Verdict:
    values = check(attack.data).to_bytes() if attack.law is None else None
    return Verdict(attack.law, attack.index, values)


def differing(found: Sequence[Verdict], due: Sequence[Verdict], names: Sequence[str]) -> list[str]:
    return [
        f"{name}: due {want.law, want.index}, found {have.law, have.index}"
        for have, want, name in zip(found, due, names, strict=True)
        if have != want
    ]


@TWO_WAYS
def test_every_attack_breaks_its_law_in_rust(rust: RustParts, way: str) -> None:
    found = checker(rust, way)([attack.data for attack in attacks()])
    names = [f"{attack.family}: {attack.name}" for attack in attacks()]
    assert not differing(found, [due(attack) for attack in attacks()], names)


@TWO_WAYS
def test_every_vector_has_its_verdict_in_rust(rust: RustParts, way: str) -> None:
    vectors: list[Vector] = list(stored())
    found = checker(rust, way)([vector.data for vector in vectors])
    wanted = [Verdict(v.law, v.index, v.public_values) for v in vectors]
    assert not differing(found, wanted, [vector.name for vector in vectors])


def alone() -> dict[int, dict[str, bytes]]:
    """Witnesses that only one law stands against, by law and name."""
    found: dict[int, dict[str, bytes]] = defaultdict(dict)
    for attack in attacks():
        if attack.alone and attack.law is not None:
            found[attack.law][f"{attack.family}: {attack.name}"] = attack.data
    for case in violations():
        if case.only_this_law():
            found[case.law][case.name] = case.data()
    return found


def test_canary_with_its_law_off_an_attack_is_accepted_in_rust(rust: RustParts) -> None:
    cases = alone()
    assert set(cases) == {*range(1, 19), 20}
    for law, named in cases.items():
        found = by_laws_check(rust.laws_check_canary, law)(list(named.values()))
        wanted = [Verdict(None, None, values_of(data).to_bytes()) for data in named.values()]
        assert not differing(found, wanted, list(named)), f"without L{law}"


def test_canary_with_another_law_off_it_is_refused_in_rust(rust: RustParts) -> None:
    for law, named in alone().items():
        other = 1 + law % 18
        found = by_laws_check(rust.laws_check_canary, other)(list(named.values()))
        assert {verdict.law for verdict in found} == {law}, f"without L{other}"


def test_a_stream_that_is_cut_off_is_no_verdict(rust: RustParts) -> None:
    with pytest.raises(AssertionError, match="0 answers to 1 witnesses"):
        answers([rust.laws_check, "--unknown"], [b""])
