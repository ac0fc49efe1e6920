"""Public values: what a proof binds, 392 bytes (``docs/spec.md`` section 5)."""

from dataclasses import dataclass, fields
from typing import Any, Final

from convexfx_core.errors import CodecError, PublicValueMismatch

PUBLIC_VALUES_BYTES: Final = 392
PUBLIC_VALUES_VERSION: Final = 1
DOMAIN_TAG: Final = b"cfx.pv.v1".ljust(16, b"\0")

_LAYOUT: Final = (
    ("version", 0, 8, "unsigned"),
    ("domain_tag", 8, 16, "bytes"),
    ("shard", 24, 8, "unsigned"),
    ("epoch", 32, 8, "unsigned"),
    ("params_hash", 40, 32, "bytes"),
    ("reference_hash", 72, 32, "bytes"),
    ("prices_hash", 104, 32, "bytes"),
    ("batch_root", 136, 32, "bytes"),
    ("pre_state_root", 168, 32, "bytes"),
    ("post_state_root", 200, 32, "bytes"),
    ("sdl_hash", 232, 32, "bytes"),
    ("n_orders", 264, 8, "unsigned"),
    ("n_fills", 272, 8, "unsigned"),
    ("network_id", 280, 32, "bytes"),
    ("gap", 312, 16, "unsigned"),
    ("inventory_risk", 328, 16, "signed"),
    ("price_tracking", 344, 16, "signed"),
    ("fill_incentive", 360, 16, "signed"),
    ("total", 376, 16, "signed"),
)
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
        """Return the 392 bytes; OverflowError if a number does not fit its field."""
        return b"".join(self._part(name, size, kind) for name, _, size, kind in _LAYOUT)

    def _part(self, name: str, size: int, kind: str) -> bytes:
        if name == "version":
            return PUBLIC_VALUES_VERSION.to_bytes(size, "little")
        if name == "domain_tag":
            return DOMAIN_TAG
        value = getattr(self, name)
        if kind != "bytes":
            return int(value).to_bytes(size, "little", signed=kind == "signed")
        if len(value) != size:
            raise CodecError(f"public_values.{name}", f"{size} bytes", len(value))
        return bytes(value)

    @classmethod
    def from_bytes(cls, data: bytes) -> "PublicValues":
        """Decode; CodecError names the field that is wrong."""
        if len(data) != PUBLIC_VALUES_BYTES:
            raise CodecError("public_values", f"{PUBLIC_VALUES_BYTES} bytes", len(data))
        values = {name: _read(data, at, size, kind) for name, at, size, kind in _LAYOUT}
        version, tag = values.pop("version"), values.pop("domain_tag")
        if version != PUBLIC_VALUES_VERSION:
            raise CodecError("public_values.version", str(PUBLIC_VALUES_VERSION), version)
        if tag != DOMAIN_TAG:
            raise CodecError("public_values.domain_tag", DOMAIN_TAG.hex(), bytes(tag).hex())
        return cls(**values)

    def to_json(self) -> dict[str, str]:
        """Every field as text: bytes in hex, numbers in decimal."""
        texts = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {k: v.hex() if isinstance(v, bytes) else str(v) for k, v in texts}


def _read(data: bytes, at: int, size: int, kind: str) -> Any:
    """Integer or bytes, as the kind of the layout says."""
    part = data[at : at + size]
    return part if kind == "bytes" else int.from_bytes(part, "little", signed=kind == "signed")


def first_difference(claimed: bytes, derived: bytes) -> int | None:
    """Index into :data:`FIELD_NAMES` of the first field in which two encodings differ."""
    for index, (_, at, size, _) in enumerate(_LAYOUT):
        if claimed[at : at + size] != derived[at : at + size]:
            return index
    return None


def require_equal(observed: PublicValues, expected: dict[str, int | bytes]) -> None:
    """Compare some fields with what a verifier derived itself, in the order of the bytes.

    Raises
    ------
    PublicValueMismatch
        With code ``PV_MISMATCH:<field>`` of the first field that differs.
    """
    for name in FIELD_NAMES:
        if name in expected and getattr(observed, name) != expected[name]:
            raise PublicValueMismatch(name, _text(expected[name]), _text(getattr(observed, name)))


def _text(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
