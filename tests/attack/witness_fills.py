"""Attacks on amounts: what is paid, received, kept back, or conjured up."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.orders.row import KIND_CANCEL
from convexfx_core.witness.layout import encode_sections, encode_witness
from tests.attack.witness_attack import Attack, amended, attack, filled, forged, raw_attack
from tests.support.witnesses.epochs import Epoch, plain_epoch
from tests.support.witnesses.forge import edited, forge, put
from tests.support.witnesses.malformed import resized, spliced
from tests.support.witnesses.violations import (
    limit_equal_to,
    net_and_limit,
    nothing_received,
    replaced,
    unequal_parts,
)

MILLION = 1_000_000


def the_five() -> Iterator[Attack]:
    """The witnesses that the reference's proof accepts."""
    family, honest = "the five", forge(plain_epoch())
    idle = int(np.flatnonzero((honest.paid == 0) & (honest.consumed["kind"] == 1))[0])
    gift = edited(honest.amounts, idle, received=MILLION)
    yield attack(family, "pays 0 receives a million", 3, idle, amended(honest, amounts=gift))
    minus = put(honest.paid, idle, (1 << 64) - 2 * MILLION)
    # Diff rows hold the negative amount as it is, and the pool "pays" it to the user.
    rows = honest.diffs.copy()
    rows["amount"][int(np.flatnonzero(rows["position"] == idle)[0])] = 2 * MILLION
    witness = replace(honest, paid=minus, diffs=rows)
    yield attack(family, "pays minus two million", 1, idle, witness)
    tiny = put(honest.paid, idle, 1)
    thousand = edited(honest.amounts, idle, received=1_000)
    witness = amended(honest, paid=tiny, amounts=thousand)
    yield attack(family, "pays 1 receives 1,000", 2, idle, witness)
    k = filled(honest)[0]
    hidden = edited(honest.consumed, k, receive=honest.n)
    witness = replace(honest, consumed=hidden)
    yield raw_attack(family, "an asset that no inventory lists", 5, encode_witness(witness))
    yield raw_attack(family, "everything empty", 0, encode_sections([b""] * 14))
    yield raw_attack(family, "no assets at all", 1, spliced(1, 8, bytes(8)))
    yield raw_attack(family, "no numeraire price", 6, spliced(6, 0, bytes(16)))


def marginal_friends() -> Iterator[Attack]:
    """At the price: all for one of two equal limits, or for the worse of two."""
    for case in unequal_parts():
        yield attack("friend at the margin", case.name, case.law, case.index, case.make())


def from_nowhere() -> Iterator[Attack]:
    family, honest = "amount from nowhere", forge(plain_epoch())
    for k in filled(honest)[:6]:
        more = edited(honest.amounts, k, received=honest.amounts["received"][k] + MILLION)
        yield attack(family, f"order {k} gets more", 3, k, amended(honest, amounts=more))
    for k in np.flatnonzero(honest.consumed["kind"] == KIND_CANCEL).tolist():
        gift = edited(honest.amounts, k, received=MILLION)
        yield attack(family, f"cancel {k} gets something", 3, k, amended(honest, amounts=gift))
        lost = edited(honest.amounts, k, fee=1)
        yield attack(family, f"cancel {k} pays a fee", 3, k, amended(honest, amounts=lost))
    for asset in range(honest.n):
        for by in (1, -1, 1 << 40):
            after = replaced(honest.inventory_after, asset, honest.inventory_after[asset] + by)
            witness = amended(honest, inventory_after=after)
            yield attack(family, f"inventory of {asset} by {by}", 6, asset, witness)


def siphon() -> Iterator[Attack]:
    """One unit here, one unit there: the rule is a floor for everybody."""
    family, honest = "rounding siphon", forge(plain_epoch())
    for k in filled(honest)[:8]:
        received, fee = (int(x) for x in honest.amounts[k])
        for name, amounts in (
            ("rounded up out of the fee", {"received": received + 1, "fee": fee - 1}),
            ("rounded down into the fee", {"received": received - 1, "fee": fee + 1}),
            ("rounded down and gone", {"received": received - 1}),
            ("no fee", {"received": received + fee, "fee": 0}),
        ):
            changed = amended(honest, amounts=edited(honest.amounts, k, **amounts))
            yield attack(family, f"order {k} {name}", 3, k, changed)
    every = honest.amounts.copy()
    every["received"][filled(honest)] += 1
    first = filled(honest)[0]
    yield attack(family, "every order by one", 3, first, amended(honest, amounts=every))


def limits() -> Iterator[Attack]:
    family, epoch = "limit broken by one unit", plain_epoch()
    rows = epoch.batch.orders.rows
    net, _, shift = net_and_limit(epoch)
    for k, at in _filled_rows(epoch):
        terms = limit_equal_to(int(net[k]) + 1, int(shift[k]))
        changed = edited(rows, at, **terms)
        yield forged(family, 2, f"order {k}", epoch, at, rows=changed)


def _filled_rows(epoch: Epoch) -> list[tuple[int, int]]:
    """(kind-1 position, batch row) of the filled orders."""
    places = np.flatnonzero(epoch.batch.orders.rows["kind"] == 1)
    return [(int(k), int(places[k])) for k in np.flatnonzero(epoch.proposal.paid)]


def budgets() -> Iterator[Attack]:
    family, epoch = "more than the budget", plain_epoch()
    rows, paid = epoch.batch.orders.rows, epoch.proposal.paid
    for k, at in _filled_rows(epoch)[:6]:
        budget = int(rows["budget"][at])
        over = put(paid, k, budget + 1)
        yield forged(family, 1, f"order {k} by one", epoch, at, paid=over)


def left_out() -> Iterator[Attack]:
    """Orders in the money that the operator would rather not fill."""
    family, epoch = "in the money and unfilled", plain_epoch()
    rows, paid = epoch.batch.orders.rows, epoch.proposal.paid
    net, limit, _ = net_and_limit(epoch)
    for k, at in _filled_rows(epoch):
        if int(net[k]) - int(limit[k]) <= int(limit[k]) >> 38:
            continue
        less = put(paid, k, int(rows["budget"][at]) - 1)
        yield forged(family, 4, f"order {k} short by one", epoch, at, paid=less)
        none = put(paid, k, 0)
        yield forged(family, 4, f"order {k} not at all", epoch, at, paid=none)


def minimum_fills() -> Iterator[Attack]:
    family, epoch = "minimum fill", plain_epoch()
    rows = epoch.batch.orders.rows
    net, _, shift = net_and_limit(epoch)
    for k, at in _filled_rows(epoch)[:8]:
        paid = int(epoch.proposal.paid[k])
        terms = limit_equal_to(int(net[k]), int(shift[k]))
        short = edited(rows, at, budget=paid + 1, min_fill=paid + 1, **terms)
        yield forged(family, 5, f"order {k} one unit short", epoch, at, rows=short)


def dust() -> Iterator[Attack]:
    """Fills so small that the floor rule gives nothing for them."""
    for case in nothing_received():
        yield attack("pays and receives nothing", case.name, case.law, case.index, case.make())


def hidden_assets() -> Iterator[Attack]:
    family, honest = "hidden asset", forge(plain_epoch())
    for section in (2, 3, 8):
        row = {2: 64, 3: 48, 8: 32}[section]
        data = resized(section, -row)
        yield raw_attack(family, f"section {section} without its last asset", section, data)
    for k in filled(honest)[:4]:
        for name in ("pay", "receive"):
            outside = edited(honest.consumed, k, **{name: honest.n})
            data = encode_witness(replace(honest, consumed=outside))
            yield raw_attack(family, f"order {k} with an unlisted {name} asset", 5, data)
    for place in range(len(honest.pairs)):
        kept = np.delete(honest.pairs, place)
        data = encode_witness(replace(honest, pairs=kept))
        yield raw_attack(family, f"pair {place} without a rate", 6, data)


def rates() -> Iterator[Attack]:
    """A rate of one's own for one pair."""
    family, honest = "own rate", forge(plain_epoch())
    for place in range(0, len(honest.pairs), 2):
        rate, shift = int(honest.pairs["rate"][place]), int(honest.pairs["shift"][place])
        for name, value in (("rate", rate + 1), ("rate", rate - 1), ("shift", shift + 1)):
            pairs = edited(honest.pairs, place, **{name: value})
            data = encode_witness(replace(honest, pairs=pairs))
            yield raw_attack(family, f"{name} of pair {place} is {value}", 6, data)
