"""The edges of the laws, pushed further: one verdict by every engine of Python and by Rust.

``CONVEXFX_FUZZ=100000`` runs the long form.
"""

import os
import random
from collections import Counter

from convexfx_core.arithmetic.columns import compilable
from tasks.adapters.rust_parts import RustParts
from tests.attack.vector_mutations import lawful, mutated
from tests.differential.laws.campaign import Checker, by_python
from tests.differential.laws.rust import by_laws_check
from tests.support.rust import rust

__all__ = ["rust"]
RUNS = int(os.environ.get("CONVEXFX_FUZZ", "600"))
SEED, BATCH = 909, 300


def agree(checkers: dict[str, Checker], seed: int) -> Counter[int | None]:
    """How often each law was the verdict of all."""
    rng, seen = random.Random(seed), Counter[int | None]()
    for start in range(0, RUNS, BATCH):
        batch = [mutated(rng) for _ in range(min(BATCH, RUNS - start))]
        found = {name: check(batch) for name, check in checkers.items()}
        first, *others = found
        for place, due in enumerate(found[first]):
            seen[due.law] += 1
            for name in others:
                wrong = f"seed {seed}, witness {start + place}: {first} {due}, {name}"
                assert found[name][place] == due, wrong
    return seen


def test_every_python_path_says_the_same() -> None:
    assert len(lawful()) >= 60
    checkers = {"scalar": by_python("scalar"), "columnar": by_python("columnar")}
    if compilable():
        checkers["compiled"] = by_python("compiled")
    seen = agree(checkers, SEED)
    assert seen[None] > RUNS // 20
    assert len(seen) >= 10


def test_rust_says_the_same_in_one_walk_and_law_by_law(rust: RustParts) -> None:
    native = {
        f"plain {plain}": by_laws_check(rust.laws_check, plain=plain) for plain in (False, True)
    }
    agree({"python": by_python("auto"), **native}, SEED + 1)
