"""Random lawful epochs from a seed: every kind of market that the laws have to hold in."""

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from convexfx_core.clearing import propose
from convexfx_core.errors import ClearingRefused, LawViolated
from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import Opening, PoolState
from convexfx_core.limits import BALANCE_MAX, NONCE_MAX
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.params import Params
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.witness.build import clearing_case
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.clearing_cases import Shape, case_of, effective, factor_risk, params_of
from tests.support.witnesses.epochs import EPOCH, number_nonces, rows_in_vaults, vaults_for

Rng = np.random.Generator
BANDS = (0.001, 1.0, 5.0, 20.0, 50.0, 200.0, 300.0)


@dataclass(frozen=True)
class Lawful:
    """A cleared epoch and its witness, public values included."""

    told: Told
    data: bytes


def shape_of(rng: Rng) -> Shape:
    """Two to eight assets, up to forty orders, digits and prices of every size."""
    wide = rng.random() < 0.3
    return Shape(
        assets=int(rng.integers(2, 9)),
        orders=int(rng.integers(0, 41)),
        gross=float(10 ** rng.uniform(-1, 2.8)),
        band=float(rng.choice(BANDS)),
        impact=float(rng.choice([0.05, 1.0, 8.0])),
        market=float(rng.choice([0.0, 0.3, 1.0])),
        tick=float(rng.choice([0.0, 0.0, 5.0])),
        min_fill=float(rng.choice([0.0, 0.3, 0.9])),
        fee_ppm=int(rng.choice([0, 1, 300, 1_500, 100_000], p=[0.2, 0.2, 0.3, 0.2, 0.1])),
        decimals=(0, 4) if wide else (0, 9) if rng.random() < 0.5 else (6, 6),
        numeraire_decimals=int(rng.integers(0, 8)),
        prices=(1e-4, 1e3) if wide else (0.2, 5.0),
        bounds=float(rng.choice([1e6, 30.0, 5.0])),
        limit_sd=float(rng.choice([2.0, 8.0])),
        gap_sd=float(rng.choice([0.0, 5.0, 40.0])),
        crowd=float(rng.choice([0.0, 0.8, 2.0])),
    )


def params_for(rng: Rng, params: Params, shape: Shape) -> Params:
    """Risk with depth or with assets that carry none, fees by pair, bands by asset."""
    n = params.n
    gamma = factor_risk(rng, n, shape.impact)
    for asset in np.flatnonzero(rng.random(n) < rng.choice([0.0, 0.0, 0.3, 1.0])):
        gamma[asset, :] = gamma[:, asset] = 0.0
    depth = rng.uniform(0, 50, n) * (rng.random() < 0.4)
    fees = np.full((n, n), shape.fee_ppm)
    if rng.random() < 0.4:
        fees = rng.integers(0, 2 * shape.fee_ppm + 1, (n, n)).clip(0, 100_000)
    made = params_of(
        params.decimals, shape.band, effective(gamma, depth), fees, (0,) * n, (0,) * n, (0,) * n
    )
    scale = 10 ** (10 + params.decimals[0])
    depths = (0, *(round(float(d) * scale) for d in depth[1:]))
    # A band up to a thousandth wider than the reference's edges is allowed by the parameters.
    wider = tuple(min(300_000_000, b + int(rng.integers(0, 1 + b // 1000))) for b in made.band)
    return replace(
        params,
        risk=made.risk,
        risk_inverse=made.risk_inverse,
        fee_ppm=made.fee_ppm,
        depth=depths,
        band=wider,
    )


def registry_for(rng: Rng, decimals: tuple[int, ...]) -> Registry:
    """Names of 1 to 16 characters, tokens of any shard."""
    assets = []
    for i, digits in enumerate(decimals):
        name = f"{i}{'abcdefghijklmno'[: int(rng.integers(0, 15))]}"
        token = Address(OwnerId(sha256(name.encode()).digest()), int(rng.integers(1, 1 << 63)))
        assets.append(Asset(name, digits, token))
    return Registry(tuple(assets))


def pool_for(rng: Rng, inventory: tuple[int, ...]) -> tuple[PoolState, tuple[int, ...]]:
    """A pool with these inventories, and by how much they had to be moved to fit a balance."""
    fees = [int(rng.integers(0, 1 << int(rng.integers(1, 40)))) for _ in inventory]
    moved = []
    for held in inventory:
        room = BALANCE_MAX // 2
        ends = (max(0, -held), 0, room - held) if held < room else (room - held,)
        moved.append(int(rng.choice(np.array(ends, dtype=object))) if rng.random() < 0.3 else 0)
    moved = [
        m if 0 <= q + m <= BALANCE_MAX // 2 else -q for q, m in zip(inventory, moved, strict=True)
    ]
    balances = tuple(q + m + f for q, m, f in zip(inventory, moved, fees, strict=True))
    owner = OwnerId(rng.bytes(32))
    return PoolState(owner, int(rng.integers(0, NONCE_MAX - 100)), balances, tuple(fees)), tuple(
        moved
    )


def random_epoch(seed: int) -> Lawful | None:
    """The epoch of a seed; None where the clearing refuses its market or a balance runs over."""
    rng = np.random.default_rng([seed, 1])
    shape, cancels = shape_of(rng), int(rng.integers(0, 4)) * int(rng.random() < 0.5)
    case = case_of(shape, seed)
    total = shape.orders + cancels
    vaults = max(1, int(total * rng.choice([0.1, 0.3, 1.0])))
    rows, before = number_nonces(rows_in_vaults(case.orders, vaults, cancels, seed))
    pool, moved = pool_for(rng, case.inventory)
    params = params_for(rng, case.params, shape)
    columns = {
        name: tuple(v + m for v, m in zip(getattr(params, name), moved, strict=True))
        for name in ("target", "q_min", "q_max")
    }
    opening = Opening(
        rng.bytes(32),
        int(rng.integers(1, 1 << 63)),
        EPOCH,
        replace(params, **columns),
        registry_for(rng, params.decimals),
        replace(case.reference, as_of_s=int(rng.integers(0, 1 << 40))),
        pool,
        vaults_for(rows, before, params.n, int(rng.integers(0, 1 << 30))),
    )
    return lawful(opening, rows)


def lawful(opening: Opening, rows: np.ndarray) -> Lawful | None:
    """The cleared epoch of an opening and its orders, if it can be cleared."""
    try:
        proposal: Proposal = propose(clearing_case(opening, rows), kernels="numpy")
        told = Told(opening, rows, proposal)
        return Lawful(told, sealed(witness_of(told)))
    except (ClearingRefused, LawViolated):
        return None
