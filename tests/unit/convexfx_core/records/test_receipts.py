"""Receipts: what became of every candidate, why, and what would have filled it."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convexfx_core.admission.book import Batch, admit
from convexfx_core.clearing import propose
from convexfx_core.encoding.parquet_table import Texts, read_table
from convexfx_core.errors import CodecError, ParkCode, RejectCode
from convexfx_core.identity import Address
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.terms import limit_from_ratio
from convexfx_core.records.receipts import (
    REASONS,
    Clearing,
    Receipts,
    Status,
    Then,
    read_receipts,
    receipts_of,
    write_receipts,
)
from convexfx_core.records.tables import STATE_DIFFS, write_state_diffs
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.fill_reasons import (
    FillReason,
    fill_reasons,
    filling_limit,
    filling_limits,
)
from convexfx_core.settlement.proposal import Proposal, Ration, RejectKind
from convexfx_core.settlement.settle import settle
from convexfx_core.transition import EpochResult, apply_epoch
from convexfx_core.witness.build import clearing_case
from tests.support.epoch_cases import (
    EPOCH,
    POOL_OWNER,
    Sketch,
    opening_of,
    owner,
    params_of_three,
    reference_of_three,
    sealed,
)

UNITS = 10**6
RICH = (10**12, 10**12, 10**12)


def limit_at(ratio: str) -> tuple[int, int]:
    """Mantissa and exponent of a limit ratio between assets of six decimals."""
    exponent, mantissa = limit_from_ratio(Decimal(ratio), 6, 6)
    return mantissa, exponent


# -- reasons -----------------------------------------------------------------------------------


def case_of(*sketches: Sketch) -> ClearingCase:
    """A clearing case at the reference prices."""
    params = params_of_three()
    return ClearingCase(params, reference_of_three(params), RICH, sealed(*sketches).rows)


def proposal_of(case: ClearingCase, *paid: int, **changes: Any) -> Proposal:
    """A proposal at the reference prices that nobody checks."""
    proposal = Proposal(
        prices=case.reference.pbar,
        paid=np.array(paid, dtype=np.uint64),
        overflow=(0, 0, 0),
        ration=None,
        rejected=np.array([], dtype=np.int64),
        reject_kinds=np.array([], dtype=np.uint8),
        iterations=1,
        step_norm_y=0.0,
        step_norm_alpha=0.0,
        solver="test",
    )
    return replace(proposal, **changes)


def reasons_of(case: ClearingCase, proposal: Proposal) -> list[str]:
    found = fill_reasons(case, proposal, settle(case, proposal))
    return [FillReason(code).text for code in found]


def test_a_whole_fill_has_no_reason() -> None:
    case = case_of(Sketch(1, 1, budget=1_000))
    assert reasons_of(case, proposal_of(case, 1_000)) == [""]


def test_one_unit_less_has_one() -> None:
    case = case_of(Sketch(1, 1, budget=1_000))
    assert reasons_of(case, proposal_of(case, 999)) == ["marginal"]
    assert reasons_of(case, proposal_of(case, 0)) == ["marginal"]


def test_out_of_the_money() -> None:
    """EUR costs 1.1 and the fee; the limit that just fills is not below it, one ulp less is."""
    case = case_of(Sketch(1, 1, budget=1_000))
    exact = filling_limits(case, settle(case, proposal_of(case, 0)))[0, 1]
    inside = case_of(Sketch(1, 1, budget=1_000, limit=limit_at(str(exact))))
    outside = case_of(Sketch(1, 1, budget=1_000, limit=limit_at(str(exact - Decimal("1e-11")))))
    assert reasons_of(inside, proposal_of(inside, 0)) == ["marginal"]
    assert reasons_of(outside, proposal_of(outside, 0)) == ["limit"]


def test_at_the_limit_to_the_last_unit_is_at_the_price() -> None:
    """A limit that accepts exactly this net rate, and one that wants one unit more."""
    case = case_of(Sketch(1, 1, budget=1_000))
    settlement = settle(case, proposal_of(case, 0))
    net, shift = int(settlement.net_rate[0, 1]), int(settlement.shift[0, 1])
    grow = 63 - net.bit_length()
    for more, reason in ((0, "marginal"), (1, "limit")):
        limit = ((net + more) << grow, shift + grow)
        at = case_of(Sketch(1, 1, budget=1_000, limit=limit))
        assert int(settle(at, proposal_of(at, 0)).limit_rate[0]) == net + more
        assert reasons_of(at, proposal_of(at, 0)) == [reason]


def test_a_budget_that_would_receive_nothing_is_dust() -> None:
    """One base unit of EUR is worth one of USD; of JPY it is worth none until 150 of them."""
    dust, enough = Sketch(1, 1, budget=149, pay=2, receive=0), Sketch(1, 1, budget=150, pay=2)
    case = case_of(dust, replace(enough, receive=0), Sketch(1, 1, budget=1, pay=1, receive=0))
    assert reasons_of(case, proposal_of(case, 0, 0, 0)) == ["dust", "marginal", "marginal"]


def test_out_of_the_money_is_said_before_dust() -> None:
    case = case_of(Sketch(1, 1, budget=1, pay=2, receive=0, limit=limit_at("100")))
    assert reasons_of(case, proposal_of(case, 0)) == ["limit"]


def test_an_order_cut_by_rationing() -> None:
    case = case_of(*(Sketch(1, n, budget=1_000) for n in (1, 2, 3, 4)))
    ration = Ration((0, 1, 0), np.array([1_000, 1_000, 600, 600], dtype=np.uint64))
    proposal = proposal_of(case, 700, 1_000, 420, 600, ration=ration)
    assert reasons_of(case, proposal) == ["rationed", "", "rationed", "marginal"]


def test_without_demand_there_is_nothing_to_cut() -> None:
    case = case_of(Sketch(1, 1, budget=1_000, limit=limit_at("0.5")))
    ration = Ration((0, 1, 0), np.array([0], dtype=np.uint64))
    assert reasons_of(case, proposal_of(case, 0, ration=ration)) == ["limit"]


@pytest.mark.parametrize("kind", list(RejectKind))
def test_a_rejected_minimum_fill(kind: RejectKind) -> None:
    case = case_of(Sketch(1, 1, budget=1_000, min_fill=900), Sketch(1, 2, budget=1_000))
    proposal = proposal_of(
        case, 0, 0, rejected=np.array([0]), reject_kinds=np.array([kind], dtype=np.uint8)
    )
    assert reasons_of(case, proposal) == ["min_fill", "marginal"]


def test_no_orders_have_no_reasons() -> None:
    case = case_of()
    assert reasons_of(case, proposal_of(case)) == []


# -- the limit that would have filled ----------------------------------------------------------


def test_the_limit_of_an_even_rate_is_the_price() -> None:
    """A net rate of exactly one half: two pay units for one."""
    assert filling_limit(1 << 61, 62, 6, 6) == 2
    assert filling_limit(1 << 61, 62, 6, 8) == 200
    assert filling_limit(1 << 61, 62, 8, 6) == Decimal("0.02")


def test_a_limit_is_rounded_up_to_twelve_digits() -> None:
    third = filling_limit(3 << 60, 60, 6, 6)
    assert third == Decimal("0.333333333334")


def test_only_pairs_that_orders_use_have_one() -> None:
    case = case_of(Sketch(1, 1, budget=1_000), Sketch(1, 2, budget=1_000, pay=2, receive=1))
    limits = filling_limits(case, settle(case, proposal_of(case, 0, 0)))
    assert set(limits) == {(0, 1), (2, 1)}
    assert limits[0, 1] == pytest.approx(Decimal("1.1003300990"), abs=Decimal("1e-9"))


# -- a whole epoch -----------------------------------------------------------------------------


def candidates() -> SealedOrders:
    """Every fate that does not need rationing, in three vaults."""
    return sealed(
        Sketch(1, 1, budget=1_000 * UNITS, limit=limit_at("1.2")),
        Sketch(1, 2, budget=1_000 * UNITS, limit=limit_at("1.0"), valid_until=9),
        Sketch(1, 3, budget=1_000 * UNITS),
        Sketch(1, 4, budget=10, limit=limit_at("1.0"), valid_until=9),
        Sketch(2, 1, cancel=True),
        Sketch(2, 2, budget=1, pay=2, receive=0),
        Sketch(3, 2, valid_until=9),
        Sketch(3, 3),
        Sketch(3, 1, valid_until=2),
    )


@cache
def epoch() -> tuple[Opening, Batch, Proposal, EpochResult]:
    opening = opening_of(dict.fromkeys((1, 2, 3), (0, RICH)))
    batch = admit(candidates(), opening)
    proposal = propose(clearing_case(opening, batch.orders.rows), kernels="numpy")
    return opening, batch, proposal, apply_epoch(opening, batch, proposal)


def settled() -> Receipts:
    opening, batch, proposal, result = epoch()
    case = clearing_case(opening, batch.orders.rows)
    return receipts_of(batch, Clearing(case, proposal, result.settlement, result.consumed))


def by_place(receipts: Receipts) -> dict[tuple[int, int], dict[str, Any]]:
    """Facts by (vault, nonce)."""
    vaults = {owner(k).hex(): k for k in (1, 2, 3)}
    facts = [receipts.facts(k) for k in range(len(receipts))]
    return {(vaults[f["owner"]], f["nonce"]): f for f in facts}


def test_every_candidate_has_one_receipt_in_canonical_order() -> None:
    receipts = settled()
    facts = [receipts.facts(k) for k in range(len(receipts))]
    places = [(f["owner"], f["nonce"]) for f in facts]
    assert places == sorted(set(places))
    assert {f["order_id"] for f in facts} == {row.tobytes().hex() for row in candidates().order_ids}


@pytest.mark.parametrize(
    ("place", "status", "reason", "then"),
    [
        ((1, 1), Status.FILLED, None, Then.CONSUMED),
        ((1, 2), Status.UNFILLED, "limit", Then.CONSUMED),
        ((1, 3), Status.FILLED, None, Then.CONSUMED),
        ((1, 4), Status.UNFILLED, "limit", Then.CARRIED),
        ((2, 1), Status.CANCEL, None, Then.CONSUMED),
        ((2, 2), Status.UNFILLED, "dust", Then.EXPIRED),
        ((3, 1), Status.REJECTED, f"rejected:{RejectCode.EXPIRED}", Then.REFUSED),
        ((3, 2), Status.PARKED, f"parked:{ParkCode.NONCE_GAP}", Then.CARRIED),
        ((3, 3), Status.PARKED, f"parked:{ParkCode.BEHIND_PARKED}", Then.EXPIRED),
    ],
)
def test_fates(place: tuple[int, int], status: str, reason: str | None, then: str) -> None:
    facts = by_place(settled())[place]
    assert (facts["status"], facts["reason"], facts["then"]) == (status, reason, then)


def test_amounts_are_those_of_the_settlement() -> None:
    _, _, _, result = epoch()
    facts = by_place(settled())
    paid = [facts[1, n]["paid"] for n in (1, 2, 3)]
    received = sum(f["received"] for f in facts.values())
    assert paid == [1_000 * UNITS, 0, 1_000 * UNITS]
    assert received == int(result.fills.received.sum()) > 0
    assert sum(f["fee"] for f in facts.values()) == int(result.fills.fee.sum()) > 0


def test_only_orders_out_of_the_money_name_a_limit_that_would_have_filled() -> None:
    facts = by_place(settled())
    limits = {place: f["filling_limit"] for place, f in facts.items() if f["filling_limit"]}
    assert set(limits) == {(1, 2), (1, 4)}
    assert len(set(limits.values())) == 1


def test_the_named_limit_would_have_filled() -> None:
    """The same epoch with that limit: in the money, so marginal or filled, never ``limit``."""
    opening, batch, proposal, _ = epoch()
    limit = by_place(settled())[1, 2]["filling_limit"]
    case = clearing_case(opening, batch.orders.rows)
    changed = replace(case, orders=case.orders.copy())
    at = int(np.flatnonzero(fill_reasons(case, proposal, settle(case, proposal)) == 1)[0])
    mantissa, exponent = limit_at(limit)
    changed.orders["limit_m"][at], changed.orders["limit_e"][at] = mantissa, exponent
    assert fill_reasons(changed, proposal, settle(changed, proposal))[at] == FillReason.MARGINAL


def test_an_aborted_epoch_fills_nothing_and_carries_what_it_may() -> None:
    _, batch, _, _ = epoch()
    facts = by_place(receipts_of(batch, None))
    assert facts[1, 1]["reason"] == "aborted"
    assert {f["paid"] for f in facts.values()} == {0}
    carried = {place for place, f in facts.items() if f["then"] == Then.CARRIED}
    assert carried == {(1, 2), (1, 4), (3, 2)}
    assert facts[3, 1]["then"] == Then.REFUSED
    assert "consumed" not in {f["then"] for f in facts.values()}


def test_an_order_that_moves_the_price_to_its_limit_is_filled_in_part() -> None:
    """Ten million euros for dollars at half a bp below the price, fee aside: about 1.3 are due."""
    ratio = 1 / Decimal("1.1") * (1 + Decimal("3.5e-4"))
    seller = Sketch(1, 1, budget=10**13, pay=1, receive=0, limit=limit_at(f"{ratio:.12f}"))
    opening = opening_of({1: (0, (0, 10**13, 0))})
    opening = replace(opening, pool=replace(opening.pool, balances=(10**14, 10**12, 10**14)))
    batch = admit(sealed(seller), opening)
    case = clearing_case(opening, batch.orders.rows)
    proposal = propose(case, kernels="numpy")
    result = apply_epoch(opening, batch, proposal)
    clearing = Clearing(case, proposal, result.settlement, result.consumed)
    facts = receipts_of(batch, clearing).facts(0)
    assert (facts["status"], facts["reason"], facts["then"]) == (
        Status.PARTIAL,
        "marginal",
        Then.CONSUMED,
    )
    assert 10**12 < facts["paid"] < 10**13
    assert facts["filling_limit"] is None


def test_no_candidates_have_no_receipts() -> None:
    batch = admit(SealedOrders.empty(), opening_of({}))
    assert len(receipts_of(batch, None)) == 0
    assert read_receipts(write_receipts(receipts_of(batch, None))) == []


def test_a_batch_of_cancels_only() -> None:
    opening = opening_of({1: (0, RICH)})
    batch = admit(sealed(Sketch(1, 1, cancel=True)), opening)
    case = clearing_case(opening, batch.orders.rows)
    proposal = propose(case, kernels="numpy")
    result = apply_epoch(opening, batch, proposal)
    receipts = receipts_of(batch, Clearing(case, proposal, result.settlement, result.consumed))
    assert receipts.facts(0)["status"] == Status.CANCEL
    assert receipts.facts(0)["then"] == Then.CONSUMED


def test_every_reason_fits_its_column() -> None:
    assert len(set(REASONS)) == len(REASONS)
    assert max(map(len, REASONS)) <= 32
    assert len(REASONS) < 256


def test_receipts_and_back() -> None:
    receipts = settled()
    data = write_receipts(receipts, {"manifest": "ab"})
    assert read_receipts(data) == [receipts.facts(k) for k in range(len(receipts))]


def test_a_changed_receipt_is_seen() -> None:
    table = pq.read_table(pa.BufferReader(write_receipts(settled())))
    at = table.schema.names.index("fee")
    more = pa.array([v + 1 for v in table.column(at).to_pylist()], pa.uint64())
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(at, table.schema.field(at), more), sink)
    with pytest.raises(CodecError, match="rows that hash to"):
        read_receipts(bytes(sink.getvalue()))


# -- state diffs as a table --------------------------------------------------------------------


def diff_table() -> list[dict[str, Any]]:
    """Rows of ``state_diffs.parquet`` of the epoch."""
    opening, batch, _, result = epoch()
    data = write_state_diffs(opening, batch, result, {"proposal": "cd"})
    columns = read_table(STATE_DIFFS, data, rows_max=100)
    plain = {
        name: values.texts() if isinstance(values, Texts) else list(np.asarray(values))
        for name, values in columns.items()
    }
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def test_there_is_a_row_for_each_diff() -> None:
    _, _, _, result = epoch()
    rows = diff_table()
    assert [int(row["position"]) for row in rows] == result.diffs["position"].tolist()
    assert [int(row["amount"]) for row in rows] == result.diffs["amount"].tolist()
    assert [int(row["new_nonce"]) for row in rows] == result.diffs["new_nonce"].tolist()
    assert {int(row["epoch"]) for row in rows} == {EPOCH}
    assert {row["operation"] for row in rows} == {"TokenDiffs"}


def test_per_token_the_diffs_sum_to_zero() -> None:
    sums: dict[str, int] = {}
    for row in diff_table():
        sums[row["token_id"]] = sums.get(row["token_id"], 0) + int(row["amount"])
    assert set(sums.values()) == {0}
    assert len(sums) == 2


def test_allowances_name_their_order_and_payouts_the_order_that_they_pay() -> None:
    facts = by_place(settled())
    ids = {f["order_id"]: f for f in facts.values()}
    rows = diff_table()
    assert {row["kind"] for row in rows} == {"allowance", "payout"}
    for row in rows:
        receipt = ids[row["order_id"].tobytes().hex()]
        assert receipt["then"] == Then.CONSUMED
        expected = receipt["received"] if row["kind"] == "payout" else receipt["paid"]
        assert abs(int(row["amount"])) == expected


def test_addresses_are_those_of_the_vaults_that_change() -> None:
    opening, _, _, _ = epoch()
    pool = str(Address(POOL_OWNER, opening.shard))
    users = {str(Address(owner(k), opening.shard)) for k in (1, 2)}
    assert {row["address"] for row in diff_table()} == {pool, *users}


def test_the_debited_vault_stands_first() -> None:
    opening, _, _, _ = epoch()
    pool = str(Address(POOL_OWNER, opening.shard))
    rows = [row for row in diff_table() if int(row["amount"]) != 0]
    for debit, credit in zip(rows[::2], rows[1::2], strict=True):
        assert int(debit["amount"]) == -int(credit["amount"]) < 0
        payer = credit if debit["kind"] == "allowance" else debit
        assert payer["address"] == pool
        assert {debit["address"], credit["address"]} > {pool}
        assert debit["asset"] == {"allowance": "USD", "payout": "EUR"}[debit["kind"]]
