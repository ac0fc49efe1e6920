"""Signed orders as columns: decode and check a million payloads without a Python step for each.

Bundles in Parquet come this way, and whoever judges an epoch anew. It is the twin of
:mod:`convexfx_core.orders.signed`: the same checks in the same sequence, the same codes. A row that
fails keeps its place and gets a code, so that the sender can be told which of his items was bad.
Signatures are verified last, and only where nothing else is wrong, because they cost the most.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.hashing import TAG_DEBIT, tag_bytes
from convexfx_core.errors import CodecError, RejectCode
from convexfx_core.identity import (
    HASH_BYTES,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    hash_rows,
    owner_ids,
    verify_rows,
)
from convexfx_core.orders.codes import ACCEPTED, code_number, first_codes
from convexfx_core.orders.payload import CODEC_VERSION
from convexfx_core.orders.row import NO_ASSET, ORDER_DTYPE
from convexfx_core.orders.rules import (
    NONCE,
    ORDER_RULES,
    PAY,
    TERMS_RULES,
    OrderFields,
    breaches,
)
from convexfx_core.orders.signed import ORDER_PAYLOAD_BYTES, Domain, SignedOrder
from convexfx_core.orders.terms import TERMS_BYTES, TERMS_VERSION

Mask: TypeAlias = NDArray[np.bool_]

PAYLOAD_DTYPE: Final = np.dtype(
    [
        ("tag", "V16"),
        ("version", "<u4"),
        ("allowances", "<u4"),
        ("network", "V32"),
        ("owner", ">u8", (4,)),
        ("shard", "<u8"),
        ("credited", "V40"),
        ("nonce", "<u8"),
        ("token", "V40"),
        ("amount", "<u8"),
        ("auxiliary", "<u8"),
        ("terms_version", "<u4"),
        ("kind", "<u2"),
        ("receive", "<u2"),
        ("limit_kind", "<u2"),
        ("limit_e", "<i2"),
        ("zero", "<u4"),
        ("limit_m", "<u8"),
        ("min_fill", "<u8"),
        ("valid_until", "<u8"),
        ("pays", "<u8", (4,)),
    ]
)
"""The 272 bytes of an order's payload."""


@dataclass(frozen=True, slots=True, eq=False)
class OrderColumns:
    """K orders and cancels; every column has K rows.

    Attributes
    ----------
    rows : order rows of :data:`convexfx_core.orders.row.ORDER_DTYPE`.
    order_ids : u8[K, 32], SHA-256 of the payloads.
    payloads : u8[K, 272], what was signed.
    pub_keys, signatures : u8[K, 32], u8[K, 64].
    """

    rows: NDArray[np.void]
    order_ids: NDArray[np.uint8]
    payloads: NDArray[np.uint8]
    pub_keys: NDArray[np.uint8]
    signatures: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of orders."""
        return len(self.rows)

    def take(self, index: NDArray[np.int64] | Mask) -> Self:
        """The orders at positions, or where a mask of K holds."""
        return type(self)(
            self.rows[index],
            self.order_ids[index],
            self.payloads[index],
            self.pub_keys[index],
            self.signatures[index],
        )

    @classmethod
    def of(cls, orders: Sequence[SignedOrder]) -> Self:
        """Columns of orders, in their sequence."""
        rows = np.array([order_row(order) for order in orders], dtype=ORDER_DTYPE)
        return cls(
            rows,
            byte_rows((order.order_id for order in orders), HASH_BYTES),
            byte_rows((order.payload for order in orders), ORDER_PAYLOAD_BYTES),
            byte_rows((order.pub_key for order in orders), PUBLIC_KEY_BYTES),
            byte_rows((order.signature for order in orders), SIGNATURE_BYTES),
        )


def order_row(order: SignedOrder) -> tuple[Any, ...]:
    """Fields of one order row, as :data:`ORDER_DTYPE` takes them."""
    terms = order.terms
    return (
        tuple(int.from_bytes(order.owner[i : i + 8], "big") for i in range(0, HASH_BYTES, 8)),
        order.nonce,
        order.budget,
        terms.limit_m,
        terms.min_fill,
        terms.valid_until,
        order.pay,
        terms.receive,
        terms.limit_e,
        terms.kind,
        terms.limit_kind,
    )


def byte_rows(values: Iterable[bytes], width: int) -> NDArray[np.uint8]:
    """u8[K, width] of K byte strings; :class:`CodecError` if one has another length."""
    items = list(values)
    wrong = next((len(item) for item in items if len(item) != width), width)
    if wrong != width:
        raise CodecError("column", f"rows of {width} bytes", wrong)
    return np.frombuffer(b"".join(items), dtype=np.uint8).reshape(len(items), width)


def decode_payloads(
    payloads: NDArray[np.uint8], domain: Domain
) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
    """Order rows and reject codes of u8[K, 272] payloads; signatures are not looked at.

    Returns
    -------
    rows : :data:`ORDER_DTYPE`, K; without meaning where the code is not 0.
    codes : u8[K], 0 or :func:`code_number` of what ``orders.decode_order`` raises.
    """
    if payloads.ndim != 2 or payloads.shape[1] != ORDER_PAYLOAD_BYTES:
        raise CodecError("payloads", f"rows of {ORDER_PAYLOAD_BYTES} bytes", payloads.shape)
    fields = np.ascontiguousarray(payloads, dtype=np.uint8).view(PAYLOAD_DTYPE).reshape(-1)
    orders = _order_fields(fields, domain)
    codes = first_codes(_checks(fields, orders, domain), len(fields))
    rows = np.zeros(len(fields), dtype=ORDER_DTYPE)
    rows["owner"], rows["valid_until"] = fields["owner"], fields["valid_until"]
    for name in ("nonce", "budget", "limit_m", "min_fill", "receive", "limit_e", "pay"):
        rows[name] = getattr(orders, name)
    rows["kind"] = fields["kind"] & 0xFF
    rows["limit_kind"] = fields["limit_kind"] & 0xFF
    return rows, codes


def read_columns(
    payloads: NDArray[np.uint8],
    pub_keys: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    domain: Domain,
) -> tuple[OrderColumns, NDArray[np.uint8]]:
    """Columns of K payloads with keys and signatures, all K, and their reject codes u8[K].

    Code 0 means: decoded, checked, owned by the key, signed. Only rows that pass every earlier
    check have their signature verified, and equal rows once. ``columns.take(codes == 0)`` are the
    accepted orders.
    """
    rows, codes = decode_payloads(payloads, domain)
    if pub_keys.shape != (len(rows), PUBLIC_KEY_BYTES):
        raise CodecError("pub_keys", f"{len(rows)} rows of 32 bytes", pub_keys.shape)
    if signatures.shape != (len(rows), SIGNATURE_BYTES):
        raise CodecError("signatures", f"{len(rows)} rows of 64 bytes", signatures.shape)
    owners = np.ascontiguousarray(rows["owner"]).view(np.uint8).reshape(-1, HASH_BYTES)
    foreign = (owner_ids(pub_keys) != owners).any(axis=1)
    codes[foreign & (codes == ACCEPTED)] = code_number(RejectCode.OWNER_MISMATCH)
    open_rows = np.flatnonzero(codes == ACCEPTED)
    ids = hash_rows(payloads)
    first, same = _distinct(ids, pub_keys, signatures, open_rows)
    valid = verify_rows(payloads, pub_keys, signatures, open_rows[first])[same]
    codes[open_rows[~valid]] = code_number(RejectCode.SIGNATURE)
    return OrderColumns(rows, ids, payloads, pub_keys, signatures), codes


def _distinct(
    ids: NDArray[np.uint8],
    pub_keys: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places in R ``rows`` of the distinct ones, and for each of the R its place among those.

    An honest table has each order once. To see that takes one sort of the ids' first words, a
    thousandth of what the signatures take; only where two agree are whole rows compared.
    """
    every = np.arange(len(rows))
    words = np.ascontiguousarray(ids[:, :8]).view("<u8").reshape(-1)[rows]
    ordered = np.sort(words)
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(shared):
        return every, every
    tied = np.flatnonzero(np.isin(words, shared))
    parts = [column[rows[tied]] for column in (ids, pub_keys, signatures)]
    whole = np.ascontiguousarray(np.concatenate(parts, axis=1))
    keys = whole.view(f"V{whole.shape[1]}").reshape(-1)
    _, first, same = np.unique(keys, return_index=True, return_inverse=True)
    leader = every.copy()
    leader[tied] = tied[first[same.reshape(-1)]]
    chosen = np.flatnonzero(leader == every)
    return chosen, np.searchsorted(chosen, leader)


def _order_fields(fields: NDArray[np.void], domain: Domain) -> OrderFields:
    """What the rules look at, each column copied once: 272 bytes apart it is slow to read."""
    names = ("kind", "receive", "limit_kind", "limit_e", "limit_m", "min_fill", "nonce")
    columns = {name: np.ascontiguousarray(fields[name]) for name in names}
    return OrderFields(
        **columns,
        pays=fields["pays"],
        pay=_pay_assets(fields["token"], domain),
        budget=np.ascontiguousarray(fields["amount"]),
        assets=len(domain.registry),
    )


def _checks(
    fields: NDArray[np.void], orders: OrderFields, domain: Domain
) -> Iterator[tuple[RejectCode, Mask]]:
    """(code, rows that fail) in the sequence of :mod:`convexfx_core.orders.signed`."""
    pool = np.void(domain.pool.to_bytes())
    yield RejectCode.VERIFIABLE_KIND, fields["tag"] != np.void(tag_bytes(TAG_DEBIT))
    yield RejectCode.VERSION_UNKNOWN, fields["version"] != CODEC_VERSION
    yield RejectCode.ALLOWANCE_COUNT, fields["allowances"] != 1
    yield RejectCode.TERMS, fields["auxiliary"] != TERMS_BYTES
    yield RejectCode.NETWORK_MISMATCH, fields["network"] != np.void(domain.network_id)
    yield RejectCode.SHARD_MISMATCH, fields["shard"] != domain.pool.shard
    yield RejectCode.CREDITED_MISMATCH, fields["credited"] != pool
    yield from breaches((NONCE, PAY), orders)
    yield RejectCode.TERMS, (fields["terms_version"] != TERMS_VERSION) | (fields["zero"] != 0)
    yield from breaches((*TERMS_RULES, *ORDER_RULES), orders)


def _pay_assets(tokens: NDArray[np.void], domain: Domain) -> NDArray[np.uint16]:
    """Registry index of each 40-byte token, ``NO_ASSET`` for an unknown one."""
    found = np.full(len(tokens), NO_ASSET, dtype=np.uint16)
    known = np.frombuffer(
        b"".join(asset.token.to_bytes() for asset in domain.registry.assets), dtype="V40"
    )
    heads = np.ascontiguousarray(tokens).view("<u8").reshape(-1, 5)[:, 0]
    known_heads = known.view("<u8").reshape(-1, 5)[:, 0]
    order = np.argsort(known_heads, kind="stable")
    first = np.searchsorted(known_heads[order], heads)
    widest = int(np.unique(known_heads, return_counts=True)[1].max())
    for step in range(widest):
        place = np.minimum(first + step, len(known) - 1)
        candidate = order[place]
        hit = known[candidate] == tokens
        found[hit] = candidate[hit]
    return found
