"""Domain agreements: their JSON, their canonical bytes, the operator's signature.

An agreement says by which law program, parameters, currencies and attestor a domain settles. The
settlement layer checks it once, when it is registered, and judges every later proof by it.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import nacl.bindings
import nacl.exceptions

from devnet.settlement.codec import (
    Address,
    h,
    integer,
    le64,
    unb58,
    unbase64,
    unhex,
)
from devnet.settlement.invalid import Invalid

MODES: Final = ("attested", "executed", "core", "compressed", "gpu")
ASSETS_MAX: Final = 64
BAND_MAX: Final = 300_000_000
"""300 bps, in 1e-6 bps."""
SIGNATURE_BYTES: Final = 64
_KEYS: Final = frozenset(
    ("shard", "operator", "operator_key", "program_hash", "allowed_modes", "attestor_key",
     "params_hash", "fee", "network", "params", "registry", "signature")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """A checked domain agreement.

    Attributes
    ----------
    body : the JSON as it was sent.
    active_from : first delta epoch in which it holds.
    rows : rows of the registry, 64 bytes each, in order; index 0 is the numeraire.
    tokens : their tokens.
    bands : half widths of the price bands, 1e-6 bps, in order.
    """

    body: dict[str, Any]
    active_from: int
    shard: int
    operator_key: bytes
    program_hash: bytes
    allowed_modes: tuple[str, ...]
    attestor_key: bytes
    params_hash: bytes
    fee: int
    rows: tuple[bytes, ...]
    tokens: tuple[Address, ...]
    bands: tuple[int, ...]

    @property
    def pool(self) -> Address:
        """Settlement vault of the domain's pool."""
        return Address(sha256(self.operator_key).digest(), self.shard)

    def as_json(self) -> dict[str, Any]:
        """What ``GET /agreements/{shard}`` answers."""
        return self.body | {"active_from": self.active_from}


def read_agreement(
    body: object, network: str, network_id: bytes, minimum_fee: int, active_from: int
) -> Agreement:
    """Check an agreement's JSON and its operator's signature.

    Raises
    ------
    Invalid
        ``SCHEMA`` for another shape, ``NETWORK``, ``OWNER``, ``FEE``, ``PARAMS_HASH``,
        ``REGISTRY`` or ``OPERATOR_SIGNATURE``.
    """
    if not isinstance(body, dict) or body.keys() != _KEYS:
        raise Invalid("SCHEMA", f"agreement: expected exactly the keys {', '.join(sorted(_KEYS))}")
    if body["network"] != network:
        raise Invalid("NETWORK", f"network: expected {network}")
    operator_key = unb58(body["operator_key"], 32, "operator_key")
    if unb58(body["operator"], 32, "operator") != sha256(operator_key).digest():
        raise Invalid("OWNER", "operator: expected the SHA-256 of operator_key")
    params = unbase64(body["params"], "params")
    registry = unbase64(body["registry"], "registry")
    rows = _registry(registry)
    agreement = Agreement(
        body,
        active_from,
        integer(body["shard"], "shard", 1),
        operator_key,
        unhex(body["program_hash"], 32, "program_hash"),
        _modes(body["allowed_modes"]),
        unb58(body["attestor_key"], 32, "attestor_key"),
        unhex(body["params_hash"], 32, "params_hash"),
        integer(body["fee"], "fee"),
        rows,
        tuple(map(_token, rows)),
        _bands(params, len(rows)),
    )
    if agreement.fee < minimum_fee:
        raise Invalid("FEE", f"fee: expected at least {minimum_fee}, found {agreement.fee}")
    _check_params(agreement, params, registry)
    signature = unb58(body["signature"], 64, "signature")
    message = b"cfx.agree.v1".ljust(16, b"\0") + canonical_bytes(agreement, network_id)
    if not signed_by(operator_key, message, signature):
        raise Invalid("OPERATOR_SIGNATURE", "signature: expected the operator's")
    return agreement


def canonical_bytes(agreement: Agreement, network_id: bytes) -> bytes:
    """Bytes of section 8 that the operator signs behind the tag."""
    modes = sum(1 << MODES.index(mode) for mode in agreement.allowed_modes)
    return b"".join(
        (
            le64(agreement.shard),
            agreement.pool.owner,
            agreement.operator_key,
            agreement.program_hash,
            le64(modes),
            agreement.attestor_key,
            agreement.params_hash,
            le64(agreement.fee),
            network_id,
        )
    )


def signed_by(pub_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) is an Ed25519 signature of ``message``."""
    if len(signature) != SIGNATURE_BYTES:
        # libsodium takes both joined, and would split them elsewhere.
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, pub_key)
    except (nacl.exceptions.CryptoError, ValueError):
        return False
    return True


def _modes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
        raise Invalid("SCHEMA", "allowed_modes: expected a list of different modes")
    if any(mode not in MODES for mode in value):
        raise Invalid("SCHEMA", f"allowed_modes: expected some of {', '.join(MODES)}")
    return tuple(value)


def _registry(section: bytes) -> tuple[bytes, ...]:
    count, rest = divmod(len(section), 64)
    if rest or not 2 <= count <= ASSETS_MAX:
        raise Invalid("REGISTRY", f"registry: expected 2 to {ASSETS_MAX} rows of 64 bytes")
    rows = tuple(section[at : at + 64] for at in range(0, len(section), 64))
    tokens = set(map(_token, rows))
    if len(tokens) != count or any(token.shard == 0 for token in tokens):
        raise Invalid("REGISTRY", "registry: expected different tokens with shards of at least 1")
    return rows


def _token(row: bytes) -> Address:
    return Address(row[:32], int.from_bytes(row[32:40], "little"))


def _bands(params: bytes, n: int) -> tuple[int, ...]:
    """First words of the asset rows; 0 where a row is missing, which ``_check_params`` refuses."""
    places = (16 + 72 * asset for asset in range(n))
    return tuple(int.from_bytes(params[at : at + 8], "little") for at in places)


def _check_params(agreement: Agreement, params: bytes, registry: bytes) -> None:
    n = len(agreement.tokens)
    size = 16 + 72 * n + (8 + 16 + 16) * n * n
    if len(params) != size or params[:16] != le64(1) + le64(n):
        raise Invalid("PARAMS_HASH", f"params: expected version 1 for {n} assets, {size} bytes")
    if max(agreement.bands) > BAND_MAX:
        raise Invalid("PARAMS_HASH", "params: expected bands of at most 300 bps")
    if h("cfx.params.v1", params + registry) != agreement.params_hash:
        raise Invalid("PARAMS_HASH", "params_hash: expected the hash of params and registry")
