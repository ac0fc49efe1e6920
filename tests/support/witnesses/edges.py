"""Witnesses at the very edge of a law, on both sides, and with the largest numbers there are.

Some epochs here are made backwards (``tests/differential/laws/extremes.py``): prices and fills
first, then the parameters for which they are right.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from convexfx_core.errors import ExecutionError, LawViolated
from convexfx_core.identity import OwnerId
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.limits import NONCE_MAX
from convexfx_core.units import log_ratio
from convexfx_core.witness.layout import Witness, encode_witness
from tests.differential.laws import edges
from tests.differential.laws.extremes import extreme
from tests.differential.laws.retellings import cancelling, dealt_anew, exact, hopeless
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.clearing_cases import Shape
from tests.support.witnesses.epochs import (
    Epoch,
    epoch_of,
    plain_epoch,
    rationed_epoch,
    rationed_reject_epoch,
    reject_epoch,
)
from tests.support.witnesses.exact import exact_cases
from tests.support.witnesses.forge import seal_without, verdict
from tests.support.witnesses.limits import beyond, in_range
from tests.support.witnesses.malformed import le, spliced

ONE = 1 << 64
HUGE = 1 << 125
EXTREME_SEEDS = (4, 5, 7, 9, 12, 20, 23, 31, 36, 42, 57, 63)


class Edge(NamedTuple):
    """A witness with its verdict; ``law`` None where every law holds."""

    name: str
    data: bytes
    law: int | None
    index: int | None


def told_of(epoch: Epoch) -> Told:
    """An epoch as it is told."""
    return Told(epoch.opening, epoch.batch.orders.rows, epoch.proposal)


def holding(name: str, told: Told | Witness) -> Edge:
    """A witness that holds, public values included."""
    witness = witness_of(told) if isinstance(told, Told) else told
    return Edge(name, sealed(witness), None, None)


def breaking(name: str, law: int, told: Told | Witness) -> Edge:
    """A witness that breaks ``law``, sealed as if the law did not exist where that is possible."""
    witness = witness_of(told) if isinstance(told, Told) else told
    try:
        data = seal_without(witness, law)
    except (LawViolated, ExecutionError):
        data = encode_witness(witness)
    found = verdict(data)
    assert found is not None
    assert found[0] == law, (name, found)
    return Edge(name, data, *found)


PAIRS = (
    (1, edges.at_the_budget, plain_epoch, 0),
    (2, edges.at_the_limit, plain_epoch, 0),
    (4, edges.barely_in_the_money, plain_epoch, 0),
    (5, edges.at_the_minimum, plain_epoch, 0),
    (7, edges.at_the_band, plain_epoch, 0),
    (7, edges.at_the_band, plain_epoch, 2),
    (9, edges.off_target, plain_epoch, 0),
    (9, edges.off_target, plain_epoch, 3),
    (10, edges.near_its_bound, rationed_epoch, 0),
    (11, edges.rejected_for_reason, reject_epoch, 0),
    (11, edges.rejected_for_reason, rationed_reject_epoch, 0),
    (11, edges.rejected_for_reason, rationed_reject_epoch, 1),
    (10, edges.near_its_bound, rationed_reject_epoch, 1),
    (12, edges.at_the_bound, plain_epoch, 0),
    (12, edges.at_the_bound, plain_epoch, 1),
    (16, edges.at_the_balance, plain_epoch, 0),
    (16, edges.at_the_top, plain_epoch, 0),
    (16, edges.emptied, plain_epoch, 0),
)
"""Law, the edge, where it is looked for, seed of the choice of order and asset."""


def both_sides() -> Iterator[Edge]:
    """One unit inside each law, and one unit beyond it."""
    for law, edge, epoch, seed in PAIRS:
        two = _found(edge, told_of(epoch()), seed)
        inside, beyond = two if _first_holds(two[0]) else two[::-1]
        name = f"{edge.__name__}-{epoch.__name__.removesuffix('_epoch')}-{seed}".replace("_", "-")
        yield holding(f"edge-l{law:02}-{name}", inside)
        yield breaking(f"l{law:02}-beyond-{name}", law, beyond)


def _found(edge: edges.Edge, told: Told, seed: int) -> list[Told | Witness]:
    """Both sides, for the first choice from ``seed`` on that there is an edge for."""
    for choice in range(seed, seed + 50):
        try:
            return list(edge(np.random.default_rng(choice), told))
        except edges.NothingToSay:
            continue
    raise AssertionError(edge)


def _first_holds(told: Told | Witness) -> bool:
    witness = witness_of(told) if isinstance(told, Told) else told
    found = verdict(encode_witness(witness))
    return found is not None and found[0] == 19


def largest_numbers() -> Iterator[Edge]:
    """The last epoch, shard, nonces and times that the fields hold."""
    told, rng = told_of(plain_epoch()), np.random.default_rng(1)
    rows, vaults, last = told.rows.copy(), told.opening.vaults, (1 << 64) - 1
    rows["valid_until"] = np.where(rows["valid_until"] > 0, np.uint64(last), 0)
    own = np.array([np.count_nonzero(vaults.find(rows["owner"]) == v) for v in range(len(vaults))])
    before = np.uint64(NONCE_MAX) - own.astype(np.uint64)
    rows["nonce"] += (before - vaults.nonces)[vaults.find(rows["owner"])]
    top = told.opened(
        epoch=last,
        shard=last,
        pool=replace(told.opening.pool, nonce=NONCE_MAX, owner=OwnerId(bytes(32))),
        reference=replace(told.opening.reference, as_of_s=last),
        vaults=VaultTable(vaults.owners, before, vaults.balances),
    )
    yield holding("valid-last-numbers", replace(top, rows=rows))
    yield holding("valid-owners-alike", _alike(rng, told))
    yield holding("valid-nothing-to-spare", exact(rng, told))
    yield holding("valid-hopeless-orders", hopeless(rng, cancelling(rng, told)))


def _alike(rng: np.random.Generator, told: Told) -> Told:
    """Owners that differ in their last word only."""
    while True:
        other = dealt_anew(rng, told)
        if (
            len(np.unique(other.rows["owner"][:, 2]))
            == 1
            < len(np.unique(other.rows["owner"][:, 3]))
        ):
            return other


def many_rows() -> Iterator[Edge]:
    """More than two chunks of orders and more than one of vaults; the most assets."""
    shape = Shape(assets=3, orders=140, gross=60.0)
    yield holding("valid-three-chunks", told_of(epoch_of(shape, 3, vaults=90, cancels=3)))
    most = extreme(np.random.default_rng(64), 64, 6)
    yield holding("valid-64-assets", most)


def extremes() -> Iterator[Edge]:
    """Prices, budgets, risk, depths and cuts of any size."""
    for seed in EXTREME_SEEDS:
        rng = np.random.default_rng([seed, 3])
        yield holding(f"valid-extreme-{seed:02}", extreme(rng, 2 + seed % 5, 3 + seed % 7))


def second_zero() -> Iterator[Edge]:
    """L0: the eight terms of the logarithm are zero again at 2.3 times the price."""
    reference = plain_epoch().opening.reference
    low, high = 2 * reference.pbar[1], 3 * reference.pbar[1]
    while high - low > 1:
        middle = (low + high) // 2
        positive = log_ratio(middle, reference.pbar[1]) > 0
        low, high = (middle, high) if positive else (low, middle)
    data = spliced(3, 16 + 48 + 32, le(low, 16))
    yield Edge("l00-s03-band-at-the-second-zero", data, 0, 3)


def exactly() -> Iterator[Edge]:
    """Numbers that are exactly a bound, and one more."""
    for name, law, told in exact_cases():
        if law is None:
            yield holding(f"exact-{name}", told)
        else:
            yield breaking(f"l{law:02}-exact-{name}", law, told)


def limits() -> Iterator[Edge]:
    """Fields at the ends of their ranges, and beyond them."""
    for name, told in in_range():
        yield holding(f"limit-{name}", told)
    for name, section, data in beyond():
        yield Edge(f"l00-s{section:02}-beyond-{name}", data, 0, section)


def edge_vectors() -> Iterator[Edge]:
    """All of them."""
    groups = (second_zero, limits, both_sides, exactly, largest_numbers, many_rows, extremes)
    for group in groups:
        yield from group()
