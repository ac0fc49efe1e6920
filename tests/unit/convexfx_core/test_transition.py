"""The state transition and its parts against bookkeeping one order at a time."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.encoding.hashing import tagged_hash
from convexfx_core.encoding.merkle import table_root
from convexfx_core.errors import ClearingRefused, ExecutionError, LawViolated
from convexfx_core.laws import check
from convexfx_core.laws.predicates import PREDICATE_LAWS, refuse_unsteady, verdict_of_violation
from convexfx_core.ledger.diffs import (
    Fills,
    column_sums,
    consumed_mask,
    pool_after,
    touched_vaults,
    vault_places,
    vaults_after,
)
from convexfx_core.ledger.rows import DIFF_ALLOWANCE, DIFF_PAYOUT
from convexfx_core.ledger.vaults import PoolState, state_root
from convexfx_core.orders.row import KIND_CANCEL, ORDER_DTYPE
from convexfx_core.witness.public_values import PublicValues
from tests.support.witnesses.epochs import (
    EPOCH,
    NETWORK_ID,
    POOL_NONCE,
    Epoch,
    batch_of,
    nothing_consumed,
    only_cancels,
    plain_epoch,
    rationed_epoch,
    reject_epoch,
)
from tests.support.witnesses.forge import put, verdict, with_opening
from tests.support.witnesses.violations import full

EPOCHS = (plain_epoch, rationed_epoch, reject_epoch, only_cancels, nothing_consumed)
make_epoch = pytest.mark.parametrize("make", EPOCHS)


def rows_of(owners: str, kinds: str) -> np.ndarray:
    """Rows of one-letter owners and kinds (1 order, 2 cancel)."""
    rows = np.zeros(len(owners), ORDER_DTYPE)
    rows["owner"][:, 0] = [ord(letter) for letter in owners]
    rows["kind"] = [int(kind) for kind in kinds]
    rows["nonce"] = 1 + np.arange(len(owners))
    return rows


@pytest.mark.parametrize(
    ("owners", "kinds", "demanded", "consumed"),
    [
        ("", "", "", ""),
        ("a", "1", "0", "0"),
        ("a", "1", "5", "1"),
        ("a", "2", "0", "1"),
        ("aaa", "111", "010", "110"),
        ("aaa", "111", "001", "111"),
        ("aaa", "111", "000", "000"),
        ("aaa", "121", "000", "110"),
        ("aaa", "112", "100", "111"),
        ("aabb", "1111", "0100", "1100"),
        ("aabb", "1111", "0010", "0010"),
        ("abc", "121", "001", "011"),
        ("aaabbbccc", "111111111", "100010001", "100110111"),
    ],
)
def test_consumed_is_everything_up_to_the_last_demanded_or_cancelled(
    owners: str, kinds: str, demanded: str, consumed: str
) -> None:
    amounts = np.array([int(p) for p in demanded], dtype=np.uint64)
    mask = consumed_mask(rows_of(owners, kinds), amounts)
    assert "".join(str(int(x)) for x in mask) == consumed


def test_touched_vaults_are_those_of_consumed_owners() -> None:
    epoch = plain_epoch()
    vaults = epoch.opening.vaults
    rows = epoch.batch.orders.rows
    first = ~np.isin(rows["owner"][:, 0], rows["owner"][:1, 0])
    touched = touched_vaults(vaults, rows[first])
    assert len(touched) == len(vaults) - 1
    assert (touched.owners == vaults.owners[1:]).all()
    places = vault_places(rows[first])
    assert (touched.owners[places] == rows[first]["owner"]).all()


def test_a_consumed_order_without_a_vault_is_an_execution_error() -> None:
    epoch = plain_epoch()
    few = epoch.opening.vaults.take(np.arange(1, len(epoch.opening.vaults)))
    with pytest.raises(ExecutionError) as error:
        touched_vaults(few, epoch.batch.orders.rows)
    assert error.value.code == "VAULT_MISSING"
    assert error.value.field == "order 0"
    with pytest.raises(ExecutionError):
        with_opening(epoch, vaults=few).apply()


def balances_one_by_one(epoch: Epoch) -> tuple[dict[bytes, list[int]], list[int], list[int]]:
    """Vault balances by owner, pool balances and fees after the epoch, order by order."""
    opening, result = epoch.opening, epoch.apply()
    vaults = opening.vaults
    held = {vaults.owners[i].tobytes(): vaults.balances[i].tolist() for i in range(len(vaults))}
    pool, fees = list(opening.pool.balances), list(opening.pool.fees_accrued)
    fills = result.fills
    for k, row in enumerate(fills.rows):
        if row["kind"] == KIND_CANCEL:
            continue
        user, pay, receive = held[row["owner"].tobytes()], int(row["pay"]), int(row["receive"])
        user[pay] -= int(fills.paid[k])
        pool[pay] += int(fills.paid[k])
        user[receive] += int(fills.received[k])
        pool[receive] -= int(fills.received[k])
        fees[receive] += int(fills.fee[k])
    return held, pool, fees


@make_epoch
def test_state_after_is_the_bookkeeping_of_the_fills(make: object) -> None:
    assert callable(make)
    epoch: Epoch = make()
    result = epoch.apply()
    held, pool, fees = balances_one_by_one(epoch)
    after = result.touched_after
    for i in range(len(after)):
        assert after.balances[i].tolist() == held[after.owners[i].tobytes()]
        mine = (result.fills.rows["owner"] == after.owners[i]).all(axis=1)
        assert after.nonces[i] == result.fills.rows["nonce"][mine].max()
    assert list(result.pool_after.balances) == pool
    assert list(result.pool_after.fees_accrued) == fees
    assert result.pool_after.nonce == POOL_NONCE + result.fills.count


@make_epoch
def test_diffs_move_the_state_before_to_the_state_after(make: object) -> None:
    assert callable(make)
    result = make().apply()
    before = [result.pool_before.balances, *result.touched_before.balances.tolist()]
    table = [list(row) for row in before]
    for row in result.diffs:
        table[int(row["vault"])][int(row["asset"])] += int(row["amount"])
    assert table[0] == list(result.pool_after.balances)
    assert table[1:] == result.touched_after.balances.tolist()


@make_epoch
def test_diffs_sum_to_zero_by_token_and_by_verifiable(make: object) -> None:
    assert callable(make)
    diffs = make().apply().diffs
    for name in ("asset", "position"):
        sums: Counter[int] = Counter()
        for row in diffs:
            sums[int(row[name])] += int(row["amount"])
        assert set(sums.values()) <= {0}


def test_diffs_stand_in_submission_order() -> None:
    result = plain_epoch().apply()
    diffs, count = result.diffs, len(result.fills.rows)
    assert (np.diff(diffs["position"].astype(int)) >= 0).all()
    allowances = diffs[diffs["kind"] == DIFF_ALLOWANCE]
    payouts = diffs[diffs["kind"] == DIFF_PAYOUT]
    assert len(allowances) + len(payouts) == len(diffs)
    assert allowances["position"].max() == count - 1
    assert payouts["position"].min() == count
    assert payouts["new_nonce"][::2].tolist() == list(
        range(POOL_NONCE + 1, POOL_NONCE + 1 + result.fills.count)
    )
    assert (payouts["vault"][::2] == 0).all()
    assert (payouts["amount"][::2] < 0).all()


def test_payouts_name_order_owner_asset_amount_and_nonce() -> None:
    epoch = plain_epoch()
    result = epoch.apply()
    payouts, filled = result.payouts, np.flatnonzero(result.fills.paid)
    assert payouts.consumed.tolist() == filled.tolist()
    assert payouts.amount.tolist() == result.fills.received[filled].tolist()
    assert payouts.asset.tolist() == result.fills.rows["receive"][filled].tolist()
    assert (payouts.owners == result.fills.rows["owner"][filled]).all()
    ids = epoch.batch.orders.order_ids[result.consumed]
    assert (payouts.order_ids == ids[filled]).all()
    assert payouts.nonce.tolist() == list(range(POOL_NONCE + 1, POOL_NONCE + 1 + len(payouts)))


@make_epoch
def test_public_values_follow_from_the_parts(make: object) -> None:
    assert callable(make)
    epoch: Epoch = make()
    result = epoch.apply()
    values, rows = result.public_values, epoch.batch.orders.rows
    assert (values.network_id, values.shard, values.epoch) == (NETWORK_ID, 3, EPOCH)
    assert (values.n_orders, values.n_fills) == (len(rows), result.fills.count)
    orders = table_root("cfx.orders.v1", rows[result.consumed].tobytes(), 80)
    left = table_root("cfx.left.v1", rows[~result.consumed].tobytes(), 80)
    assert values.batch_root == tagged_hash("cfx.batch.v1", orders, left)
    assert values.pre_state_root == state_root(epoch.opening.pool, result.touched_before)
    assert values.post_state_root == state_root(result.pool_after, result.touched_after)
    settle = table_root("cfx.settle.v1", result.fills.settlement_rows(), 16)
    head = NETWORK_ID + epoch.opening.pool.owner
    numbers = b"".join(n.to_bytes(8, "little") for n in (3, POOL_NONCE + 1))
    assert values.sdl_hash == tagged_hash("cfx.sdl.v1", head, numbers, orders, settle)
    assert values.total == sum(
        (values.inventory_risk, values.price_tracking, values.fill_incentive)
    )


@make_epoch
def test_an_epoch_has_an_sdl_exactly_when_an_order_is_consumed(make: object) -> None:
    assert callable(make)
    result = make().apply()
    expected = result.public_values.sdl_hash if result.consumed.any() else None
    assert result.sdl_hash == expected
    assert (make is nothing_consumed) == (result.sdl_hash is None)


@make_epoch
def test_the_witness_is_complete_and_the_same_every_time(make: object) -> None:
    assert callable(make)
    first, second = make().apply(), make().apply()
    assert first.witness == second.witness
    assert PublicValues.from_bytes(first.witness[-392:]) == first.public_values
    assert check(first.witness) == first.public_values


def test_an_empty_batch_has_a_witness_too() -> None:
    epoch = only_cancels()
    result = replace(epoch, batch=batch_of(np.zeros(0, ORDER_DTYPE))).apply()
    assert result.sdl_hash is None
    assert result.public_values.n_orders == 0
    assert verdict(result.witness) is None


def test_a_proposal_that_breaks_a_law_settles_nothing() -> None:
    epoch = plain_epoch()
    at, k = full(epoch)
    budget = int(epoch.batch.orders.rows["budget"][at])
    greedy = replace(epoch.proposal, paid=put(epoch.proposal.paid, k, budget + 1))
    with pytest.raises(LawViolated) as violated:
        replace(epoch, proposal=greedy).apply()
    assert violated.value.law == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_norm_y", 1e-5),
        ("step_norm_y", float("nan")),
        ("step_norm_y", float("inf")),
        ("step_norm_alpha", 1e-6),
        ("step_norm_alpha", -1.0),
    ],
)
def test_a_large_last_step_is_refused_before_any_law(name: str, value: float) -> None:
    epoch = plain_epoch()
    with pytest.raises(ClearingRefused) as refused:
        replace(epoch, proposal=replace(epoch.proposal, **{name: value})).apply()
    assert refused.value.code == "STEP_NORM"
    assert refused.value.field == name


def test_a_step_just_below_the_bounds_is_not_refused() -> None:
    refuse_unsteady(replace(plain_epoch().proposal, step_norm_y=9.999e-6, step_norm_alpha=9.99e-7))


@make_epoch
def test_the_verdict_shows_five_predicates_with_both_sides(make: object) -> None:
    assert callable(make)
    shown = make().apply().verdict
    assert [p.name for p in shown.predicates] == [
        "convergence",
        "price_consistency",
        "fill_feasibility",
        "inventory_conservation",
        "objective_optimality",
    ]
    assert shown.holds
    assert all(p.holds and p.observed and p.bound for p in shown.predicates)
    laws = sorted(law for p in shown.predicates for law in p.laws)
    assert laws == sorted(set(range(21)) - {0, 13, 14, 15, 16})


def test_the_verdict_as_json_holds_no_float() -> None:
    def leaves(value: object) -> list[object]:
        if isinstance(value, dict):
            return [leaf for item in value.values() for leaf in leaves(item)]
        if isinstance(value, list):
            return [leaf for item in value for leaf in leaves(item)]
        return [value]

    shown = plain_epoch().apply().verdict.to_json()
    assert not any(isinstance(leaf, float) for leaf in leaves(shown))
    assert shown["holds"] is True
    assert float(str(shown["step_norm_y"])) == plain_epoch().proposal.step_norm_y


@pytest.mark.parametrize(
    ("law", "failing"), [(law, name) for name, laws in PREDICATE_LAWS.items() for law in laws]
)
def test_a_violation_fails_the_predicate_of_its_law(law: int, failing: str) -> None:
    shown = verdict_of_violation(LawViolated(law, 7, 12, 11), plain_epoch().proposal)
    by_name = {p.name: p for p in shown.predicates}
    assert (shown.violated, shown.index, shown.holds) == (law, 7, False)
    assert (by_name[failing].holds, by_name[failing].observed) == (False, "12")
    assert by_name[failing].bound == "11"
    for name, predicate in by_name.items():
        if name != failing:
            assert predicate.holds == (max(PREDICATE_LAWS[name]) < law)
    assert shown.to_json()["violated"] == f"L{law}"


def test_a_violated_binding_law_is_named_and_stops_what_comes_after_it() -> None:
    shown = verdict_of_violation(LawViolated(14, 2, 5, 4), plain_epoch().proposal)
    held = [p.name for p in shown.predicates if p.holds]
    assert (shown.violated, held) == (14, ["convergence", "price_consistency"])


def fills_of(*amounts: tuple[int, int, int, int, int]) -> Fills:
    """One vault's fills of (pay, receive, paid, received, fee)."""
    rows = np.zeros(len(amounts), ORDER_DTYPE)
    columns = np.array(amounts, dtype=np.uint64).reshape(len(amounts), 5)
    rows["kind"], rows["nonce"] = 1, 1 + np.arange(len(amounts))
    rows["pay"], rows["receive"] = columns[:, 0], columns[:, 1]
    return Fills(rows, columns[:, 2], columns[:, 3], columns[:, 4])


TOP = (1 << 63) - 1


@pytest.mark.parametrize(
    ("pool", "fees", "fill", "good"),
    [
        ((10, 10), (0, 0), (0, 1, 3, 10, 0), True),
        ((10, 10), (0, 0), (0, 1, 3, 11, 0), False),
        ((10, 10), (0, 0), (0, 1, 3, 9, 1), True),
        ((10, 10), (0, 1), (0, 1, 3, 9, 1), False),
        ((TOP - 3, 10), (0, 0), (0, 1, 3, 1, 0), True),
        ((TOP - 2, 10), (0, 0), (0, 1, 3, 1, 0), False),
    ],
)
def test_pool_balances_stay_between_fees_and_63_bits(
    pool: tuple[int, int], fees: tuple[int, int], fill: tuple[int, ...], good: bool
) -> None:
    before = PoolState(plain_epoch().opening.pool.owner, 0, pool, fees)
    if good:
        assert pool_after(before, fills_of(fill)).balances[0] == pool[0] + 3
    else:
        with pytest.raises(ExecutionError, match="BALANCE: pool balance of asset"):
            pool_after(before, fills_of(fill))


@pytest.mark.parametrize(
    ("held", "fill", "good"),
    [
        ((3, 0), (0, 1, 3, 1, 0), True),
        ((2, 0), (0, 1, 3, 1, 0), False),
        ((3, TOP - 1), (0, 1, 3, 1, 0), True),
        ((3, TOP), (0, 1, 3, 1, 0), False),
        ((1 << 62, 1 << 32), (0, 1, 1 << 62, (1 << 32) - 1, 0), True),
    ],
)
def test_vault_balances_stay_in_63_bits(
    held: tuple[int, int], fill: tuple[int, ...], good: bool
) -> None:
    fills = fills_of(fill)
    one = plain_epoch().opening.vaults.take(np.arange(1))
    table = replace(one, owners=fills.rows["owner"], balances=np.array([held], np.uint64))
    if good:
        after = vaults_after(table, fills).balances[0].tolist()
        assert after == [held[0] - fill[2], held[1] + fill[3]]
    else:
        with pytest.raises(ExecutionError, match="BALANCE: vault 0"):
            vaults_after(table, fills)


def test_sums_by_key_are_exact_beyond_64_bits() -> None:
    values = np.full(7, (1 << 63) - 1, dtype=np.uint64)
    keys = np.array([0, 2, 2, 2, 2, 2, 0])
    assert column_sums(keys, values, 3) == (2 * TOP, 0, 5 * TOP)
