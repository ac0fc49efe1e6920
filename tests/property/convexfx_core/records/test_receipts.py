"""Random epochs, really cleared: receipts, carry-over and diffs tell one and the same story."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.admission.book import Batch, admit
from convexfx_core.admission.carry import carry_over
from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.records.receipts import (
    Clearing,
    Receipts,
    read_receipts,
    receipts_of,
    write_receipts,
)
from convexfx_core.transition import EpochResult, apply_epoch
from convexfx_core.witness.build import clearing_case
from tests.support.epoch_cases import EPOCH, PRICES, Sketch, opening_of, sealed

RICH = (10**13, 10**13, 10**15)
VAULTS = 8
"""One more is drawn, which has no vault."""


@cache
def limit_near(pay: int, receive: int, bps: int) -> tuple[int, int]:
    """A limit some bps from the reference price, mantissa and exponent."""
    ratio = PRICES[receive] / PRICES[pay] * (1 + Decimal(bps) / 10_000)
    exponent, mantissa = limit_from_ratio(ratio, 6, 6)
    return mantissa, exponent


@st.composite
def orders(draw: st.DrawFn) -> Sketch:
    """Orders around the price, cancels, dust, orders that wait or are refused."""
    pay, receive = draw(st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]))
    bps = draw(st.sampled_from([None, -30, 0, 2, 3, 4, 30]))
    cancel = draw(st.sampled_from([False] * 5 + [True]))
    return Sketch(
        vault=draw(st.integers(1, VAULTS + 1)),
        nonce=draw(st.sampled_from([1, 1, 1, 1, 2, 2, 3])),
        budget=10 if cancel else draw(st.sampled_from([1, 140, 10**9, 10**12, 10**13, 10**13])),
        pay=pay,
        receive=receive,
        cancel=cancel,
        sealed=draw(st.sampled_from([EPOCH] * 5 + [EPOCH - 1])),
        valid_until=draw(st.sampled_from([0, EPOCH, EPOCH + 4])),
        limit=None if bps is None or cancel else limit_near(pay, receive, bps),
        salt=draw(st.integers(0, 1)),
    )


def cleared(book: list[Sketch]) -> tuple[Opening, Batch, Clearing, EpochResult] | None:
    """The epoch of a book; None where the clearing refuses it."""
    opening = opening_of(dict.fromkeys(range(1, VAULTS + 1), (0, RICH)))
    opening = replace(opening, pool=replace(opening.pool, balances=(10**14, 10**14, 10**16)))
    batch = admit(sealed(*book), opening)
    case = clearing_case(opening, batch.orders.rows)
    try:
        proposal = propose(case, kernels="numpy")
        result = apply_epoch(opening, batch, proposal)
    except ClearingRefused:
        return None
    clearing = Clearing(case, proposal, result.settlement, result.consumed)
    return opening, batch, clearing, result


def names(table: SealedOrders) -> set[str]:
    return {row.tobytes().hex() for row in table.order_ids}


def check_amounts(facts: dict[str, Any]) -> None:
    """Amounts, status and reason of one receipt fit each other."""
    paid, budget, reason = facts["paid"], facts["budget"], facts["reason"]
    if facts["status"] == "filled":
        assert (paid, reason) == (budget, None)
        assert facts["received"] > 0
    elif facts["status"] == "partial":
        assert 0 < paid < budget
        assert reason in ("marginal", "rationed")
    else:
        assert (paid, facts["received"], facts["fee"]) == (0, 0, 0)
    if facts["status"] == "unfilled":
        assert reason in ("limit", "marginal", "rationed", "min_fill", "dust")
    assert (facts["filling_limit"] is not None) == (reason == "limit")


@settings(max_examples=60, deadline=None)
@given(st.lists(orders(), max_size=24))
def test_receipts_tell_the_epoch(book: list[Sketch]) -> None:
    epoch = cleared(book)
    if epoch is None:
        return
    _, batch, clearing, result = epoch
    receipts: Receipts = receipts_of(batch, clearing)
    facts = [receipts.facts(k) for k in range(len(receipts))]
    assert {f["order_id"] for f in facts} == {sketch.order_id().hex() for sketch in book}
    assert len(facts) == len({f["order_id"] for f in facts})
    for entry in facts:
        check_amounts(entry)
    by_then = {then: {f["order_id"] for f in facts if f["then"] == then}
               for then in ("consumed", "carried", "expired", "refused")}  # fmt: skip
    carried = carry_over(batch, ~result.consumed)
    assert by_then["consumed"] == names(batch.orders.take(result.consumed))
    assert by_then["carried"] == names(carried.orders)
    assert by_then["expired"] == names(carried.expired)
    assert by_then["refused"] == names(batch.rejected.orders)
    for name in ("paid", "received", "fee"):
        assert sum(f[name] for f in facts) == int(getattr(result.fills, name).sum(dtype=object))
    assert read_receipts(write_receipts(receipts)) == facts


@settings(max_examples=40, deadline=None)
@given(st.lists(orders(), max_size=12), st.randoms(use_true_random=False))
def test_receipts_do_not_depend_on_the_sequence(book: list[Sketch], shuffler: Any) -> None:
    epoch = cleared(book)
    again = list(book)
    shuffler.shuffle(again)
    other = cleared(again)
    if epoch is None or other is None:
        assert epoch is other
        return
    one, two = (write_receipts(receipts_of(e[1], e[2])) for e in (epoch, other))
    assert one == two


@settings(max_examples=40, deadline=None)
@given(st.lists(orders(), max_size=12))
def test_an_aborted_epoch_ends_nothing_that_may_live(book: list[Sketch]) -> None:
    batch = admit(sealed(*book), opening_of(dict.fromkeys(range(1, VAULTS + 1), (0, RICH))))
    receipts = receipts_of(batch, None)
    carried = carry_over(batch, np.ones(len(batch.orders), dtype=np.bool_))
    facts = [receipts.facts(k) for k in range(len(receipts))]
    assert {f["order_id"] for f in facts if f["then"] == "carried"} == names(carried.orders)
    assert {f["order_id"] for f in facts if f["then"] == "expired"} == names(carried.expired)
    assert all(f["paid"] == 0 for f in facts)
