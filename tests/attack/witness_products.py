"""The largest operands in every product of the laws, with claims that follow if it wraps around.

What a program with 64 or 128 bits would believe: each attack is what such a program would accept,
or, where the product only enters the public values, what it would claim.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from convexfx_core.limits import AMOUNT_MAX
from convexfx_core.market.reference import Reference
from convexfx_core.orders.row import MANTISSA_MAX
from convexfx_core.settlement.proposal import Ration
from convexfx_core.units import log_ratio
from convexfx_core.witness.layout import with_public_values
from convexfx_core.witness.public_values import FIELD_NAMES
from tests.attack.witness_attack import Attack, attack, values_of
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.witnesses.epochs import number_nonces, vaults_for
from tests.support.witnesses.exact import (
    HUGE,
    ONE,
    WIDE,
    gap_of,
    hopeless,
    incentive_of,
    orders,
    params_at,
    told_at,
)
from tests.support.witnesses.forge import edited, rediffed

FAMILY = "overflow of a product"
TOP = (1 << 63) - 1


def products() -> Iterator[Attack]:
    """Every product of the laws."""
    yield from _of_amounts()
    yield from _of_rations()
    yield from _of_price_rules()
    yield from _of_objectives()
    yield from _of_balances()


def _of_amounts() -> Iterator[Attack]:
    """Paid R and paid Rn: received what is left of 2^64 and more."""
    for name, pbar, paid in (
        ("2^64 of it", 1 << 110, 1 << 18),
        ("2^64 and one unit", (1 << 110) + (1 << 64), 1 << 18),
        ("2^102 of it", 1 << 110, 1 << 56),
        ("2^63 of it", 1 << 110, 1 << 17),
    ):
        params, reference = params_at((ONE, ONE, pbar))
        rows = orders({"pay": 2, "receive": 1, "budget": 1})
        witness = witness_of(told_at(params, reference, rows, [1], held=TOP))
        received = (paid * pbar >> 64) % (1 << 64)
        changed = replace(
            witness,
            consumed=edited(witness.consumed, 0, budget=paid),
            paid=np.array([paid], np.uint64),
            amounts=edited(witness.amounts, 0, received=received),
        )
        yield attack(FAMILY, f"paid times rate, {name}", 3, 0, changed)


def _of_rations() -> Iterator[Attack]:
    """Demanded R; demanded times what a cut leaves; rho times omega, rho's own products."""
    params, reference = params_at((ONE, ONE, ONE << 10))
    rows = orders({"pay": 2, "receive": 1, "budget": 1 << 60})
    none = told_at(params, reference, rows, [0])
    held, ration = none.opening.pool.inventory, Ration((0, 0, -(1 << 40)), rows["budget"])
    for name, flow in (("64 bits", (1 << 70) % (1 << 64)), ("63 bits", (1 << 70) % (1 << 63))):
        bounded = replace(
            none.opening.params,
            target=(held[0], held[1] - flow, held[2] + (1 << 60)),
            q_max=(WIDE, WIDE, held[2]),
            risk=((0,) * 3, (0, 1 << 60, 0), (0,) * 3),
        )
        said = none.opened(params=bounded).proposed(ration=ration)
        yield attack(FAMILY, f"demanded times rate in {name}", 9, 1, witness_of(said))
    params, reference = params_at((ONE, ONE, ONE))
    budget = 1 << 50
    rows = orders({"pay": 1, "receive": 2, "budget": budget})
    for name, omega, paid in (
        ("demand times the rest in 64 bits", -(1 << 20), (budget << 40) % (1 << 64) >> 40),
        ("rho times omega in 64 bits", -(1 << 62), budget),
        ("omega as an unsigned number", -1, 0),
    ):
        said = told_at(params, reference, rows, [budget])
        ration = Ration((0, omega, 0), said.proposal.paid)
        bounded = replace(said.opening.params, q_max=(WIDE, -WIDE, WIDE))
        said = said.opened(params=bounded).proposed(ration=ration, paid=np.array([paid], np.uint64))
        after = witness_of(said).inventory_after
        bound = replace(bounded, q_max=(WIDE, max(after[1], 1 << 40), WIDE))
        yield attack(FAMILY, name, 10, 3, witness_of(said.opened(params=bound)))
    params, reference = params_at((ONE, HUGE, HUGE))
    rows = orders({"pay": 1, "receive": 2, "budget": 8})
    said = told_at(params, reference, rows, [8])
    ration, held = Ration((0, -(1 << 40), 0), said.proposal.paid), said.opening.pool.inventory
    bound = replace(said.opening.params, q_max=(WIDE, held[1] + 8, WIDE))
    whole = said.opened(params=bound).proposed(ration=ration)
    yield attack(FAMILY, "price times price in 256 bits", 10, 3, witness_of(whole))


def _of_price_rules() -> Iterator[Attack]:
    """Inventory off target times price; risk times value; what neither moves a wrapped price by."""
    for bits in (64, 128, 192):
        params, reference = params_at((ONE, HUGE), 1 << 40)
        off = 1 << (bits - 125 if bits > 125 else 2)
        said = told_at(params, reference, hopeless(0), [], off)
        yield attack(FAMILY, f"off target times price in {bits} bits", 9, 1, witness_of(said))
    for risk, off in (
        (1 << 64, 1 << 64),
        (1 << 79, 1 << 49),
        (1 << 79, 1 << 79),
        (1 << 60, 1 << 68),
    ):
        params, reference = params_at((ONE, ONE), risk)
        for sign in (1, -1):
            said = told_at(params, reference, hopeless(0), [], sign * off)
            name = f"risk {risk.bit_length()} times value {sign * off.bit_length()}"
            yield attack(FAMILY, name, 9, 1, witness_of(said))
    for pbar, off in ((HUGE, 1 << 126), (HUGE, -(1 << 126)), (ONE, (1 << 126) + (1 << 80))):
        params, reference = params_at((ONE, pbar))
        said = told_at(params, reference, hopeless(0), [], off)
        name = f"value off target of {(abs(off) * pbar >> 64).bit_length()} bits, {off > 0}"
        yield attack(FAMILY, name, 9, 1, witness_of(said))


def _claims(name: str, told: Told, field: str, bits: int) -> Iterator[Attack]:
    """A lawful epoch that claims of a field only what is left of it in so many bits."""
    data = sealed(witness_of(told))
    values = values_of(data)
    value = getattr(values, field)
    wrapped = value % (1 << bits)
    if value < 0:
        wrapped -= 1 << bits
    if wrapped == value:
        wrapped = 0
    claimed = with_public_values(data, replace(values, **{field: wrapped}).to_bytes())
    yield Attack(FAMILY, name, 19, FIELD_NAMES.index(field), (), claimed, False)


def _of_objectives() -> Iterator[Attack]:
    """H r r, the ridge, turnover, W LOG^2, X G X, surplus times price."""
    yield from _claims("gap of 128 bits in 64", gap_of(1), "gap", 64)
    yield attack(FAMILY, "gap of 129 bits in 128", 9, 3, witness_of(gap_of(4)))
    for count in (1, 2, 8, 16):
        name = f"surplus of {count} orders times price"
        yield from _claims(name, incentive_of(count), "fill_incentive", 64)
    yield attack(FAMILY, "incentive of 128 bits", 9, 3, witness_of(incentive_of(18)))
    told = _deep(1 << 48)
    for field in ("price_tracking", "inventory_risk", "total"):
        for bits in (32, 64):
            yield from _claims(f"{field} in {bits} bits", told, field, bits)
    yield from _claims("H times residuals in 64 bits", _residual(), "gap", 64)


def _deep(risk: int) -> Told:
    """A price near the edge of the widest band, with depth behind it and risk that asks for it."""
    params, _ = params_at((ONE, ONE), risk)
    high = ONE + (1 << 59) - (1 << 55)
    reference = Reference(1, (ONE, ONE), (ONE, ONE), (ONE, high))
    params = replace(params, band=(0, 300_000_000), depth=(0, (1 << 60)))
    off = -(log_ratio(high, ONE) << 48) // risk
    return told_at(params, reference, hopeless(0), [], off).proposed(prices=(ONE, high))


def _residual() -> Told:
    """A residual of 2^32 on the greatest H."""
    params, reference = params_at((ONE, ONE), 1 << 79, (1 << 112) - 1)
    return told_at(params, reference, hopeless(0), [], 1)


def _of_balances() -> Iterator[Attack]:
    """Budgets of a vault that sum up to 2^64 and more."""
    params, reference = params_at((ONE, ONE, ONE))
    for count in (2, 3, 4, 5, 8):
        terms = {"pay": 1, "receive": 2, "budget": AMOUNT_MAX, "limit_kind": 1}
        never = {**terms, "limit_m": MANTISSA_MAX, "limit_e": -192}
        some = {"pay": 1, "receive": 2, "budget": 1 << 40}
        rows = orders(*([never] * count), some)
        told = told_at(params, reference, rows, [0] * count + [1 << 40])
        rows = told.rows.copy()
        rows["owner"] = rows["owner"][0]
        rows, before = number_nonces(rows)
        vaults = vaults_for(rows[-1:], before, 3, (count * AMOUNT_MAX) % (1 << 63))
        said = replace(told.opened(vaults=vaults), rows=rows)
        # A vault that holds 2^63 - 1 cannot pay three budgets of 2^62 - 1.
        poor = witness_of(said).vaults.copy()
        poor["balance"][0, 1] = min(TOP, count * AMOUNT_MAX + (1 << 40) - 1) if count < 3 else TOP
        witness = rediffed(replace(witness_of(said), vaults=poor))
        index = min(count, 2)
        yield attack(FAMILY, f"{count} budgets of 62 bits in a vault", 16, index, witness)
