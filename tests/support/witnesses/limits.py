"""L0 at its limits: every field at the last value that is in range, and one beyond it.

One small epoch (three assets; an order filled, a cancel, an order left) stands behind all of them;
a field beyond its range is written over in the encoded witness.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.market.params import RISK_INVERSE_MAX, Params
from convexfx_core.orders.row import MANTISSA_MAX, MANTISSA_MIN, NO_ASSET, ORDER_DTYPE
from convexfx_core.witness.layout import encode_sections, encode_witness, split_sections
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.witnesses.exact import ONE, hopeless, orders, params_at, told_at
from tests.support.witnesses.forge import edited
from tests.support.witnesses.forge import witness_of as decoded
from tests.support.witnesses.violations import replaced

Rows = tuple[tuple[int, ...], ...]
I128_MAX = (1 << 127) - 1
RISK_LIMIT = (1 << 80) - 1
FEES, RISK = 16 + 3 * 72, 16 + 3 * 72 + 9 * 8
INVERSE = RISK + 9 * 16


@cache
def small() -> Told:
    """The epoch behind them."""
    params, reference = params_at((ONE, ONE, 4 * ONE))
    filled = orders({"pay": 1, "receive": 2, "budget": 400, "min_fill": 400})
    cancel = orders({"kind": 2, "receive": NO_ASSET, "pay": 0})
    left = hopeless(1, pay=2, receive=1, budget=9, min_fill=9)
    rows = np.concatenate([filled, cancel, left]).astype(ORDER_DTYPE)
    return told_at(params, reference, rows, [400, 0])


@cache
def small_bytes() -> bytes:
    return sealed(witness_of(small()))


def symmetric(value: int, i: int, j: int) -> Rows:
    """A 3 x 3 matrix of zeros but for an entry and its twin."""
    return tuple(
        tuple(value if {a, b} == {i, j} and (a == b) == (i == j) else 0 for b in range(3))
        for a in range(3)
    )


def in_range() -> Iterator[tuple[str, Told]]:
    """Epochs whose fields are at the ends of their ranges, and which every law lets pass."""
    told = small()
    opening = told.opening
    yield "first-shard-and-epoch", told.opened(shard=1, epoch=1)

    def with_params(**changes: object) -> Told:
        return told.opened(params=replace(opening.params, **changes))

    yield "band", with_params(band=(300_000_000,) * 3)
    reference = opening.reference
    slack = replace(
        reference,
        plo=replaced(reference.plo, 1, ONE - (1 << 17)),
        phi=replaced(reference.phi, 1, ONE + (1 << 17)),
    )
    yield "band-by-its-slack", told.opened(reference=slack)
    yield "q-min", with_params(q_min=(-I128_MAX,) * 3)
    yield "q-max", with_params(q_max=(I128_MAX,) * 3)
    held = opening.pool.inventory[0]
    yield "q-min-is-q-max", with_params(q_min=(held, *opening.params.q_min[1:]),
                                        q_max=(held, *opening.params.q_max[1:]))  # fmt: skip
    yield "depth", with_params(depth=(0, I128_MAX, 0))
    fees = ((0, 100_000, 100_000), (100_000, 0, 0), (100_000, 0, 0))
    yield "fee", with_params(fee_ppm=fees)
    for name, value in (("above", RISK_LIMIT), ("below", -RISK_LIMIT)):
        yield f"cross-risk-{name}", with_params(risk=symmetric(value, 1, 2))
    yield "own-risk", with_params(risk=symmetric(RISK_LIMIT, 2, 2))
    yield "inverse", with_params(risk_inverse=symmetric(RISK_INVERSE_MAX, 1, 2))
    yield "digits", with_params(decimals=(9, 0, 9)).opened(registry=_digits(told, (9, 0, 9)))
    names = ("0123456789abcdef", "-", "A.b_C-d")
    assets = tuple(replace(a, id=i) for a, i in zip(opening.registry.assets, names, strict=True))
    yield "ids", told.opened(registry=type(opening.registry)(assets))
    token = Address(OwnerId(b"\xff" * 32), (1 << 64) - 1)
    same_owner = Address(OwnerId(b"\xff" * 32), 1)
    assets = tuple(
        replace(asset, token=place)
        for asset, place in zip(
            opening.registry.assets, (token, same_owner, opening.registry[0].token), strict=True
        )
    )
    yield "tokens", told.opened(registry=type(opening.registry)(assets))
    pool = opening.pool
    full = replace(pool, balances=(BALANCE_MAX,) * 3, fees_accrued=(BALANCE_MAX, *([1 << 62] * 2)))
    moved = _with_pool(told, full)
    yield "fees-are-the-balance", moved
    vaults = opening.vaults
    yield (
        "rich",
        told.opened(vaults=VaultTable(vaults.owners, vaults.nonces, _rich(vaults.balances))),
    )
    for name, exponent in (("least", -192), ("greatest", 255)):
        for mantissa in (MANTISSA_MIN, MANTISSA_MAX):
            at = 2 if name == "least" else 0
            terms = {"limit_kind": 1, "limit_e": exponent, "limit_m": mantissa}
            rows = edited(told.rows, at, **terms)
            yield f"{name}-limit-{mantissa & 1}", replace(told, rows=rows)


def _digits(told: Told, digits: tuple[int, ...]) -> object:
    registry = told.opening.registry
    assets = (replace(a, decimals=d) for a, d in zip(registry.assets, digits, strict=True))
    return type(registry)(tuple(assets))


def _rich(balances: np.ndarray) -> np.ndarray:
    """Vaults that hold as much of asset 0, which nobody trades, as a vault can."""
    balances = balances.copy()
    balances[:, 0] = BALANCE_MAX
    return balances


def _with_pool(told: Told, pool: object) -> Told:
    """The epoch from another pool, its targets moved with the inventory."""
    before = told.opening.pool.inventory
    moved = told.opened(pool=pool)
    by = [q - b for q, b in zip(moved.opening.pool.inventory, before, strict=True)]
    params = moved.opening.params
    # Room for what asset 1 takes in, of what is not fees.
    balances = list(moved.opening.pool.balances)
    balances[1] -= 1_000
    by[1] -= 1_000
    pool = replace(moved.opening.pool, balances=tuple(balances))
    target = tuple(t + b for t, b in zip(params.target, by, strict=True))
    return moved.opened(pool=pool, params=replace(params, target=target))


def beyond() -> Iterator[tuple[str, int, bytes]]:
    """(name, section, witness) of one field beyond its range."""
    yield from _beyond_params()
    yield from _beyond_inputs()
    yield from _beyond_orders()


def _spliced(section: int, at: int, value: int, size: int = 16) -> bytes:
    sections = [bytes(part) for part in split_sections(small_bytes())]
    body, part = sections[section], (value % (1 << 8 * size)).to_bytes(size, "little")
    sections[section] = body[:at] + part + body[at + size :]
    return encode_sections(sections)


def _changed_params(**changes: object) -> bytes:
    """Another parameter section, unchecked by its codec."""
    return encode_witness(witness_of(small().opened(params=_with(small().opening.params, changes))))


def _with(params: Params, changes: dict[str, object]) -> Params:
    return replace(params, **changes)


def _beyond_params() -> Iterator[tuple[str, int, bytes]]:
    sections = [bytes(part) for part in split_sections(small_bytes())]
    for n in (0, 1, 65):
        head = (1).to_bytes(8, "little") + n.to_bytes(8, "little")
        # A section of the right length, so that the number of assets is all that is wrong.
        body = head + bytes(72 * n + 40 * n * n)
        yield f"{n}-assets", 1, encode_sections([sections[0], body, *sections[2:]])
    for asset in (0, 1):
        row = 16 + 72 * asset
        yield f"band-{asset}", 1, _spliced(1, row, 300_000_001, 8)
        for name, at in (("target", 8), ("q-min", 24)):
            yield f"{name}-{asset}", 1, _spliced(1, row + at, -I128_MAX - 1)
        yield f"q-max-below-q-min-{asset}", 1, _spliced(1, row + 40, -(1 << 126) - 1)
        yield f"depth-{asset}", 1, _spliced(1, row + 56, -1)
    yield "depth-of-the-numeraire", 1, _spliced(1, 16 + 56, 1)
    yield "fee-of-the-numeraire", 1, _spliced(1, FEES + 8, 100_001, 8)
    yield "fee-on-the-last-diagonal", 1, _spliced(1, FEES + 64, 1, 8)
    twins = (("numeraire", 0, 1), ("cross", 1, 2), ("own", 2, 2))
    for name, i, j in twins:
        high = 1 if name == "numeraire" else RISK_LIMIT + 1
        low = -1 if name != "cross" else -RISK_LIMIT - 1
        for side, value in (("above", high), ("below", low)):
            yield f"risk-{name}-{side}", 1, _changed_params(risk=symmetric(value, i, j))
        high = 1 if name == "numeraire" else RISK_INVERSE_MAX + 1
        for side, value in (("above", high), ("below", -1)):
            changed = _changed_params(risk_inverse=symmetric(value, i, j))
            yield f"inverse-{name}-{side}", 1, changed
    yield "risk-of-the-numeraire-itself", 1, _spliced(1, RISK, 1)
    yield "inverse-of-the-numeraire-itself", 1, _spliced(1, INVERSE, 1)
    for name, at in (("risk", RISK), ("inverse", INVERSE)):
        yield f"{name}-one-way", 1, _spliced(1, at + 16 * 5, 1)
        yield f"{name}-the-other-way", 1, _spliced(1, at + 16 * 7, 1)
        yield f"{name}-into-the-numeraire", 1, _spliced(1, at + 16 * 3, 1)


def _beyond_inputs() -> Iterator[tuple[str, int, bytes]]:
    registry = bytes(split_sections(small_bytes())[2])
    for name, character in (("slash", "/"), ("colon", ":"), ("at", "@"), ("bracket", "["),
                            ("backquote", "`"), ("brace", "{"), ("space", " "),
                            ("comma", ",")):  # fmt: skip
        for place in (0, 1):
            text = f"A{character}" if place else f"{character}A"
            name_at = f"id-{name}-{place}"
            yield name_at, 2, _spliced(2, 64 + 48, int.from_bytes(text.encode(), "little"))
    yield "token-of-another-row", 2, _spliced(2, 128, int.from_bytes(registry[:40], "little"), 40)
    yield (
        "id-of-another-row",
        2,
        _spliced(2, 64 + 48, int.from_bytes(registry[128 + 48 :], "little")),
    )
    yield "decimals-wide", 2, _spliced(2, 40, 1 << 32, 8)
    row = 16 + 48
    for name, at, value in (
        ("pbar-below-plo", row + 16, ONE + 1),
        ("pbar-above-phi", row + 32, ONE - 1),
        ("plo-zero", row + 16, 0),
        ("band-slack-below", row + 16, ONE - (1 << 17) - 1),
        ("band-slack-above", row + 32, ONE + (1 << 17) + 1),
        ("numeraire-plo", 16 + 16, ONE - 1),
        ("numeraire-phi", 16 + 32, ONE + 1),
        ("numeraire-pbar", 16, ONE - 1),
    ):
        yield name, 3, _spliced(3, at, value)
    sections = [bytes(part) for part in split_sections(small_bytes())]
    for count in (2, 4):
        rows = (sections[3][16:] * 2)[: 48 * count]
        body = sections[3][:8] + count.to_bytes(8, "little") + rows
        data = encode_sections([*sections[:3], body, *sections[4:]])
        yield f"reference-of-{count}-whole-rows", 3, data
    yield "reference-of-two", 3, _spliced(3, 8, 2, 8)
    yield "reference-of-many", 3, _spliced(3, 8, (1 << 64) - 1, 8)
    for name, pbar in (("high", 1 << 126), ("low", 3)):
        three = sum(pbar << 128 * k for k in range(3))
        yield f"pbar-too-{name}", 3, _spliced(3, row, three, 48)
    for asset in range(3):
        fees = _spliced(4, 40 + 8 * (3 + asset), (1 << 40) + 1, 8)
        yield f"fees-above-the-balance-{asset}", 4, fees


def _beyond_orders() -> Iterator[tuple[str, int, bytes]]:
    honest = decoded(small_bytes())
    for name, fields in (
        ("left-budget-zero", {"budget": 0, "min_fill": 0}),
        ("left-kind", {"kind": 0}),
        ("left-self-pair", {"receive": 2}),
        ("left-nonce", {"nonce": 0}),
    ):
        rows = edited(honest.left, 0, **fields)
        yield name, 5, encode_witness(replace(honest, left=rows))
    cancel = int(np.flatnonzero(honest.consumed["kind"] == 2)[0])
    for name, fields in (
        ("cancel-with-a-mantissa", {"limit_m": 1}),
        ("cancel-with-an-exponent", {"limit_e": -1}),
        ("cancel-with-a-limit-kind", {"limit_kind": 1}),
        ("cancel-of-nothing", {"nonce": 0}),
    ):
        rows = edited(honest.consumed, cancel, **fields)
        yield name, 5, encode_witness(replace(honest, consumed=rows))
    for name, price in (("low", 3 * ONE), ("high", 33 * ONE)):
        prices = replaced(honest.prices, 2, price if name == "high" else ONE >> 1)
        yield f"rate-too-{name}", 6, encode_witness(replace(honest, prices=prices))
    more = np.resize(honest.diffs, 4 * len(honest.consumed) + 1)
    yield "diff-rows", 12, encode_witness(replace(honest, diffs=more))
