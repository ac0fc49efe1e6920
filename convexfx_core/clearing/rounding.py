"""From floats to the integer proposal: here the float side ends.

Prices go to a grid of 46 significant bits inside their bands (the band edges are exact). A full
fill is the whole budget. The filled volume of a partly filled level goes to the grain of its pay
asset and is then shared pro rata in whole grains. Orders near their limit are decided again, in
integers, so that no rounding breaks a limit.

Before it stands the equilibrium (``scp``); after it ``price_rule`` and ``ration`` work on the
integers made here. Rules: ``docs/spec.md`` section 7; account: ``docs/clearing.md`` section 3.
Letters: ``docs/glossary.md``.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from convexfx_core.clearing.level_shares import exact_sum, share_by_limit
from convexfx_core.clearing.problem import BPS, F64, I64, U64, Mask, Problem
from convexfx_core.clearing.scp import EDGE_BPS, Equilibrium
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.rates import every_rate, pair_rate
from convexfx_core.units import (
    LIMIT_SLACK_SHIFT,
    LIMIT_UNREACHABLE,
    MILLION_EXPONENT,
    limit_rate,
    partial_fill_shift,
    rate_shift,
)

PRICE_BITS: Final = 46
"""The grid is 2^-46 of a price, 1e-10 bps: a thousandth of the tolerance of the price rule (2^-36)
and yet coarser than the last digits of a double, which differ between machines."""
VOLUME_BITS: Final = 38
VOLUME_BPS: Final = 1e-9
"""The filled volume of a level goes to a grid 2^-38 as coarse as the level, as long as that moves
no price by more than 1e-9 bps: the last digits of a double are another machine's other digits."""
_EXP_SHIFT: Final = 80
"""Scale of exp(u) - 1 as an integer: finer than the 53 bits that the double has."""
_NEAR_BPS: Final = 1e-6
"""Floats may misjudge an order as near as this to its limit: rates and limits are rounded too."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Integer rates of the directed pairs used, as tables over all n*n pairs (else 0).

    Attributes
    ----------
    shift : i64[n*n] S.
    gross, net, worst : u64[n*n] rates R, Rn and Rm at scale 2^S.
    least : u64[n*n] smallest payment that receives something, base units.
    """

    shift: I64
    gross: U64
    net: U64
    worst: U64
    least: U64


def on_grid(price: int) -> int:
    """Nearest number with :data:`PRICE_BITS` significant bits (half goes up)."""
    drop = price.bit_length() - PRICE_BITS
    if drop <= 0:
        return price
    return ((price + (1 << (drop - 1))) >> drop) << drop


def round_price(
    u_bps: float, overflow: int, pbar: int, plo: int, phi: int, up: bool = False
) -> int:
    """Integer price of an asset at a deviation, inside [plo, phi]; at the edge with overflow.

    A price of no more bits than the grid is rounded to a whole unit: up if ``up``, as a partly
    filled level that pays the asset wants it, else down.
    """
    if overflow:
        return phi if overflow < 0 else plo
    factor = int(math.ldexp(math.expm1(u_bps * BPS), _EXP_SHIFT))
    price = pbar + ((pbar * factor) >> _EXP_SHIFT)
    if up and price.bit_length() <= PRICE_BITS:
        price = pbar - ((-pbar * factor) >> _EXP_SHIFT)
    return min(max(on_grid(price), plo), phi)


def round_overflow(case: ClearingCase, overflow: F64) -> tuple[int, ...]:
    """Overflow ($M) in numeraire base units, half to even."""
    million = 10.0 ** (MILLION_EXPONENT + case.params.decimals[0])
    return tuple(round(value * million) for value in overflow.tolist())


def round_prices(
    case: ClearingCase, u: F64, overflow: tuple[int, ...], up: Mask | None = None
) -> tuple[int, ...]:
    """All n prices; the numeraire's is its reference. ``up`` bool[n]: see :func:`round_price`."""
    r, ups = case.reference, [False] * len(u) if up is None else up.tolist()
    moved = list(zip(u.tolist(), overflow, r.pbar, r.plo, r.phi, ups, strict=True))[1:]
    return r.pbar[:1] + tuple(round_price(*row) for row in moved)


def paid_at_its_limit(found: Equilibrium) -> Mask:
    """Assets (n) that a partly filled level pays: a price rounded up keeps its limit."""
    n = len(found.u)
    up = np.zeros(n, dtype=np.bool_)
    up[np.flatnonzero(np.isfinite(found.marginal)) // n] = True
    return up


def fit_short_prices(
    problem: Problem, found: Equilibrium, prices: tuple[int, ...], overflow: tuple[int, ...]
) -> tuple[int, ...]:
    """Prices at which partly filled levels keep their limits although a price has few bits.

    One unit of a short price is more than the slack of a limit. So the longer price of the pair
    makes up for it: it goes to the nearest value that the limit accepts. Each price moves once,
    since a second move would break what the first one mended.
    """
    case, out, moved = problem.case, list(prices), set[int]()
    partial = found.partial(problem.demand)
    for pair in np.unique(problem.demand.pair[partial]).tolist():
        i, j = divmod(pair, case.params.n)
        longer = i if out[i].bit_length() >= out[j].bit_length() else j
        if min(out[i].bit_length(), out[j].bit_length()) > PRICE_BITS or longer in moved | {0}:
            continue
        least = _least_rate(case, partial[problem.demand.pair[partial] == pair], i, j)
        if least and not overflow[longer] and not _at_its_limit(case, out, i, j, least):
            out[longer] = _nearest_accepted(case, out, (i, j), longer, least)
            moved.add(longer)
    return tuple(out)


def _least_rate(case: ClearingCase, level: I64, i: int, j: int) -> int:
    """The greatest of the least net rates that the limits of a level accept; 0 of market orders."""
    shift = rate_shift(case.reference.pbar[i], case.reference.pbar[j])
    rows = case.orders[level]
    limits = set(zip(rows["limit_m"].tolist(), rows["limit_e"].tolist(), strict=True))
    return max(limit_rate(m, e, shift) if m else 0 for m, e in limits)


def _at_its_limit(case: ClearingCase, prices: list[int], i: int, j: int, least: int) -> bool:
    """Whether the net rate accepts the limit and is within the slack of L4 of it."""
    net = pair_rate(case, tuple(prices), i, j).net
    return least <= net <= least + (least >> LIMIT_SLACK_SHIFT)


def _nearest_accepted(
    case: ClearingCase, prices: list[int], pair: tuple[int, int], longer: int, least: int
) -> int:
    """The lowest price of the asset paid, or the highest of the one received, that accepts a net
    rate of ``least``; on the grid, inside the band."""
    (i, j), out = pair, list(prices)

    def accepts(price: int) -> bool:
        out[longer] = price
        return pair_rate(case, tuple(out), i, j).net >= least

    low, high = case.reference.plo[longer], case.reference.phi[longer]
    # The rate rises with the price paid and falls with the one received; then bisection.
    refused, accepted = (low, high) if longer == i else (high, low)
    if accepts(refused):
        return refused
    while abs(accepted - refused) > 1:
        middle = (accepted + refused) // 2
        refused, accepted = (refused, middle) if accepts(middle) else (middle, accepted)
    # On the grid, away from the refused side.
    drop = max(0, accepted.bit_length() - PRICE_BITS)
    price = -(-accepted >> drop) << drop if longer == i else accepted >> drop << drop
    return min(max(price, low), high)


def rates_of(case: ClearingCase, prices: tuple[int, ...], pairs: I64) -> Rates:
    """Rates of the directed pairs ``pairs`` at integer prices.

    A pair whose rate no 64 bits hold has the rate zero, at which nobody trades; settlement refuses
    the case.
    """
    table, used = every_rate(case, prices), np.zeros(case.params.n**2, dtype=np.bool_)
    used[pairs] = True
    none, least = np.uint64(0), np.where(used, np.uint64(LIMIT_UNREACHABLE), np.uint64(0))
    some = np.flatnonzero(used & (table.net > none))
    whole = np.array([1 << shift for shift in table.shift[some].tolist()], dtype=object)
    asked = -(-whole // table.net[some].astype(object))
    least[some] = np.minimum(asked, LIMIT_UNREACHABLE).astype(np.uint64)
    return Rates(
        np.where(used, table.shift, 0),
        np.where(used, table.gross, none),
        np.where(used, table.net, none),
        np.where(used, table.worst, none),
        least,
    )


def round_fills(problem: Problem, found: Equilibrium, prices: tuple[int, ...], rates: Rates) -> U64:
    """Base units u64[K] that every order pays before rationing; no limit is broken.

    First the floats decide; then the orders near their limits are decided again against Rn >= l
    (L2) and "clearly in" (L4); then the orders at the price share what the floats give all of them
    together, by their exact limits (L20); at last a payment that receives nothing becomes 0 (L17).
    """
    demand = problem.demand
    full, partial = found.full(demand), found.partial(demand)
    full[partial] = False
    near = _near(problem, found, prices)
    over, must = _against_limit(problem, rates, near)
    full[near[over]] = False
    full[near[must]] = True
    paid: U64 = problem.budget * full
    at_price = near[~(over | must)]
    if len(at_price):
        _fill_at_price(problem, found, rates, partial, at_price, paid)
    if problem.budget.min(initial=LIMIT_UNREACHABLE) < rates.least.max(initial=0):
        paid[paid < rates.least[demand.pair]] = 0
    return paid


def _near(problem: Problem, found: Equilibrium, prices: tuple[int, ...]) -> I64:
    """Orders whose limit is so near that floats and integers may judge differently."""
    limit, pair = problem.demand.limit[found.window], problem.demand.pair[found.window]
    price = (found.u[None, :] - found.u[:, None]).ravel()
    # Two units of each price count as near as well. A window does not hold more than EDGE_BPS.
    unit = np.array([2e4 / p for p in prices])
    width = np.minimum(_NEAR_BPS + (unit[None, :] + unit[:, None]).ravel(), EDGE_BPS)
    out: I64 = found.window[np.abs(limit - price[pair]) <= width[pair]]
    return out


def least_rates(problem: Problem, rates: Rates, chosen: I64) -> U64:
    """Least net rates that the limits of the orders ``chosen`` accept; 0 for a market order."""
    rows, pair = problem.case.orders[chosen], problem.demand.pair[chosen]
    # ceil(m / 2^s) with s = e - S; from s = 63 on it is 1 (``units.limit_rate``, by columns).
    distance = rows["limit_e"].astype(np.int64) - rates.shift[pair]
    by = np.clip(distance, 0, 63).astype(np.uint64)
    mantissa = rows["limit_m"].astype(np.uint64)
    limit: U64 = mantissa >> by
    limit += ((limit << by) != mantissa).astype(np.uint64)
    limit[distance < 0] = LIMIT_UNREACHABLE
    limit[mantissa == 0] = 0
    return limit


def _against_limit(problem: Problem, rates: Rates, near: I64) -> tuple[Mask, Mask]:
    """Of the orders ``near``: over their limit, or dust; clearly in, as L4 says."""
    rows, pair = problem.case.orders[near], problem.demand.pair[near]
    limit, net = least_rates(problem, rates, near), rates.net[pair]
    over = net < limit
    slack = limit >> np.uint64(LIMIT_SLACK_SHIFT)
    beaten = net - np.minimum(limit, net) > slack
    must = ~over & (beaten | (limit <= rates.worst[pair]))
    dust = rows["budget"] < rates.least[pair]
    return over | dust, must & ~dust


def _fill_at_price(
    problem: Problem, found: Equilibrium, rates: Rates, partial: I64, at_price: I64, paid: U64
) -> None:
    """Write the fills of the orders at the price into ``paid``.

    Floats hold limits that differ by some 1e-16 for one level, and integers may hold two levels of
    the floats for one limit. So the volume of a pair is what the floats fill of its partly filled
    level and of all orders at the price beside it, and integers say who gets it.
    """
    case, demand = problem.case, problem.demand
    pairs, filled = demand.pair[at_price], paid[at_price] > 0
    some, none = (np.bincount(pairs[mask], minlength=len(rates.net)) for mask in (filled, ~filled))
    partly = np.bincount(demand.pair[partial], minlength=len(rates.net))
    for pair in np.flatnonzero((partly > 0) | (some > 0) & (none > 0)).tolist():
        level = partial[demand.pair[partial] == pair]
        chosen = at_price[pairs == pair]
        if not len(chosen):
            continue
        grain = 1 << partial_fill_shift(case.params.decimals[pair // case.params.n])
        size = float(demand.size[level].sum()) * float(problem.quantum[pair // case.params.n])
        step = max(grain, _volume_step(problem, pair, size))
        volume = round(float(found.share[pair]) * size / step) * step if len(level) else 0
        volume += exact_sum(paid[chosen])
        chosen = chosen[canonical_order(case, chosen)]
        limit, budget = least_rates(problem, rates, chosen), problem.budget[chosen]
        part = share_by_limit(volume, limit, budget, int(rates.least[pair]), grain)
        # Grains may leave an order just short of its minimum fill: it gets the minimum instead.
        asked = problem.min_fill[chosen]
        least = np.minimum((asked + np.uint64(grain - 1)) // grain * grain, budget)
        short = (part > 0) & (part < asked) & (least - np.minimum(least, part) <= grain)
        paid[chosen] = np.where(short, least, part)


def _volume_step(problem: Problem, pair: int, size: float) -> int:
    """Grid of the filled volume of a level of ``size`` base units, a power of two.

    2^-38 of the level, but no more than moves a price by :data:`VOLUME_BPS`.
    """
    market, n = problem.market, problem.market.n
    pay, receive = divmod(pair, n)
    most = float(np.abs(market.impact[[pay, receive]]).max())
    unit = float(market.unit_value[pay] / problem.quantum[pay])
    allowed = VOLUME_BPS / (most * unit) if most > 0.0 else size
    return 1 << max(0, min(int(size).bit_length() - VOLUME_BITS, int(allowed).bit_length() - 1))


def canonical_order(case: ClearingCase, chosen: I64) -> I64:
    """How to sort ``chosen`` into canonical order (owner, nonce): indices into it."""
    rows = case.orders[chosen]
    owner = rows["owner"].astype(np.uint64)
    keys = (rows["nonce"], owner[:, 3], owner[:, 2], owner[:, 1], owner[:, 0])
    out: I64 = np.lexsort(keys)
    return out
