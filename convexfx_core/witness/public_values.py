"""Public values: what a proof binds, 392 bytes.

These bytes hold hashes of what went in, roots of what came out, the gap and the objective. The
witness itself never leaves the domain: the network sees the proof, these bytes, the SDL, and beside
them the reference section and the pool's accrued fees, which it holds to the hashes in here. L19
demands that each value follows from the witness. Source: ``docs/spec.md`` section 5.
"""

from dataclasses import dataclass, fields
from typing import Final

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.encoding.hashing import TAG_PUBLIC_VALUES, tag_bytes
from convexfx_core.errors import CodecError

PUBLIC_VALUES_BYTES: Final = 392
PUBLIC_VALUES_VERSION: Final = 1
DOMAIN_TAG: Final = tag_bytes(TAG_PUBLIC_VALUES)
_ALWAYS: Final = {"version": PUBLIC_VALUES_VERSION, "domain_tag": DOMAIN_TAG}

_LAYOUT: Final = (
    ("version", 0, 8, "unsigned"),
    ("domain_tag", 8, 16, "fixed"),
    ("shard", 24, 8, "unsigned"),
    ("epoch", 32, 8, "unsigned"),
    ("params_hash", 40, 32, "fixed"),
    ("reference_hash", 72, 32, "fixed"),
    ("prices_hash", 104, 32, "fixed"),
    ("batch_root", 136, 32, "fixed"),
    ("pre_state_root", 168, 32, "fixed"),
    ("post_state_root", 200, 32, "fixed"),
    ("sdl_hash", 232, 32, "fixed"),
    ("n_orders", 264, 8, "unsigned"),
    ("n_fills", 272, 8, "unsigned"),
    ("network_id", 280, 32, "fixed"),
    ("gap", 312, 16, "unsigned"),
    ("inventory_risk", 328, 16, "signed"),
    ("price_tracking", 344, 16, "signed"),
    ("fill_incentive", 360, 16, "signed"),
    ("total", 376, 16, "signed"),
)
"""Name, place, size and kind: the method of :class:`Writer` and of :class:`Reader` for it."""
FIELD_NAMES: Final = tuple(name for name, *_ in _LAYOUT)
"""Names in the order of the bytes; a name's place is the index that L19 reports."""


@dataclass(frozen=True, slots=True)
class PublicValues:
    """What the laws commit to, in the order of the bytes.

    Attributes
    ----------
    shard, epoch : the domain's shard and the number of the sealed epoch.
    params_hash, reference_hash, prices_hash : 32 bytes each.
    batch_root : 32 bytes over consumed and left orders.
    pre_state_root, post_state_root : 32 bytes over the pool and the touched vaults.
    sdl_hash : 32 bytes.
    n_orders, n_fills : orders in the epoch, consumed orders with paid > 0.
    network_id : 32 bytes.
    gap : numeraire base units, rounded up.
    inventory_risk, price_tracking, fill_incentive, total : numeraire base units, total their sum.
    """

    shard: int
    epoch: int
    params_hash: bytes
    reference_hash: bytes
    prices_hash: bytes
    batch_root: bytes
    pre_state_root: bytes
    post_state_root: bytes
    sdl_hash: bytes
    n_orders: int
    n_fills: int
    network_id: bytes
    gap: int
    inventory_risk: int
    price_tracking: int
    fill_incentive: int
    total: int

    def to_bytes(self) -> bytes:
        """Return the 392 bytes; ``CodecError`` names the value that does not fit its field."""
        writer = Writer()
        for name, _, size, kind in _LAYOUT:
            value = _ALWAYS[name] if name in _ALWAYS else getattr(self, name)
            getattr(writer, kind)(value, size, f"public_values.{name}")
        return writer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PublicValues":
        """Decode; CodecError names the field that is wrong."""
        if len(data) != PUBLIC_VALUES_BYTES:
            raise CodecError("public_values", f"{PUBLIC_VALUES_BYTES} bytes", len(data))
        reader = Reader(data, "public_values")
        values = {name: getattr(reader, kind)(size, name) for name, _, size, kind in _LAYOUT}
        version, tag = values.pop("version"), values.pop("domain_tag")
        if version != PUBLIC_VALUES_VERSION:
            raise CodecError("public_values.version", str(PUBLIC_VALUES_VERSION), version)
        if tag != DOMAIN_TAG:
            raise CodecError("public_values.domain_tag", DOMAIN_TAG.hex(), tag.hex())
        return cls(**values)

    def to_json(self) -> dict[str, str]:
        """Every field as text: bytes in hex, numbers in decimal."""
        texts = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {k: v.hex() if isinstance(v, bytes) else str(v) for k, v in texts}


def first_difference(claimed: bytes, derived: bytes) -> int | None:
    """Index into :data:`FIELD_NAMES` of the first field in which two encodings differ."""
    for index, (_, at, size, _) in enumerate(_LAYOUT):
        if claimed[at : at + size] != derived[at : at + size]:
            return index
    return None
