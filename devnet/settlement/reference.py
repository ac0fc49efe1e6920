"""The reference section of an envelope: its bands follow from its prices and the agreed widths.

The settlement layer knows no market prices and believes those of the envelope. The bands around
them it computes itself (section 7 of ``docs/spec.md``), since the operator could gain by others.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from devnet.settlement.invalid import Invalid

HEAD_BYTES: Final = 16
ROW_BYTES: Final = 48
PRICE_BYTES: Final = 16
BAND_UNIT: Final = Decimal("1e-10")
"""A band of the parameters counts 1e-6 bps."""
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def with_own_bands(section: bytes, bands: Sequence[int]) -> bytes:
    """The section with Plo and Phi of section 7 in place of those that it claims.

    Parameters
    ----------
    section : reference section of ``len(bands)`` assets.
    bands : half widths of the agreed parameters, 1e-6 bps; the numeraire's counts for nothing.

    Raises
    ------
    Invalid
        ``ENVELOPE`` where an edge leaves 128 bits.
    """
    parts = [section[:HEAD_BYTES]]
    for asset, band in enumerate(bands):
        at = HEAD_BYTES + ROW_BYTES * asset
        price = int.from_bytes(section[at : at + PRICE_BYTES], "little")
        edges = _edges(price, band if asset else 0)
        if edges[1] >> 8 * PRICE_BYTES:
            raise Invalid("ENVELOPE", f"reference: expected bands of 128 bits, asset {asset}")
        parts += [value.to_bytes(PRICE_BYTES, "little") for value in (price, *edges)]
    return b"".join(parts)


def _edges(price: int, band: int) -> tuple[int, int]:
    """``ceil(Pbar exp(-b))`` and ``floor(Pbar exp(b))``, in 60 digits."""
    width = _EXACT.multiply(Decimal(band), BAND_UNIT)
    low = _EXACT.multiply(Decimal(price), _EXACT.exp(-width))
    high = _EXACT.multiply(Decimal(price), _EXACT.exp(width))
    return (
        int(low.to_integral_value(ROUND_CEILING, _EXACT)),
        int(high.to_integral_value(ROUND_FLOOR, _EXACT)),
    )
