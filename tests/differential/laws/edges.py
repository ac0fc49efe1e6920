"""Epochs that stand exactly at the edge of a law, and one unit beyond it.

Where the edge is known it is set; elsewhere (tolerance of the price rule, slack of a bound, reason
of a rejection) it is found by bisection with the laws themselves.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.errors import LawViolated
from convexfx_core.laws import check
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.settlement.settle import settle
from convexfx_core.witness.build import clearing_case
from convexfx_core.witness.layout import Witness, encode_witness
from tests.differential.laws.lies import NothingToSay, kind1, one_of
from tests.differential.laws.witnesses import Told, witness_of
from tests.support.witnesses.forge import edited
from tests.support.witnesses.violations import limit_equal_to, replaced

Rng = np.random.Generator
Edge = Callable[[Rng, Told], Iterator["Told | Witness"]]


def _rates(told: Told) -> tuple[np.ndarray, np.ndarray]:
    """Net rate and shift of each kind-1 order."""
    case = clearing_case(told.opening, told.rows)
    done = settle(case, told.proposal, kernels="numpy")
    pay, receive = case.orders["pay"].astype(int), case.orders["receive"].astype(int)
    return done.net_rate[pay, receive], done.shift[pay, receive]


def _filled(rng: Rng, told: Told) -> tuple[int, int]:
    """A filled order: its place among the kind-1 orders, and its row."""
    k = one_of(rng, np.flatnonzero(told.proposal.paid > 0))
    return k, int(kind1(told)[k])


def _terms(told: Told, at: int, **terms: int) -> Told:
    """Other terms of an order, its vault rich enough for them."""
    rows, vaults = edited(told.rows, at, **terms), told.opening.vaults
    balances = np.minimum(vaults.balances + np.uint64(2), np.uint64((1 << 63) - 1))
    rich = VaultTable(vaults.owners, vaults.nonces, balances)
    return replace(told.opened(vaults=rich), rows=rows)


def at_the_limit(rng: Rng, told: Told) -> Iterator[Told]:
    """L2: a limit that is the net rate, and one unit above it."""
    k, at = _filled(rng, told)
    net, shift = _rates(told)
    for limit in (int(net[k]), int(net[k]) + 1):
        yield _terms(told, at, **limit_equal_to(limit, int(shift[k])))


def barely_in_the_money(rng: Rng, told: Told) -> Iterator[Told]:
    """L4: an order short of its budget by a unit, where Rn - l is l >> 38 and one more."""
    k, at = _filled(rng, told)
    net, shift = _rates(told)
    rate, budget = int(net[k]), int(told.proposal.paid[k]) + 1
    low, high = rate - (rate >> 37) - 2, rate
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if rate - middle > middle >> 38 else (low, middle)
    for limit in (low, high):
        yield _terms(told, at, budget=budget, min_fill=0, **limit_equal_to(limit, int(shift[k])))


def at_the_minimum(rng: Rng, told: Told) -> Iterator[Told]:
    """L5: a minimum that is the fill, and one unit above it."""
    k, at = _filled(rng, told)
    net, shift = _rates(told)
    paid, terms = int(told.proposal.paid[k]), limit_equal_to(int(net[k]), int(shift[k]))
    for least in (paid, paid + 1):
        yield _terms(told, at, budget=paid + 1, min_fill=least, **terms)


def at_the_budget(rng: Rng, told: Told) -> Iterator[Told]:
    """L1: a budget that is the fill, and one unit less."""
    k, at = _filled(rng, told)
    paid = int(told.proposal.paid[k])
    for budget in (paid, max(1, paid - 1)):
        yield _terms(told, at, budget=budget, min_fill=0)


def at_the_band(rng: Rng, told: Told) -> Iterator[Told]:
    """L7, L8: a band that ends at the price, and one unit before it."""
    reference, asset = told.opening.reference, int(rng.integers(1, told.opening.params.n))
    price, pbar = told.proposal.prices[asset], reference.pbar[asset]
    name, beyond = ("phi", -1) if price > pbar else ("plo", 1)
    for edge in (price, price + beyond):
        edges = replaced(getattr(reference, name), asset, edge)
        yield told.opened(reference=replace(reference, **{name: edges}))


def at_the_bound(rng: Rng, told: Told) -> Iterator[Told]:
    """L12: a bound that is the inventory after, and one unit before it."""
    after, params = witness_of(told).inventory_after, told.opening.params
    held = told.opening.pool.inventory
    moved = [i for i in range(params.n) if after[i] != held[i]]
    asset = one_of(rng, moved)
    name, inside = ("q_max", -1) if after[asset] > held[asset] else ("q_min", 1)
    for bound in (after[asset], after[asset] + inside):
        yield told.opened(
            params=replace(params, **{name: replaced(getattr(params, name), asset, bound)})
        )


def at_the_balance(rng: Rng, told: Told) -> Iterator[Told]:
    """L16: a vault that holds the budgets of its consumed orders, and one unit less."""
    witness = witness_of(told)
    vault = one_of(rng, np.arange(len(witness.vaults)))
    rows = witness.consumed
    mine = rows[(rows["owner"] == witness.vaults["owner"][vault]).all(axis=1)]
    asset = one_of(rng, mine["pay"])
    owed = sum(int(b) for b in mine["budget"][mine["pay"] == asset])
    for balance in (owed, owed - 1):
        if balance >= 0:
            vaults = witness.vaults.copy()
            vaults["balance"][vault, asset] = balance
            yield replace(witness, vaults=vaults)


def at_the_top(rng: Rng, told: Told) -> Iterator[Witness]:
    """L16: a vault that ends with the largest balance, and one unit more."""
    witness = witness_of(told)
    filled = np.flatnonzero(witness.paid > 0)
    k = one_of(rng, filled)
    row, asset = witness.consumed[k], int(witness.consumed["receive"][k])
    vault = int(np.flatnonzero((witness.vaults["owner"] == row["owner"]).all(axis=1))[0])
    same = (witness.consumed["owner"] == row["owner"]).all(axis=1)
    gets = same & (witness.consumed["receive"] == asset)
    pays = same & (witness.consumed["pay"] == asset)
    change = sum(map(int, witness.amounts["received"][gets])) - sum(map(int, witness.paid[pays]))
    if change <= 0:
        raise NothingToSay
    for extra in (0, 1):
        vaults = witness.vaults.copy()
        vaults["balance"][vault, asset] = (1 << 63) - 1 - change + extra
        yield replace(witness, vaults=vaults)


def emptied(rng: Rng, told: Told) -> Iterator[Told]:
    """L16: a pool that ends with no inventory of an asset, and one unit short of that."""
    after, opening = witness_of(told).inventory_after, told.opening
    held = opening.pool.inventory
    asset = one_of(rng, [i for i in range(len(after)) if after[i] < held[i]])
    for short in (0, 1):
        by, params, pool = -after[asset] - short, opening.params, opening.pool
        columns = {
            name: replaced(getattr(params, name), asset, getattr(params, name)[asset] + by)
            for name in ("target", "q_min", "q_max")
        }
        balances = replaced(pool.balances, asset, pool.balances[asset] + by)
        yield told.opened(params=replace(params, **columns), pool=replace(pool, balances=balances))


# Found by bisection


def _holds(told: Told) -> bool:
    try:
        check(encode_witness(witness_of(told)))
    except LawViolated as violation:
        return violation.law == 19
    return True


def _turn(make: Callable[[int], Told], good: int, bad: int) -> tuple[Told, Told]:
    """The last value from ``good`` on that holds, and the first that does not."""
    if not _holds(make(good)) or _holds(make(bad)):
        raise NothingToSay
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _holds(make(middle)) else (good, middle)
    return make(good), make(bad)


def off_target(rng: Rng, told: Told) -> Iterator[Told]:
    """L9: as far from its target as the tolerance of the price rule lets an inventory be."""
    params, asset = told.opening.params, int(rng.integers(1, told.opening.params.n))

    def make(by: int) -> Told:
        moved = replaced(params.target, asset, params.target[asset] + by)
        return told.opened(params=replace(params, target=moved))

    sign = int(rng.choice([-1, 1]))
    yield from _turn(make, 0, sign << 62)


def near_its_bound(rng: Rng, told: Told) -> Iterator[Told]:
    """L10: as far from its bound as the slack of a ration lets an inventory be."""
    ration, params = told.proposal.ration, told.opening.params
    if ration is None:
        raise NothingToSay
    asset = one_of(rng, np.flatnonzero(np.array(ration.omega, dtype=object)))
    name, sign = ("q_min", -1) if ration.omega[asset] > 0 else ("q_max", 1)

    def make(by: int) -> Told:
        moved = replaced(getattr(params, name), asset, getattr(params, name)[asset] + sign * by)
        return told.opened(params=replace(params, **{name: moved}))

    yield from _turn(make, 0, 1 << 61)


def rejected_for_reason(rng: Rng, told: Told) -> Iterator[Told]:
    """L11: the least minimum for which an order may be rejected."""
    k = one_of(rng, told.proposal.rejected)
    at = int(np.flatnonzero(told.rows["kind"] == KIND_ORDER)[k])
    yield from _turn(
        lambda least: _terms(told, at, min_fill=least), int(told.rows["min_fill"][at]), 0
    )


EDGES: tuple[Edge, ...] = (
    at_the_limit, barely_in_the_money, at_the_minimum, at_the_budget, at_the_band, at_the_bound,
    at_the_balance, at_the_top, emptied,
)  # fmt: skip
FOUND: tuple[Edge, ...] = (off_target, near_its_bound, rejected_for_reason)
