"""A comparison that does not hold."""

from typing import NamedTuple


class Breach(NamedTuple):
    """The two sides: what stands there and what the law allows."""

    observed: object
    bound: object
