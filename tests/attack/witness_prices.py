"""Attacks on prices, bands, rations, rejects and the gap."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.limits import VALUE_MAX
from convexfx_core.witness.layout import REJECT_DTYPE, encode_witness, with_public_values
from convexfx_core.witness.public_values import FIELD_NAMES
from tests.attack.witness_attack import Attack, amended, attack, forged, raw_attack, values_of
from tests.support.witnesses.epochs import only_cancels, plain_epoch, rationed_epoch, reject_epoch
from tests.support.witnesses.forge import edited, forge, law_off, put, verdict, with_opening
from tests.support.witnesses.malformed import plain, rationed, spliced
from tests.support.witnesses.violations import first, outside_its_band, replaced


def bands() -> Iterator[Attack]:
    family, epoch = "price outside its band", only_cancels()
    reference = epoch.opening.reference
    for asset in range(1, len(reference.pbar)):
        for name, price in (
            ("one unit above", reference.phi[asset] + 1),
            ("one unit below", reference.plo[asset] - 1),
            ("far above", reference.phi[asset] + (reference.phi[asset] >> 12)),
        ):
            witness = outside_its_band(epoch, asset, price)
            yield attack(family, f"asset {asset} {name}", 7, asset, witness)
    for price in ((1 << 64) + 1, (1 << 64) - 1):
        witness = forge(epoch, prices=replaced(epoch.proposal.prices, 0, price))
        yield attack(family, f"numeraire at {price}", 7, 0, witness)


def overflows() -> Iterator[Attack]:
    """Flow that is said to be beyond the band, to excuse a price."""
    family, epoch = "false overflow", only_cancels()
    zeros = (0,) * len(epoch.proposal.prices)
    for asset in range(1, len(zeros)):
        for value in (1, -1, 1 << 70):
            witness = forge(epoch, overflow=replaced(zeros, asset, value))
            yield attack(family, f"asset {asset} by {value}", 8, asset, witness)
    witness = forge(epoch, overflow=replaced(zeros, 0, 1))
    yield attack(family, "numeraire", 8, 0, witness)


def price_rules() -> Iterator[Attack]:
    """A price that the inventory does not ask for, inside the band."""
    family, epoch = "price off its rule", only_cancels()
    prices = epoch.proposal.prices
    for asset in range(1, len(prices)):
        for by in (prices[asset] >> 35, -(prices[asset] >> 35)):
            moved = replaced(prices, asset, prices[asset] + by)
            witness = forge(epoch, prices=moved)
            yield attack(family, f"asset {asset} by {by}", 9, asset, witness)


def bounds() -> Iterator[Attack]:
    family, epoch = "inventory bound", plain_epoch()
    after, held = forge(epoch).inventory_after, epoch.opening.pool.inventory
    params = epoch.opening.params
    for asset, (before, now) in enumerate(zip(held, after, strict=True)):
        low, high = params.q_min, params.q_max
        if now > before:
            high = replaced(high, asset, now - 1)
        elif now < before:
            low = replaced(low, asset, now + 1)
        tight = with_opening(epoch, params=replace(params, q_min=low, q_max=high))
        if now != before:
            yield attack(family, f"asset {asset} by one unit", 12, asset, forge(tight))


def rations() -> Iterator[Attack]:
    """Cuts that favour somebody."""
    family, epoch = "ration for the operator", rationed_epoch()
    ration, rows = epoch.proposal.ration, epoch.batch.orders.rows
    assert ration is not None
    n, paid = len(ration.omega), epoch.proposal.paid
    cut = np.flatnonzero((paid > 0) & (paid < ration.demanded))
    places = np.flatnonzero(rows["kind"] == 1)
    for k in cut.tolist():
        at = int(places[k])
        for by in (1, -1):
            other = put(paid, k, int(paid[k]) + by)
            yield forged(family, 10, f"order {k} cut by {-by} more", epoch, at, n, paid=other)
    for asset, omega in enumerate(ration.omega):
        params = epoch.opening.params
        if omega > 0:
            low = replaced(params.q_min, asset, params.q_min[asset] - 10**12)
            loose = with_opening(epoch, params=replace(params, q_min=low))
            yield attack(family, f"asset {asset} not at its bound", 10, asset, forge(loose))
        else:
            worse = replace(ration, omega=replaced(ration.omega, asset, 1 << 20))
            witness = forge(epoch, ration=worse)
            yield attack(family, f"asset {asset} said to bind", 10, asset, witness)
    at, k = first(epoch, lambda orders, paid: (paid > 0) & (paid < orders["budget"] // 2))
    over = replace(ration, demanded=put(ration.demanded, k, int(rows["budget"][at]) + 1))
    data = encode_witness(forge(epoch, ration=over))
    yield raw_attack(family, "demands more than its budget", 9, data)
    unfilled = int(np.flatnonzero(ration.demanded == 0)[0])
    phantom = replace(ration, demanded=put(ration.demanded, unfilled, 10**9))
    witness = forge(epoch, ration=phantom)
    found = forged(
        family, 2, "demand out of the money", epoch, int(places[unfilled]), ration=phantom
    )
    assert witness.omega is not None
    yield found


def rejections() -> Iterator[Attack]:
    """Orders that the operator would like to reject."""
    family, epoch = "reject for the operator", reject_epoch()
    rows, rejected = epoch.batch.orders.rows, epoch.proposal.rejected
    places = np.flatnonzero(rows["kind"] == 1)
    for k in rejected.tolist():
        at = int(places[k])
        for least in (0, 1):
            changed = edited(rows, at, min_fill=least)
            name = f"order {k} with a minimum of {least}"
            yield forged(family, 11, name, epoch, at, rows=changed)
    epoch = plain_epoch()
    rows, paid = epoch.batch.orders.rows, epoch.proposal.paid
    places = np.flatnonzero(rows["kind"] == 1)
    for k in np.flatnonzero(paid)[:6].tolist():
        for kind in (1, 2):
            witness = forge(
                epoch,
                paid=put(paid, k, 0),
                rejected=np.array([k]),
                reject_kinds=np.array([kind], np.uint8),
            )
            at = np.flatnonzero(
                (witness.orders["owner"] == rows["owner"][places[k]]).all(axis=1)
                & (witness.orders["nonce"] == rows["nonce"][places[k]])
            )[0]
            with law_off(11):
                found = verdict(encode_witness(witness))
            law = 9 if found is not None and found[0] == 9 else 11
            index = found[1] if law == 9 and found is not None else int(at)
            yield attack(family, f"order {k} rejected as kind {kind}", law, index, witness)
    honest = forge(plain_epoch())
    for kind in (0, 3):
        rows = np.array([(0, kind)], REJECT_DTYPE)
        data = encode_witness(replace(honest, rejects=rows))
        yield raw_attack(family, f"an unknown kind {kind}", 10, data)


def gaps() -> Iterator[Attack]:
    """Quality claimed better than it is."""
    family, data = "gap understated", plain()
    values = values_of(data)
    for name, value in (
        ("gap", 0),
        ("gap", values.gap - 1),
        ("inventory_risk", values.inventory_risk - 1),
        ("price_tracking", 0),
        ("fill_incentive", values.fill_incentive - 1),
        ("total", values.total - 1),
    ):
        if getattr(values, name) == value:
            value += 1
        claimed = replace(values, **{name: value}).to_bytes()
        forged_data = with_public_values(data, claimed)
        index = FIELD_NAMES.index(name)
        yield Attack(family, f"{name} as {value}", 19, index, (), forged_data, False)


def multiplications() -> Iterator[Attack]:
    """The largest operand in every product."""
    family, honest, n = "overflow", forge(plain_epoch()), plain_epoch().opening.params.n
    top = b"\xff" * 16
    for asset in range(n):
        for name, section, at in (
            ("target", 1, 16 + 72 * asset + 8),
            ("depth", 1, 16 + 72 * asset + 56),
        ):
            data = spliced(section, at, top[:15] + b"\x7f")
            found = verdict(data)
            assert found is not None
            yield Attack(family, f"{name} of asset {asset}", *found, (), data, False)
        for at in (16 * asset,):
            yield raw_attack(family, f"price of asset {asset}", 6, spliced(6, at, top))
    fees = 16 + 72 * n
    risk = fees + 8 * n * n
    for name, at, part in (
        ("fee", fees + 8, b"\xff" * 8),
        ("risk", risk + 16 * (n + 1), top[:15] + b"\x7f"),
        ("inverse", risk + 16 * n * n + 16 * (n + 1), top[:15] + b"\x7f"),
    ):
        yield raw_attack(family, name, 1, spliced(1, at, part))
    for at in range(3):
        data = spliced(3, 16 + 48 + 16 * at, top)
        yield raw_attack(family, f"reference price {at}", 3, data)
    for name, amount in (("paid", (1 << 64) - 1), ("paid", (1 << 62))):
        k = int(np.flatnonzero(honest.paid)[0])
        witness = replace(honest, paid=put(honest.paid, k, amount))
        yield attack(family, f"{name} {amount}", 1, k, witness)
    for name in ("received", "fee"):
        k = int(np.flatnonzero(honest.paid)[0])
        amounts = edited(honest.amounts, k, **{name: (1 << 64) - 1})
        witness = replace(honest, amounts=amounts)
        yield attack(family, f"{name} 2^64 - 1", 3, k, witness)
    k = int(np.flatnonzero(honest.consumed["limit_kind"] == 1)[0])
    for name, value in (("budget", (1 << 64) - 1), ("min_fill", (1 << 64) - 1)):
        rows = edited(honest.consumed, k, **{name: value})
        yield raw_attack(family, name, 5, encode_witness(replace(honest, consumed=rows)))
    for value in (VALUE_MAX + 1, -VALUE_MAX - 1, (1 << 127) - 1, -(1 << 127)):
        data = encode_witness(replace(honest, overflow=replaced(honest.overflow, 1, value)))
        yield raw_attack(family, f"band overflow {value}", 8, data)
    for value in ((1 << 127) - 1, -(1 << 127)):
        after = replaced(honest.inventory_after, 1, value)
        yield attack(family, f"inventory {value}", 6, 1, amended(honest, inventory_after=after))
    yield from _omegas()


def _omegas() -> Iterator[Attack]:
    for value in (b"\xff" * 7 + b"\x7f", bytes(7) + b"\x80"):
        for asset in range(3):
            data = spliced(9, 8 * asset, value, rationed())
            found = verdict(data)
            assert found is not None
            yield Attack("overflow", f"omega of asset {asset} {value[7]}", *found, (), data, False)
