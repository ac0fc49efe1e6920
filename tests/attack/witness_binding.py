"""Attacks on who, when and what: order set, nonces, expiry, state, diffs, frame; other epochs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.ledger.vaults import PoolState
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.witness.layout import FRAME, SECTION_NAMES, Witness, with_public_values
from convexfx_core.witness.public_values import FIELD_NAMES
from tests.attack.witness_attack import (
    Attack,
    amended,
    attack,
    filled,
    raw_attack,
    true_statement,
)
from tests.support.witnesses.epochs import EPOCH, batch_of, only_cancels, plain_epoch
from tests.support.witnesses.forge import edited, forge, with_opening
from tests.support.witnesses.malformed import lengths, plain
from tests.support.witnesses.violations import replaced, swapped


def taken(witness: Witness, order: list[int]) -> Witness:
    """The consumed orders at these places, with everything that is theirs."""
    return amended(
        witness,
        consumed=witness.consumed[order],
        paid=witness.paid[order],
        amounts=witness.amounts[order],
    )


def order_sets() -> Iterator[Attack]:
    family, honest = "duplicate or unsorted", forge(plain_epoch())
    count, orders = len(honest.consumed), len(honest.orders)
    for k in range(0, count - 1, 3):
        yield attack(family, f"orders {k} and {k + 1} swapped", 13, k + 1, swapped(honest, k))
    idle = [int(k) for k in np.flatnonzero(honest.paid == 0)]
    for k in idle[:4]:
        twice = taken(honest, [*range(k + 1), k, *range(k + 1, count)])
        yield attack(family, f"idle order {k} twice", 13, k + 1, twice)
    left = np.append(honest.left, honest.left[-1:]).astype(ORDER_DTYPE)
    yield attack(family, "left order twice", 13, orders, amended(honest, left=left))
    reverse = honest.left[[1, 0, *range(2, len(honest.left))]]
    witness = amended(honest, left=reverse)
    yield attack(family, "left orders swapped", 13, count + 1, witness)
    for i in range(1, len(honest.vaults)):
        order = np.arange(len(honest.vaults))
        order[[i - 1, i]] = order[[i, i - 1]]
        name = f"vaults {i - 1} and {i} swapped"
        yield attack(family, name, 13, orders + i, amended(honest, vaults=honest.vaults[order]))
        pool = replace(honest.pool, owner=honest.vaults[i]["owner"].tobytes())
        yield attack(family, f"vault {i} is the pool", 13, orders + i, amended(honest, pool=pool))


def nonces() -> Iterator[Attack]:
    family, honest = "nonce gap or reuse", forge(plain_epoch())
    rows, count = honest.consumed, len(honest.consumed)
    firsts = [0, *(k for k in range(1, count) if (rows["owner"][k] != rows["owner"][k - 1]).any())]
    for place, k in enumerate(firsts):
        for by in (1, -1):
            if by < 0 and honest.vaults["nonce"][place] == 0:
                continue
            nonce = int(honest.vaults["nonce"][place]) + by
            vaults = edited(honest.vaults, place, nonce=nonce)
            witness = amended(honest, vaults=vaults)
            yield attack(family, f"vault {place} at nonce {nonce}", 14, k, witness)
    lasts = [*(k - 1 for k in firsts[1:]), count - 1]
    followed = {row["owner"].tobytes() for row in honest.left}
    for k in lasts:
        gap = edited(rows, k, nonce=rows["nonce"][k] + 1)
        witness = amended(honest, consumed=gap)
        if rows["owner"][k].tobytes() not in followed:
            yield attack(family, f"gap before order {k}", 14, k, witness)
    for k in range(len(honest.left)):
        if honest.left["owner"][k].tobytes() in {row["owner"].tobytes() for row in rows}:
            jump = edited(honest.left, k, nonce=honest.left["nonce"][k] + 1)
            witness = amended(honest, left=jump)
            yield attack(family, f"left order {k} further on", 14, count + k, witness)
    for place in range(len(honest.vaults)):
        witness = amended(honest, vaults=np.delete(honest.vaults, place))
        yield attack(family, f"vault {place} hidden", 14, firsts[place], witness)


def expiries() -> Iterator[Attack]:
    family, honest = "expired order", forge(plain_epoch())
    count = len(honest.consumed)
    for k in range(0, count, 4):
        late = edited(honest.consumed, k, valid_until=EPOCH - 1)
        yield attack(family, f"consumed order {k}", 15, k, amended(honest, consumed=late))
    for k in range(len(honest.left)):
        late = edited(honest.left, k, valid_until=1)
        yield attack(family, f"left order {k}", 15, count + k, amended(honest, left=late))


def balances() -> Iterator[Attack]:
    family, honest = "more than the vault holds", forge(plain_epoch())
    rows, budgets = honest.consumed, {}
    place = np.cumsum(np.append(0, (rows["owner"][1:] != rows["owner"][:-1]).any(axis=1)))
    for k, row in enumerate(rows):
        key = int(place[k]), int(row["pay"])
        owed, _ = budgets.get(key, (0, 0))
        budgets[key] = (
            owed + int(row["budget"]),
            k if row["budget"] else budgets.get(key, (0, k))[1],
        )
    for (vault, asset), (owed, last) in budgets.items():
        if owed:
            poor = honest.vaults.copy()
            poor["balance"][vault, asset] = owed - 1
            witness = amended(honest, vaults=poor)
            yield attack(family, f"vault {vault} one unit short of {asset}", 16, last, witness)
    rich = honest.vaults.copy()
    rich["balance"] = BALANCE_MAX
    witness = amended(honest, vaults=rich)
    gains = [int(place[k]) for k in filled(honest)]
    index = len(honest.orders) + min(gains)
    yield attack(family, "a balance that runs over", 16, index, witness)


def diffs() -> Iterator[Attack]:
    family, honest = "diffs differ from fills", forge(plain_epoch())
    rows = honest.diffs
    for at in range(0, len(rows), 4):
        for name, by in (("amount", 1), ("new_nonce", 1), ("position", 1)):
            other = edited(rows, at, **{name: rows[name][at] + by})
            yield attack(family, f"row {at} {name}", 18, at, replace(honest, diffs=other))
    for name, value in (("kind", 0), ("kind", 3), ("asset", 64), ("vault", (1 << 32) - 1)):
        other = edited(rows, 0, **{name: value})
        yield attack(family, f"{name} {value}", 18, 0, replace(honest, diffs=other))
    last = len(rows) - 1
    yield attack(family, "a payout missing", 18, last - 1, replace(honest, diffs=rows[:-2]))
    other = edited(rows, last, vault=(rows["vault"][last] % len(honest.vaults)) + 1)
    yield attack(family, "a payout to somebody else", 18, last, replace(honest, diffs=other))
    swap = rows.copy()
    swap["amount"][[last - 1, last]] = -swap["amount"][[last - 1, last]]
    yield attack(family, "a payout in reverse", 18, last - 1, replace(honest, diffs=swap))
    moved = rows.copy()
    moved["amount"][last] += 5
    moved["amount"][last - 1] -= 5
    yield attack(family, "more out of the pool", 18, last - 1, replace(honest, diffs=moved))


def frames() -> Iterator[Attack]:
    family, data = "truncated or padded", plain()
    for size in (1, 8, 392, 400, len(data) // 2, len(data) - 16):
        yield raw_attack(family, f"{size} bytes cut off", FRAME, data[:-size])
    for size in (1, 8, 1 << 12):
        yield raw_attack(family, f"{size} bytes added", FRAME, data + bytes(size))
    for name, index, forged in lengths():
        yield raw_attack(family, name, index, forged)


def bombs() -> Iterator[Attack]:
    family, data, at = "length bomb", plain(), 16
    for name in SECTION_NAMES:
        for bomb in ((1 << 64) - 1, 1 << 63, 1 << 40, len(data)):
            forged = data[:at] + bomb.to_bytes(8, "little") + data[at + 8 :]
            yield raw_attack(family, f"{name} says {bomb} bytes", FRAME, forged)
        at += 8 + int.from_bytes(data[at : at + 8], "little")


def public_values() -> Iterator[Attack]:
    """Public values of another epoch on this one's witness."""
    family, data = "other public values", plain()
    other = only_cancels().apply().public_values.to_bytes()
    index = FIELD_NAMES.index("params_hash")
    yield Attack(family, "of another epoch", 19, index, (), with_public_values(data, other), False)
    zero = with_public_values(data, bytes(392))
    yield Attack(family, "none", 19, 0, (), zero, False)


def other_statements() -> Iterator[Attack]:
    """Lawful witnesses that are not about the epoch that they are shown for."""
    family, epoch = "another true statement", plain_epoch()
    opening = epoch.opening
    yield true_statement(family, "replayed epoch", ("epoch",), with_opening(epoch, epoch=EPOCH - 1))
    yield true_statement(family, "first epoch", ("epoch",), with_opening(epoch, epoch=1))
    other = with_opening(epoch, shard=opening.shard + 1)
    yield true_statement(family, "other shard", ("shard", "sdl_hash"), other)
    network = bytes(32)
    other = with_opening(epoch, network_id=network)
    yield true_statement(family, "other network", ("sdl_hash", "network_id"), other)
    pool = opening.pool
    richer = replaced(pool.balances, 0, pool.balances[0] + 1)
    fees = replaced(pool.fees_accrued, 0, pool.fees_accrued[0] + 1)
    other = with_opening(epoch, pool=PoolState(pool.owner, pool.nonce, richer, fees))
    states = ("pre_state_root", "post_state_root")
    yield true_statement(family, "foreign pool", states, other)
    other = with_opening(epoch, pool=replace(pool, nonce=pool.nonce + 1))
    yield true_statement(family, "foreign pool nonce", (*states, "sdl_hash"), other)
    held = opening.vaults.balances.copy()
    held[0, 0] += 1
    other = with_opening(epoch, vaults=replace(opening.vaults, balances=held))
    yield true_statement(family, "foreign vault", states, other)
    room = replaced(opening.params.q_max, 1, opening.params.q_max[1] + 1)
    other = with_opening(epoch, params=replace(opening.params, q_max=room))
    yield true_statement(family, "swapped parameters", ("params_hash",), other)
    other = with_opening(epoch, reference=replace(opening.reference, as_of_s=1))
    yield true_statement(family, "swapped reference", ("reference_hash",), other)
    rows = epoch.batch.orders.rows
    last = int(np.flatnonzero(rows["nonce"] == rows["nonce"].max())[0])
    later = edited(rows, last, valid_until=EPOCH + 99)
    roots = ("batch_root", "sdl_hash")
    consumed = bool(epoch.apply().consumed[last])
    other = replace(epoch, batch=batch_of(later))
    yield true_statement(family, "other terms", roots if consumed else roots[:1], other)
