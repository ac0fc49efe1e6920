"""The 392 public bytes of a proof, and their comparison with what we derive ourselves.

A proof shows that some lawful epoch has these values. Only the comparison shows that it is this
one.
"""

import struct
from collections.abc import Iterable
from typing import Final

from devnet.settlement.invalid import Invalid

SIZE: Final = 392
_LAYOUT: Final = struct.Struct("<Q16sQQ32s32s32s32s32s32s32sQQ32s")
_NAMES: Final = (
    "version", "domain_tag", "shard", "epoch", "params_hash", "reference_hash", "prices_hash",
    "batch_root", "pre_state_root", "post_state_root", "sdl_hash", "n_orders", "n_fills",
    "network_id",
)  # fmt: skip
_WIDE: Final = (
    ("gap", False), ("inventory_risk", True), ("price_tracking", True),
    ("fill_incentive", True), ("total", True),
)  # fmt: skip
VERSION: Final = 1
DOMAIN_TAG: Final = b"cfx.pv.v1".ljust(16, b"\0")

PublicValues = dict[str, int | bytes]


def read_public_values(data: bytes) -> PublicValues:
    """Fields of section 5 by name; ``Invalid`` ``ENVELOPE`` for another size."""
    if len(data) != SIZE:
        raise Invalid("ENVELOPE", f"public_values: expected {SIZE} bytes, found {len(data)}")
    values: PublicValues = dict(zip(_NAMES, _LAYOUT.unpack_from(data), strict=True))
    for place, (name, signed) in enumerate(_WIDE):
        start = _LAYOUT.size + 16 * place
        values[name] = int.from_bytes(data[start : start + 16], "little", signed=signed)
    return values


def compare(values: PublicValues, derived: Iterable[tuple[str, int | bytes]]) -> None:
    """The first derived value that differs is ``Invalid`` ``PV_MISMATCH:<field>``."""
    for name, expected in derived:
        if values[name] != expected:
            texts = (_text(expected), _text(values[name]))
            raise Invalid(f"PV_MISMATCH:{name}", "derived {}, the proof says {}".format(*texts))


def _text(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
