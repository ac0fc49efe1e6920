"""Admission, rule by rule, each beside its smallest neighbour."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from convexfx_core.admission.book import Batch, LeftOut, admit
from convexfx_core.admission.row_rules import amount_limits, expired, row_rejects
from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.ledger.vaults import Opening
from convexfx_core.limits import AMOUNT_MAX
from convexfx_core.market.reference import reference_from_prices
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.row import MANTISSA_MAX, MANTISSA_MIN
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.units import gross_rate, rate_shift
from tests.support.epoch_cases import (
    EPOCH,
    LIMIT_ONE,
    POOL_OWNER,
    Sketch,
    opening_of,
    owner,
    sealed,
)

RICH = (1 << 62, 1 << 62, 1 << 62)


def opening() -> Opening:
    """Vaults 1 to 3: nonce 0, a thousand of each asset."""
    return opening_of(dict.fromkeys((1, 2, 3), (0, (1000, 1000, 1000))))


def rich() -> Opening:
    return opening_of({1: (0, RICH)})


def fates(*sketches: Sketch, at: Opening | None = None) -> list[str]:
    """``ok``, ``duplicate`` or the code of each sketch, in the sequence given."""
    batch = admit(sealed(*sketches), at or opening())
    seen: dict[bytes, list[str]] = {}
    for row in batch.orders.order_ids:
        seen.setdefault(row.tobytes(), []).append("ok")
    for left in (batch.parked, batch.rejected):
        for k in range(len(left)):
            seen.setdefault(left.orders.order_ids[k].tobytes(), []).append(str(left.code(k)))
    found = []
    for sketch in sketches:
        fate = seen.get(sketch.order_id(), [])
        found.append(fate.pop(0) if fate else "duplicate")
    return found


# -- what a batch is ---------------------------------------------------------------------------


def test_nothing_at_all_is_an_empty_batch() -> None:
    batch = admit(SealedOrders.empty(), opening())
    assert (len(batch.orders), len(batch.parked), len(batch.rejected)) == (0, 0, 0)
    assert (batch.epoch, batch.duplicates) == (EPOCH, 0)


def test_orders_without_any_vault_wait() -> None:
    assert fates(Sketch(1, 1), Sketch(2, 2), at=opening_of({})) == [
        ParkCode.INSUFFICIENT_BALANCE,
        ParkCode.NONCE_GAP,
    ]


def test_the_batch_is_in_canonical_order_with_its_columns() -> None:
    sketches = [Sketch(v, n) for n in (2, 1) for v in (3, 1, 2)]
    candidates = sealed(*sketches)
    batch = admit(candidates, opening())
    expected = sorted(sketches, key=lambda s: (s.owner(), s.nonce))
    assert [row.tobytes() for row in batch.orders.order_ids] == [s.order_id() for s in expected]
    for k, sketch in enumerate(expected):
        at = sketches.index(sketch)
        assert batch.orders.payloads[k].tobytes() == candidates.payloads[at].tobytes()
        assert batch.orders.pub_keys[k].tobytes() == candidates.pub_keys[at].tobytes()
        assert batch.orders.rows[k] == candidates.rows[at]


def test_the_candidates_stay_as_they_were() -> None:
    candidates = sealed(Sketch(2, 1), Sketch(1, 1), Sketch(1, 1, salt=1))
    before = candidates.rows.tobytes() + candidates.order_ids.tobytes()
    admit(candidates, opening())
    assert candidates.rows.tobytes() + candidates.order_ids.tobytes() == before


# -- the same order twice ----------------------------------------------------------------------


def test_a_repeated_order_is_one_order() -> None:
    assert fates(Sketch(1, 1), Sketch(1, 1)) == ["ok", "duplicate"]
    batch = admit(sealed(*[Sketch(1, 1)] * 5), opening())
    assert (len(batch.orders), batch.duplicates) == (1, 4)


def test_of_two_copies_the_first_sealed_stays() -> None:
    """Whatever their signatures."""
    for late, early in ((0, 1), (1, 0)):
        batch = admit(
            sealed(
                Sketch(1, 1, valid_until=9, signature=late),
                Sketch(1, 1, valid_until=9, signature=early, sealed=EPOCH - 2),
            ),
            opening(),
        )
        assert batch.orders.sealed_epoch.tolist() == [EPOCH - 2]


def test_of_two_signatures_the_lower_stays() -> None:
    for signatures in ((3, 2), (2, 3)):
        batch = admit(sealed(*(Sketch(1, 1, signature=s) for s in signatures)), opening())
        assert batch.orders.signatures[0, 0] == 2


def test_a_copy_of_a_loser_is_a_duplicate_not_a_second_loser() -> None:
    first, second = sorted((Sketch(1, 1), Sketch(1, 1, salt=1)), key=Sketch.order_id)
    batch = admit(sealed(second, first, second), opening())
    assert (len(batch.rejected), batch.duplicates) == (1, 1)


# -- one nonce, several orders -----------------------------------------------------------------


def test_the_lowest_id_takes_the_nonce() -> None:
    first, second = sorted((Sketch(1, 1), Sketch(1, 1, salt=1)), key=Sketch.order_id)
    assert fates(second, first) == [RejectCode.NONCE_TAKEN, "ok"]


def test_the_first_sealed_takes_it_from_a_lower_id() -> None:
    low, high = sorted((Sketch(1, 1, valid_until=9), Sketch(1, 1, valid_until=9, salt=1)),
                       key=Sketch.order_id)  # fmt: skip
    assert fates(low, replace(high, sealed=EPOCH - 1)) == [RejectCode.NONCE_TAKEN, "ok"]


def test_a_cancel_takes_it_from_a_carried_order() -> None:
    carried = Sketch(1, 1, valid_until=9, sealed=EPOCH - 1)
    assert fates(carried, Sketch(1, 1, cancel=True)) == [RejectCode.CANCELLED, "ok"]


def test_a_cancel_takes_it_from_every_order() -> None:
    orders = [Sketch(1, 1, salt=k) for k in range(3)]
    expected = [*[RejectCode.CANCELLED] * 3, "ok"]
    assert fates(*orders, Sketch(1, 1, cancel=True)) == expected


def test_of_two_cancels_one_takes_it() -> None:
    first, second = sorted(
        (Sketch(1, 1, cancel=True), Sketch(1, 1, cancel=True, salt=1)), key=Sketch.order_id
    )
    assert fates(second, first) == [RejectCode.NONCE_TAKEN, "ok"]


def test_a_cancel_that_is_itself_refused_cancels_nothing() -> None:
    over = Sketch(1, 1, cancel=True, sealed=EPOCH - 1)
    assert fates(Sketch(1, 1), over) == ["ok", RejectCode.EXPIRED]


def test_a_cancel_of_another_nonce_or_vault_cancels_nothing() -> None:
    for cancel in (Sketch(1, 2, cancel=True), Sketch(2, 1, cancel=True)):
        assert fates(Sketch(1, 1), cancel) == ["ok", "ok"]


def test_a_refused_order_leaves_the_nonce_to_the_next_one() -> None:
    low, high = sorted((Sketch(1, 1), Sketch(1, 1, salt=1)), key=Sketch.order_id)
    assert fates(replace(low, sealed=EPOCH - 1), high) == [RejectCode.EXPIRED, "ok"]


# -- nonces in sequence ------------------------------------------------------------------------


def test_nonces_follow_the_vault_s() -> None:
    at = opening_of({1: (7, (1_000,) * 3)})
    assert fates(Sketch(1, 8), Sketch(1, 9), at=at) == ["ok", "ok"]


def test_a_used_nonce_is_stale() -> None:
    at = opening_of({1: (7, (1_000,) * 3)})
    assert fates(Sketch(1, 7), Sketch(1, 1), at=at) == [RejectCode.NONCE_STALE] * 2


def test_nonce_zero_is_stale_even_without_a_vault() -> None:
    assert fates(Sketch(1, 0), Sketch(9, 0)) == [RejectCode.NONCE_STALE] * 2
    assert fates(Sketch(1, 0), at=opening_of({})) == [RejectCode.NONCE_STALE]


def test_behind_a_gap_everything_waits() -> None:
    found = fates(Sketch(1, 1), Sketch(1, 3), Sketch(1, 4), Sketch(2, 1))
    assert found == ["ok", ParkCode.NONCE_GAP, ParkCode.BEHIND_PARKED, "ok"]


def test_the_late_order_closes_the_gap() -> None:
    parked = Sketch(1, 2, valid_until=9, sealed=EPOCH - 1)
    assert fates(parked) == [ParkCode.NONCE_GAP]
    assert fates(parked, Sketch(1, 1)) == ["ok", "ok"]


def test_a_refused_order_leaves_a_gap() -> None:
    found = fates(Sketch(1, 1, sealed=EPOCH - 1), Sketch(1, 2))
    assert found == [RejectCode.EXPIRED, ParkCode.NONCE_GAP]


def test_a_cancel_keeps_the_sequence() -> None:
    assert fates(Sketch(1, 1, cancel=True), Sketch(1, 2)) == ["ok", "ok"]


def test_the_largest_nonces_do_not_wrap() -> None:
    top = (1 << 64) - 1
    at = opening_of({1: (top - 1, (1_000,) * 3), 2: (0, (1_000,) * 3)})
    assert fates(Sketch(1, top), Sketch(2, top), at=at) == ["ok", ParkCode.NONCE_GAP]


# -- balances ----------------------------------------------------------------------------------


def test_budgets_up_to_the_balance_fit() -> None:
    assert fates(Sketch(1, 1, budget=400), Sketch(1, 2, budget=600)) == ["ok", "ok"]


def test_one_unit_more_waits() -> None:
    found = fates(Sketch(1, 1, budget=400), Sketch(1, 2, budget=601))
    assert found == ["ok", ParkCode.INSUFFICIENT_BALANCE]


def test_behind_it_everything_waits_even_what_would_fit() -> None:
    found = fates(Sketch(1, 1, budget=1_001), Sketch(1, 2, budget=1), Sketch(1, 3, cancel=True))
    assert found == [ParkCode.INSUFFICIENT_BALANCE, *[ParkCode.BEHIND_PARKED] * 2]


def test_each_asset_has_its_own_balance() -> None:
    found = fates(
        Sketch(1, 1, budget=1_000, pay=0),
        Sketch(1, 2, budget=1_000, pay=1, receive=0),
        Sketch(1, 3, budget=1, pay=0),
    )
    assert found == ["ok", "ok", ParkCode.INSUFFICIENT_BALANCE]


def test_each_vault_has_its_own_balance() -> None:
    assert fates(Sketch(1, 1, budget=1_000), Sketch(2, 1, budget=1_000)) == ["ok", "ok"]


def test_what_an_order_would_receive_does_not_count() -> None:
    """Balances are those before the epoch."""
    found = fates(Sketch(1, 1, budget=900, pay=1, receive=0), Sketch(1, 2, budget=1_001, pay=0))
    assert found == ["ok", ParkCode.INSUFFICIENT_BALANCE]


def test_a_cancelled_order_s_budget_does_not_count() -> None:
    found = fates(Sketch(1, 1, budget=900), Sketch(1, 1, cancel=True), Sketch(1, 2, budget=1_000))
    assert found == [RejectCode.CANCELLED, "ok", "ok"]


def test_sums_beyond_64_bits_are_exact() -> None:
    """Five budgets of 2^62 - 1 are above 2^64; the balance holds four."""
    balance = 4 * AMOUNT_MAX
    at = opening_of({1: (0, (balance, 0, 0))})
    orders = [Sketch(1, n, budget=AMOUNT_MAX, pay=0, receive=1) for n in range(1, 6)]
    assert fates(*orders, at=at) == [*["ok"] * 4, ParkCode.INSUFFICIENT_BALANCE]
    short = opening_of({1: (0, (balance - 1, 0, 0))})
    assert fates(*orders, at=short)[3] == ParkCode.INSUFFICIENT_BALANCE


def test_without_a_vault_even_a_cancel_waits() -> None:
    assert fates(Sketch(9, 1, cancel=True)) == [ParkCode.INSUFFICIENT_BALANCE]


def test_an_empty_vault_lets_a_cancel_through() -> None:
    at = opening_of({1: (0, (0, 0, 0))})
    found = fates(Sketch(1, 1, cancel=True), Sketch(1, 2, budget=1), at=at)
    assert found == ["ok", ParkCode.INSUFFICIENT_BALANCE]


# -- expiry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid_until", "sealed_epoch", "fate"),
    [
        (0, EPOCH, "ok"),
        (0, EPOCH - 1, RejectCode.EXPIRED),
        (EPOCH, EPOCH, "ok"),
        (EPOCH, EPOCH - 3, "ok"),
        (EPOCH - 1, EPOCH - 3, RejectCode.EXPIRED),
        (EPOCH - 1, EPOCH, RejectCode.EXPIRED),
        (EPOCH + 1_440, EPOCH, "ok"),
        (EPOCH + 1_441, EPOCH, RejectCode.EXPIRY_TOO_FAR),
        (EPOCH + 1_440, EPOCH - 1, RejectCode.EXPIRY_TOO_FAR),
        ((1 << 64) - 1, EPOCH, RejectCode.EXPIRY_TOO_FAR),
    ],
)
def test_expiry(valid_until: int, sealed_epoch: int, fate: str) -> None:
    assert fates(Sketch(1, 1, valid_until=valid_until, sealed=sealed_epoch)) == [fate]


def test_cancels_expire_as_orders_do() -> None:
    assert fates(Sketch(1, 1, cancel=True, sealed=EPOCH - 1)) == [RejectCode.EXPIRED]


def test_expired_is_said_for_the_epoch_asked() -> None:
    until, sealed_epoch = np.array([0, 6, 7], np.uint64), np.array([6, 1, 1], np.uint64)
    assert expired(until, sealed_epoch, 6).tolist() == [False, False, False]
    assert expired(until, sealed_epoch, 7).tolist() == [True, True, False]


# -- rows that could never be admitted ---------------------------------------------------------

GOOD_LIMIT = (MANTISSA_MIN, 62)


def rejected_row(**changes: object) -> str | None:
    """Code of a lawful limit order with other fields, None where nothing is wrong."""
    candidates = sealed(Sketch(1, 1, limit=GOOD_LIMIT, budget=10, min_fill=5))
    rows = candidates.rows.copy()
    for name, value in changes.items():
        rows[name] = value
    at = opening()
    vault = at.vaults.find(rows["owner"])
    return code_of(int(row_rejects(rows, candidates.sealed_epoch, vault, at)[0]))


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ({"kind": 1}, {"kind": 3}, RejectCode.TERMS),
        ({"kind": 1}, {"kind": 0}, RejectCode.TERMS),
        ({"limit_kind": 1}, {"limit_kind": 2}, RejectCode.TERMS),
        ({"pay": 2}, {"pay": 3}, RejectCode.ASSET_UNKNOWN),
        ({"receive": 2}, {"receive": 3}, RejectCode.ASSET_UNKNOWN),
        ({"receive": 2}, {"receive": 65_535}, RejectCode.ASSET_UNKNOWN),
        ({"receive": 1}, {"receive": 0}, RejectCode.SELF_PAIR),
        ({"budget": 5}, {"budget": 0, "min_fill": 0}, RejectCode.BUDGET_ZERO),
        ({"budget": 5}, {"budget": AMOUNT_MAX + 1}, RejectCode.AMOUNT_RANGE),
        ({"min_fill": 10}, {"min_fill": 11}, RejectCode.MIN_FILL_RANGE),
        ({"limit_m": MANTISSA_MIN}, {"limit_m": MANTISSA_MIN - 1}, RejectCode.LIMIT_RANGE),
        ({"limit_m": MANTISSA_MAX}, {"limit_m": MANTISSA_MAX + 1}, RejectCode.LIMIT_RANGE),
        ({"limit_e": -192}, {"limit_e": -193}, RejectCode.LIMIT_RANGE),
        ({"limit_e": 255}, {"limit_e": 256}, RejectCode.LIMIT_RANGE),
    ],
)
def test_malformed_rows(good: dict[str, int], bad: dict[str, int], code: RejectCode) -> None:
    assert rejected_row(**good) is None
    assert rejected_row(**bad) == code


def test_a_market_order_needs_no_limit() -> None:
    assert rejected_row(limit_kind=0, limit_m=0, limit_e=0) is None


def test_a_cancel_with_an_amount_is_refused() -> None:
    cancel = {"kind": 2, "receive": 65_535, "limit_kind": 0, "min_fill": 0}
    assert rejected_row(**cancel, budget=0) is None
    assert rejected_row(**cancel, budget=1) == RejectCode.CANCEL_AMOUNT


def test_a_cancel_receives_no_asset() -> None:
    cancel = {"kind": 2, "budget": 0, "limit_kind": 0, "min_fill": 0}
    assert rejected_row(**cancel, receive=1) == RejectCode.ASSET_UNKNOWN


def test_the_pool_does_not_trade_with_itself() -> None:
    at = opening()
    pool = [(POOL_OWNER, 0, RICH), *((owner(k), 0, RICH) for k in (1, 2))]
    with_pool = replace(at, vaults=type(at.vaults).from_rows(pool, 3))
    found = fates(Sketch(255, 1), Sketch(1, 1), at=with_pool)
    assert found == [RejectCode.OWNER_MISMATCH, "ok"]


# -- amounts inside the bands ------------------------------------------------------------------


@pytest.mark.parametrize(("pay", "receive"), [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
def test_the_largest_budget_of_a_pair_is_the_last_that_fits(pay: int, receive: int) -> None:
    at = rich()
    most, ref = int(amount_limits(at.params, at.reference)[pay, receive]), at.reference
    shift = rate_shift(ref.pbar[pay], ref.pbar[receive])
    best = gross_rate(ref.phi[pay], ref.plo[receive], shift)
    assert (most * best) >> shift <= AMOUNT_MAX
    assert most == AMOUNT_MAX or ((most + 1) * best) >> shift > AMOUNT_MAX
    assert fates(Sketch(1, 1, budget=most, pay=pay, receive=receive), at=at) == ["ok"]
    if most < AMOUNT_MAX:
        more = Sketch(1, 1, budget=most + 1, pay=pay, receive=receive)
        assert fates(more, at=at) == [RejectCode.AMOUNT_RANGE]


def test_some_pairs_are_bound_by_the_amount_received() -> None:
    at = rich()
    limits = amount_limits(at.params, at.reference)
    assert limits[1, 0] < AMOUNT_MAX == limits[0, 1]
    assert limits.diagonal().tolist() == [0, 0, 0]


def test_a_budget_worth_exactly_two_to_the_62_is_too_large() -> None:
    """Two dollars for a euro, no band: half of 2^62 euros, less one."""
    at = rich()
    params = replace(at.params, band=(0, 0, 0))
    prices = (Decimal(1), Decimal(2), Decimal(1))
    even = replace(at, params=params, reference=reference_from_prices(prices, 5, params))
    assert amount_limits(even.params, even.reference)[1, 0] == (1 << 61) - 1
    fitting = Sketch(1, 1, budget=(1 << 61) - 1, pay=1, receive=0)
    assert fates(fitting, at=even) == ["ok"]
    assert fates(replace(fitting, budget=1 << 61), at=even) == [RejectCode.AMOUNT_RANGE]


def test_a_pair_without_a_rate_allows_nothing() -> None:
    at = rich()
    far = replace(at.reference, pbar=(1 << 64, 1 << 127, at.reference.pbar[2]))
    assert amount_limits(at.params, far)[1, 0] == 0


# -- orders with one first word ----------------------------------------------------------------


def test_owners_that_share_eight_bytes_are_kept_apart() -> None:
    """Such owners can be made; each keeps its own nonces and balances."""
    candidates = sealed(Sketch(1, 1, budget=600), Sketch(2, 1, budget=600), Sketch(1, 2))
    rows = candidates.rows.copy()
    rows["owner"][:, 0] = 77
    twins = replace(candidates, rows=rows)
    owners = [(rows["owner"][k].tobytes(), 0, (1_000,) * 3) for k in (0, 1)]
    at = replace(opening(), vaults=type(opening().vaults).from_rows(owners, 3))
    batch = admit(twins, at)
    assert len(batch.orders) == 3
    assert batch.orders.rows["nonce"].tolist() in ([1, 2, 1], [1, 1, 2])


# -- what is left out --------------------------------------------------------------------------


def batch_of_all() -> Batch:
    return admit(
        sealed(
            Sketch(2, 1),
            Sketch(3, 2),
            Sketch(1, 3),
            Sketch(3, 1, limit=LIMIT_ONE, sealed=EPOCH - 1),
            Sketch(1, 1, valid_until=EPOCH + 2_000),
        ),
        opening(),
    )


def test_left_out_lists_are_in_canonical_order() -> None:
    batch = batch_of_all()
    for left in (batch.parked, batch.rejected):
        owners = [row.tobytes() for row in left.orders.rows["owner"]]
        assert owners == sorted(owners)
        assert len(left) == 2


def test_every_left_out_order_names_its_code() -> None:
    batch = batch_of_all()
    assert {str(batch.rejected.code(k)) for k in range(2)} == {
        RejectCode.EXPIRED,
        RejectCode.EXPIRY_TOO_FAR,
    }
    assert {batch.parked.code(k) for k in range(2)} == {ParkCode.NONCE_GAP}
    assert isinstance(batch.parked, LeftOut)


def test_every_candidate_has_exactly_one_place() -> None:
    batch = batch_of_all()
    tables = (batch.orders, batch.parked.orders, batch.rejected.orders)
    ids = [row.tobytes() for table in tables for row in table.order_ids]
    assert len(ids) == len(set(ids)) == 5
