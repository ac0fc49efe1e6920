"""Lawful epochs made backwards, without a solver: any prices, budgets, risk and cuts.

Prices and fills come first; targets and bounds of the inventory are then set to what makes the
price rule and the ration hold. So amounts, prices and parameters can be as large as their fields
allow.
"""

from dataclasses import replace

import numpy as np

from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.identity import OwnerId
from convexfx_core.laws.order_facts import RATION_ONE
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.limits import AMOUNT_MAX, BALANCE_MAX
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference, band_edges
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.settlement.proposal import Proposal, Ration
from convexfx_core.settlement.rates import every_rate
from convexfx_core.settlement.settle import settle
from convexfx_core.units import limit_rate, log_ratio
from convexfx_core.witness.build import clearing_case
from tests.differential.laws.epochs import Lawful, registry_for
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.witnesses.epochs import EPOCH, number_nonces, rows_in_vaults, vaults_for
from tests.support.witnesses.violations import limit_equal_to

Rng = np.random.Generator
ONE = 1 << 64
NONE = np.zeros(0, np.int64)


def up_to(rng: Rng, bits: int) -> int:
    """A number below 2^bits, of any length, often one short of a power of two."""
    size = int(rng.integers(0, bits + 1))
    if rng.random() < 0.3:
        return (1 << size) - 1
    return int.from_bytes(rng.bytes(17), "little") % (1 << size) if size else 0


def reference_for(rng: Rng, n: int) -> tuple[Reference, tuple[int, ...]]:
    """Prices 61 bits apart at most, the numeraire among them; their bands in 1e-6 bps."""
    low = int(rng.integers(4, 65))
    bits = [int(rng.integers(low, low + 61)) for _ in range(n)]
    pbar = [(1 << b) + up_to(rng, b) for b in bits]
    pbar[0] = ONE
    bands = [0, *(int(rng.choice([0, 1, 1_000_000, 300_000_000])) for _ in range(n - 1))]
    edges = [band_edges(p, b) for p, b in zip(pbar, bands, strict=True)]
    low_edges = tuple(min(p, e[0]) for p, e in zip(pbar, edges, strict=True))
    high_edges = tuple(max(p, e[1]) for p, e in zip(pbar, edges, strict=True))
    return Reference(int(rng.integers(1 << 63)), tuple(pbar), low_edges, high_edges), tuple(bands)


def prices_for(rng: Rng, reference: Reference, params: Params) -> tuple[int, ...]:
    """At an edge or between where an inventory can ask for it, else at the reference."""
    found = [ONE]
    for i in range(1, params.n):
        pbar, low, high = reference.pbar[i], reference.plo[i], reference.phi[i]
        between = low + up_to(rng, 128) % (high - low + 1)
        price = (low, high, between)[int(rng.integers(3))]
        asked = value_asked(params.risk[i][i], price, pbar)
        found.append(pbar if asked is None else price)
    return tuple(found)


def params_for(rng: Rng, n: int, bands: tuple[int, ...]) -> Params:
    """Own risk of every size, no cross risk; H, W, fees as large as they may be."""
    sizes = [0, *(up_to(rng, int(rng.choice([20, 60, 76, 80]))) for _ in range(n - 1))]
    if rng.random() < 0.2:
        sizes = [0] * n
    inverse = [[0] * n for _ in range(n)]
    for i in range(1, n):
        for j in range(i, n):
            inverse[i][j] = inverse[j][i] = up_to(rng, int(rng.choice([1, 40, 112])))
    fees = rng.integers(0, int(rng.choice([1, 1_000, 100_001])), (n, n))
    np.fill_diagonal(fees, 0)
    return Params(
        decimals=tuple(int(d) for d in rng.integers(0, 10, n)),
        band=bands,
        target=(0,) * n,
        q_min=(0,) * n,
        q_max=(0,) * n,
        depth=(0, *(up_to(rng, 127) for _ in range(n - 1))),
        fee_ppm=tuple(tuple(int(f) for f in row) for row in fees),
        risk=tuple(tuple(size if i == j else 0 for j in range(n)) for i, size in enumerate(sizes)),
        risk_inverse=tuple(map(tuple, inverse)),
    )


def orders_for(rng: Rng, count: int, prices: tuple[int, ...]) -> np.ndarray:
    """Budgets of every size whose worth fits a balance of either asset, many orders together."""
    rows = np.zeros(count, ORDER_DTYPE)
    rows["kind"] = 1
    for k in range(count):
        pay, receive = (int(x) for x in rng.choice(len(prices), 2, replace=False))
        most = min(AMOUNT_MAX, (BALANCE_MAX // (4 * count)) * prices[receive] // prices[pay])
        most = min(most, BALANCE_MAX // (4 * count)) if count > 1 else most
        budget = max(1, min(up_to(rng, 62), most))
        rows["pay"][k], rows["receive"][k], rows["budget"][k] = pay, receive, budget
        rows["min_fill"][k] = int(rng.choice(np.array([0, 0, 1, budget, budget // 2], object)))
    return rows


def with_limits(rng: Rng, opening: Opening, rows: np.ndarray, prices: tuple[int, ...]) -> None:
    """Limits from one that anything reaches to one that nothing does, many at the very rate."""
    table = every_rate(clearing_case(opening, rows), prices)
    n = opening.params.n
    for k, row in enumerate(rows):
        rate = table.at(int(row["pay"]) * n + int(row["receive"]))
        near = rate.net - (rate.net >> 38) + int(rng.integers(-2, 3))
        ways: list[dict[str, int]] = [
            {},
            limit_equal_to(rate.net + int(rng.integers(-2, 3)), rate.shift),
            limit_equal_to(near, rate.shift),
            limit_equal_to(rate.net >> 1, rate.shift),
            {"limit_kind": 1, "limit_m": (1 << 62) + up_to(rng, 61), "limit_e": 255},
            {"limit_kind": 1, "limit_m": (1 << 63) - 1, "limit_e": -192},
            {"limit_kind": 1, "limit_m": (1 << 62) + up_to(rng, 61), "limit_e": rate.shift + 62},
        ]
        for name, value in ways[int(rng.integers(len(ways)))].items():
            rows[name][k] = value


def demands_for(
    rng: Rng, opening: Opening, rows: np.ndarray, prices: tuple[int, ...]
) -> np.ndarray:
    """Everything that is in the money, anything of what is at its limit; no dust."""
    table, n = every_rate(clearing_case(opening, rows), prices), opening.params.n
    wants = np.zeros(len(rows), dtype=np.uint64)
    for k, row in enumerate(rows):
        rate, budget = table.at(int(row["pay"]) * n + int(row["receive"])), int(row["budget"])
        limit = rate.worst
        if row["limit_kind"]:
            limit = limit_rate(int(row["limit_m"]), int(row["limit_e"]), rate.shift)
        if rate.net < limit:
            continue
        want = budget
        at_the_price = rate.worst < limit and rate.net - limit <= limit >> 38
        if at_the_price and rng.random() < 0.7:
            want = int(rng.choice(np.array([0, int(row["min_fill"]), budget // 2], object)))
            want = want if want >= int(row["min_fill"]) else 0
        wants[k] = want if want * rate.net >> rate.shift else 0
    return wants


def cut(
    opening: Opening, rows: np.ndarray, wants: np.ndarray, ration: Ration, prices: tuple[int, ...]
) -> np.ndarray:
    """What is paid of the demands."""
    pbar, n = opening.reference.pbar, opening.params.n
    table, paid = every_rate(clearing_case(opening, rows), prices), wants.copy()
    for k, row in enumerate(rows):
        i, j = int(row["pay"]), int(row["receive"])
        rho = (prices[i] * pbar[j] << 40) // (pbar[i] * prices[j])
        h = min(max((rho * ration.omega[j] >> 40) - ration.omega[i], 0), RATION_ONE)
        kept, rate = int(wants[k]) * (RATION_ONE - h) >> 40, table.at(i * n + j)
        paid[k] = kept if kept * rate.net >> rate.shift else 0
    return paid


def value_asked(risk: int, price: int, pbar: int) -> int | None:
    """Inventory off target that asks for a price, numeraire base units; own risk only.

    None where no value below 2^79 does, or its base units leave 126 bits.
    """
    log = log_ratio(price, pbar)
    if not risk:
        return None if log else 0
    value = -((log << 48) // risk)
    return value if abs(value) < min(1 << 79, pbar << 61) else None


def extreme_epoch(seed: int) -> Lawful | None:
    """The epoch of a seed; None for the few in which rounding leaves no target that fits."""
    try:
        rng = np.random.default_rng([seed, 3])
        n = int(rng.choice([2, 3, 4, 8, 20], p=[0.2, 0.3, 0.3, 0.15, 0.05]))
        told = extreme(rng, n, int(rng.integers(0, 13)))
        return Lawful(told, sealed(witness_of(told)))
    except (LawViolated, ClearingRefused):
        return None


def extreme(rng: Rng, n: int, orders: int) -> Told:
    """An epoch of ``n`` assets made backwards, lawful but for rounding."""
    reference, bands = reference_for(rng, n)
    params = params_for(rng, n, bands)
    prices = prices_for(rng, reference, params)
    rows = orders_for(rng, orders, prices)
    pool = PoolState(
        OwnerId(rng.bytes(32)), up_to(rng, 63), (BALANCE_MAX // 2,) * n, (up_to(rng, 61),) * n
    )
    registry = registry_for(rng, params.decimals)
    domain, nobody = (rng.bytes(32), 1 + up_to(rng, 63), EPOCH), VaultTable.from_rows([], n)
    opening = Opening(*domain, params, registry, reference, pool, nobody)
    with_limits(rng, opening, rows, prices)
    rows = rows_in_vaults(
        rows, max(1, int(rng.integers(1, len(rows) + 2))), 0, int(rng.integers(1 << 30))
    )
    rows, before = number_nonces(rows)
    opening = replace(opening, vaults=vaults_for(rows, before, n, up_to(rng, 60)))
    wants = demands_for(rng, opening, rows, prices)
    return _balanced(rng, Told(opening, rows, _proposal(prices, wants, n)))


def _proposal(prices: tuple[int, ...], paid: np.ndarray, n: int) -> Proposal:
    kinds = np.zeros(0, np.uint8)
    return Proposal(prices, paid, (0,) * n, None, NONE, kinds, 1, 0.0, 0.0, "backwards")


def _balanced(rng: Rng, told: Told) -> Told:
    """Overflow, ration, targets and bounds for which the laws hold."""
    params, reference = told.opening.params, told.opening.reference
    prices, held = told.proposal.prices, told.opening.pool.inventory
    wanted = _after(told)
    overflow, target = [0] * params.n, []
    for i, (price, pbar) in enumerate(zip(prices, reference.pbar, strict=True)):
        edge = {reference.plo[i]: 1, reference.phi[i]: -1}.get(price, 0)
        if i and edge and rng.random() < 0.5:
            overflow[i] = edge * (up_to(rng, 79) % min(1 << 79, pbar << 61))
        value = (value_asked(params.risk[i][i], price, pbar) or 0) + overflow[i]
        target.append(wanted[i] + ((-value << 64) // pbar))
    told = told.proposed(overflow=tuple(overflow))
    after, omega = wanted, (0,) * params.n
    if rng.random() < 0.4:
        told, after, omega = _rationed(rng, told, wanted)
    low, high = _bounds(rng, after, held, omega)
    return told.opened(params=replace(params, target=tuple(target), q_min=low, q_max=high))


def _after(told: Told) -> tuple[int, ...]:
    case = clearing_case(told.opening, told.rows)
    return settle(case, told.proposal, kernels="numpy").inventory_after


def _rationed(
    rng: Rng, told: Told, wanted: tuple[int, ...]
) -> tuple[Told, tuple[int, ...], tuple[int, ...]]:
    """Cut by some omega, where the cut inventories stand on the side that omega says."""
    held = told.opening.pool.inventory
    omega = tuple(
        up_to(rng, int(rng.choice([36, 41, 63]))) * ((w < h) - (w > h)) * int(rng.integers(0, 2))
        for w, h in zip(wanted, held, strict=True)
    )
    ration = Ration(omega, told.proposal.paid)
    paid = cut(told.opening, told.rows, ration.demanded, ration, told.proposal.prices)
    rows = told.rows.copy()
    short = np.flatnonzero((paid > 0) & (paid < rows["min_fill"]))
    rows["min_fill"][short] = paid[short]
    told = replace(told, rows=rows).proposed(paid=paid, ration=ration)
    return told, _after(told), omega


def _bounds(
    rng: Rng, after: tuple[int, ...], held: tuple[int, ...], omega: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Bounds that bind where omega says so, and anywhere outside elsewhere."""
    low = [min(a, h) - up_to(rng, 126) for a, h in zip(after, held, strict=True)]
    high = [max(a, h) + up_to(rng, 126) for a, h in zip(after, held, strict=True)]
    for i, w in enumerate(omega):
        if w > 0:
            low[i] = after[i]
        elif w < 0:
            high[i] = after[i]
    return tuple(low), tuple(max(pair) for pair in zip(low, high, strict=True))
