"""Lawful witnesses that are not about the epoch that they are shown for.

No law stands against them, so a verifier has to: by the first public value that is not the one it
derives itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from convexfx_core.encoding.key_columns import canonical_order
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.market.assets import Registry
from convexfx_core.orders.row import KIND_ORDER, MANTISSA_MAX
from convexfx_core.witness.public_values import FIELD_NAMES, PublicValues
from tests.differential.laws.retellings import cancelling
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.witnesses.forge import edited
from tests.support.witnesses.violations import replaced


class Statement(NamedTuple):
    """Another true statement: its witness, and the public values that it proves."""

    name: str
    witness: bytes
    values: PublicValues

    def differing(self, honest: PublicValues) -> list[str]:
        """Fields that are not those of the honest epoch, in the order of the bytes."""
        mine, theirs = self.values.to_json(), honest.to_json()
        return [name for name in FIELD_NAMES if mine.get(name) != theirs.get(name)]


def statements(told: Told) -> Iterator[Statement]:
    """Other true statements that an operator might show for a lawful epoch."""
    for name, other in (*_of_another_time(told), *_of_another_state(told), *_of_other_inputs(told)):
        witness = sealed(witness_of(other))
        yield Statement(name, witness, PublicValues.from_bytes(witness[-392:]))


def _of_another_time(told: Told) -> Iterator[tuple[str, Told]]:
    opening = told.opening
    ends = told.rows["valid_until"]
    last = int(ends[ends > 0].min(initial=(1 << 64) - 1))
    yield "an epoch far ahead", told.opened(epoch=min(last, opening.epoch + 5_000))
    yield "the last epoch", told.opened(epoch=last)
    if opening.epoch > 1:
        yield "an epoch before", told.opened(epoch=opening.epoch - 1)
    yield "another shard", told.opened(shard=opening.shard + 1)
    yield "another network", told.opened(network_id=bytes(32))


def _of_another_state(told: Told) -> Iterator[tuple[str, Told]]:
    pool, vaults = told.opening.pool, told.opening.vaults
    more = replaced(pool.balances, 0, pool.balances[0] + 1)
    fees = replaced(pool.fees_accrued, 0, pool.fees_accrued[0] + 1)
    # One more of both: the inventory, and so the prices, stay as they are.
    yield "more fees", told.opened(pool=replace(pool, balances=more, fees_accrued=fees))
    yield "another pool nonce", told.opened(pool=replace(pool, nonce=pool.nonce + 1))
    yield "another pool", told.opened(pool=replace(pool, owner=bytes(31) + b"\1"))
    balances = vaults.balances.copy()
    balances[:, 0] += np.uint64(1)
    richer = VaultTable(vaults.owners, vaults.nonces, balances)
    yield "richer vaults", told.opened(vaults=richer)
    place = vaults.find(told.rows["owner"])
    rows, nonces = told.rows.copy(), vaults.nonces.copy()
    nonces[place[0]] += 1
    rows["nonce"][place == place[0]] += 1
    later = VaultTable(vaults.owners, nonces, vaults.balances)
    yield "a vault one nonce on", replace(told.opened(vaults=later), rows=rows)


def _of_other_inputs(told: Told) -> Iterator[tuple[str, Told]]:
    params, reference = told.opening.params, told.opening.reference
    rng = np.random.default_rng(5)
    wide = replaced(params.q_max, 1, params.q_max[1] + 1)
    yield "wider bounds", told.opened(params=replace(params, q_max=wide))
    deep = replaced(params.depth, 1, params.depth[1] + (1 << 60))
    yield "deeper markets", told.opened(params=replace(params, depth=deep))
    assets = list(told.opening.registry.assets)
    assets[1] = replace(assets[1], id="FAKE")
    yield "an asset by another name", told.opened(registry=Registry(tuple(assets)))
    later = replace(reference, as_of_s=reference.as_of_s + 60)
    yield "prices of another time", told.opened(reference=later)
    narrow = replaced(reference.phi, 1, max(reference.pbar[1], told.proposal.prices[1]))
    yield "a narrower band", told.opened(reference=replace(reference, phi=narrow))
    filled = np.flatnonzero(told.rows["kind"] == KIND_ORDER)[told.proposal.paid > 0]
    terms = edited(told.rows, int(filled[0]), valid_until=told.opening.epoch + 99)
    yield "other terms", replace(told, rows=terms)
    yield "an order that nobody sent", _with_another(told)
    hair = replaced(told.proposal.prices, 1, told.proposal.prices[1] + 1)
    yield "a price a hair away", told.proposed(prices=hair)
    yield "cancels that nobody sent", cancelling(rng, told)


def _with_another(told: Told) -> Told:
    """A hopeless order more, of an owner who has no other: it is left, and moves nothing."""
    first = int(np.flatnonzero(told.rows["kind"] == KIND_ORDER)[0])
    row = edited(told.rows[first : first + 1], 0, nonce=1, limit_kind=1, limit_e=-192)
    row["owner"], row["limit_m"] = 1, MANTISSA_MAX
    rows = np.concatenate([told.rows, row]).astype(told.rows.dtype)
    rows = rows[canonical_order(rows["owner"], rows["nonce"])]
    at = int(np.flatnonzero((rows["owner"] == row["owner"]).all(axis=1))[0])
    place = int(np.count_nonzero(rows["kind"][:at] == KIND_ORDER))
    paid = np.insert(told.proposal.paid, place, np.uint64(0))
    return replace(told, rows=rows).proposed(paid=paid)
