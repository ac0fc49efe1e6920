"""No law can be removed unnoticed: by its switch here; clause by clause in the long form.

``CONVEXFX_MUTANTS=N`` holds every N-th mutant of both law sets (1: all, an hour) against all
vectors and attacks. ``survivors.tsv`` lists those that nobody can notice, each with its reason.
"""

import os
import shutil
from pathlib import Path

import pytest

from convexfx_core.errors import CodecError, ExecutionError
from tasks.adapters.rust_parts import RustParts
from tests.attack import mutated_python, mutated_rust
from tests.attack.known_witnesses import Known, known
from tests.differential.laws.rust import by_laws_check
from tests.support.rust import rust
from tests.support.witnesses.forge import law_off, verdict
from tests.support.witnesses.vectors import stored

__all__ = ["rust"]
EVERY = int(os.environ.get("CONVEXFX_MUTANTS", "0"))
SURVIVORS = Path(__file__).with_name("survivors.tsv")
SWITCHED = range(1, 19)
"""L0 makes what the others read and L19 is what they are for; mutants take care of these two."""
long_form = pytest.mark.skipif(not EVERY, reason="CONVEXFX_MUTANTS=N runs every N-th mutant")


def vectors_of(law: int) -> list[Known]:
    found = [v for v in stored() if v.law == law]
    return [Known(v.name, v.data, (law, v.index or 0)) for v in found]


@pytest.mark.parametrize("law", SWITCHED)
def test_a_python_law_cannot_be_removed_unnoticed(law: int) -> None:
    with law_off(law):
        noticed = [v.name for v in vectors_of(law) if said_of(v) != v.due]
    assert noticed


def said_of(witness: Known) -> tuple[int, int] | str | None:
    """Its verdict; with a law off the code behind it may meet what it relies on never to meet."""
    try:
        return verdict(witness.data)
    except (ExecutionError, CodecError, IndexError) as error:
        return repr(error)


@pytest.mark.parametrize("law", SWITCHED)
def test_a_rust_law_cannot_be_removed_unnoticed(rust: RustParts, law: int) -> None:
    witnesses = vectors_of(law)
    found = by_laws_check(rust.laws_check_canary, law)([v.data for v in witnesses])
    noticed = [v.name for v, w in zip(witnesses, found, strict=True) if (w.law, w.index) != v.due]
    assert noticed


def survivors() -> set[str]:
    """Mutants that make no difference, by file, change and line of code."""
    return {line.rsplit("\t", 1)[0] for line in SURVIVORS.read_text().splitlines()}


def entry(file: str, change: str, code: str) -> str:
    return "\t".join((file, change, code.strip()))


def test_every_survivor_has_its_reason() -> None:
    for line in SURVIVORS.read_text().splitlines():
        file, _, code, reason = line.split("\t")
        assert (mutated_python.ROOT / file).is_file()
        assert code, line
        assert reason, line


@long_form
def test_every_survivor_is_still_a_line_of_code() -> None:
    for line in SURVIVORS.read_text().splitlines():
        file, change, code, _ = line.split("\t")
        text = (mutated_python.ROOT / file).read_text()
        assert code in text, f"{file} has no line {code!r} any more ({change})"


def test_mutants_are_made_and_noticed() -> None:
    made = list(mutated_python.mutants("convexfx_core.laws.l12_bounds"))
    assert len(made) >= 8
    assert {m.change for m in made} >= {"Lt -> LtE", "Gt -> GtE"}
    least = next(m for m in made if m.change == "Lt -> LtE")
    witnesses = [w for w in known() if "at-the-bound" in w.name]
    assert mutated_python.notices(least, witnesses) is not None
    assert mutated_python.notices(least, witnesses[:0]) is None


def test_mutants_of_rust_are_made() -> None:
    files = [str(file) for file in mutated_rust.sources()]
    assert len(files) > 25
    assert not [name for name in files if "bin" in name or "tests" in name]
    changes = dict(mutated_rust.changes("    if value > 1 && other {"))
    assert changes["> -> >="] == "    if value >= 1 && other {"
    assert changes["if false"] == "    if false {"
    assert changes["1 -> 2"] == "    if value > 2 && other {"
    assert dict(mutated_rust.changes("    check(view, 3)?;"))["check dropped"] == ""


# Long form


@long_form
@pytest.mark.timeout(7_200)
def test_no_clause_of_the_python_laws_can_be_changed_unnoticed() -> None:
    allowed, found = survivors(), []
    chosen = [m for module in mutated_python.laws() for m in mutated_python.mutants(module)]
    for mutant in chosen[:: max(1, EVERY)]:
        if mutated_python.notices(mutant, known()) is None:
            file = mutant.module.replace(".", "/") + ".py"
            if entry(file, mutant.change, mutant.before) not in allowed:
                found.append(str(mutant))
    assert not found, "\n".join(found)


@long_form
@pytest.mark.timeout(7_200)
def test_no_clause_of_the_rust_laws_can_be_changed_unnoticed(tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        pytest.fail("cargo is not on the PATH")
    allowed, found = survivors(), []
    bench = mutated_rust.Bench(tmp_path, tmp_path / "target")
    chosen = [m for file in mutated_rust.sources() for m in mutated_rust.mutants(file)]
    for mutant in chosen[:: max(1, EVERY)]:
        if bench.verdict_of(mutant, known()) == "SURVIVES":
            file = f"sp1_worker/laws/{mutant.file}"
            if entry(file, mutant.change, mutant.before) not in allowed:
                found.append(str(mutant))
    assert not found, "\n".join(found)
