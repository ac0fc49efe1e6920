"""Reference prices and bands as integers, and the guards that stop a seal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference vector of an epoch (``docs/spec.md`` sections 4 and 7).

    Attributes
    ----------
    as_of_s : Unix time of the quotes, seconds.
    pbar, plo, phi : n prices each, numeraire base units per base unit, scale 2^64.
    """

    as_of_s: int
    pbar: tuple[int, ...]
    plo: tuple[int, ...]
    phi: tuple[int, ...]
