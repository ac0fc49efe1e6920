"""Writes ``tests/vectors/opening``: parameters, reference prices, state roots, admission.

    python -m tests.vectors.opening_vectors

A test builds them again and compares; everything follows from the cases written here.
"""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from convexfx_core.admission.book import admit
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import PoolState, VaultTable, state_root, vaults_root
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.parameter_file import DEMO, HOUSE, packaged
from convexfx_core.market.params import flat_fee, params_from_matrices, params_hash, params_to_bytes
from convexfx_core.market.reference import (
    band_edges,
    reference_from_prices,
    reference_hash,
    reference_price,
    reference_to_bytes,
)
from convexfx_core.orders.row import MANTISSA_MIN
from tests.support.epoch_cases import (
    EPOCH,
    POOL_OWNER,
    Sketch,
    matrix,
    opening_of,
    owner,
    sealed,
)

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parent / "opening"
MATRICES = {
    "two-assets": (("0 0 0", "0 0.43 0.1", "0 0.1 0.5"), "0 6 6", (6, 6, 6)),
    "no-depth": (("0 0 0", "0 0.43 0.1", "0 0.1 0.5"), "0 0 0", (6, 6, 6)),
    "rank-one": (("0 0 0", "0 0.4 0.2", "0 0.2 0.1"), "0 6 2.5", (6, 8, 0)),
    "negative-correlation": (("0 0 0", "0 0.3 -0.2", "0 -0.2 0.4"), "0 0.5 1", (2, 6, 9)),
    "asset-without-risk": (("0 0 0", "0 0.43 0", "0 0 0"), "0 6 6", (6, 6, 6)),
    "no-risk": (("0 0 0", "0 0 0", "0 0 0"), "0 6 6", (6, 6, 6)),
    "coarse-numeraire": (("0 0 0", "0 0.25 0.03", "0 0.03 0.11"), "0 10 20", (0, 4, 5)),
}
PRICES = ("1", "1.1", "0.0067", "150.25", "0.00001", "99999.999999", "1.08765432109876543")
BANDS = (0, 1, 20_000_000, 75_000_001, 300_000_000)


def registry_of(*decimals: int) -> Registry:
    """Assets A0, A1, ... with tokens of repeated bytes, shard 1."""
    return Registry(
        tuple(
            Asset(f"A{k}", digits, Address(OwnerId(bytes([k + 1]) * 32), 1))
            for k, digits in enumerate(decimals)
        )
    )


def parameters() -> Json:
    """Matrices as people write them; the section, the hash and the integers that follow."""
    cases = []
    for name, (gamma, depth, decimals) in MATRICES.items():
        registry = registry_of(*decimals)
        params = params_from_matrices(
            decimals=decimals,
            band_bps=[Decimal(0), Decimal(20), Decimal("7.5")],
            gamma=matrix(*gamma),
            depth=matrix(depth)[0],
            fee_ppm=flat_fee(3, 300),
            target=(10**9, -5, 0),
            q_min=(0, -(10**20), 0),
            q_max=(10**12, 10**12, 10**30),
        )
        cases.append(
            {
                "name": name,
                "gamma_bps_per_million": [row.split() for row in gamma],
                "depth_million_per_bp": depth.split(),
                "decimals": list(decimals),
                "registry": registry.to_bytes().hex(),
                "section": params_to_bytes(params).hex(),
                "hash": params_hash(params, registry).hex(),
                "G": [[str(value) for value in row] for row in params.risk],
                "H": [[str(value) for value in row] for row in params.risk_inverse],
                "W": [str(value) for value in params.depth],
            }
        )
    return {"cases": cases, "packaged": packaged_files()}


def packaged_files() -> Json:
    """Hash of each packaged file's parameters for the registry A0 to A5 renamed to its assets."""
    found = {}
    for name in (HOUSE, DEMO):
        file = packaged(name)
        plain = registry_of(*[6] * len(file.ids)).assets
        registry = Registry(
            tuple(replace(asset, id=i) for asset, i in zip(plain, file.ids, strict=True))
        )
        found[name] = params_hash(file.params(registry), registry).hex()
    return found


def references() -> Json:
    """Reference prices and band edges one by one, and a whole vector."""
    prices = [
        {
            "price": price,
            "d_0": d_0,
            "d_i": d_i,
            "pbar": str(reference_price(Decimal(price), d_0, d_i)),
        }
        for price in PRICES
        for d_0, d_i in ((6, 6), (2, 6), (6, 0))
    ]
    edges = []
    for entry in prices[:9]:
        for band in BANDS:
            low, high = band_edges(int(entry["pbar"]), band)
            edges.append({"pbar": entry["pbar"], "band": band, "plo": str(low), "phi": str(high)})
    opening = opening_of({})
    vector = reference_from_prices(
        [Decimal(1), Decimal("1.1"), Decimal("0.0067")], 1_700_000_000, opening.params
    )
    whole = {
        "as_of_s": vector.as_of_s,
        "prices": ["1", "1.1", "0.0067"],
        "section": reference_to_bytes(vector).hex(),
        "hash": reference_hash(vector).hex(),
    }
    return {"prices": prices, "edges": edges, "vector": whole}


def states() -> Json:
    """State roots of pools and vault tables."""
    pool = PoolState(POOL_OWNER, 9, (100, 1 << 63, 300), (1, 2, 300))
    cases = []
    for count in (0, 1, 3, 64, 65, 130):
        rows = [(owner(k), k, (k, (1 << 64) - 1 - k, 0)) for k in range(count)]
        table = VaultTable.from_rows(rows, 3)
        cases.append(
            {
                "vaults": [
                    {"owner": who.hex(), "nonce": nonce, "balances": [str(b) for b in balances]}
                    for who, nonce, balances in sorted(rows)
                ],
                "vaults_root": vaults_root(table).hex(),
                "state_root": state_root(pool, table).hex(),
            }
        )
    return {"n": 3, "pool_block": pool.to_bytes().hex(), "cases": cases}


LIMIT = (MANTISSA_MIN, 62)
BOOKS: dict[str, list[Sketch]] = {
    "nonce-order": [Sketch(1, 2), Sketch(1, 1), Sketch(2, 1)],
    "gap": [Sketch(1, 1), Sketch(1, 3), Sketch(1, 4)],
    "stale": [Sketch(3, 7), Sketch(3, 8)],
    "cancel-wins": [Sketch(1, 1, valid_until=9, sealed=EPOCH - 1), Sketch(1, 1, cancel=True)],
    "first-sealed-wins": [
        Sketch(1, 1, valid_until=9),
        Sketch(1, 1, valid_until=9, salt=1, sealed=EPOCH - 1),
    ],
    "lowest-id-wins": [Sketch(1, 1, salt=k) for k in range(4)],
    "duplicate": [Sketch(1, 1), Sketch(1, 1)],
    "balance": [Sketch(1, 1, budget=600), Sketch(1, 2, budget=401), Sketch(1, 3, budget=1)],
    "balance-by-asset": [
        Sketch(1, 1, budget=1_000),
        Sketch(1, 2, budget=1_000, pay=1, receive=0),
        Sketch(1, 3, budget=1, pay=2, receive=0, limit=LIMIT),
    ],
    "expiry": [
        Sketch(1, 1, sealed=EPOCH - 1),
        Sketch(2, 1, valid_until=EPOCH - 1, sealed=EPOCH - 3),
        Sketch(3, 8, valid_until=EPOCH + 1_441),
        Sketch(1, 2, valid_until=EPOCH + 1_440),
    ],
    "no-vault": [Sketch(9, 1), Sketch(9, 2), Sketch(9, 5)],
    "amount-range": [Sketch(4, 1, budget=(1 << 62) - 1, pay=1, receive=0)],
    "pool": [Sketch(255, 1), Sketch(1, 1)],
}
VAULTS = {
    1: (0, (1_000, 1_000, 1_000)),
    2: (0, (1_000, 1_000, 1_000)),
    3: (7, (1_000, 1_000, 1_000)),
    4: (0, (0, 1 << 63, 0)),
}


def admissions() -> Json:
    """Books and the fate of each order, in the sequence of the book."""
    opening = opening_of(VAULTS)
    cases = []
    for name, sketches in BOOKS.items():
        book = sealed(*sketches)
        batch = admit(book, opening)
        fates = {row.tobytes(): "admitted" for row in batch.orders.order_ids}
        for left in (batch.parked, batch.rejected):
            for k, row in enumerate(left.orders.order_ids):
                fates[row.tobytes()] = str(left.code(k))
        orders = [
            {
                "row": book.rows[k].tobytes().hex(),
                "order_id": book.order_ids[k].tobytes().hex(),
                "sealed_epoch": int(book.sealed_epoch[k]),
                "fate": fates[book.order_ids[k].tobytes()],
            }
            for k in range(len(book))
        ]
        cases.append({"name": name, "orders": orders, "duplicates": batch.duplicates})
    return {
        "epoch": EPOCH,
        "pool_owner": POOL_OWNER.hex(),
        "params": params_to_bytes(opening.params).hex(),
        "reference": reference_to_bytes(opening.reference).hex(),
        "vaults": opening.vaults.to_bytes().hex(),
        "cases": cases,
    }


FILES = {
    "params.json": parameters,
    "reference.json": references,
    "state.json": states,
    "admission.json": admissions,
}


def vector_files() -> dict[str, bytes]:
    """Every file of the folder by name."""
    return {name: json_bytes(make()) for name, make in FILES.items()}


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in vector_files().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
