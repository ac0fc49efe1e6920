"""Epochs made so that a number of a law is exactly its bound, or one more.

Prices are the reference prices, fills are given, and the target of each asset is set from what they
leave, so no solver decides where an epoch stands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from convexfx_core.ledger.diffs import Fills
from convexfx_core.ledger.vaults import Opening, PoolState
from convexfx_core.limits import AMOUNT_MAX, BALANCE_MAX, NONCE_MAX, VALUE_MAX
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference
from convexfx_core.orders.row import MANTISSA_MAX, NO_ASSET, ORDER_DTYPE
from convexfx_core.settlement.proposal import Proposal, Ration
from convexfx_core.settlement.settle import settle
from convexfx_core.units import gross_rate, log_ratio, rate_shift
from convexfx_core.witness.build import Parts, build_witness, clearing_case
from convexfx_core.witness.layout import Witness
from tests.differential.laws.witnesses import Told, witness_of
from tests.support.witnesses.epochs import (
    EPOCH,
    NETWORK_ID,
    POOL_OWNER,
    number_nonces,
    owner_of,
    registry_of,
    vaults_for,
)
from tests.support.witnesses.forge import edited, rediffed
from tests.support.witnesses.violations import limit_equal_to

ONE = 1 << 64
HUGE = 1 << 125
WIDE = 1 << 126
Prices = tuple[int, ...]
Case = tuple[str, int | None, "Told | Witness"]
"""Name, the law that it breaks (None: it holds), what is told."""


def params_at(
    pbar: Prices, risk: int = 0, inverse: int = 0, fee_ppm: int = 0
) -> tuple[Params, Reference]:
    """Assets whose band is a point; asset 1 alone carries risk; bounds far away."""
    n = len(pbar)

    def only(value: int) -> tuple[Prices, ...]:
        return tuple(tuple(value if i == j == 1 else 0 for j in range(n)) for i in range(n))

    zeros = (0,) * n
    fees = tuple(tuple(0 if i == j else fee_ppm for j in range(n)) for i in range(n))
    params = Params(
        (6,) * n, zeros, zeros, (-WIDE,) * n, (WIDE,) * n, zeros, fees, only(risk), only(inverse)
    )
    return params, Reference(1, pbar, pbar, pbar)


def banded(params: Params, reference: Reference) -> tuple[Params, Reference]:
    """The same with bands of 2^-24: an order at the price is then not one that always is in."""
    low, high = zip(*((p - (p >> 24), p + (p >> 24)) for p in reference.pbar[1:]), strict=True)
    edges = (reference.plo[0], *low), (reference.phi[0], *high)
    band = (0,) + (1_000,) * (params.n - 1)
    return replace(params, band=band), Reference(1, reference.pbar, *edges)


def orders(*terms: dict[str, int]) -> np.ndarray:
    """Order rows with these fields; market orders unless they say otherwise."""
    rows = np.zeros(len(terms), ORDER_DTYPE)
    rows["kind"] = 1
    for k, fields in enumerate(terms):
        for name, value in fields.items():
            rows[name][k] = value
    return rows


def told_at(
    params: Params,
    reference: Reference,
    rows: np.ndarray,
    paid: Sequence[int],
    off: int = 0,
    held: int | Prices = 1 << 40,
) -> Told:
    """An epoch at its reference prices, a vault for each order; asset 1 ``off`` its target."""
    n, rows = params.n, rows.copy()
    owners = sorted(owner_of(k) for k in range(len(rows)))
    rows["owner"] = np.frombuffer(b"".join(owners), ">u8").reshape(-1, 4)
    rows, before = number_nonces(rows)
    balances = (held,) * n if isinstance(held, int) else held
    pool = PoolState(POOL_OWNER, 1, balances, (0,) * n)
    vaults = vaults_for(rows, before, n, 0)
    domain, registry = (NETWORK_ID, 3, EPOCH), registry_of(params.decimals)
    opening = Opening(*domain, params, registry, reference, pool, vaults)
    none, kinds, zeros = np.zeros(0, np.int64), np.zeros(0, np.uint8), (0,) * n
    amounts = np.array(list(paid), dtype=np.uint64)
    proposal = Proposal(reference.pbar, amounts, zeros, None, none, kinds, 1, 0.0, 0.0, "exact")
    return targeted(Told(opening, rows, proposal), off)


def targeted(told: Told, off: int = 0) -> Told:
    """Targets that the fills leave, asset 1 by ``off`` base units more than its own."""
    after = list(witness_of(told).inventory_after)
    after[1] -= off
    return told.opened(params=replace(told.opening.params, target=tuple(after)))


def hopeless(count: int, **fields: int) -> np.ndarray:
    """Orders that nobody can fill."""
    never = {"limit_kind": 1, "limit_m": MANTISSA_MAX, "limit_e": -192}
    return orders(*({**never, **fields} for _ in range(count)))


# L9


def gap_of_least_risk() -> Told:
    """The least risk there is still moves a rival by a unit: ridge, shift and turnover round up."""
    params, reference = params_at((ONE, ONE, ONE), 1, 1 << 111)
    rows = hopeless(1, pay=2, receive=0, budget=AMOUNT_MAX)
    return told_at(params, reference, rows, [0], off=1 << 48)


def gap_of(count: int) -> Told:
    """Idle orders so large that one unit off target is worth 128 bits."""
    params, reference = params_at((ONE, ONE, HUGE), 1 << 79, 1 << 111)
    rows = hopeless(count, pay=2, receive=0, budget=AMOUNT_MAX)
    return told_at(params, reference, rows, [0] * count, off=1)


def incentive_of(count: int, last: int = AMOUNT_MAX) -> Told:
    """Orders that would take nothing for their all, and get everything; the last one of a budget.

    Each of the largest ones has a surplus of 2^62 - 2, which is worth 2^61 times as much.
    """
    params, reference = params_at((ONE, HUGE, HUGE))
    generous = {"limit_kind": 1, "limit_m": MANTISSA_MAX, "limit_e": 61 + 63}
    ways = ({"pay": 1, "receive": 2}, {"pay": 2, "receive": 1})
    budgets = [AMOUNT_MAX] * (count - 1) + [last]
    terms = ({**generous, **ways[k % 2], "budget": b} for k, b in enumerate(budgets))
    return told_at(params, reference, orders(*terms), budgets, held=1 << 62)


def price_rule() -> Iterator[Case]:
    """Fields, tolerance, cap and range of the price rule."""
    yield "gap-of-least-risk", None, gap_of_least_risk()
    yield "gap-of-128-bits", None, gap_of(1)
    yield "gap-of-128-bits", 9, gap_of(4)
    yield "incentive-of-127-bits", None, incentive_of(16)
    yield "incentive-of-127-bits", 9, incentive_of(17)
    yield "incentive-below-2^127", None, incentive_of(17, 31)
    yield "incentive-of-2^127", 9, incentive_of(17, 32)
    # Three units off target: r = 3 (G >> 48) and tau = 2^28 + 2 + 2 (G >> 48) meet here.
    for name, law, size in (("is", None, 2), ("beyond", 9, 3)):
        for off in (3, -3):
            params, reference = params_at((ONE, ONE), ((1 << 28) + size) << 48)
            none = hopeless(0)
            yield f"tolerance-{name}-{off}", law, told_at(params, reference, none, [], off)
    yield from _grains()
    # One unit of a dear asset off target: r = 2^13 G, and tau is more than that.
    for law, risk in ((None, 1 << 51), (9, (1 << 51) + 1)):
        params, reference = params_at((ONE, HUGE), risk)
        yield "residual-of-one", law, told_at(params, reference, hopeless(0), [], 1)
    for law, off in ((None, VALUE_MAX), (9, VALUE_MAX + 1), (None, -VALUE_MAX)):
        params, reference = params_at((ONE, ONE))
        told = told_at(params, reference, hopeless(0), [], off)
        yield f"value-of-80-bits{'-short' if off < 0 else ''}", law, told
    params, reference = params_at((ONE, ONE))
    yield "value-below-80-bits", 9, told_at(params, reference, hopeless(0), [], -VALUE_MAX - 1)


def _grains() -> Iterator[Case]:
    """A partial fill widens the tolerance by 17/16 of the grain of what it pays, on both sides.

    In units of 2^64: E_1 = 2 (fills received in 1, + 1) + 17/16 2^g; G >> 48 = k = 2^28 + 2 makes
    tau = k + k E_1, and r = k off.
    """
    at_rate = {"budget": 100, **limit_equal_to(1 << 61, 61)}
    for name, pay, digits, error in (
        ("paid", 1, 6, 2 + 17 * 64),
        ("received", 2, 6, 4 + 17 * 64),
        ("received-of-three-digits", 2, 3, 4 + 17 * 2),
    ):
        params, reference = banded(*params_at((ONE, ONE, ONE), ((1 << 28) + 2) << 48))
        params = replace(params, decimals=(6, 6, digits))
        rows = orders({"pay": pay, "receive": 3 - pay, **at_rate})
        for law, off in ((None, error + 1), (9, error + 2)):
            yield f"grain-{name}", law, told_at(params, reference, rows, [50], off)
    params, reference = banded(*params_at((ONE, ONE, ONE), ((1 << 28) + 2) << 48))
    rows = orders(*({"pay": 2, "receive": 1, **at_rate} for _ in range(2)))
    for law, off in ((None, 7 + 2 * 17 * 64), (9, 8 + 2 * 17 * 64)):
        yield "grain-of-two", law, told_at(params, reference, rows, [50, 60], off)
    for law, paid, off in ((None, 100, 5), (9, 100, 6)):
        params, reference = params_at((ONE, ONE, ONE), ((1 << 28) + 2) << 48)
        rows = orders({"pay": 2, "receive": 1, **at_rate})
        yield "fill-received", law, told_at(params, reference, rows, [paid], off)


# L3, L5, L8, L10, L17


def amounts() -> Iterator[Case]:
    """L3: the largest amount that fits a balance, one more, and one of more than 64 bits."""
    top = (1 << 63) - 1
    params, reference = params_at((ONE, ONE, 7 * ONE))
    rows = orders({"pay": 2, "receive": 1, "budget": top // 7})
    told = told_at(params, reference, rows, [top // 7], held=(0, top, 0))
    yield "amount-of-63-bits", None, told
    for name, pbar, gross in (("more", 8 * ONE, 1 << 63), ("wraps", 1 << 110, (1 << 106) + 5)):
        params, reference = params_at((ONE, ONE, pbar))
        paid = (gross << 64) // pbar
        small = orders({"pay": 2, "receive": 1, "budget": 1})
        witness = witness_of(told_at(params, reference, small, [1], held=top))
        received = (paid * pbar >> 64) % (1 << 64)
        changed = replace(
            witness,
            consumed=edited(witness.consumed, 0, budget=paid),
            paid=np.array([paid], np.uint64),
            amounts=edited(witness.amounts, 0, received=received),
        )
        yield f"amount-of-63-bits-{name}", 3, changed


def minimums() -> Iterator[Case]:
    """L5: one unit of two; and what is wanted, though nothing of it is paid."""
    params, reference = banded(*params_at((ONE, ONE, ONE)))
    at_rate = limit_equal_to(1 << 61, 61)
    rows = orders({"pay": 1, "receive": 2, "budget": 9, "min_fill": 2, **at_rate})
    yield "minimum-of-two-met", None, told_at(params, reference, rows, [2])
    yield "minimum-of-two", 5, told_at(params, reference, rows, [1])
    for law, want, least in ((None, 5, 5), (5, 4, 5), (5, 1, 2)):
        rows = orders({"pay": 1, "receive": 2, "budget": 9, "min_fill": least, **at_rate})
        yield f"minimum-wanted-{want}", law, all_cut(told_at(params, reference, rows, [want]))


def all_cut(told: Told) -> Told:
    """Everything that pays asset 1 is cut away: its inventory stands at its upper bound."""
    params, held = told.opening.params, told.opening.pool.inventory
    ration = Ration((0, -(1 << 40), 0), told.proposal.paid)
    bound = (WIDE, held[1], WIDE)
    return told.opened(params=replace(params, q_max=bound)).proposed(
        ration=ration, paid=np.zeros_like(told.proposal.paid)
    )


def overflows() -> Iterator[Case]:
    """L8: one unit beyond either edge of a band that is a point, and of one that is not."""
    params, reference = params_at((ONE, ONE))
    flat = told_at(params, reference, hopeless(0), [])
    for value in (1, -1):
        yield f"overflow-of-{value}-at-a-point", None, flat.proposed(overflow=(0, value))
        yield f"numeraire-overflow-of-{value}", 8, flat.proposed(overflow=(value, 0))
    params, _ = params_at((ONE, ONE), 1 << 48)
    low, high = ONE - (1 << 40), ONE + (1 << 40)
    banded, wide = (
        replace(params, band=(0, 1_000)),
        Reference(1, (ONE, ONE), (ONE, low), (ONE, high)),
    )
    for name, price in (("low", low), ("high", high)):
        for value in (1, -1):
            law = None if (value > 0) == (name == "low") else 8
            # Risk of one: the price asks for as many units off target as its logarithm has.
            off = value - log_ratio(price, ONE)
            told = told_at(banded, wide, hopeless(0), [], off)
            said = told.proposed(prices=(ONE, price), overflow=(0, value))
            yield f"overflow-of-{value}-at-the-{name}-edge", law, said


def edges() -> Iterator[Case]:
    """L4, L11: the worst rate inside the bands, which an order accepts or just does not."""
    params, reference = params_at((ONE, ONE), 1 << 48)
    params, reference = banded(params, reference)
    low, (worst, shift) = reference.plo[1], _worst_rate(reference, 1, 0)
    for name, law, above in (("accepted", 4, 0), ("not-accepted", None, 1)):
        rows = orders(
            {"pay": 1, "receive": 0, "budget": 100, **limit_equal_to(worst + above, shift)}
        )
        told = told_at(params, reference, rows, [0], 1 - log_ratio(low, ONE))
        yield f"worst-rate-{name}", law, told.proposed(prices=(ONE, low), overflow=(0, 1))
    # A minimum so large that it moves the price far beyond the band.
    params, reference = banded(*params_at((ONE, ONE, ONE), 1 << 51))
    worst, shift = _worst_rate(reference, 1, 2)
    asks = {"pay": 1, "receive": 2, "budget": 1 << 40, "min_fill": 1 << 40}
    for name, law, above in (("accepted", 11, 0), ("not-accepted", None, 1)):
        rows = orders({**asks, **limit_equal_to(worst + above, shift)})
        said = _rejected(told_at(params, reference, rows, [0]), 1)
        yield f"rejected-with-the-worst-rate-{name}", law, said


def _worst_rate(reference: Reference, pay: int, receive: int) -> tuple[int, int]:
    """Rm without a fee, and S."""
    shift = rate_shift(reference.pbar[pay], reference.pbar[receive])
    return gross_rate(reference.plo[pay], reference.phi[receive], shift), shift


def phantoms() -> Iterator[Case]:
    """L14: an order that is cut to nothing has moved the prices, and has to be consumed."""
    params, reference = params_at((ONE, ONE, ONE))
    for count in (1, 2):
        rows = orders(*({"pay": 1, "receive": 2, "budget": 9} for _ in range(count)))
        said = all_cut(told_at(params, reference, rows, [9] * count))
        yield f"cut-to-nothing-{count}", None, said
        yield f"phantom-demand-{count}", 14, none_consumed(said)


def none_consumed(told: Told) -> Witness:
    """As if nobody had signed the orders: no vault, no funds, no nonce of theirs is looked at."""
    case = clearing_case(told.opening, told.rows)
    none = np.zeros(len(told.rows), dtype=np.bool_)
    empty = np.zeros(0, np.uint64)
    fills = Fills(told.rows[none], empty, empty, empty)
    parts = Parts(none, fills, told.opening.vaults.take(np.zeros(0, np.int64)))
    settlement = settle(case, told.proposal)
    return build_witness(told.opening, told.rows, told.proposal, settlement, parts)


def rations() -> Iterator[Case]:
    """L10: dust wanted; a cut that leaves dust; half a cut, and the floor of it."""
    params, reference = banded(*params_at((ONE, ONE, 4 * ONE)))
    at_rate = limit_equal_to(1 << 60, 62)
    rows = orders({"pay": 1, "receive": 2, "budget": 9, **at_rate})
    for want in (1, 3):
        yield f"dust-wanted-{want}", 10, all_cut(told_at(params, reference, rows, [want]))
    yield from _at_no_bound()
    yield from _near_a_bound(told_at(params, reference, rows, [9]))
    yield "wants-of-70-bits", None, _wants_of_70_bits()
    half = Ration((0, -(1 << 39), 0), np.array([7], np.uint64))
    for law, paid in ((None, 0), (10, 3)):
        said = all_cut(told_at(params, reference, rows, [7]))
        yield "cut-to-dust", law, said.proposed(ration=half, paid=np.array([paid], np.uint64))
    half = Ration((0, -(1 << 39), 0), np.array([9], np.uint64))
    for law, paid in ((None, 4), (10, 5)):
        said = all_cut(told_at(params, reference, rows, [9]))
        held = said.opening.pool.inventory[1]
        said = said.opened(params=replace(said.opening.params, q_max=(WIDE, held + 4, WIDE)))
        yield "cut-in-half", law, said.proposed(ration=half, paid=np.array([paid], np.uint64))


def _wants_of_70_bits() -> Told:
    """An order that would receive more than any balance, if its ration left it anything."""
    params, reference = params_at((ONE, ONE, ONE << 10))
    rows = orders({"pay": 2, "receive": 1, "budget": 1 << 60})
    none = told_at(params, reference, rows, [0])
    held, ration = none.opening.pool.inventory, Ration((0, 0, -(1 << 40)), rows["budget"])
    bounded = replace(
        none.opening.params,
        target=(held[0], held[1] - (1 << 70), held[2] + (1 << 60)),
        q_max=(WIDE, WIDE, held[2]),
    )
    return none.opened(params=bounded).proposed(ration=ration)


def _at_no_bound() -> Iterator[Case]:
    """The least omega, with no order at all: at its bound, and one unit and the slack away."""
    params, reference = params_at((ONE, ONE))
    none = told_at(params, reference, hopeless(0), [])
    held = none.opening.pool.inventory[1]
    for omega, name in ((1, "q_min"), (-1, "q_max")):
        said = none.proposed(ration=Ration((0, omega), np.zeros(0, np.uint64)))
        for law, away in ((None, 1), (10, 2)):
            bound = (getattr(params, name)[0], held - omega * away)
            changed = replace(said.opening.params, **{name: bound})
            yield f"omega-of-{omega}-{away}-from-its-bound", law, said.opened(params=changed)


def _near_a_bound(told: Told) -> Iterator[Case]:
    """Five paid of nine that pay asset 1: its upper bound, the slack of the cut above it.

    The slack is 1, two steps of omega of one unit each, and ceil(1 / rate) + 1 for the order.
    """
    params, held = told.opening.params, told.opening.pool.inventory[1]
    slack = 1 + 2 + 4 + 1
    quarter = Ration((0, -(1 << 38), 0), told.proposal.paid)
    said = told.proposed(ration=quarter, paid=np.array([6], np.uint64))
    for law, away in ((None, slack), (10, slack + 1)):
        changed = replace(params, q_max=(WIDE, held + 6 + away, WIDE))
        yield "slack-of-a-bound", law, said.opened(params=changed)


def rejections() -> Iterator[Case]:
    """L11: paid though rejected; barely in the money; a minimum that just fits, or does not."""
    params, reference = banded(*params_at((ONE, ONE, ONE)))
    asks = {"pay": 1, "receive": 2, "budget": 100, "min_fill": 10}
    for amount, least in ((50, 10), (1, 1)):
        rows = orders({**asks, **limit_equal_to(1 << 61, 61), "min_fill": least})
        said = _rejected(told_at(params, reference, rows, [amount]), 2)
        yield f"rejected-and-paid-{amount}", 11, said
    rate = 1 << 61
    least = next(x for x in range(rate - (rate >> 38) - 2, rate) if rate - x <= x >> 38)
    for kind in (1, 2):
        beyond = orders({**asks, **limit_equal_to(rate + 1, 61)})
        said = told_at(params, reference, beyond, [0])
        yield f"rejected-out-of-the-money-{kind}", None, _rejected(said, kind)
        barely = orders({**asks, **limit_equal_to(least, 61)})
        said = told_at(params, reference, barely, [0])
        yield f"rejected-at-the-money-{kind}", None, _rejected(said, kind)
    clear = orders({**asks, **limit_equal_to(least - 1, 61)})
    yield "rejected-in-the-money-2", 11, _rejected(told_at(params, reference, clear, [0]), 2)
    # Two tolerances of 2^28 + 2 are 2^29 + 4; a step of the limit is 8 of the same.
    for law, room in ((None, 1 << 26), (11, (1 << 26) + 1)):
        near = orders({**asks, **limit_equal_to(rate - room, 61)})
        said = told_at(params, reference, near, [0])
        yield "rejected-for-its-move", law, _rejected(said, 1)
    # With a risk of one on asset 1: ten for the move, two more for its tolerance.
    risky, _ = banded(*params_at((ONE, ONE, ONE), 1 << 48))
    for law, room in ((None, (1 << 26) + 2), (11, (1 << 26) + 3)):
        near = orders({**asks, **limit_equal_to(rate - room, 61)})
        said = told_at(risky, reference, near, [0])
        yield "rejected-for-just-its-move", law, _rejected(said, 1)
    glad = orders({**asks, **limit_equal_to(rate - (1 << 40), 61)})
    said = _rejected(told_at(params, reference, glad, [0]), 2)
    held = said.opening.pool.inventory
    for law, room in ((None, 10), (11, 11)):
        high = replace(params, q_max=(WIDE, held[1] + room, WIDE))
        yield "rejected-at-the-upper-bound", law, targeted(said.opened(params=high))
        low = replace(params, q_min=(-WIDE, -WIDE, held[2] - room))
        yield "rejected-at-the-lower-bound", law, targeted(said.opened(params=low))

    # Beside 1,000 paid of 1,000 the order's share of a full inventory is 90.9 units.
    other = {"pay": 1, "receive": 2, "budget": 1_000}
    for law, minimum in ((None, 46), (11, 45)):
        rows = orders({**asks, "min_fill": minimum}, other)
        said = _rejected(told_at(params, reference, rows, [0, 1_000]), 2)
        held = said.opening.pool.inventory
        high = replace(params, q_max=(WIDE, held[1] + 1_000, WIDE))
        yield "rejected-beside-its-share-of-what-enters", law, targeted(said.opened(params=high))
        low = replace(params, q_min=(-WIDE, -WIDE, held[2] - 1_000))
        yield "rejected-beside-its-share-of-what-leaves", law, targeted(said.opened(params=low))


def _rejected(told: Told, kind: int) -> Told:
    """The first order rejected."""
    return told.proposed(rejected=np.array([0], np.int64), reject_kinds=np.array([kind], np.uint8))


def nothing_for_something() -> Iterator[Case]:
    """L17: three units of a cheap asset for a quarter of a dear one."""
    params, reference = params_at((ONE, ONE, 4 * ONE))
    rows = orders({"pay": 1, "receive": 2, "budget": 3}, {"pay": 1, "receive": 2, "budget": 4})
    yield "four-for-one", None, told_at(params, reference, rows[1:], [4])
    yield "three-for-nothing", 17, told_at(params, reference, rows[:1], [3])
    left = {**limit_equal_to(1 << 59, 62)}
    dust = orders({"pay": 1, "receive": 2, "budget": 3, **left})
    yield "dust-left", None, told_at(params, reference, dust, [0])
    yield (
        "no-dust-left",
        4,
        told_at(params, reference, orders({"pay": 1, "receive": 2, "budget": 4, **left}), [0]),
    )


def twice() -> Iterator[Case]:
    """Two orders against one law: the first is named, whatever the way it is found."""
    params, reference = banded(*params_at((ONE, ONE, 4 * ONE), fee_ppm=1_000))
    good = {"pay": 1, "receive": 2, "budget": 1 << 20}
    least = {**good, "min_fill": 1 << 20, **limit_equal_to((1 << 60) - (1 << 55), 62)}
    glad = {**good, **limit_equal_to(1 << 60, 63)}
    short, half = [1 << 19] * 3, [(1 << 20) + 4] * 3
    yield "twice-over-budget", 1, told_at(params, reference, orders(good, good, good), half)
    over = {**good, **limit_equal_to(1 << 60, 62)}
    yield "twice-beyond-limit", 2, told_at(params, reference, orders(over, over), short[:2])
    yield "twice-unfilled", 4, told_at(params, reference, orders(glad, glad, glad), short)
    at = {**least, **limit_equal_to((1 << 60) * 999 // 1000, 62)}
    yield "twice-below-minimum", 5, told_at(params, reference, orders(at, at, at), short)
    dust = {**good, "budget": 3}
    yield "twice-for-nothing", 17, told_at(params, reference, orders(dust, dust), [3, 3])
    fine = witness_of(told_at(params, reference, orders(good, good, good), [1 << 20] * 3))
    more = fine.amounts.copy()
    more["received"][1:] += 1
    yield "twice-more-received", 3, rediffed(replace(fine, amounts=more))
    late = fine.consumed.copy()
    late["valid_until"][1:] = EPOCH - 1
    yield "twice-expired", 15, replace(fine, consumed=late)
    gaps = fine.consumed.copy()
    gaps["nonce"][1:] += 1
    yield "twice-a-gap", 14, rediffed(replace(fine, consumed=gaps))
    others = fine.vaults.copy()
    others["owner"][1, 3] += np.uint64(1)
    yield "a-vault-of-somebody-else", 14, rediffed(replace(fine, vaults=others))
    spent = edited(fine.vaults, 0, nonce=NONCE_MAX)
    yield "a-vault-at-its-last-nonce", 14, replace(fine, vaults=spent)
    cancels = orders(*({"kind": 2, "receive": NO_ASSET, "pay": k} for k in range(3)))
    idle = witness_of(told_at(params, reference, cancels, []))
    paid, kept = np.array([0, 1, 1], np.uint64), idle.amounts.copy()
    yield "twice-a-cancel-pays", 1, replace(idle, paid=paid)
    kept["received"][1:] = 1
    yield "twice-a-cancel-receives", 3, replace(idle, amounts=kept)
    kept = idle.amounts.copy()
    kept["fee"][1:] = 1
    yield "twice-a-cancel-keeps-a-fee", 3, replace(idle, amounts=kept)
    kept["received"][0] = 1
    yield "cancels-pay-and-receive", 1, replace(idle, amounts=kept, paid=paid)
    poor = fine.vaults.copy()
    poor["balance"][1:] = 1
    yield "twice-too-poor", 16, replace(fine, vaults=poor)


def levels() -> Iterator[Case]:
    """L20: parts at and beyond the tolerance of two grains, here of 1,024 units; limits in turn."""
    grain = 1 << 10
    for name, law, first, second in (
        ("no-part", None, (10_000, 0), (10_000, 4 * grain)),
        ("no-part", 20, (10_000, 0), (10_000, 4 * grain + 1)),
        ("part", None, (1 << 30, 1 << 29), (1 << 30, (1 << 29) + 4 * grain)),
        ("part", 20, (1 << 30, 1 << 29), (1 << 30, (1 << 29) + 4 * grain + 1)),
        # Half of a budget a thousand times as large is as good.
        ("part-of-a-small-one", None, (1 << 12, 1 << 11), (1 << 22, 1 << 21)),
        # 2 grains at the small one, 2,048 of its 4,096, make all of any budget.
        ("all-of-a-large-one", None, (1 << 12, 1 << 11), (AMOUNT_MAX - 1, AMOUNT_MAX - 1)),
        ("all-of-a-large-one", 20, (1 << 12, (1 << 11) - 4), (AMOUNT_MAX, AMOUNT_MAX)),
        ("whole-of-one", None, (4 * grain, 0), (4 * grain, 4 * grain)),
        ("whole-of-one", 20, (4 * grain + 1, 0), (4 * grain + 1, 4 * grain + 1)),
    ):
        for way in (1, -1):
            both = ((*first, 0), (*second, 0))[::way]
            yield f"equal-limits-{name}-{way}", law, _at_the_price(*both)
    for law, left, given in ((None, 0, 1), (None, 1, 0), (20, 1, 1)):
        better, worse = (1 << 30, (1 << 30) - left, 1), (1 << 30, given, 0)
        for way in (1, -1):
            yield f"better-first-{left}-{given}-{way}", law, _at_the_price(*(better, worse)[::way])
    far = (1 << 23) - 1  # l >> 38 of a limit just below a rate of 2^61
    for law, above in ((20, far), (4, far + 1)):
        told = _at_the_price((1 << 30, 0, above), (1 << 30, 1 << 20, 0))
        yield f"better-by-{above}", law, told
    out = _at_the_price((1 << 30, 0, -1), (1 << 30, 1 << 20, 0))
    yield "out-of-the-money", None, out
    other = _at_the_price((1 << 30, 0, 0), (1 << 30, 1 << 20, 0), pays=(1, 2))
    yield "limits-of-two-pairs", None, other
    for law, least in ((20, 0), (None, 1)):
        told = _at_the_price((1 << 30, 0, 0), (1 << 30, 1 << 20, 0), least=least)
        yield f"left-out-{law}", law, told if law else _first_rejected(told)
    params, reference = banded(*params_at((ONE, ONE, HUGE)))
    # A price of 2^-61: less than 2^61 units receive nothing.
    for law, budget in ((None, (1 << 61) - 1), (20, 1 << 61)):
        terms = {"pay": 1, "receive": 2, **limit_equal_to(1 << 61, 122)}
        small = {**terms, "budget": budget, **limit_equal_to((1 << 61) - 1, 122)}
        rows = orders(small, {**terms, "budget": AMOUNT_MAX})
        yield "dust-before-others", law, told_at(params, reference, rows, [0, AMOUNT_MAX])
    yield "rationed-parts", 20, all_cut(_at_the_price((1 << 30, 0, 0), (1 << 30, 1 << 20, 0)))


def _at_the_price(
    *given: tuple[int, int, int], pays: Sequence[int] = (1, 1), least: int = 0
) -> Told:
    """Orders of (budget, wanted, how much the limit is better) at a rate of one: pay 1 or 2."""
    params, reference = banded(*params_at((ONE, ONE, ONE)))
    rows = orders(
        *(
            {"pay": pay, "receive": 3 - pay, "budget": budget, "min_fill": least}
            | limit_equal_to((1 << 61) - above, 61)
            for pay, (budget, _, above) in zip(pays, given, strict=True)
        )
    )
    return told_at(
        params,
        reference,
        rows,
        [want for _, want, _ in given],
        held=(0, 1 << 40, BALANCE_MAX - (1 << 40)),
    )


def _first_rejected(told: Told) -> Told:
    first, kind = np.zeros(1, np.int64), np.ones(1, np.uint8)
    return told.proposed(rejected=first, reject_kinds=kind)


def exact_cases() -> Iterator[Case]:
    """All of them."""
    for group in (
        price_rule, amounts, minimums, overflows, edges, phantoms, rations, rejections,
        nothing_for_something, twice, levels,
    ):  # fmt: skip
        yield from group()
