"""The witness of an epoch from its opening, its orders and what the clearing proposed.

``transition`` calls it between settlement and the laws. It copies and sorts, and checks nothing:
the laws judge the bytes that come of it, right or wrong. Layout: ``docs/spec.md`` section 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import take_rows
from convexfx_core.ledger.diffs import Fills, consumed_mask, diff_rows, touched_vaults
from convexfx_core.ledger.vaults import Opening, VaultTable, vault_dtype
from convexfx_core.market.params import params_to_bytes
from convexfx_core.market.reference import reference_to_bytes
from convexfx_core.orders.row import KIND_ORDER
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import Settlement
from convexfx_core.witness.layout import (
    AMOUNT_DTYPE,
    DEMAND_DTYPE,
    PAIR_DTYPE,
    REJECT_DTYPE,
    Witness,
)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A batch split by what its clearing did.

    Attributes
    ----------
    consumed : bool[K] over the batch's orders.
    fills : the consumed orders with their amounts.
    touched : their vaults before the epoch.
    """

    consumed: NDArray[np.bool_]
    fills: Fills
    touched: VaultTable


def clearing_case(opening: Opening, rows: NDArray[np.void]) -> ClearingCase:
    """The clearing problem of a batch: its kind-1 orders in the batch's sequence."""
    orders = take_rows(rows, rows["kind"] == KIND_ORDER)
    return ClearingCase(opening.params, opening.reference, opening.pool.inventory, orders)


def split_batch(
    opening: Opening, rows: NDArray[np.void], proposal: Proposal, settlement: Settlement
) -> Parts:
    """Split K order rows (canonical order) into consumed and left ones.

    Raises
    ------
    ExecutionError
        ``VAULT_MISSING`` if a consumed order's owner has no vault.
    """
    clears = rows["kind"] == KIND_ORDER
    paid, received, fee = (np.zeros(len(rows), dtype=np.uint64) for _ in range(3))
    paid[clears], received[clears] = proposal.paid, settlement.received
    fee[clears] = settlement.fee
    demanded = paid.copy()
    if proposal.ration is not None:
        demanded[clears] = proposal.ration.demanded
    consumed = consumed_mask(rows, demanded)
    fills = Fills(take_rows(rows, consumed), paid[consumed], received[consumed], fee[consumed])
    return Parts(consumed, fills, touched_vaults(opening.vaults, fills.rows))


def build_witness(
    opening: Opening,
    rows: NDArray[np.void],
    proposal: Proposal,
    settlement: Settlement,
    parts: Parts,
) -> Witness:
    """Witness of the epoch, its public values still zero."""
    index = _order_index(rows, parts.consumed)
    fills, vaults = (
        parts.fills,
        np.frombuffer(parts.touched.to_bytes(), vault_dtype(opening.params.n)),
    )
    amounts = np.empty(len(fills.rows), dtype=AMOUNT_DTYPE)
    amounts["received"], amounts["fee"] = fills.received, fills.fee
    rejects = np.empty(len(proposal.rejected), dtype=REJECT_DTYPE)
    rejects["order"], rejects["kind"] = index[proposal.rejected], proposal.reject_kinds
    return Witness(
        network_id=opening.network_id,
        shard=opening.shard,
        epoch=opening.epoch,
        params=params_to_bytes(opening.params),
        registry=opening.registry.to_bytes(),
        reference=reference_to_bytes(opening.reference),
        pool=opening.pool,
        vaults=vaults,
        consumed=fills.rows,
        left=take_rows(rows, ~parts.consumed),
        prices=proposal.prices,
        pairs=pair_rows(rows, settlement),
        paid=fills.paid,
        overflow=proposal.overflow,
        inventory_after=settlement.inventory_after,
        omega=None if proposal.ration is None else proposal.ration.omega,
        demanded=_demand_rows(rows, proposal, settlement, index),
        rejects=np.sort(rejects, order="order"),
        amounts=amounts,
        diffs=diff_rows(fills, opening.pool.nonce),
    )


def _order_index(rows: NDArray[np.void], consumed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Order index of the witness (consumed first) of each kind-1 order, in the batch's sequence."""
    index = np.empty(len(rows), dtype=np.int64)
    count = int(consumed.sum())
    index[consumed], index[~consumed] = np.arange(count), np.arange(count, len(rows))
    of_orders: NDArray[np.int64] = index[rows["kind"] == KIND_ORDER]
    return of_orders


def pair_rows(rows: NDArray[np.void], settlement: Settlement) -> NDArray[np.void]:
    """Rate rows of exactly the pairs that kind-1 orders use, strictly increasing."""
    n = len(settlement.shift)
    orders = take_rows(rows, rows["kind"] == KIND_ORDER)
    used = np.zeros(n * n, dtype=np.bool_)
    used[orders["pay"].astype(np.intp) * n + orders["receive"]] = True
    pair = np.flatnonzero(used)
    table = np.empty(len(pair), dtype=PAIR_DTYPE)
    table["pay"], table["receive"] = np.divmod(pair, n)
    table["shift"] = settlement.shift.reshape(-1)[pair]
    table["rate"] = settlement.rate.reshape(-1)[pair]
    return table


def _demand_rows(
    rows: NDArray[np.void],
    proposal: Proposal,
    settlement: Settlement,
    index: NDArray[np.int64],
) -> NDArray[np.void]:
    """Rows of section 9 behind omega, by order index; none in an epoch without rationing."""
    if proposal.ration is None:
        return np.empty(0, dtype=DEMAND_DTYPE)
    # Only demands that a verifier would not expect are listed; L0 refuses the usual ones.
    orders = take_rows(rows, rows["kind"] == KIND_ORDER)
    net = settlement.net_rate[orders["pay"].astype(np.intp), orders["receive"].astype(np.intp)]
    usual = np.where(net >= settlement.limit_rate, orders["budget"], np.uint64(0))
    usual[proposal.rejected] = 0
    unusual = proposal.ration.demanded != usual
    table = np.empty(int(unusual.sum()), dtype=DEMAND_DTYPE)
    table["order"], table["demanded"] = index[unusual], proposal.ration.demanded[unusual]
    return np.sort(table, order="order")
