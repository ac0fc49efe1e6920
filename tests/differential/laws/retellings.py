"""Other lawful epochs that follow from one: the same clearing at another place, time or size.

Each change keeps every law, so an epoch that is dear to clear stands for many.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.identity import OwnerId
from convexfx_core.ledger.vaults import PoolState, VaultTable
from convexfx_core.limits import BALANCE_MAX, NONCE_MAX
from convexfx_core.orders.row import KIND_CANCEL, KIND_ORDER, MANTISSA_MIN, NO_ASSET, ORDER_DTYPE
from tests.differential.laws.witnesses import Told
from tests.support.witnesses.epochs import number_nonces, vaults_for

Rng = np.random.Generator
Retelling = Callable[[Rng, Told], Told]
LEFT_ROOM = 64
"""Nonces kept free after a vault's or the pool's own."""


def elsewhere(rng: Rng, told: Told) -> Told:
    """Another network, shard, epoch and time, up to the largest of them."""
    used = told.rows["valid_until"]
    latest = int(used[used > 0].min(initial=(1 << 64) - 1))
    epoch = int(rng.choice(np.array([1, latest, max(1, latest - 1)], dtype=object)))
    shard = int(rng.choice(np.array([1, (1 << 64) - 1, 7], dtype=object)))
    reference = replace(told.opening.reference, as_of_s=(1 << 64) - 1)
    return told.opened(network_id=rng.bytes(32), shard=shard, epoch=epoch, reference=reference)


def other_pool_nonce(rng: Rng, told: Told) -> Told:
    """The pool's owner and nonce, the first and nearly the last one."""
    nonce = int(rng.choice(np.array([0, 1 << 32, NONCE_MAX], dtype=object)))
    owner = OwnerId(bytes(32) if rng.random() < 0.3 else rng.bytes(32))
    return told.opened(pool=replace(told.opening.pool, owner=owner, nonce=nonce))


def other_fees(rng: Rng, told: Told) -> Told:
    """More fees accrued; the inventory stays."""
    pool = told.opening.pool
    more = [int(rng.integers(0, 1 << int(rng.integers(1, 60)))) for _ in pool.balances]
    more = [m if b + m <= BALANCE_MAX >> 1 else 0 for b, m in zip(pool.balances, more, strict=True)]
    moved = (
        tuple(v + m for v, m in zip(values, more, strict=True))
        for values in (pool.balances, pool.fees_accrued)
    )
    return told.opened(pool=PoolState(pool.owner, pool.nonce, *moved))


def other_vault_nonces(rng: Rng, told: Told) -> Told:
    """Every vault with other nonces, some of them nearly the last."""
    vaults, rows = told.opening.vaults, told.rows.copy()
    top = NONCE_MAX - len(rows) - LEFT_ROOM
    before = rng.integers(0, [1 << int(rng.integers(1, 62))] * len(vaults))
    before = np.minimum(before, top).astype(np.uint64)
    place = vaults.find(rows["owner"])
    rows["nonce"] = rows["nonce"] - vaults.nonces[place] + before[place]
    nonces = VaultTable(vaults.owners, before, vaults.balances)
    return replace(told.opened(vaults=nonces), rows=rows)


def richer(rng: Rng, told: Told) -> Told:
    """Vaults that hold more than they need."""
    vaults = told.opening.vaults
    more = rng.integers(0, 1 << int(rng.integers(1, 62)), vaults.balances.shape, dtype=np.uint64)
    balances = np.minimum(vaults.balances + more, np.uint64(BALANCE_MAX >> 1))
    balances = np.maximum(balances, vaults.balances)
    return told.opened(vaults=VaultTable(vaults.owners, vaults.nonces, balances))


def exact(rng: Rng, told: Told) -> Told:
    """Vaults that hold just what their orders may take."""
    vaults, rows = told.opening.vaults, told.rows
    balances = np.zeros_like(vaults.balances)
    np.add.at(balances, (vaults.find(rows["owner"]), rows["pay"]), rows["budget"])
    return told.opened(vaults=VaultTable(vaults.owners, vaults.nonces, balances))


def dealt_anew(rng: Rng, told: Told) -> Told:
    """The orders in the hands of other vaults, so in another sequence."""
    rows, count = told.rows.copy(), len(told.rows)
    if not count:
        return told
    hands = int(rng.integers(1, count + 1))
    owners = np.frombuffer(rng.bytes(32 * hands), ">u8").reshape(hands, 4).copy()
    # Owners that share their first words take the slow way through the comparison of keys.
    owners[:, : int(rng.integers(0, 4))] = int(rng.integers(0, 3)) * ((1 << 63) - 1)
    rows["owner"] = owners[rng.integers(0, hands, count)]
    rows["nonce"] = rng.permutation(count)
    order = canonical_order(rows["owner"], rows["nonce"])
    return _reordered(told, rows, order)


def _reordered(told: Told, rows: np.ndarray, order: np.ndarray) -> Told:
    """Rows and proposal in another sequence, nonces and vaults as they then must be."""
    kind1 = np.flatnonzero(rows["kind"] == KIND_ORDER)
    place = np.full(len(rows), -1)
    place[kind1] = np.arange(len(kind1))
    from_old = place[order]
    from_old = from_old[from_old >= 0]
    to_new = np.empty(len(from_old), dtype=np.int64)
    to_new[from_old] = np.arange(len(from_old))
    proposal, ration = told.proposal, told.proposal.ration
    moved = to_new[proposal.rejected]
    sequence = np.argsort(moved)
    rows, before = number_nonces(rows[order])
    opening = replace(told.opening, vaults=vaults_for(rows, before, told.opening.params.n, 5))
    return Told(
        opening,
        rows,
        replace(
            proposal,
            paid=proposal.paid[from_old],
            ration=None if ration is None else replace(ration, demanded=ration.demanded[from_old]),
            rejected=moved[sequence],
            reject_kinds=proposal.reject_kinds[sequence],
        ),
    )


def hopeless(rng: Rng, told: Told) -> Told:
    """A few orders more that nobody can fill: unreachable limits, budgets up to the largest."""
    pairs = {(int(r["pay"]), int(r["receive"])) for r in told.rows if r["kind"] == KIND_ORDER}
    if not pairs:
        return told
    count = int(rng.integers(1, 4))
    extra = np.zeros(count, ORDER_DTYPE)
    chosen = rng.choice(np.array(sorted(pairs)), count)
    extra["kind"], extra["limit_kind"] = KIND_ORDER, 1
    extra["pay"], extra["receive"] = chosen[:, 0], chosen[:, 1]
    extra["budget"] = rng.integers(1, 1 << int(rng.integers(1, 63)), count)
    extra["min_fill"] = rng.integers(0, extra["budget"] + np.uint64(1))
    extra["limit_m"], extra["limit_e"] = MANTISSA_MIN + int(rng.integers(0, 1 << 60)), -192
    return _with_rows(rng, told, extra)


def cancelling(rng: Rng, told: Told) -> Told:
    """A few cancels more."""
    extra = np.zeros(int(rng.integers(1, 4)), ORDER_DTYPE)
    extra["kind"], extra["receive"] = KIND_CANCEL, NO_ASSET
    extra["pay"] = rng.integers(0, told.opening.params.n, len(extra))
    return _with_rows(rng, told, extra)


def _with_rows(rng: Rng, told: Told, extra: np.ndarray) -> Told:
    """More orders, each behind the last one of a vault that is there, or in a vault of its own."""
    for row in extra:
        row["owner"] = np.frombuffer(rng.bytes(32), ">u8")
        if len(told.rows) and rng.random() < 0.7:
            row["owner"] = told.rows["owner"][int(rng.integers(len(told.rows)))]
    # The new ones come last within a vault: number_nonces counts anew in this sequence.
    rows = np.concatenate([told.rows, extra]).astype(ORDER_DTYPE)
    rows["nonce"][len(told.rows) :] = NONCE_MAX
    order = canonical_order(rows["owner"], rows["nonce"])
    kind1 = extra["kind"][0] == KIND_ORDER
    zeros = np.zeros(len(extra) if kind1 else 0, dtype=np.uint64)
    proposal, ration = told.proposal, told.proposal.ration
    if ration is not None:
        ration = replace(ration, demanded=np.append(ration.demanded, zeros))
    proposal = replace(proposal, paid=np.append(proposal.paid, zeros), ration=ration)
    return _reordered(replace(told, proposal=proposal), rows, order)


def loose(rng: Rng, told: Told) -> Told:
    """Bounds of the inventory further out, up to the widest, where none binds."""
    params = told.opening.params
    if told.proposal.ration is not None or len(told.proposal.rejected):
        return told
    least, most = -(1 << 127) + 1, (1 << 127) - 1
    low = tuple(least if rng.random() < 0.5 else q for q in params.q_min)
    high = tuple(most if rng.random() < 0.5 else q for q in params.q_max)
    return told.opened(params=replace(params, q_min=low, q_max=high))


RETELLINGS: tuple[Retelling, ...] = (
    elsewhere, other_pool_nonce, other_fees, other_vault_nonces, richer, exact, dealt_anew,
    hopeless, cancelling, loose,
)  # fmt: skip


def retold(rng: Rng, told: Told) -> Told:
    """One to four of these changes."""
    for choice in rng.integers(0, len(RETELLINGS), int(rng.integers(1, 5))):
        told = RETELLINGS[choice](rng, told)
    return told
