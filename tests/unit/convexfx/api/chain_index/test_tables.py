"""States of receipts, one combination at a time, and how an order is shown."""

from typing import Any

import numpy as np
import pytest

from convexfx.api.answers.order_view import order_answer
from convexfx.api.chain_index.order_state import (
    OPEN,
    STATES,
    UNDECIDED,
    OrderFacts,
    OrderState,
)
from convexfx.api.chain_index.order_table import empty_table, receipts_table
from convexfx_core.encoding.parquet_table import Texts, write_table
from convexfx_core.orders.row import NO_ASSET
from convexfx_core.records.receipts import REASONS, RECEIPTS, Status, Then
from tests.support.api_world import DOMAIN

ORDER, CANCEL = 1, NO_ASSET
EUR = 1


def receipts(*rows: dict[str, Any], epoch: int = 3) -> bytes:
    """Receipts with defaults for what a row does not say."""
    count = len(rows)

    def numbers(name: str, kind: Any, default: int = 0) -> Any:
        return np.array([row.get(name, default) for row in rows], dtype=kind)

    def texts(name: str, default: str = "") -> Texts:
        found = [str(row.get(name, default)) for row in rows]
        names = tuple(dict.fromkeys(found))
        return Texts(np.array([names.index(text) for text in found], dtype=np.int32), names)

    keys = np.zeros((count, 32), dtype=np.uint8)
    keys[:, 0] = range(count)
    return write_table(
        RECEIPTS,
        {
            "epoch": np.full(count, epoch, dtype=np.uint64),
            "order_id": keys + np.uint8(100),
            "owner": keys,
            "nonce": numbers("nonce", np.uint64, 1),
            "pay": numbers("pay", np.uint16),
            "receive": numbers("receive", np.uint16, EUR),
            "budget": numbers("budget", np.uint64, 10),
            "status": texts("status", Status.FILLED),
            "reason": texts("reason"),
            "then": texts("then", Then.CONSUMED),
            "paid": numbers("paid", np.uint64),
            "received": numbers("received", np.uint64),
            "fee": numbers("fee", np.uint64),
            "filling_limit": texts("filling_limit"),
        },
    )


MATRIX = [
    (ORDER, Status.FILLED, Then.CONSUMED, "", "filled"),
    (ORDER, Status.PARTIAL, Then.CONSUMED, "marginal", "partial"),
    (ORDER, Status.PARTIAL, Then.CONSUMED, "rationed", "partial"),
    (ORDER, Status.UNFILLED, Then.CONSUMED, "limit", "unfilled"),
    (ORDER, Status.UNFILLED, Then.CONSUMED, "dust", "unfilled"),
    (ORDER, Status.UNFILLED, Then.CARRIED, "limit", "carried"),
    (ORDER, Status.UNFILLED, Then.CARRIED, "aborted", "carried"),
    (ORDER, Status.UNFILLED, Then.EXPIRED, "limit", "expired"),
    (ORDER, Status.UNFILLED, Then.EXPIRED, "aborted", "expired"),
    (ORDER, Status.PARKED, Then.CARRIED, "parked:NONCE_GAP", "parked"),
    (ORDER, Status.PARKED, Then.EXPIRED, "parked:INSUFFICIENT_BALANCE", "expired"),
    (ORDER, Status.REJECTED, Then.REFUSED, "rejected:NONCE_STALE", "rejected"),
    (ORDER, Status.REJECTED, Then.REFUSED, "rejected:CANCELLED", "cancelled"),
    (CANCEL, Status.CANCEL, Then.CONSUMED, "", "consumed"),
    (CANCEL, Status.CANCEL, Then.CARRIED, "", "carried"),
    (CANCEL, Status.CANCEL, Then.EXPIRED, "", "expired"),
    (CANCEL, Status.PARKED, Then.CARRIED, "parked:NONCE_GAP", "parked"),
    (CANCEL, Status.REJECTED, Then.REFUSED, "rejected:NONCE_STALE", "rejected"),
    (CANCEL, Status.REJECTED, Then.REFUSED, "rejected:CANCELLED", "rejected"),
]


@pytest.mark.parametrize(("receive", "status", "then", "reason", "state"), MATRIX)
def test_the_state_of_one_receipt(
    receive: int, status: Status, then: Then, reason: str, state: str
) -> None:
    row = {"receive": receive, "status": status, "then": then, "reason": reason}
    [found] = [receipts_table(receipts(row), 3).facts(0)]
    assert (str(found.state), found.reason) == (state, reason or None)


def test_the_states_of_all_of_them_at_once() -> None:
    names = ("receive", "status", "then", "reason")
    rows = [dict(zip(names, case[:4], strict=True)) for case in MATRIX]
    table = receipts_table(receipts(*rows), 3)
    assert [str(table.facts(place).state) for place in range(len(table))] == [
        case[4] for case in MATRIX
    ]
    counts = table.counts()
    assert sum(counts.values()) == len(MATRIX)
    assert counts["expired"] == 4


def test_the_reasons_used_here_are_those_of_receipts() -> None:
    assert {case[3] for case in MATRIX} <= set(REASONS)


def test_every_state_is_open_or_final_and_the_undecided_are_open() -> None:
    assert UNDECIDED < OPEN < set(STATES)
    for state in OrderState:
        facts = OrderFacts(bytes(32), bytes(32), 1, 0, EUR, 1, state, in_chain=True)
        assert facts.final == (state not in OPEN)


def test_amounts_and_limits_of_a_receipt() -> None:
    row = {"paid": 7, "received": 6, "fee": 1, "filling_limit": "1.25", "nonce": 9, "budget": 8}
    table = receipts_table(receipts({}, row), 3)
    plain, found = table.facts(0), table.facts(1)
    assert (found.paid, found.received, found.fee) == (7, 6, 1)
    assert (found.filling_limit, plain.filling_limit) == ("1.25", None)
    assert (found.nonce, found.budget, found.epoch, found.in_chain) == (9, 8, 3, True)
    assert found.order_id[0] == 101
    assert found.owner[0] == 1


def test_rows_that_are_taken_keep_their_outcomes() -> None:
    rows = ({"then": Then.CARRIED, "status": Status.UNFILLED, "reason": "limit"}, {"paid": 5}, {})
    table = receipts_table(receipts(*rows), 3)
    carried = table.take(table.in_states(frozenset({OrderState.CARRIED})))
    assert len(carried) == 1
    assert carried.facts(0) == table.facts(0)
    none = table.take(table.in_states(frozenset()))
    assert (len(none), none.counts()) == (0, {})
    assert len(empty_table(3)) == 0
    assert empty_table(3).of_owner(bytes(32)) == []


def test_a_filled_order_is_shown_in_units_and_base_units() -> None:
    facts = OrderFacts(
        bytes(range(32)), bytes(32), 4, 0, EUR, 1_500_000, OrderState.PARTIAL, epoch=2,
        reason="marginal", paid=1_000_001, received=900_000, fee=270, in_chain=True,
    )  # fmt: skip
    shown = order_answer(facts, DOMAIN.registry)
    assert shown.fill is not None
    assert (shown.fill.paid, shown.fill.received, shown.fill.fee) == (
        "1.000001", "0.900000", "0.000270",
    )  # fmt: skip
    assert (shown.fill.paid_base_units, shown.fill.fee_base_units) == ("1000001", "270")
    assert (shown.budget, shown.budget_base_units) == ("1.500000", "1500000")
    assert (shown.kind, shown.pay_asset, shown.receive_asset) == ("order", "USD", "EUR")
    assert shown.final


def test_a_cancel_is_shown_without_a_receive_asset() -> None:
    facts = OrderFacts(bytes(32), b"\1" * 32, 4, 2, NO_ASSET, 0, OrderState.QUEUED)
    shown = order_answer(facts, DOMAIN.registry)
    assert (shown.kind, shown.pay_asset, shown.receive_asset) == ("cancel", "JPY", None)
    assert (shown.fill, shown.final, shown.epoch) == (None, False, None)


def test_an_order_known_by_its_id_alone_is_shown_without_what_is_not_known() -> None:
    facts = OrderFacts(bytes(32), b"", 0, 0, 0, 0, OrderState.REJECTED, reason="rejected:EXPIRED")
    shown = order_answer(facts, DOMAIN.registry)
    assert shown.state == shown.status == "rejected"
    assert shown.final
    hidden = ("kind", "owner", "nonce", "pay_asset", "receive_asset", "budget", "fill")
    assert [getattr(shown, name) for name in hidden] == [None] * len(hidden)
