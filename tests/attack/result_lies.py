"""Lies about a cleared batch: what is changed, in which batch, and the law that names it."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from convexfx_core.clear_files.batch import BatchFile
from convexfx_core.settlement.proposal import Proposal, Ration
from tests.attack.result_batches import Tree, cleared, parsed, resettled


class Tampering(NamedTuple):
    """One lie; ``make`` gives the tree of the result file that tells it."""

    name: str
    kind: str
    law: int
    make: Callable[[], Tree]


TAMPERINGS: list[Tampering] = []


def edit(name: str, kind: str, law: int) -> Callable[[Callable[[Tree], Any]], None]:
    """A lie told by editing the file alone."""

    def add(change: Callable[[Tree], Any]) -> None:
        def make() -> Tree:
            tree = deepcopy(cleared(kind).tree)
            change(tree)
            return tree

        TAMPERINGS.append(Tampering(name, kind, law, make))

    return add


def resettle(name: str, kind: str, law: int) -> Callable[[Callable[..., Proposal]], None]:
    """A lie whose amounts, inventories and reasons are all settled anew."""

    def add(change: Callable[[BatchFile, Proposal], Proposal]) -> None:
        def make() -> Tree:
            batch, tree = cleared(kind)
            return resettled(batch, change(batch, parsed(kind).proposal), tree)

        TAMPERINGS.append(Tampering(name, kind, law, make))

    return add


def bump(text: str, units: int) -> str:
    """A decimal string moved by units of its last digit."""
    number = Decimal(text)
    exponent = int(number.as_tuple().exponent)
    return format(number + Decimal(units).scaleb(exponent), "f")


def row(tree: Tree, status: str, reason: str | None = None) -> Tree:
    """First fill with a status and reason."""
    return next(f for f in tree["fills"] if (f["status"], f["reason"]) == (status, reason))


def position(batch: BatchFile, order_id: str) -> int:
    """Position of an order in the case."""
    return [batch.orders[k].id for k in batch.admitted].index(order_id)


def paying(batch: BatchFile, proposal: Proposal, order_id: str, paid: int) -> Proposal:
    """The proposal with one amount replaced."""
    column = proposal.paid.copy()
    column[position(batch, order_id)] = paid
    return replace(proposal, paid=column)


def budget_of(batch: BatchFile, order_id: str) -> int:
    """Budget in base units."""
    return int(batch.case.orders["budget"][position(batch, order_id)])


def first_id(kind: str, status: str, reason: str | None = None) -> str:
    """Id of the first fill with a status and reason."""
    return str(row(cleared(kind).tree, status, reason)["id"])


def with_price(proposal: Proposal, asset: int, price: int) -> Proposal:
    """The proposal with one price replaced."""
    return replace(
        proposal, prices=tuple(price if i == asset else p for i, p in enumerate(proposal.prices))
    )


def with_demand(batch: BatchFile, proposal: Proposal, order_id: str, amount: int) -> Proposal:
    """The proposal with one demanded amount replaced."""
    assert proposal.ration is not None
    column = proposal.ration.demanded.copy()
    column[position(batch, order_id)] = amount
    return replace(proposal, ration=Ration(proposal.ration.omega, column))


def rejecting(
    batch: BatchFile, proposal: Proposal, order_id: str, kind: int, paid: int = 0
) -> Proposal:
    """The proposal with one more order rejected."""
    at = position(batch, order_id)
    places = np.append(proposal.rejected, at)
    kinds = np.append(proposal.reject_kinds, np.uint8(kind))
    order = np.argsort(places)
    changed = replace(proposal, rejected=places[order], reject_kinds=kinds[order])
    return paying(batch, changed, order_id, paid)
