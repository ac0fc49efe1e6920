"""Random clearing cases for tests and benchmarks: columnar, from a seed, integers only."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference, band_edges, reference_price
from convexfx_core.orders.row import LIMIT_LIMIT, LIMIT_MARKET, ORDER_DTYPE
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.units import RISK_SHIFT


@dataclass(frozen=True)
class Shape:
    """What a random case looks like; values in $M, prices in bps."""

    assets: int = 6
    orders: int = 100
    gross: float = 200.0
    band: float = 50.0
    impact: float = 1.0
    depth: float = 0.0
    market: float = 0.3
    tick: float = 0.0
    min_fill: float = 0.0
    fee_ppm: int = 300
    decimals: tuple[int, int] = (6, 6)
    numeraire_decimals: int = 6
    prices: tuple[float, float] = (0.005, 2.0)
    bounds: float = 1e6
    limit_sd: float = 8.0
    drift_sd: float = 6.0
    gap_sd: float = 5.0
    sizes_sd: float = 1.0
    crowd: float = 0.8


def case_of(shape: Shape, seed: int) -> ClearingCase:
    """The case of a shape and a seed."""
    rng = np.random.default_rng(seed)
    n = shape.assets
    digits = rng.integers(shape.decimals[0], shape.decimals[1] + 1, n)
    digits[0] = shape.numeraire_decimals
    quotes = np.exp(rng.uniform(*np.log(shape.prices), n))
    quotes[0] = 1.0
    reference = reference_at(quotes, digits, [shape.band] * n)
    unit = million_per_unit(reference, shape.numeraire_decimals)
    gamma = factor_risk(rng, n, shape.impact)
    held = rng.normal(size=n) * shape.gap_sd
    target = [round(200.0 / u) for u in unit]
    inventory = tuple(t + round(g / u) for t, g, u in zip(target, held, unit, strict=True))
    room = [round(shape.bounds * rng.uniform(0.2, 1.0) / u) for u in unit]
    params = params_of(
        digits,
        shape.band,
        effective(gamma, np.full(n, shape.depth)),
        np.full((n, n), shape.fee_ppm),
        target,
        [q - r for q, r in zip(inventory, room, strict=True)],
        [q + r for q, r in zip(inventory, room, strict=True)],
    )
    return ClearingCase(params, reference, inventory, _orders(rng, shape, params, reference, unit))


def reference_at(quotes: np.ndarray, digits: np.ndarray, band_bps: list[float]) -> Reference:
    """Reference vector of float quotes."""
    pbar = [
        reference_price(Decimal(repr(float(q))), int(digits[0]), int(d))
        for q, d in zip(quotes, digits, strict=True)
    ]
    pbar[0] = 1 << 64
    edges = [band_edges(p, round(b * 1e6)) for p, b in zip(pbar, band_bps, strict=True)]
    edges[0] = (1 << 64, 1 << 64)
    return Reference(0, tuple(pbar), tuple(e[0] for e in edges), tuple(e[1] for e in edges))


def million_per_unit(reference: Reference, numeraire_decimals: int) -> np.ndarray:
    """$M for one base unit of each asset."""
    return np.array([p / 2.0**64 / 10.0 ** (6 + numeraire_decimals) for p in reference.pbar])


def factor_risk(rng: np.random.Generator, n: int, impact: float) -> np.ndarray:
    """Gamma of three factors and own risk, mean diagonal ``impact`` bps per $M."""
    vol = rng.uniform(0.5, 1.0, n)
    load = rng.normal(size=(n, 3)) * 0.5
    cov = load @ load.T + np.diag(rng.uniform(0.5, 1.0, n))
    sd = np.sqrt(np.diag(cov))
    gamma = cov / np.outer(sd, sd) * np.outer(vol, vol)
    gamma[0, :] = gamma[:, 0] = 0.0
    return gamma * (impact / np.mean(np.diag(gamma)[1:]))


def effective(gamma: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Gamma (I + W Gamma)^-1, symmetric."""
    out = np.zeros_like(gamma)
    g, w = gamma[1:, 1:], np.diag(depth[1:])
    m = g @ np.linalg.inv(np.eye(len(g)) + w @ g)
    out[1:, 1:] = 0.5 * (m + m.T)
    return out


def params_of(digits, band, impact, fee, target, q_min, q_max) -> Params:
    """Parameters of a float impact matrix (bps per $M)."""
    n = len(digits)
    million = 10 ** (6 + int(digits[0]))
    scale = 2.0**RISK_SHIFT * 1e-4 / million
    risk = [[round(float(x) * scale) for x in row] for row in impact]
    bands = [round(b * 1e6) for b in np.broadcast_to(band, n)]
    bands[0] = 0
    np.fill_diagonal(fee, 0)
    inverse = np.zeros((n, n))
    risky = np.flatnonzero(np.diag(impact) > 0)
    if len(risky):
        block = impact[np.ix_(risky, risky)]
        ridge = 1e-6 * np.mean(np.diag(block)) * np.eye(len(risky))
        inverse[np.ix_(risky, risky)] = np.abs(np.linalg.inv(block + ridge))
    whole = [[int(np.ceil(x * 1e4 * million)) for x in row] for row in inverse + inverse.T]
    return Params(
        decimals=tuple(int(d) for d in digits),
        band=tuple(bands),
        target=tuple(target),
        q_min=tuple(q_min),
        q_max=tuple(q_max),
        depth=(0,) * n,
        fee_ppm=tuple(tuple(int(f) for f in row) for row in fee),
        risk=tuple(tuple(row) for row in risk),
        risk_inverse=tuple(tuple(row) for row in whole),
    )


def order_rows(params, reference, pay, receive, budget, limit_bps, min_fill) -> np.ndarray:
    """Order rows from columns; ``limit_bps`` is all in, +inf for a market order."""
    rows = np.zeros(len(pay), ORDER_DTYPE)
    rows["owner"][:, 0] = np.arange(len(pay), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rows["owner"][:, 3] = np.arange(len(pay))
    rows["nonce"], rows["kind"] = 1, 1
    rows["pay"], rows["receive"] = pay, receive
    rows["budget"], rows["min_fill"] = budget, min_fill
    limited = np.isfinite(limit_bps)
    rows["limit_kind"] = np.where(limited, LIMIT_LIMIT, LIMIT_MARKET)
    price = np.array(reference.pbar, dtype=np.float64)
    keep = 1.0 - np.array(params.fee_ppm) * 1e-6
    net = price[pay] / price[receive] * keep[pay, receive]
    part, exponent = np.frexp(net * np.exp(-np.where(limited, limit_bps, 0.0) * 1e-4))
    rows["limit_m"] = np.where(limited, (part * 2.0**63).astype(np.uint64), np.uint64(0))
    rows["limit_e"] = np.where(limited, 63 - exponent, 0)
    return rows


def _orders(rng, shape: Shape, params: Params, reference: Reference, unit) -> np.ndarray:
    n, count = shape.assets, shape.orders
    weight = 1.0 / np.arange(1, n + 1) ** shape.crowd
    weight /= weight.sum()
    pay, receive = rng.choice(n, count, p=weight), rng.choice(n, count, p=weight)
    same = pay == receive
    receive[same] = (receive[same] + 1 + rng.integers(0, n - 1, same.sum())) % n
    size = np.exp(rng.normal(size=count) * shape.sizes_sd)
    size *= shape.gross / max(size.sum(), 1e-300)
    budget = np.clip(np.rint(size / unit[pay]), 1, 2.0**61).astype(np.uint64)
    drift = np.concatenate(([0.0], rng.normal(size=n - 1) * shape.drift_sd))
    limit = drift[receive] - drift[pay] + rng.laplace(size=count) * shape.limit_sd
    if shape.tick:
        limit = np.round(limit / shape.tick) * shape.tick
    limit[rng.random(count) < shape.market] = np.inf
    asked = np.where(rng.random(count) < shape.min_fill, rng.uniform(0.05, 1.0, count), 0.0)
    least = np.minimum(np.ceil(asked * budget.astype(np.float64)).astype(np.uint64), budget)
    return order_rows(params, reference, pay, receive, budget, limit, least)
