"""Encoded witnesses that L0 refuses: (name, index, bytes), each one step from a valid one."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from convexfx_core.limits import VALUE_MAX
from convexfx_core.orders.row import MANTISSA_MIN
from convexfx_core.witness.layout import (
    DEMAND_DTYPE,
    FRAME,
    PAIR_DTYPE,
    REJECT_DTYPE,
    Witness,
    encode_sections,
    encode_witness,
    split_sections,
)
from tests.support.witnesses.epochs import plain_epoch, rationed_epoch, reject_epoch
from tests.support.witnesses.forge import edited, witness_of
from tests.support.witnesses.violations import replaced

Case = tuple[str, int, bytes]


@cache
def plain() -> bytes:
    return plain_epoch().apply().witness


@cache
def rationed() -> bytes:
    return rationed_epoch().apply().witness


@cache
def rejecting() -> bytes:
    return reject_epoch().apply().witness


def le(value: int, size: int = 8, signed: bool = False) -> bytes:
    return value.to_bytes(size, "little", signed=signed)


def spliced(section: int, at: int, part: bytes, data: bytes | None = None) -> bytes:
    """The plain witness with bytes of one section overwritten from offset ``at`` on."""
    sections = [bytes(s) for s in split_sections(data or plain())]
    body = sections[section]
    at = at % (len(body) + 1)
    sections[section] = body[:at] + part + body[at + len(part) :]
    return encode_sections(sections)


def resized(section: int, change: int, data: bytes | None = None) -> bytes:
    """The plain witness with zero bytes added to one section, or bytes cut off its end."""
    sections = [bytes(s) for s in split_sections(data or plain())]
    body = sections[section]
    sections[section] = body + bytes(change) if change > 0 else body[:change]
    return encode_sections(sections)


def frame() -> Iterator[Case]:
    data = plain()
    yield "frame-empty", FRAME, b""
    yield "frame-magic", FRAME, b"X" + data[1:]
    yield "frame-version", FRAME, data[:8] + le(2) + data[16:]
    yield "frame-one-byte-more", FRAME, data + b"\0"
    yield "frame-one-byte-less", FRAME, data[:-1]
    yield "frame-header-only", FRAME, data[:16]
    yield "frame-length-bomb", FRAME, data[:16] + le((1 << 64) - 1) + data[24:]
    yield "frame-length-one-more", FRAME, data[:16] + le(49) + data[24:]


def lengths() -> Iterator[Case]:
    for section, change in (
        (0, 8), (0, -8), (1, 8), (1, -16), (2, 64), (2, -64), (2, 8), (3, 48), (3, -48), (3, -8),
        (4, 8), (5, 80), (5, -80), (6, 8), (7, 8), (7, -8), (8, 32), (8, -32), (9, 8), (10, 8),
        (11, 16), (11, -16), (12, 8), (12, 32 * 1000), (13, 8), (13, -8),
    ):  # fmt: skip
        yield f"s{section:02}-length{change:+}", section, resized(section, change)


def heads() -> Iterator[Case]:
    n = plain_epoch().opening.params.n
    yield "s00-shard-zero", 0, spliced(0, 32, le(0))
    yield "s00-epoch-zero", 0, spliced(0, 40, le(0))
    yield "s01-version", 1, spliced(1, 0, le(2))
    yield "s01-one-asset", 1, spliced(1, 8, le(1))
    yield "s01-65-assets", 1, spliced(1, 8, le(65))
    yield "s01-assets-bomb", 1, spliced(1, 8, le((1 << 64) - 1))
    yield "s01-band-too-wide", 1, spliced(1, 16 + 72, le(300_000_001))
    fees = 16 + 72 * n
    yield "s01-fee-too-high", 1, spliced(1, fees + 8, le(100_001))
    yield "s01-fee-on-the-diagonal", 1, spliced(1, fees, le(1))
    risk = fees + 8 * n * n
    yield "s01-risk-of-the-numeraire", 1, spliced(1, risk + 16, le(1, 16))
    yield "s01-risk-not-symmetric", 1, spliced(1, risk + 16 * (n + 2), le(1, 16))
    yield "s01-risk-too-large", 1, spliced(1, risk + 16 * (n + 1), le(1 << 80, 16))
    yield "s01-inverse-negative", 1, spliced(1, risk + 16 * (n * n + n + 1), le(-1, 16, True))
    yield "s02-decimals", 2, spliced(2, 40, le(10))
    yield "s02-id-not-ascii", 2, spliced(2, 48, b"\xff")
    yield "s02-id-empty", 2, spliced(2, 48, bytes(16))
    yield "s02-id-padded-inside", 2, spliced(2, 48, b"A\0A")
    yield "s02-token-shard-zero", 2, spliced(2, 32, le(0))
    sections = split_sections(plain())
    yield "s02-token-twice", 2, spliced(2, 64, bytes(sections[2][:40]))
    yield "s02-id-twice", 2, spliced(2, 64 + 48, bytes(sections[2][48:64]))


def references() -> Iterator[Case]:
    reference = plain_epoch().opening.reference
    yield "s03-numeraire-not-one", 3, spliced(3, 16, le((1 << 64) + 1, 16))
    yield "s03-price-zero", 3, spliced(3, 16 + 48, bytes(48))
    yield "s03-price-below-its-band", 3, spliced(3, 16 + 48, le(reference.plo[1] - 1, 16))
    wide = reference.phi[1] + (reference.phi[1] >> 40)
    yield "s03-band-wider-than-allowed", 3, spliced(3, 16 + 48 + 32, le(wide, 16))
    huge = b"".join(le(1 << 127, 16) for _ in range(3))
    yield "s03-shift-out-of-range", 3, spliced(3, 16 + 48, huge)


def states() -> Iterator[Case]:
    n = plain_epoch().opening.params.n
    yield "s04-pool-nonce", 4, spliced(4, 32, le(1 << 63))
    yield "s04-pool-balance", 4, spliced(4, 40, le(1 << 63))
    yield "s04-fees-above-the-balance", 4, spliced(4, 40 + 8 * n, le((1 << 63) - 1))
    vault = 40 + 16 * n
    yield "s04-vault-nonce", 4, spliced(4, vault + 32, le(1 << 63))
    yield "s04-vault-balance", 4, spliced(4, vault + 40, le(1 << 63))


def order_rows() -> Iterator[Case]:
    honest = witness_of(plain())
    k = int(np.flatnonzero((honest.consumed["limit_kind"] == 1) & (honest.paid > 0))[0])
    market = int(np.flatnonzero((honest.consumed["kind"] == 1) & (honest.paid > 0))[0])
    assert honest.consumed["limit_kind"][market] == 0
    cancel = int(np.flatnonzero(honest.consumed["kind"] == 2)[0])
    pay = int(honest.consumed["pay"][k])
    yield "s05-consumed-bomb", 5, spliced(5, 0, le((1 << 64) - 1))
    yield "s05-consumed-wraps", 5, spliced(5, 0, le((1 << 64) - len(honest.left)) + le(0))
    yield "s05-one-consumed-more", 5, spliced(5, 0, le(len(honest.consumed) + 1))
    for name, at, fields in (
        ("budget-zero", k, {"budget": 0, "min_fill": 0}),
        ("budget-2-62", k, {"budget": 1 << 62}),
        ("min-fill-above-budget", k, {"min_fill": honest.consumed["budget"][k] + 1}),
        ("pay-unknown", k, {"pay": honest.n}),
        ("receive-unknown", k, {"receive": honest.n}),
        ("receive-nothing", k, {"receive": 65535}),
        ("self-pair", k, {"receive": pay}),
        ("kind-0", k, {"kind": 0}),
        ("kind-3", k, {"kind": 3}),
        ("limit-kind-2", k, {"limit_kind": 2}),
        ("mantissa-below", k, {"limit_m": MANTISSA_MIN - 1}),
        ("mantissa-above", k, {"limit_m": 1 << 63}),
        ("exponent-below", k, {"limit_e": -193}),
        ("exponent-above", k, {"limit_e": 256}),
        ("nonce-zero", k, {"nonce": 0}),
        ("nonce-2-63", k, {"nonce": 1 << 63}),
        ("market-with-mantissa", market, {"limit_m": 1}),
        ("market-with-exponent", market, {"limit_e": 1}),
        ("cancel-with-budget", cancel, {"budget": 1}),
        ("cancel-with-min-fill", cancel, {"min_fill": 1}),
        ("cancel-with-receive", cancel, {"receive": 1}),
        ("cancel-with-limit", cancel, {"limit_kind": 1, "limit_m": MANTISSA_MIN}),
        ("cancel-of-an-unknown-asset", cancel, {"pay": honest.n}),
    ):
        rows = edited(honest.consumed, at, **fields)
        yield f"s05-{name}", 5, encode_witness(replace(honest, consumed=rows))


def price_rows() -> Iterator[Case]:
    honest = witness_of(plain())

    def case(name: str, **changes: object) -> Case:
        return f"s06-{name}", 6, encode_witness(replace(honest, **changes))

    pairs, last = honest.pairs, len(honest.pairs) - 1
    yield case("price-zero", prices=replaced(honest.prices, 1, 0))
    yield case("rate-out-of-range", prices=replaced(honest.prices, 1, 8 * honest.prices[1]))
    yield case("shift-plus-one", pairs=edited(pairs, 0, shift=pairs["shift"][0] + 1))
    yield case("rate-plus-one", pairs=edited(pairs, 0, rate=pairs["rate"][0] + 1))
    yield case("rate-minus-one", pairs=edited(pairs, last, rate=pairs["rate"][last] - 1))
    yield case("pair-missing", pairs=pairs[:-1])
    yield case("pair-twice", pairs=np.append(pairs, pairs[-1:]).astype(PAIR_DTYPE))
    yield case("pairs-unsorted", pairs=pairs[::-1].copy())
    yield case("self-pair", pairs=edited(pairs, 0, receive=pairs["pay"][0]))


def inventory_rows() -> Iterator[Case]:
    honest = witness_of(plain())
    for name, value in (("above", VALUE_MAX + 1), ("below", -VALUE_MAX - 1)):
        overflow = replaced(honest.overflow, 1, value)
        yield f"s08-overflow-{name}", 8, encode_witness(replace(honest, overflow=overflow))


def demand_rows() -> Iterator[Case]:
    honest = witness_of(rationed())
    listed = honest.demanded
    assert len(listed) == 1

    def case(name: str, *rows: tuple[int, int]) -> Case:
        table = np.array(sorted(rows), DEMAND_DTYPE)
        return f"s09-{name}", 9, encode_witness(replace(honest, demanded=table))

    order, demand = (int(x) for x in listed[0])
    orders, cancel = honest.orders, int(np.flatnonzero(honest.consumed["kind"] == 2)[0])
    full = int(np.flatnonzero(honest.paid == honest.consumed["budget"])[1])
    budget = int(orders["budget"][full])
    yield case("the-usual-demand", (order, demand), (full, budget))
    yield case("demand-above-the-budget", (order, int(orders["budget"][order]) + 1))
    yield case("demand-of-a-cancel", (cancel, 1))
    yield case("demand-of-no-order", (len(orders), 1))
    yield case("demand-of-order-2-63", (1 << 63, 1))
    yield case("demand-twice", (order, demand), (order, demand - 1))
    unsorted = np.array([(order, demand), (order - 1, 1)], DEMAND_DTYPE)
    yield "s09-unsorted", 9, encode_witness(replace(honest, demanded=unsorted))
    yield "s09-omega-short", 9, resized(9, -24, rationed())


def reject_rows() -> Iterator[Case]:
    honest = witness_of(rejecting())
    rejects = honest.rejects
    assert len(rejects) == 2

    def case(name: str, rows: np.ndarray, index: int = 10, at: Witness = honest) -> Case:
        return f"s10-{name}", index, encode_witness(replace(at, rejects=rows.astype(REJECT_DTYPE)))

    yield case("kind-zero", edited(rejects, 0, kind=0))
    yield case("kind-three", edited(rejects, 0, kind=3))
    yield case("unsorted", rejects[::-1])
    yield case("twice", np.append(rejects, rejects[-1:]))
    yield case("of-no-order", edited(rejects, 1, order=len(honest.orders)))
    other = witness_of(rationed())
    cancel = int(np.flatnonzero(other.consumed["kind"] == 2)[0])
    yield case("of-a-cancel", np.array([(cancel, 1)], REJECT_DTYPE), 10, other)
    order = int(other.demanded["order"][0])
    yield case("of-one-that-demands", np.array([(order, 1)], REJECT_DTYPE), 10, other)


@cache
def malformed() -> tuple[Case, ...]:
    """All of them."""
    groups = (
        frame, lengths, heads, references, states, order_rows, price_rows, inventory_rows,
        demand_rows, reject_rows,
    )  # fmt: skip
    return tuple(case for group in groups for case in group())
