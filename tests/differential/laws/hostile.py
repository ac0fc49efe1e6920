"""Whole witnesses at the ends of the ranges of L0: what no market looks like, but a liar may write.

Prices of 1 or 2^127, risk matrices of any sign and size, targets and bounds of 127 bits, budgets of
62: orders, fills, rations and inventories are then made so that the laws on orders mostly hold, and
the numbers of the later ones (price rule, gap, objective, slack, reasons of rejections) get as wide
as they can. No batch stands behind them: pairs of orders and fills follow from rates alone.
"""

import random
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from convexfx_core.errors import CodecError, LawViolated
from convexfx_core.identity import Address, OwnerId
from convexfx_core.laws.witness_laws import evaluate
from convexfx_core.ledger.diffs import Fills, diff_rows
from convexfx_core.ledger.vaults import PoolState, vault_dtype
from convexfx_core.limits import AMOUNT_MAX, BALANCE_MAX, RISK_MAX, VALUE_MAX
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.params import RISK_INVERSE_MAX, Params, params_to_bytes
from convexfx_core.market.reference import Reference, reference_to_bytes
from convexfx_core.orders.row import (
    KIND_CANCEL,
    KIND_ORDER,
    MANTISSA_MAX,
    MANTISSA_MIN,
    NO_ASSET,
    ORDER_DTYPE,
)
from convexfx_core.units import gross_rate, limit_rate, net_rate, rate_shift
from convexfx_core.witness.layout import (
    AMOUNT_DTYPE,
    DEMAND_DTYPE,
    PAIR_DTYPE,
    REJECT_DTYPE,
    Witness,
    encode_witness,
    with_public_values,
)

I128_MAX = (1 << 127) - 1
ONE = 1 << 64
WHOLE = 1 << 40
EPOCH = 5
KINDS = ("market", "equal", "below", "far", "above", "never")
Row = dict[str, Any]
CANCEL: Row = {
    "kind": KIND_CANCEL, "pay": 1, "receive": NO_ASSET, "paid": 0, "received": 0, "fee": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Market:
    """Prices, parameters and omega: everything that orders do not change.

    ``generous``: share of orders that would take any price.
    """

    params: Params
    reference: Reference
    prices: tuple[int, ...]
    omega: tuple[int, ...] | None
    widest: bool
    generous: float


@dataclass(frozen=True)
class Pair:
    """Rates of a directed pair and the cut of its ration."""

    shift: int
    gross: int
    net: int
    worst: int
    cut: int

    def gives(self, amount: int) -> tuple[int, int]:
        """Net and gross amount that a pay amount receives."""
        return (amount * self.net) >> self.shift, (amount * self.gross) >> self.shift

    def kept(self, want: int) -> int:
        """What a ration leaves of a demand."""
        kept = (want * (WHOLE - self.cut)) >> 40
        return kept if self.gives(kept)[0] else 0


def size(rng: random.Random, bits: int) -> int:
    """Zero, a power of two, its neighbour, or any number; below 2^bits."""
    power = 1 << rng.randint(0, bits)
    value = rng.choice((0, power - 1, power, power + 1, rng.randrange(power), rng.randrange(power)))
    return min(value, (1 << bits) - 1)


def signed(rng: random.Random, bits: int) -> int:
    return rng.choice((-1, 1)) * size(rng, bits)


def symmetric(rng: random.Random, n: int, bits: int, low: int, high: int) -> list[list[int]]:
    """A symmetric matrix whose numeraire row is zero and whose diagonal is not negative."""
    matrix, sparse = [[0] * n for _ in range(n)], rng.random() < 0.5
    for i in range(1, n):
        matrix[i][i] = size(rng, bits)
        for j in range(i + 1, n):
            value = 0 if sparse else min(max(signed(rng, bits), low), high)
            matrix[i][j] = matrix[j][i] = value
    return matrix


def market(rng: random.Random) -> Market | None:
    """Prices within a factor of 2^60 of each other, at one end of their range or another."""
    n, widest = rng.randint(2, 5), rng.random() < 0.2
    middle, around = (124, 1) if widest else (rng.choice((4, 34, 65, 95, 124)), 30)
    bits = [min(127, max(1, middle + rng.randint(-around, around))) for _ in range(n)]
    pbar = [ONE, *(rng.getrandbits(b) | rng.choice((1, 1 << (b - 1))) for b in bits[1:])]
    if not all(0 <= rate_shift(a, b) <= 126 for a in pbar for b in pbar):
        return None
    width = [0, *(rng.choice((0, 1, 50, 290)) for _ in bits[1:])]
    plo = [p - p * w // 10_000 for p, w in zip(pbar, width, strict=True)]
    phi = [p + p * w // 10_000 for p, w in zip(pbar, width, strict=True)]
    moved = rng.choice((0.0, 0.5, 1.0))
    prices = [
        rng.choice((low, high, rng.randint(low, high))) if rng.random() < moved else spot
        for low, spot, high in zip(plo, pbar, phi, strict=True)
    ]
    omega = tuple(signed(rng, rng.choice((0, 30, 38, 41, 63))) for _ in range(n))
    reference = Reference(9, tuple(pbar), tuple(plo), tuple(phi))
    return Market(
        parameters(rng, n, widest),
        reference,
        tuple(prices),
        omega if rng.random() < 0.5 else None,
        widest,
        rng.choice((0.0, 0.9)) if widest else 0.0,
    )


def parameters(rng: random.Random, n: int, widest: bool) -> Params:
    """Fees, risk and depth of any size; targets and bounds come later."""
    fees = [[rng.choice((0, 300, 100_000)) * (i != j) for j in range(n)] for i in range(n)]
    risk = rng.choice((0, 30, 46, 80)) if widest else rng.choice((0, 10, 40, 79, 80))
    inverse = 112 if widest else rng.choice((0, 40, 60, 90, 112))
    return Params(
        decimals=tuple(rng.randint(0, 9) for _ in range(n)),
        band=(300_000_000,) * n,
        target=(0,) * n,
        q_min=(0,) * n,
        q_max=(0,) * n,
        depth=(0, *(size(rng, rng.choice((20, 100, 127))) for _ in range(n - 1))),
        fee_ppm=tuple(map(tuple, fees)),
        risk=tuple(map(tuple, symmetric(rng, n, risk, -RISK_MAX, RISK_MAX))),
        risk_inverse=tuple(map(tuple, symmetric(rng, n, inverse, 0, RISK_INVERSE_MAX))),
    )


def pair_of(told: Market, pay: int, receive: int) -> Pair:
    """Rates and cut of a pair."""
    reference, prices = told.reference, told.prices
    shift = rate_shift(reference.pbar[pay], reference.pbar[receive])
    gross = gross_rate(prices[pay], prices[receive] or 1, shift)
    fee = told.params.fee_ppm[pay][receive]
    worst = gross_rate(reference.plo[pay], reference.phi[receive], shift)
    cut = 0
    if told.omega is not None:
        above = prices[pay] * reference.pbar[receive] << 40
        rho = above // (reference.pbar[pay] * (prices[receive] or 1))
        cut = min(max((rho * told.omega[receive] >> 40) - told.omega[pay], 0), WHOLE)
    return Pair(shift, gross, net_rate(gross, fee), net_rate(worst, fee), cut)


def order(rng: random.Random, told: Market, budget_bits: int) -> Row:
    """An order with its demand, its fill and what it receives, and maybe a rejection."""
    pay, receive = rng.sample(range(told.params.n), 2)
    pair = pair_of(told, pay, receive)
    budget = max(1, min(size(rng, budget_bits), AMOUNT_MAX))
    if told.widest and rng.random() < 0.7:
        budget = AMOUNT_MAX
    if rng.random() < 0.97:
        budget = min(budget, max(1, (BALANCE_MAX << pair.shift) // pair.gross))
    row: Row = {"kind": KIND_ORDER, "pay": pay, "receive": receive, "budget": budget}
    row |= limit(rng, pair, rng.choice(KINDS) if rng.random() > told.generous else "far")
    least = pair.worst
    if row["limit_kind"]:
        least = limit_rate(row["limit_m"], row["limit_e"], pair.shift)
    row["min_fill"] = rng.choice((0, 0, 0, 1, budget, rng.randint(0, budget)))
    rejected = rng.random() < 0.15
    usual = budget if pair.net >= least else 0
    want = 0 if rejected or not pair.gives(usual)[0] else usual
    at_the_price = pair.worst < least and pair.net - least <= least >> 38
    if want and at_the_price and rng.random() < 0.6:
        want = rng.randint(0, budget)
    if 0 < want < row["min_fill"] or (want and not pair.gives(want)[0]):
        want = 0
    paid = want if told.omega is None else pair.kept(want)
    net, gross = pair.gives(paid)
    row |= {"want": want, "paid": paid, "received": net, "fee": gross - net, "usual": usual}
    return row | {"reject": rng.choice((1, 2)) if rejected else 0, "gross": pair.gives(want)[1]}


def limit(rng: random.Random, pair: Pair, kind: str) -> Row:
    """Terms of a limit at, near or far from the net rate of the pair."""
    up = max(0, 63 - pair.net.bit_length())
    m, e = pair.net << up, pair.shift + up
    match kind:
        case "market":
            return {"limit_kind": 0, "limit_m": 0, "limit_e": 0}
        case "equal":
            m -= rng.choice((0, 0, 1 << up, (m >> 38) + rng.randint(-2, 2)))
        case "below":
            m -= m >> rng.randint(5, 40)
        case "above":
            m += 1 << up
        case "far":
            e = min(255, pair.shift + rng.randint(0, 130))
        case _:
            e = pair.shift - 1
    m = min(max(m, MANTISSA_MIN), MANTISSA_MAX)
    return {"limit_kind": 1, "limit_m": m, "limit_e": e}


def inventories(rng: random.Random, told: Market, rows: list[Row], held: list[int]) -> Row:
    """Inventory after, overflow, and targets and bounds that are near what came of the orders."""
    n, pbar = told.params.n, told.reference.pbar
    after, wanted, overflow, target = list(held), list(held), [0] * n, [0] * n
    for row in rows:
        after[row["pay"]] += row["paid"]
        after[row["receive"]] -= row["received"] + row["fee"]
        wanted[row["pay"]] += row["want"]
        wanted[row["receive"]] -= row["gross"]
    spread = rng.choice((0, 30) if told.widest else (0, 0, 10, 30, 60, 79, 81, 100))
    for i in range(n):
        at_edge = told.prices[i] in (told.reference.plo[i], told.reference.phi[i])
        if i and at_edge and rng.random() < 0.7:
            sign = 1 if told.prices[i] == told.reference.plo[i] else -1
            overflow[i] = sign * min(size(rng, 80), VALUE_MAX)
        off = ((overflow[i] + signed(rng, spread)) << 64) // pbar[i]
        target[i] = min(max(wanted[i] - off, -I128_MAX), I128_MAX)
    low, high = list(map(min, held, after)), list(map(max, held, after))
    loose = rng.random() < 0.5
    for i in range(n):
        low[i] -= size(rng, 126) if loose else rng.choice((0, 0, size(rng, 20)))
        high[i] += size(rng, 126) if loose else rng.choice((0, 0, size(rng, 20)))
    params = replace(told.params, target=tuple(target), q_min=tuple(low), q_max=tuple(high))
    return {"params": params, "overflow": tuple(overflow), "inventory_after": tuple(after)}


def order_rows(rows: list[Row]) -> np.ndarray:
    """Order rows of owners in canonical order, one order each."""
    table = np.zeros(len(rows), ORDER_DTYPE)
    owners = sorted(sha256(b"hostile owner %d" % k).digest() for k in range(len(rows)))
    for place, row in enumerate(rows):
        for name in (name for name in ORDER_DTYPE.names or () if name in row):
            table[name][place] = row[name]
        table["owner"][place] = np.frombuffer(owners[place], ">u8")
        table["nonce"][place] = 1 + place % 3
    return table


def hostile_witness(seed: int) -> Witness | None:
    """A witness of a seed, its public values zero; None where its prices have no rates."""
    rng = random.Random(seed)
    told = market(rng)
    if told is None:
        return None
    bent = random.Random(~seed)
    if bent.random() < 0.05:
        told = far_off(bent, told)
    bits = 62 if told.widest else rng.choice((10, 30, 40, 57, 62))
    rows = [order(rng, told, bits) for _ in range(rng.randint(0, 60 if told.widest else 12))]
    if rows and told.omega is not None and bent.random() < 0.2:
        demand_otherwise(bent, told, rows)
    return witness_from(rng, told, rows)


def far_off(rng: random.Random, told: Market) -> Market:
    """One price so far from its reference that a rate may leave its range."""
    asset, times = rng.randrange(told.params.n), rng.choice((2, 3, 4))
    price = told.prices[asset]
    moved = rng.choice((price // times, price * times, 0))
    prices = (*told.prices[:asset], moved, *told.prices[asset + 1 :])
    return told if moved >> 128 else replace(told, prices=prices)


def demand_otherwise(rng: random.Random, told: Market, rows: list[Row]) -> None:
    """List the demand of an order that needs no row, or demand what its limit does not allow."""
    row = rng.choice(rows)
    row["listed"] = True
    if not row["usual"] and rng.random() < 0.5:
        pair = pair_of(told, row["pay"], row["receive"])
        paid = pair.kept(row["budget"])
        net, gross = pair.gives(paid)
        row |= {"want": row["budget"], "gross": pair.gives(row["budget"])[1]}
        row |= {"paid": paid, "received": net, "fee": gross - net}


def beyond_the_terms(orders: int) -> Witness:
    """Orders that swap two assets of 2^124 at any price, all they may: a surplus of 2^122 each.

    No risk, prices at the reference, nothing off target: the laws before hold.
    """
    rng, pbar = random.Random(3), (ONE, 1 << 124, 1 << 124)
    none = ((0,) * 3,) * 3
    params = replace(parameters(rng, 3, True), risk=none, risk_inverse=none, fee_ppm=none)
    told = Market(params, Reference(9, pbar, pbar, pbar), pbar, None, True, 1.0)
    rows = []
    while len(rows) < orders:
        row = order(rng, told, 62)
        if row["paid"] == AMOUNT_MAX and 0 not in (row["pay"], row["receive"]):
            rows.append(row)
    return witness_from(rng, told, rows)


def witness_from(rng: random.Random, told: Market, rows: list[Row]) -> Witness:
    """The witness of orders at given prices: inventories, bounds and vaults that suit them."""
    n = told.params.n
    room = BALANCE_MAX - 1 - sum(row["paid"] for row in rows)
    held = [max(0, min(room, 1 << rng.choice((40, 61, 62)))) for _ in range(n)]
    made, fees = inventories(rng, told, rows, held), [size(rng, 20) for _ in range(n)]
    consumed = [row for row in rows if row["paid"]] + [CANCEL] * rng.randint(0, 1)
    left = [row for row in rows if not row["paid"]]
    table, kept = order_rows(consumed + left), len(consumed)
    index = {id(row): place for place, row in enumerate([*consumed, *left])}
    vaults = np.zeros(kept, vault_dtype(n))
    vaults["owner"], vaults["nonce"] = table["owner"][:kept], table["nonce"][:kept] - 1
    vaults["balance"][np.arange(kept), table["pay"][:kept]] = table["budget"][:kept]
    found = [(row["received"], row["fee"]) for row in consumed]
    amounts = np.array(found, dtype=AMOUNT_DTYPE)
    paid = np.array([row["paid"] for row in consumed], dtype=np.uint64)
    balances = tuple(q + f for q, f in zip(held, fees, strict=True))
    pool = PoolState(OwnerId(sha256(b"hostile pool").digest()), 7, balances, tuple(fees))
    fills = Fills(table[:kept], paid, amounts["received"], amounts["fee"])
    return Witness(
        network_id=sha256(b"hostile network").digest(),
        shard=1,
        epoch=EPOCH,
        params=params_to_bytes(made["params"]),
        registry=registry(told.params.decimals).to_bytes(),
        reference=reference_to_bytes(told.reference),
        pool=pool,
        vaults=vaults,
        consumed=table[:kept],
        left=table[kept:],
        prices=told.prices,
        pairs=pair_table(told, rows),
        paid=paid,
        overflow=made["overflow"],
        inventory_after=made["inventory_after"],
        omega=told.omega,
        demanded=demand_table(told, rows, index),
        rejects=listed([(index[id(r)], r["reject"]) for r in rows if r["reject"]], REJECT_DTYPE),
        amounts=amounts,
        diffs=diff_rows(fills, pool.nonce),
    )


def registry(decimals: tuple[int, ...]) -> Registry:
    tokens = [Address(OwnerId(sha256(b"hostile %d" % i).digest()), 1) for i in range(len(decimals))]
    return Registry(tuple(Asset(f"X{i}", d, tokens[i]) for i, d in enumerate(decimals)))


def pair_table(told: Market, rows: list[Row]) -> np.ndarray:
    """Rate rows of the pairs of the orders."""
    used = sorted({(row["pay"], row["receive"]) for row in rows})
    rates = [pair_of(told, *pair) for pair in used]
    found = [(*pair, r.shift, r.gross) for pair, r in zip(used, rates, strict=True)]
    return np.array(found, dtype=PAIR_DTYPE)


def demand_table(told: Market, rows: list[Row], index: dict[int, int]) -> np.ndarray:
    """Demands that are not the usual ones."""
    unusual = [
        row
        for row in rows
        if "listed" in row or row["want"] != (0 if row["reject"] else row["usual"])
    ]
    if told.omega is None:
        unusual = []
    return listed([(index[id(row)], row["want"]) for row in unusual], DEMAND_DTYPE)


def listed(rows: list[tuple[int, int]], dtype: np.dtype[np.void]) -> np.ndarray:
    return np.array(sorted(rows), dtype=dtype)


def hostile(seed: int) -> bytes | None:
    """The witness of a seed, sealed where every law holds; None where there is none."""
    try:
        witness = hostile_witness(seed)
        if witness is None:
            return None
        data = encode_witness(witness)
    except (CodecError, OverflowError, ZeroDivisionError):
        return None
    try:
        return with_public_values(data, evaluate(data).public_values.to_bytes())
    except LawViolated:
        return data
