"""All witnesses whose verdict is known, vectors and attacks, the telling ones of each law first."""

from collections import defaultdict
from functools import cache
from itertools import chain, zip_longest
from typing import NamedTuple

from convexfx_core.errors import LawViolated
from convexfx_core.laws import check
from tests.attack.witness_families import vectors
from tests.support.witnesses.vectors import Vector, stored


class Known(NamedTuple):
    """A witness with its verdict: a law and an index, or public values.

    ``numbers``: observed and bound in decimal, where both are numbers.
    """

    name: str
    data: bytes
    due: tuple[int, int] | bytes
    numbers: tuple[str, str] | None = None


SAID_IN_WORDS = (0, 3, 14, 18, 19)
"""Laws whose two sides Python gives as text or rows, Rust as one number of each."""


def _known(vector: Vector) -> Known:
    due = vector.public_values
    if vector.law is not None:
        assert vector.index is not None
        return Known(vector.name, vector.data, (vector.law, vector.index), _numbers(vector.data))
    assert due is not None
    return Known(vector.name, vector.data, due)


def _numbers(data: bytes) -> tuple[str, str] | None:
    try:
        check(data)
    except LawViolated as violation:
        sides = violation.observed, violation.bound
        if violation.law not in SAID_IN_WORDS and all(isinstance(side, int) for side in sides):
            return str(sides[0]), str(sides[1])
    return None


@cache
def known() -> tuple[Known, ...]:
    """Vectors and attacks, one of each law after the other."""
    by_law: dict[int | None, list[Known]] = defaultdict(list)
    for vector in chain(stored(), vectors()):
        by_law[vector.law].append(_known(vector))
    rounds = zip_longest(*by_law.values())
    return tuple(witness for each in rounds for witness in each if witness is not None)
