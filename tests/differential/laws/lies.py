"""Lies that hold together: something of the epoch is not true, everything else follows from it.

Each takes a lawful epoch and says something else. Some are true after all, or by chance: the laws
have to tell.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.limits import AMOUNT_MAX
from convexfx_core.orders.row import KIND_CANCEL, KIND_ORDER
from convexfx_core.settlement.proposal import Ration
from convexfx_core.witness.layout import REJECT_DTYPE, Witness
from tests.differential.laws.epochs import Lawful
from tests.differential.laws.witnesses import Told, witness_of
from tests.support.witnesses.forge import edited, put, rediffed
from tests.support.witnesses.violations import replaced

Rng = np.random.Generator
Lie = Callable[[Rng, Told], "Told | Witness"]


class NothingToSay(Exception):
    """The epoch has nothing that this lie is about."""


def one_of(rng: Rng, places: Any) -> int:
    """Any of these; NothingToSay of none."""
    places = np.asarray(places)
    if not len(places):
        raise NothingToSay
    return int(rng.choice(places))


def near(rng: Rng, value: int) -> int:
    """A neighbour, half, double, nothing, or a power of two away."""
    far = 1 << int(rng.integers(0, 62))
    return (value + 1, value - 1, value // 2, 2 * value, 0, value + far, value - far)[
        int(rng.integers(7))
    ]


def kind1(told: Told) -> np.ndarray:
    """Rows of the orders that are no cancels."""
    return np.flatnonzero(told.rows["kind"] == KIND_ORDER)


def other_paid(rng: Rng, told: Told) -> Told:
    """An order pays something else; whatever follows, follows."""
    k = one_of(rng, np.arange(len(told.proposal.paid)))
    paid = min(max(0, near(rng, int(told.proposal.paid[k]))), AMOUNT_MAX)
    return told.proposed(paid=put(told.proposal.paid, k, paid))


def a_little_less(rng: Rng, told: Told) -> Told:
    """A filled order is filled by a unit less."""
    k = one_of(rng, np.flatnonzero(told.proposal.paid > 0))
    return told.proposed(paid=put(told.proposal.paid, k, int(told.proposal.paid[k]) - 1))


def unfilled(rng: Rng, told: Told) -> Told:
    """A filled order is not filled at all."""
    k = one_of(rng, np.flatnonzero(told.proposal.paid > 0))
    return told.proposed(paid=put(told.proposal.paid, k, 0))


def other_price(rng: Rng, told: Told) -> Told:
    """A price moved: by units, to an edge of its band, or by as much as the price rule sees."""
    prices, reference = told.proposal.prices, told.opening.reference
    asset = int(rng.integers(1, len(prices)))
    price = prices[asset]
    ways = (price + 1, price - 1, reference.plo[asset], reference.phi[asset],
            reference.phi[asset] + 1, reference.plo[asset] - 1,
            price + (price >> int(rng.integers(20, 50))))  # fmt: skip
    return told.proposed(prices=replaced(prices, asset, max(1, ways[int(rng.integers(len(ways)))])))


def other_numeraire(rng: Rng, told: Told) -> Told:
    """The numeraire at another price."""
    return told.proposed(prices=replaced(told.proposal.prices, 0, (1 << 64) + near(rng, 1)))


def other_overflow(rng: Rng, told: Told) -> Told:
    """Flow said to be beyond the band."""
    overflow = told.proposal.overflow
    asset = int(rng.integers(len(overflow)))
    value = max(
        1 - (1 << 80), min((1 << 80) - 1, near(rng, overflow[asset]) << rng.integers(0, 18))
    )
    return told.proposed(overflow=replaced(overflow, asset, value))


def other_terms(rng: Rng, told: Told) -> Told:
    """A signed order with other terms, its fill as it was."""
    at = one_of(rng, kind1(told))
    row, name = told.rows[at], str(rng.choice(["budget", "min_fill", "limit_m", "limit_e"]))
    value = near(rng, int(row[name]))
    if name == "limit_m":
        value = min(max(value, 1 << 62), (1 << 63) - 1)
    elif name == "limit_e":
        value = int(row[name]) + int(rng.integers(-2, 3))
    else:
        value = min(max(value, name == "budget"), AMOUNT_MAX)
    return replace(told, rows=edited(told.rows, at, **{name: value}))


def other_pair(rng: Rng, told: Told) -> Told:
    """An order between two other assets."""
    at, n = one_of(rng, kind1(told)), told.opening.params.n
    pay, receive = (int(x) for x in rng.choice(n, 2, replace=False))
    return replace(told, rows=edited(told.rows, at, pay=pay, receive=receive))


def late(rng: Rng, told: Told) -> Told:
    """An order that holds up to this epoch, or ended with the one before."""
    at = one_of(rng, np.arange(len(told.rows)))
    last = told.opening.epoch - int(rng.integers(0, 2))
    return replace(told, rows=edited(told.rows, at, valid_until=last))


def other_nonce(rng: Rng, told: Told) -> Told:
    """A gap in the nonces, or one used twice."""
    at = one_of(rng, np.arange(len(told.rows)))
    nonce = int(told.rows["nonce"][at]) + int(rng.choice([-1, 1, 5]))
    return replace(told, rows=edited(told.rows, at, nonce=max(1, nonce)))


def other_vault(rng: Rng, told: Told) -> Told:
    """A vault with another nonce or balance."""
    vaults = told.opening.vaults
    at = one_of(rng, np.arange(len(vaults)))
    nonces, balances = vaults.nonces.copy(), vaults.balances.copy()
    if rng.random() < 0.3:
        nonces[at] = max(0, int(nonces[at]) + int(rng.choice([-1, 1])))
    else:
        asset = int(rng.integers(vaults.n))
        balances[at, asset] = min(max(0, near(rng, int(balances[at, asset]))), (1 << 63) - 1)
    return told.opened(vaults=VaultTable(vaults.owners, nonces, balances))


def other_parameter(rng: Rng, told: Told) -> Told:
    """Target, bounds, band or depth of an asset moved."""
    params, name = (
        told.opening.params,
        str(rng.choice(["target", "q_min", "q_max", "band", "depth"])),
    )
    asset = int(rng.integers(1, params.n))
    value = near(rng, getattr(params, name)[asset])
    if name in ("band", "depth"):
        value = min(max(0, value), 300_000_000 if name == "band" else (1 << 127) - 1)
    elif rng.random() < 0.2:
        value = int(rng.choice([-1, 1])) << int(rng.integers(64, 127))
    return told.opened(
        params=replace(params, **{name: replaced(getattr(params, name), asset, value)})
    )


def other_fee(rng: Rng, told: Told) -> Told:
    """A fee of a pair moved."""
    params = told.opening.params
    i, j = (int(x) for x in rng.choice(params.n, 2, replace=False))
    fee = min(max(0, params.fee_ppm[i][j] + int(rng.choice([-1, 1, 100_000]))), 100_000)
    row = replaced(params.fee_ppm[i], j, fee)
    fees = (*params.fee_ppm[:i], row, *params.fee_ppm[i + 1 :])
    return told.opened(params=replace(params, fee_ppm=fees))


def other_risk(rng: Rng, told: Told) -> Told:
    """An entry of G or H moved, its twin with it."""
    params, name = told.opening.params, str(rng.choice(["risk", "risk_inverse"]))
    matrix = [list(row) for row in getattr(params, name)]
    i, j = (int(x) for x in rng.integers(1, params.n, 2))
    value = near(rng, matrix[i][j]) << int(rng.integers(0, 24))
    low = 0 if i == j or name == "risk_inverse" else -(1 << 80) + 1
    matrix[i][j] = matrix[j][i] = min(max(low, value), (1 << 80) - 1)
    return told.opened(params=replace(params, **{name: tuple(map(tuple, matrix))}))


def other_pool(rng: Rng, told: Told) -> Told:
    """The pool with another balance or other fees."""
    pool = told.opening.pool
    asset = int(rng.integers(len(pool.balances)))
    balance, fees = pool.balances[asset], pool.fees_accrued[asset]
    if rng.random() < 0.5:
        balance = min(max(fees, near(rng, balance)), (1 << 63) - 1)
    else:
        fees = min(max(0, near(rng, fees)), balance)
    balances = replaced(pool.balances, asset, balance)
    accrued = replaced(pool.fees_accrued, asset, fees)
    return told.opened(pool=replace(pool, balances=balances, fees_accrued=accrued))


def other_omega(rng: Rng, told: Told) -> Told:
    """A ration where none is due, another one, or none where one is."""
    ration, n = told.proposal.ration, told.opening.params.n
    if ration is None:
        zeros = replaced((0,) * n, int(rng.integers(n)), int(rng.choice([0, 1, -1, 1 << 20])))
        return told.proposed(ration=Ration(zeros, told.proposal.paid))
    if rng.random() < 0.2:
        return told.proposed(ration=None)
    asset = int(rng.integers(n))
    far = int(rng.choice([-1, 1])) << int(rng.integers(0, 63))
    value = min(max(-(1 << 63), near(rng, ration.omega[asset]) + far), (1 << 63) - 1)
    return told.proposed(ration=replace(ration, omega=replaced(ration.omega, asset, value)))


def other_demand(rng: Rng, told: Told) -> Told:
    """An order said to want something else than it does."""
    ration = told.proposal.ration
    if ration is None:
        ration = Ration((0,) * told.opening.params.n, told.proposal.paid)
    k = one_of(rng, np.arange(len(ration.demanded)))
    value = min(max(0, near(rng, int(ration.demanded[k]))), (1 << 64) - 1)
    return told.proposed(ration=replace(ration, demanded=put(ration.demanded, k, value)))


def rejected(rng: Rng, told: Told) -> Told:
    """An order rejected that should not be, its minimum as great as can be."""
    proposal = told.proposal
    free = np.setdiff1d(np.arange(len(proposal.paid)), proposal.rejected)
    k = one_of(rng, free)
    ration = proposal.ration
    if ration is not None:
        ration = replace(ration, demanded=put(ration.demanded, k, 0))
    order = np.argsort(np.append(proposal.rejected, k))
    kinds = np.append(proposal.reject_kinds, rng.integers(1, 3)).astype(np.uint8)
    rows = told.rows
    if rng.random() < 0.7:
        at = int(kind1(told)[k])
        rows = edited(rows, at, min_fill=rows["budget"][at])
    return replace(told, rows=rows).proposed(
        paid=put(proposal.paid, k, 0),
        ration=ration,
        rejected=np.append(proposal.rejected, k)[order],
        reject_kinds=kinds[order],
    )


def not_rejected(rng: Rng, told: Told) -> Told:
    """A rejection dropped, or of the other kind."""
    proposal = told.proposal
    at = one_of(rng, np.arange(len(proposal.rejected)))
    if rng.random() < 0.5:
        kinds = put(proposal.reject_kinds, at, 3 - int(proposal.reject_kinds[at]))
        return told.proposed(reject_kinds=kinds)
    return told.proposed(
        rejected=np.delete(proposal.rejected, at), reject_kinds=np.delete(proposal.reject_kinds, at)
    )


def dust(rng: Rng, told: Told) -> Told:
    """An order of one unit, filled for nothing or left."""
    at = one_of(rng, kind1(told))
    k = int(np.searchsorted(kind1(told), at))
    rows = edited(told.rows, at, budget=1, min_fill=int(rng.integers(0, 2)))
    return replace(told, rows=rows).proposed(
        paid=put(told.proposal.paid, k, int(rng.integers(0, 2)))
    )


# Lies in the sections that follow from the others


def other_amount(rng: Rng, told: Told) -> Witness:
    """Received or fee moved, the diffs with it."""
    witness = witness_of(told)
    k = one_of(rng, np.arange(len(witness.consumed)))
    name = str(rng.choice(["received", "fee"]))
    value = min(max(0, near(rng, int(witness.amounts[name][k]))), (1 << 62) - 1)
    return rediffed(replace(witness, amounts=edited(witness.amounts, k, **{name: value})))


def paid_cancel(rng: Rng, told: Told) -> Witness:
    """A cancel that pays, or receives."""
    witness = witness_of(told)
    k = one_of(rng, np.flatnonzero(witness.consumed["kind"] == KIND_CANCEL))
    if rng.random() < 0.5:
        return replace(witness, paid=put(witness.paid, k, int(rng.integers(1, 9))))
    return replace(witness, amounts=edited(witness.amounts, k, fee=int(rng.integers(1, 9))))


def other_inventory(rng: Rng, told: Told) -> Witness:
    """An inventory after the epoch that the fills do not leave."""
    witness = witness_of(told)
    asset = int(rng.integers(witness.n))
    value = near(rng, witness.inventory_after[asset])
    if rng.random() < 0.2:
        value = int(rng.choice([-1, 1])) << int(rng.integers(64, 127))
    return replace(witness, inventory_after=replaced(witness.inventory_after, asset, value))


def moved_orders(rng: Rng, told: Told) -> Witness:
    """A consumed order left, a left one consumed, or two in the other sequence."""
    witness = witness_of(told)
    count, way = len(witness.consumed), int(rng.integers(3))
    order = np.arange(count)
    if way == 0:
        order = np.delete(order, one_of(rng, order))
    elif way == 1:
        i, j = one_of(rng, order), one_of(rng, order)
        order[[i, j]] = order[[j, i]]
    else:
        k = one_of(rng, np.arange(len(witness.left)))
        return _consumed_too(witness, k)
    return rediffed(
        replace(
            witness,
            consumed=witness.consumed[order],
            paid=witness.paid[order],
            amounts=witness.amounts[order],
        )
    )


def _consumed_too(witness: Witness, k: int) -> Witness:
    """A left order among the consumed ones, unfilled, in its place."""
    row = witness.left[k]
    keys = [(r["owner"].tobytes(), int(r["nonce"])) for r in witness.consumed]
    at = sum(key < (row["owner"].tobytes(), int(row["nonce"])) for key in keys)
    return rediffed(
        replace(
            witness,
            consumed=np.insert(witness.consumed, at, row),
            left=np.delete(witness.left, k),
            paid=np.insert(witness.paid, at, 0),
            amounts=np.insert(witness.amounts, at, np.zeros(1, witness.amounts.dtype)[0]),
        )
    )


def other_rejects(rng: Rng, told: Told) -> Witness:
    """Rows of the reject table changed, with no regard to the rest."""
    witness = witness_of(told)
    count = len(witness.orders)
    rows = rng.integers(0, [count + 1, 4], (int(rng.integers(1, 3)), 2))
    table = np.array([tuple(row) for row in rows.tolist()], REJECT_DTYPE)
    return replace(witness, rejects=np.append(witness.rejects, table).astype(REJECT_DTYPE))


def other_vaults(rng: Rng, told: Told) -> Witness:
    """A vault row missing, twice, or of nobody."""
    witness = witness_of(told)
    at = one_of(rng, np.arange(len(witness.vaults)))
    if rng.random() < 0.4:
        return replace(witness, vaults=np.delete(witness.vaults, at))
    vaults = np.insert(witness.vaults, at, witness.vaults[at])
    if rng.random() < 0.5:
        vaults["owner"][at] = np.frombuffer(rng.bytes(32), ">u8")
    return rediffed(replace(witness, vaults=vaults))


def pool_is_a_user(rng: Rng, told: Told) -> Witness:
    """The pool among the vaults."""
    witness = witness_of(told)
    at = one_of(rng, np.arange(len(witness.vaults)))
    pool = replace(witness.pool, owner=witness.vaults["owner"][at].tobytes())
    return replace(witness, pool=pool)


def other_diffs(rng: Rng, told: Told) -> Witness:
    """A diff row changed."""
    witness = witness_of(told)
    at = one_of(rng, np.arange(len(witness.diffs)))
    name = str(rng.choice(witness.diffs.dtype.names))
    value = int(witness.diffs[name][at]) + int(rng.choice([1, -1]))
    return replace(witness, diffs=edited(witness.diffs, at, **{name: max(0, value)}))


LIES: tuple[Lie, ...] = (
    other_paid, a_little_less, unfilled, other_price, other_numeraire, other_overflow, other_terms,
    other_pair, late, other_nonce, other_vault, other_parameter, other_fee, other_risk, other_pool,
    other_omega, other_demand, rejected, not_rejected, dust, other_amount, paid_cancel,
    other_inventory, moved_orders, other_rejects, other_vaults, pool_is_a_user, other_diffs,
)  # fmt: skip


def lied(rng: Rng, epoch: Lawful) -> "Told | Witness":
    """One of the lies about an epoch."""
    return LIES[int(rng.integers(len(LIES)))](rng, epoch.told)
