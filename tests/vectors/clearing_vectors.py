"""Writes ``tests/vectors/clearing``: markets, what the clearing proposes, what the laws certify.

    python -m tests.vectors.clearing_vectors

A test clears every market again, by numpy and by numba, and compares every integer.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from convexfx_core.clear_files.verify import claims_of
from convexfx_core.clearing import propose
from convexfx_core.clearing.kernels import KernelChoice
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import ClearingRefused
from convexfx_core.laws import check_clearing
from convexfx_core.market.params import params_from_bytes, params_to_bytes
from convexfx_core.market.reference import reference_from_bytes, reference_to_bytes
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_hard import built, pairs, risk

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parent / "clearing"
SHAPES = {
    "limits-and-market": (Shape(assets=5, orders=60), 1),
    "market-orders-only": (Shape(assets=4, orders=40, market=1.0), 2),
    "limit-orders-only": (Shape(assets=4, orders=40, market=0.0), 3),
    "ticks": (Shape(assets=4, orders=60, tick=1.0, market=0.0), 4),
    "no-order": (Shape(assets=4, orders=0, band=300.0), 5),
    "one-order": (Shape(assets=2, orders=1, gross=5.0, market=1.0), 6),
    "at-the-band": (Shape(assets=4, orders=50, gross=400.0, band=2.0, impact=2.0), 3),
    "deep": (Shape(assets=5, orders=60, depth=6.0), 8),
    "rationed": (Shape(assets=4, orders=60, bounds=4.0), 4),
    "minimum-fills": (Shape(assets=4, orders=60, min_fill=0.8, market=0.0, tick=2.0), 10),
    "rationed-minimum-fills": (Shape(assets=4, orders=60, bounds=4.0, min_fill=0.3), 4),
    "fees": (Shape(assets=4, orders=50, fee_ppm=1500), 12),
    "coarse-units": (Shape(assets=4, orders=50, decimals=(1, 9), numeraire_decimals=4), 13),
    "dust": (Shape(assets=3, orders=40, gross=0.00001, prices=(0.005, 2.0), decimals=(2, 6)), 14),
    "twenty-assets": (Shape(assets=20, orders=90), 15),
}

COARSE = Shape(
    assets=3, orders=91, gross=500.0, band=10.0, impact=1.0, market=0.0, tick=1.0, min_fill=0.8,
    fee_ppm=1062, decimals=(0, 9), numeraire_decimals=1, prices=(0.005, 5e4), bounds=50.0,
)  # fmt: skip


def markets() -> dict[str, ClearingCase]:
    """Every market by name."""
    found = {name: case_of(shape, seed) for name, (shape, seed) in SHAPES.items()}
    huge = case_of(
        Shape(assets=3, orders=30, gross=1e6, impact=1e-5, bounds=1e12, prices=(0.7, 1.5)), 16
    )
    rows = huge.orders.copy()
    rows["budget"][::3] = (1 << 61) + 5
    found["budgets-of-2-61"] = replace(huge, orders=rows)
    zeros, ones = np.zeros(21, np.int64), np.ones(21, np.int64)
    limit = np.concatenate((np.full(20, np.inf), [0.0]))
    value = np.concatenate((np.ones(20), [1e-6]))
    found["dust-order-at-the-reference"] = built(
        risk(2, 0.27), zeros, ones, value, limit, band=50.0
    )
    rng = np.random.default_rng(19)
    pay, receive = pairs(rng, 4, 40)
    found["risk-of-rank-one"] = built(
        risk(4, 1.0, 1.0), pay, receive, rng.uniform(0.1, 2.0, 40), rng.normal(size=40) * 5
    )
    tight = found["rationed"]
    outside = [(q, q + 1) for q in tight.inventory]
    params = replace(
        tight.params,
        q_min=tuple(high for _, high in outside[:2]) + tight.params.q_min[2:],
    )
    found["opening-outside-a-bound"] = replace(tight, params=params)
    found["refused-for-coarse-units"] = case_of(COARSE, 1719)
    return found


def market_document(case: ClearingCase) -> Json:
    """A market: sections and rows as bytes of the specification, in hexadecimal."""
    return {
        "decimals": list(case.params.decimals),
        "params": params_to_bytes(case.params).hex(),
        "reference": reference_to_bytes(case.reference).hex(),
        "inventory": [str(q) for q in case.inventory],
        "orders": [row.tobytes().hex() for row in case.orders],
    }


def market_from(document: Json) -> ClearingCase:
    """The market of a document."""
    params = params_from_bytes(bytes.fromhex(document["params"]), document["decimals"])
    reference = reference_from_bytes(bytes.fromhex(document["reference"]))
    rows = np.frombuffer(bytes.fromhex("".join(document["orders"])), dtype=ORDER_DTYPE).copy()
    return ClearingCase(params, reference, tuple(map(int, document["inventory"])), rows)


def outcome_document(case: ClearingCase, kernels: KernelChoice = "numpy") -> Json:
    """What a clearing proposes and the laws certify, or the code of its refusal."""
    try:
        proposal = propose(case, kernels=kernels)
    except ClearingRefused as refusal:
        return {"refused": str(refusal.code)}
    return {"proposal": _proposal(proposal), "certified": _certified(case, proposal)}


def _proposal(proposal: Proposal) -> Json:
    ration = proposal.ration
    return {
        "prices": _texts(proposal.prices),
        "paid": _texts(proposal.paid.tolist()),
        "overflow": _texts(proposal.overflow),
        "omega": None if ration is None else _texts(ration.omega),
        "demanded": None if ration is None else _texts(ration.demanded.tolist()),
        "rejected": proposal.rejected.tolist(),
        "reject_kinds": proposal.reject_kinds.tolist(),
    }


def _certified(case: ClearingCase, proposal: Proposal) -> Json:
    done = settle(case, proposal)
    certificate = check_clearing(case, claims_of(proposal, done))
    return {
        "received": _texts(done.received.tolist()),
        "fee": _texts(done.fee.tolist()),
        "inventory_after": _texts(done.inventory_after),
        "fees": _texts(done.fees),
        "gap": str(certificate.gap),
        "inventory_risk": str(certificate.inventory_risk),
        "price_tracking": str(certificate.price_tracking),
        "fill_incentive": str(certificate.fill_incentive),
        "residual": _texts(certificate.residual),
        "tau": _texts(certificate.tau),
    }


def _texts(numbers: Any) -> list[str]:
    return [str(number) for number in numbers]


def vector_files() -> dict[str, bytes]:
    """Every file of the folder by name."""
    return {
        f"{name}.json": json_bytes({"market": market_document(case)} | outcome_document(case))
        for name, case in markets().items()
    }


def main() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in vector_files().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
