"""Risk, depth, fee and policy parameters as integers, versioned and hashed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of ``docs/spec.md`` section 4 (params section) and section 7.

    Attributes
    ----------
    decimals : n decimals (they stand in the registry section); index 0 is the numeraire.
    band : n bands in 1e-6 bps.
    target, q_min, q_max : n inventories in base units.
    depth : n depths W, numeraire base units per unit of log price.
    fee_ppm : n x n fees, row pays, column receives.
    risk : n x n entries G, log price per numeraire base unit at scale 2^112.
    risk_inverse : n x n entries H, numeraire base units per unit of log price, rounded up.
    """

    decimals: tuple[int, ...]
    band: tuple[int, ...]
    target: tuple[int, ...]
    q_min: tuple[int, ...]
    q_max: tuple[int, ...]
    depth: tuple[int, ...]
    fee_ppm: tuple[tuple[int, ...], ...]
    risk: tuple[tuple[int, ...], ...]
    risk_inverse: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """Number of assets."""
        return len(self.decimals)
