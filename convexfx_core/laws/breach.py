"""A comparison that does not hold.

A law answers None or a breach; ``certify`` adds law and index and raises :class:`LawViolated`.
"""

from typing import NamedTuple


class Breach(NamedTuple):
    """The two sides: what stands there and what the law allows."""

    observed: object
    bound: object
