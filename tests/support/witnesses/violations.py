"""For every law its smallest violations: one witness each, everything else in it consistent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from convexfx_core.clearing import propose
from convexfx_core.encoding.key_columns import same_as_previous
from convexfx_core.errors import CodecError, ExecutionError, LawViolated
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.limits import BALANCE_MAX
from convexfx_core.orders.row import MANTISSA_MIN
from convexfx_core.settlement.settle import settle
from convexfx_core.units import log_ratio
from convexfx_core.witness.build import clearing_case
from convexfx_core.witness.layout import Witness, encode_witness, with_public_values
from convexfx_core.witness.public_values import FIELD_NAMES
from tests.support.witnesses.epochs import (
    EPOCH,
    Epoch,
    only_cancels,
    plain_epoch,
    rationed_epoch,
    reject_epoch,
)
from tests.support.witnesses.forge import (
    edited,
    forge,
    kind1_place,
    law_off,
    put,
    rediffed,
    seal_without,
    with_opening,
)

Rows = np.ndarray


@dataclass(frozen=True)
class Violation:
    """A witness that breaks one law, with what every implementation must report."""

    name: str
    law: int
    index: int
    make: Callable[[], Witness]

    def data(self) -> bytes:
        """The witness; its public values are what the other laws derive, where they allow it."""
        return _built(self)[0]

    def only_this_law(self) -> bool:
        """Whether no other law stands against it: with the law off it is accepted."""
        return _built(self)[1]


@cache
def _built(violation: Violation) -> tuple[bytes, bool]:
    witness = violation.make()
    try:
        return seal_without(witness, violation.law), True
    except (LawViolated, CodecError, ExecutionError, IndexError):
        return encode_witness(witness), False


def order_index(witness: Witness, row: np.void) -> int:
    """Order index of the row with the owner and nonce of ``row``."""
    orders = witness.orders
    same = (orders["owner"] == row["owner"]).all(axis=1) & (orders["nonce"] == row["nonce"])
    return int(np.flatnonzero(same)[0])


def net_and_limit(epoch: Epoch) -> tuple[Rows, Rows, Rows]:
    """Net rate, limit rate and shift of each kind-1 order."""
    case = clearing_case(epoch.opening, epoch.batch.orders.rows)
    done = settle(case, epoch.proposal)
    pay, receive = case.orders["pay"].astype(int), case.orders["receive"].astype(int)
    return done.net_rate[pay, receive], done.limit_rate, done.shift[pay, receive]


def first(epoch: Epoch, mask: Callable[[Rows, Rows], Rows]) -> tuple[int, int]:
    """First batch row that satisfies a mask of (kind-1 rows, paid), and its kind-1 position."""
    rows = epoch.batch.orders.rows
    places = np.flatnonzero(rows["kind"] == 1)
    k = int(np.flatnonzero(mask(rows[places], epoch.proposal.paid))[0])
    return int(places[k]), k


def full(epoch: Epoch) -> tuple[int, int]:
    return first(epoch, lambda rows, paid: (paid > 0) & (paid == rows["budget"]))


def limit_equal_to(rate: int, shift: int) -> dict[str, int]:
    """Terms whose limit rate at ``shift`` is ``rate``, in [2^60, 2^63)."""
    up = 63 - rate.bit_length()
    mantissa = rate << up
    assert mantissa >= MANTISSA_MIN
    return {"limit_kind": 1, "limit_m": mantissa, "limit_e": shift + up}


def of_order(
    epoch: Epoch, law: int, name: str, at: int, base: int = 0, **changes: object
) -> Violation:
    """Violation of an order law: forged rows or paid, index the order's (plus ``base``)."""

    def make() -> Witness:
        return forge(epoch, **changes)

    rows = changes.get("rows", epoch.batch.orders.rows)
    return Violation(name, law, base + order_index(make(), rows[at]), make)


def budget_laws() -> Iterator[Violation]:
    epoch = plain_epoch()
    rows, paid = epoch.batch.orders.rows, epoch.proposal.paid
    net, _, shift = net_and_limit(epoch)
    at, k = full(epoch)
    budget = int(rows["budget"][at])
    yield of_order(epoch, 1, "l01-one-unit-above-the-budget", at, paid=put(paid, k, budget + 1))
    terms = limit_equal_to(int(net[k]) + 1, int(shift[k]))
    yield of_order(epoch, 2, "l02-limit-broken-by-one-unit", at, rows=edited(rows, at, **terms))
    yield of_order(epoch, 4, "l04-one-unit-unfilled", at, paid=put(paid, k, budget - 1))
    terms = limit_equal_to(int(net[k]), int(shift[k]))
    short = edited(rows, at, budget=budget + 1, min_fill=budget + 1, **terms)
    yield of_order(epoch, 5, "l05-one-unit-below-the-minimum", at, rows=short)


def amended(name: str, law: int, index: int, epoch: Epoch, **sections: object) -> Violation:
    def make() -> Witness:
        witness = replace(forge(epoch), **sections)
        return witness if "diffs" in sections else rediffed(witness)

    return Violation(name, law, index, make)


def amount_laws() -> Iterator[Violation]:
    epoch = plain_epoch()
    honest = forge(epoch)
    k = int(np.flatnonzero(honest.paid)[0])
    received, fee = honest.amounts["received"][k], honest.amounts["fee"][k]
    more = edited(honest.amounts, k, received=received + 1)
    yield amended("l03-one-unit-more-received", 3, k, epoch, amounts=more)
    less = edited(honest.amounts, k, fee=fee - 1)
    yield amended("l03-one-unit-less-fee", 3, k, epoch, amounts=less)
    cancel = int(np.flatnonzero(honest.consumed["kind"] == 2)[0])
    yield amended("l01-a-cancel-pays", 1, cancel, epoch, paid=put(honest.paid, cancel, 1))
    gift = edited(honest.amounts, cancel, received=1)
    yield amended("l03-a-cancel-receives", 3, cancel, epoch, amounts=gift)
    after = list(honest.inventory_after)
    after[1] += 1
    yield amended("l06-one-unit-from-nowhere", 6, 1, epoch, inventory_after=tuple(after))


def replaced(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])


def price_laws() -> Iterator[Violation]:
    epoch = only_cancels()
    prices, reference = epoch.proposal.prices, epoch.opening.reference
    zeros = (0,) * len(prices)

    def case(name: str, law: int, index: int, **proposed: object) -> Violation:
        return Violation(name, law, index, lambda: forge(epoch, **proposed))

    for name, asset, price in (
        ("l07-one-unit-above-the-band", 1, reference.phi[1] + 1),
        ("l07-one-unit-below-the-band", 2, reference.plo[2] - 1),
    ):
        yield Violation(name, 7, asset, lambda a=asset, p=price: outside_its_band(epoch, a, p))
    one = replaced(prices, 0, (1 << 64) + 1)
    yield case("l07-numeraire-not-one", 7, 0, prices=one)
    yield case("l08-overflow-inside-the-band", 8, 1, overflow=replaced(zeros, 1, 1))
    yield case("l08-overflow-of-the-numeraire", 8, 0, overflow=replaced(zeros, 0, -1))
    moved = prices[1] + (prices[1] >> 34)
    yield case("l09-price-off-its-rule", 9, 1, prices=replaced(prices, 1, moved))


def outside_its_band(epoch: Epoch, asset: int, price: int) -> Witness:
    """A price outside its band that is just what the inventory asks for."""
    opening = epoch.opening
    params, pbar = opening.params, opening.reference.pbar[asset]
    alone = tuple(
        tuple(g if i == j else 0 for j, g in enumerate(row)) for i, row in enumerate(params.risk)
    )
    value = -(log_ratio(price, pbar) << 48) // alone[asset][asset]
    off = -((-value << 64) // pbar)
    target = replaced(params.target, asset, opening.pool.inventory[asset] - off)
    moved = with_opening(epoch, params=replace(params, risk=alone, target=target))
    proposal = propose(clearing_case(moved.opening, epoch.batch.orders.rows), kernels="numpy")
    zeros = (0,) * len(proposal.prices)
    forged = replace(moved, proposal=proposal)
    return forge(forged, prices=replaced(proposal.prices, asset, price), overflow=zeros)


def ration_laws() -> Iterator[Violation]:
    epoch = rationed_epoch()
    assert epoch.proposal.ration is not None
    rows, paid, omega = epoch.batch.orders.rows, epoch.proposal.paid, epoch.proposal.ration.omega
    asset, n = next(i for i, w in enumerate(omega) if w > 0), len(omega)
    params = epoch.opening.params
    room = replaced(params.q_min, asset, params.q_min[asset] - 10**12)
    loose = with_opening(epoch, params=replace(params, q_min=room))
    yield Violation("l10-rationed-without-a-bound", 10, asset, lambda: forge(loose))
    at, k = first(epoch, lambda orders, paid: (paid > 0) & (paid < orders["budget"] // 2))
    cut = put(paid, k, int(paid[k]) - 1)
    yield of_order(epoch, 10, "l10-cut-by-one-unit-more", at, base=n, paid=cut)
    most = put(paid, k, int(epoch.proposal.ration.demanded[k]) + 1)
    yield of_order(epoch, 1, "l01-more-than-demanded", at, paid=most)
    assert len(rows)


def other_global_laws() -> Iterator[Violation]:
    epoch = reject_epoch()
    rows = epoch.batch.orders.rows
    at = int(np.flatnonzero(rows["kind"] == 1)[epoch.proposal.rejected[0]])
    yield of_order(
        epoch, 11, "l11-rejected-without-a-minimum", at, rows=edited(rows, at, min_fill=0)
    )
    yield of_order(
        epoch, 11, "l11-rejected-with-a-small-one", at, rows=edited(rows, at, min_fill=1)
    )
    epoch = plain_epoch()
    after, params = forge(epoch).inventory_after, epoch.opening.params
    held = epoch.opening.pool.inventory
    asset = next(i for i, (q, r) in enumerate(zip(held, after, strict=True)) if r > q)
    high = replaced(params.q_max, asset, after[asset] - 1)
    tight = with_opening(epoch, params=replace(params, q_max=high))
    yield Violation("l12-one-unit-above-the-bound", 12, asset, lambda: forge(tight))
    asset = next(i for i, (q, r) in enumerate(zip(held, after, strict=True)) if r < q)
    low = replaced(params.q_min, asset, after[asset] + 1)
    short = with_opening(epoch, params=replace(params, q_min=low))
    yield Violation("l12-one-unit-below-the-bound", 12, asset, lambda: forge(short))


def swapped(witness: Witness, k: int) -> Witness:
    """Consumed orders k and k + 1 in the other sequence, with everything that is theirs."""
    order = np.arange(len(witness.consumed))
    order[[k, k + 1]] = order[[k + 1, k]]
    return replace(
        witness,
        consumed=witness.consumed[order],
        paid=witness.paid[order],
        amounts=witness.amounts[order],
    )


def order_of_rows() -> Iterator[Violation]:
    epoch = plain_epoch()
    honest = forge(epoch)
    orders = len(honest.orders)
    yield Violation("l13-consumed-out-of-order", 13, 1, lambda: swapped(honest, 0))
    count = len(honest.consumed)
    assert (honest.left["owner"][0] != honest.left["owner"][1]).any()
    left = honest.left[[1, 0, *range(2, len(honest.left))]]
    yield amended("l13-left-out-of-order", 13, count + 1, epoch, left=left)
    twice = np.append(honest.left, honest.left[-1:]).astype(honest.left.dtype)
    yield amended("l13-left-twice", 13, orders, epoch, left=twice)
    vaults = honest.vaults[::-1].copy()
    yield amended("l13-vaults-out-of-order", 13, orders + 1, epoch, vaults=vaults)
    pool = replace(honest.pool, owner=honest.vaults[2]["owner"].tobytes())
    yield amended("l13-pool-among-the-vaults", 13, orders + 2, epoch, pool=pool)


def nonces() -> Iterator[Violation]:
    epoch = plain_epoch()
    honest = forge(epoch)
    count = len(honest.consumed)
    stale = edited(honest.vaults, 0, nonce=honest.vaults["nonce"][0] + 1)
    yield amended("l14-nonce-used-before", 14, 0, epoch, vaults=stale)
    gap = edited(honest.consumed, count - 1, nonce=honest.consumed["nonce"][count - 1] + 1)
    yield amended("l14-nonce-gap", 14, count - 1, epoch, consumed=gap)
    yield amended("l14-vault-missing", 14, count - 5, epoch, vaults=honest.vaults[:-1])
    unused = np.append(honest.vaults, honest.vaults[-1:]).astype(honest.vaults.dtype)
    unused["owner"][-1] = 2**64 - 1
    name, index = "l14-vault-without-orders", len(honest.orders) + len(honest.vaults)
    yield amended(name, 14, index, epoch, vaults=unused)
    rows = epoch.batch.orders.rows
    last = int(np.flatnonzero(rows["owner"][:, 0] == honest.left["owner"][0, 0])[-1])
    assert rows["nonce"][last] == honest.left["nonce"][0]
    yield Violation("l14-last-one-unfilled", 14, 7, lambda: rediffed(_with_unfilled_last(honest)))
    jump = edited(honest.left, 0, nonce=honest.left["nonce"][0] + 1)
    yield amended("l14-left-one-does-not-follow", 14, count, epoch, left=jump)
    kept = edited(
        honest.left, 0, kind=2, receive=65535, budget=0, limit_kind=0, limit_m=0, limit_e=0
    )
    yield amended("l14-cancel-left", 14, count, epoch, left=kept)


def _with_unfilled_last(honest: Witness) -> Witness:
    """The first left order consumed although nothing after it acts."""
    at = 7
    assert honest.consumed["owner"][at - 1, 0] == honest.left["owner"][0, 0]
    nothing = np.zeros(1, honest.amounts.dtype)
    return replace(
        honest,
        consumed=np.insert(honest.consumed, at, honest.left[0]),
        left=honest.left[1:],
        paid=np.insert(honest.paid, at, 0),
        amounts=np.insert(honest.amounts, at, nothing[0]),
    )


def expiries() -> Iterator[Violation]:
    epoch = plain_epoch()
    honest = forge(epoch)
    late = edited(honest.consumed, 0, valid_until=EPOCH - 1)
    yield amended("l15-expired-and-consumed", 15, 0, epoch, consumed=late)
    late = edited(honest.left, 1, valid_until=EPOCH - 1)
    yield amended("l15-expired-and-left", 15, len(honest.consumed) + 1, epoch, left=late)


def balances() -> Iterator[Violation]:
    epoch = plain_epoch()
    honest = forge(epoch)
    orders, vaults = len(honest.orders), len(honest.vaults)
    owed = honest.consumed["budget"][:4][honest.consumed["pay"][:4] == 0].sum()
    poor = honest.vaults.copy()
    poor["balance"][0, 0] = owed - 1
    yield amended("l16-one-unit-short", 16, 3, epoch, vaults=poor)
    vault, asset = _gains(honest)
    rich = honest.vaults.copy()
    rich["balance"][vault, asset] = BALANCE_MAX
    yield amended("l16-balance-beyond-63-bits", 16, orders + vault, epoch, vaults=rich)
    after, held = honest.inventory_after, epoch.opening.pool.inventory
    asset = next(i for i, (q, r) in enumerate(zip(held, after, strict=True)) if r < q)
    drained = _shifted(epoch, asset, -after[asset] - 1)
    index = orders + vaults + asset
    yield Violation("l16-pool-one-unit-short", 16, index, lambda: forge(drained))


def _gains(witness: Witness) -> tuple[int, int]:
    """A vault and an asset of which it receives more than it pays."""
    places = np.cumsum(~same_as_previous(witness.consumed["owner"])) - 1
    net = np.zeros((len(witness.vaults), witness.n), dtype=np.int64)
    filled = witness.paid > 0
    rows = witness.consumed[filled]
    np.subtract.at(net, (places[filled], rows["pay"]), witness.paid[filled].astype(np.int64))
    received = witness.amounts["received"][filled].astype(np.int64)
    np.add.at(net, (places[filled], rows["receive"]), received)
    vault, asset = np.argwhere(net > 0)[0]
    return int(vault), int(asset)


def _shifted(epoch: Epoch, asset: int, by: int) -> Epoch:
    """The epoch with inventory, target and bounds of one asset moved together."""
    opening = epoch.opening
    pool, params = opening.pool, opening.params

    def moved(values: tuple[int, ...]) -> tuple[int, ...]:
        return replaced(values, asset, values[asset] + by)

    return with_opening(
        epoch,
        pool=replace(pool, balances=moved(pool.balances)),
        params=replace(
            params,
            target=moved(params.target),
            q_min=moved(params.q_min),
            q_max=moved(params.q_max),
        ),
    )


def nothing_received() -> Iterator[Violation]:
    epoch = plain_epoch()
    rows, pbar = epoch.batch.orders.rows, epoch.opening.reference.pbar
    cheap = min(range(len(pbar)), key=lambda i: pbar[i])
    dear = max(range(len(pbar)), key=lambda i: pbar[i])
    at = int(np.flatnonzero(rows["kind"] == 2)[0])
    dust = edited(rows, at, kind=1, pay=cheap, receive=dear, budget=1)
    paid = np.insert(epoch.proposal.paid, kind1_place(rows, at), 1)
    yield of_order(epoch, 17, "l17-pays-and-receives-nothing", at, rows=dust, paid=paid)


def unequal_parts() -> Iterator[Violation]:
    """Two orders more at the price of a pair: the first gets less than the second."""
    epoch = plain_epoch()
    rows, paid = epoch.batch.orders.rows, epoch.proposal.paid
    net, _, shift = net_and_limit(epoch)
    at, k = full(epoch)
    vaults = epoch.opening.vaults
    rich = VaultTable(vaults.owners, vaults.nonces, vaults.balances + np.uint64(10_000))
    epoch = with_opening(epoch, vaults=rich)
    first, second = np.flatnonzero(rows["kind"] == 2)[:2].tolist()
    for name, better, left, given in (
        ("l20-nothing-for-the-first-of-two", 0, 0, 6_000),
        ("l20-one-unit-beyond-the-tolerance", 0, 1_024, 1_024 + 2 * 2 * 1_024 + 1),
        ("l20-the-better-limit-is-not-full", 1, 9_999, 1_000),
    ):
        changed, amounts = rows, paid
        for place, above in ((first, better), (second, 0)):
            terms = limit_equal_to(int(net[k]) - above, int(shift[k]))
            pair = {"pay": rows["pay"][at], "receive": rows["receive"][at]}
            changed = edited(changed, place, kind=1, budget=10_000, **pair, **terms)
            amount = left if place == first else given
            amounts = np.insert(amounts, kind1_place(changed, place), amount)
        index = int(rows["pay"][at]) * epoch.opening.params.n + int(rows["receive"][at])
        make = partial(forge, epoch, rows=changed, paid=amounts)
        yield Violation(name, 20, index, make)


def diffs() -> Iterator[Violation]:
    epoch = plain_epoch()
    rows = forge(epoch).diffs
    last = len(rows) - 1
    yield amended("l18-last-row-missing", 18, last, epoch, diffs=rows[:-1])
    more = np.append(rows, rows[-1:]).astype(rows.dtype)
    yield amended("l18-one-row-more", 18, last + 1, epoch, diffs=more)
    amount = edited(rows, last, amount=rows["amount"][last] + 1)
    yield amended("l18-one-unit-more-paid-out", 18, last, epoch, diffs=amount)
    for name, value in (("vault", 0), ("asset", 3), ("kind", 3), ("position", 0)):
        value += value == rows[name][last]
        other = edited(rows, last, **{name: value})
        yield amended(f"l18-other-{name}", 18, last, epoch, diffs=other)
    nonce = edited(rows, 0, new_nonce=rows["new_nonce"][0] + 1)
    yield amended("l18-other-nonce", 18, 0, epoch, diffs=nonce)


@cache
def violations() -> tuple[Violation, ...]:
    """All violations of L1 to L18 and of L20."""
    groups = (
        budget_laws, amount_laws, price_laws, ration_laws, other_global_laws, order_of_rows,
        nonces, expiries, balances, nothing_received, diffs, unequal_parts,
    )  # fmt: skip
    return tuple(violation for group in groups for violation in group())


def public_value_violations() -> Iterator[tuple[str, int, bytes]]:
    """(name, index, witness) of L19: one bit of each field flipped."""
    honest = plain_epoch().apply()
    at = 0
    values = honest.public_values.to_bytes()
    offsets = (
        0,
        8,
        24,
        32,
        40,
        72,
        104,
        136,
        168,
        200,
        232,
        264,
        272,
        280,
        312,
        328,
        344,
        360,
        376,
    )
    for index, (name, at) in enumerate(zip(FIELD_NAMES, offsets, strict=True)):
        flipped = bytearray(values)
        flipped[at] ^= 1
        yield f"l19-{name}", index, with_public_values(honest.witness, bytes(flipped))


__all__ = ["Violation", "encode_witness", "law_off", "public_value_violations", "violations"]
