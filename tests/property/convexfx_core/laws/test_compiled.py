"""Machine code gives what numpy gives, order by order: laws, totals, settlement."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.arithmetic.columns_numba import compiled, multiply_shift
from convexfx_core.clear_files.verify import claims_of
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.laws import certify, order_laws, order_laws_numba
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate
from convexfx_core.limits import AMOUNT_MAX
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import every_rate, limit_rates, pair_rate, rate_table
from convexfx_core.settlement.settle import settle
from tests.property.convexfx_core.laws.test_paths import cleared, disturbed, verdict
from tests.support.clearing_cases import Shape, case_of

RUNS = 120


def test_every_certificate_is_the_same() -> None:
    for seed in range(RUNS):
        case, proposal = cleared(seed)
        claims = claims_of(proposal, settle(case, proposal))
        seen = check_clearing(case, claims, engine="compiled")
        assert seen == check_clearing(case, claims, engine="columnar"), seed


def test_every_violation_is_the_same() -> None:
    rng, refused = np.random.default_rng(19), 0
    for seed in range(RUNS):
        case, proposal = cleared(seed)
        other = disturbed(rng, case, proposal)
        try:
            claims = claims_of(other, settle(case, other))
        except ClearingRefused:
            continue
        seen = verdict(case, claims, "compiled")
        assert seen == verdict(case, claims, "columnar"), seed
        refused += not isinstance(seen, Certificate)
    assert refused > RUNS // 4


FIELDS = ("budget", "min_fill", "pay", "receive", "kind", "limit_kind", "limit_m", "limit_e")


def test_malformed_rows_are_the_same() -> None:
    rng = np.random.default_rng(3)
    case, proposal = cleared(0)
    claims = claims_of(proposal, settle(case, proposal))
    for _ in range(RUNS):
        orders, field = case.orders.copy(), str(rng.choice(FIELDS))
        info = np.iinfo(orders[field].dtype)
        values = (int(info.min), int(info.max), 0, 1, 2, 255)
        value = values[rng.integers(0, len(values))]
        orders[field][rng.integers(0, len(orders))] = value
        bad = replace(case, orders=orders)
        seen = [verdict(bad, claims, engine) for engine in ("scalar", "columnar", "compiled")]
        assert seen[0] == seen[1] == seen[2], (field, value)


def test_settlement_is_the_same() -> None:
    for seed in range(RUNS):
        case, proposal = cleared(seed)
        one, other = (settle(case, proposal, kernels=name) for name in ("numpy", "numba"))
        for name in ("limit_rate", "received", "fee", "rate", "net_rate", "shift"):
            assert (getattr(one, name) == getattr(other, name)).all(), (seed, name)
        for name in ("flow_in", "flow_out", "fees", "inventory_after"):
            assert getattr(one, name) == getattr(other, name), (seed, name)


def test_settlement_refuses_the_same() -> None:
    case = case_of(Shape(assets=3, orders=4, prices=(900.0, 1000.0), decimals=(0, 0)), 2)
    case = replace(case, params=replace(case.params, decimals=(9, 0, 0)))
    orders = case.orders.copy()
    orders["budget"], orders["pay"], orders["receive"] = AMOUNT_MAX, 1, 0
    case = replace(case, orders=orders)
    _, small = cleared(0)
    paid = np.full(4, AMOUNT_MAX, dtype=np.uint64)
    proposal = replace(small, prices=case.reference.pbar, paid=paid)
    for kernels in ("numpy", "numba"):
        with pytest.raises(ClearingRefused, match="received"):
            settle(case, proposal, kernels=kernels)


def test_blocks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case, proposal = cleared(6)
    claims = claims_of(proposal, settle(case, proposal))
    whole = check_clearing(case, claims, engine="compiled")
    lie = replace(claims, fee=claims.fee + np.uint64(1))
    monkeypatch.setattr(order_laws_numba, "BLOCK", 7)
    with ThreadPoolExecutor(2) as pool:
        for spread in (map, pool.map):
            assert check_clearing(case, claims, engine="compiled", spread=spread) == whole
            with pytest.raises(LawViolated) as caught:
                check_clearing(case, lie, engine="compiled", spread=spread)
            assert (caught.value.law, caught.value.index) == (3, 0)


@pytest.mark.parametrize("top", [1 << 41, 1 << 46, 1 << 55])
def test_sums_of_a_whole_block_are_exact(top: int) -> None:
    """Amounts below 2^46 need no carry, those above do."""
    case = case_of(Shape(assets=3, orders=order_laws_numba.BLOCK + 5), 4)
    orders = case.orders.copy()
    orders["budget"] = top - 1
    orders["budget"][::1500] = 1 << 44
    orders["min_fill"] = 0
    case = replace(case, orders=orders)
    paid = np.ascontiguousarray(orders["budget"])
    settled = settle(case, replace(nothing_paid(case), paid=paid), kernels="numpy")
    claims = claims_of(replace(nothing_paid(case), paid=paid), settled)
    clearing = certify._claimed_clearing(case, claims)
    one, other = (
        order_laws.inspect_orders(clearing, engine) for engine in ("columnar", "compiled")
    )
    assert one.totals.flow_in == other.totals.flow_in == settled.flow_in
    assert one.totals.flow_out == other.totals.flow_out == settled.flow_out
    assert one.totals.fees == other.totals.fees == settled.fees
    assert one.totals.budget == other.totals.budget == settled.flow_in
    assert one.totals.wants == other.totals.wants
    assert one.totals.fills == other.totals.fills == len(orders)
    assert (one.used == other.used).all()
    assert sum(settled.flow_in) == int(paid.astype(object).sum())


def nothing_paid(case: ClearingCase) -> Proposal:
    """The proposal in which nobody trades, at reference prices."""
    _, some = cleared(0)
    none = np.zeros(0, dtype=np.int64)
    return replace(
        some,
        prices=case.reference.pbar,
        paid=np.zeros(len(case.orders), dtype=np.uint64),
        overflow=(0,) * case.params.n,
        ration=None,
        rejected=none,
        reject_kinds=none.astype(np.uint8),
    )


def test_products_are_exact() -> None:
    @compiled
    def products(a, b, shift, low, high):
        for k in range(len(a)):
            low[k], high[k] = multiply_shift(a[k], b[k], shift[k])

    rng = np.random.default_rng(8)
    edges = [0, 1, (1 << 32) - 1, 1 << 32, (1 << 62) - 1]
    rows = [(x, y, s) for x in edges for y in edges for s in (0, 1, 32, 63, 64, 65, 126)]
    rows += [
        (int(x), int(y), int(s))
        for x, y, s in zip(
            rng.integers(0, 1 << 62, 500),
            rng.integers(0, 1 << 62, 500) * 2 + 1,
            rng.integers(0, 127, 500),
            strict=True,
        )
    ]
    a, b, shift = (np.array(column, dtype=np.uint64) for column in zip(*rows, strict=True))
    low, high = np.empty_like(a), np.empty_like(a)
    products.py_func(a[:1], b[:1], shift[:1], low[:1], high[:1])
    products(a, b, shift, low, high)
    for (x, y, s), below, above in zip(rows, low.tolist(), high.tolist(), strict=True):
        assert below + (above << 64) == (x * y) >> s


def test_auto_takes_the_path_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    case, proposal = cleared(1)
    claims, taken = claims_of(proposal, settle(case, proposal)), []
    for name in ("by_rows", "by_columns"):
        real = getattr(order_laws, name)
        monkeypatch.setattr(order_laws, name, lambda t, n=name, f=real: taken.append(n) or f(t))
    monkeypatch.setattr(
        order_laws_numba,
        "by_machine_code",
        lambda t, s, f=order_laws_numba.by_machine_code: taken.append("compiled") or f(t, s),
    )
    check_clearing(case, claims)
    check_clearing(case, claims, engine="columnar")
    monkeypatch.setattr(order_laws, "COMPILED_ORDERS_MIN", len(case.orders))
    monkeypatch.setattr("convexfx_core.laws.engine.SCALAR_ORDERS_MAX", 0)
    check_clearing(case, claims)
    monkeypatch.setattr(order_laws, "compilable", lambda: False)
    check_clearing(case, claims)
    assert taken == ["by_rows", "by_columns", "compiled", "by_columns"]


@pytest.mark.parametrize("seed", range(8))
def test_rates_of_all_pairs_are_those_of_each_pair(seed: int) -> None:
    shape = Shape(assets=2 + seed * 2, orders=5, decimals=(0, 9), prices=(1e-3, 1e4))
    case = case_of(shape, seed)
    n, prices = case.params.n, case.reference.pbar
    table = every_rate(case, prices)
    for i in range(n):
        for j in range(n):
            rate, at = pair_rate(case, prices, i, j), i * n + j
            assert table.valid[at] == (i != j and rate.in_range())
            assert i == j or table.shift[at] == rate.shift
            if table.valid[at]:
                assert table.at(at) == rate
    used = rate_table(case, prices).used
    pair = case.orders["pay"].astype(np.intp) * n + case.orders["receive"]
    assert set(np.flatnonzero(used).tolist()) == set(pair.tolist())
    assert len(limit_rates(case.orders, pair, table)) == 5
