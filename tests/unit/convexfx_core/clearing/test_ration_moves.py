"""All traded assets at their lower bounds: prices step where omega is too coarse."""

import json
from dataclasses import replace

import numpy as np
import pytest

from convexfx.cli.clear import clear_document
from convexfx_core.clear_files.batch import BatchFile, read_batch
from convexfx_core.clear_files.verify import verify_result
from convexfx_core.clearing import propose
from tests.support.clearing_oracle import check


def at_lower_bounds(millions: float) -> BatchFile:
    """Two market orders of some millions on a pool that may lose neither asset."""
    held = str(round(20 * millions)) + "000000"
    asset = {"decimals": 6, "inventory": held, "target": held, "inventory_min": held}
    asset |= {"inventory_max": str(round(30 * millions)) + "000000"}
    dollar = asset | {"id": "USD", "reference_price": "1", "band_bps": "0"}
    euro = asset | {"id": "EUR", "reference_price": "1.1", "band_bps": "20"}
    orders = [
        {"id": "a", "pay": "USD", "receive": "EUR", "budget": f"{millions * 970_000 + 13_071:.6f}"},
        {"id": "b", "pay": "EUR", "receive": "USD", "budget": f"{millions * 570_000 + 20_651:.6f}"},
    ]
    tree = {
        "version": 1,
        "numeraire": "USD",
        "assets": [dollar, euro],
        "risk": {
            "gamma_bps_per_million": [["0", "0"], ["0", "0.43"]],
            "depth_million_per_bp": ["0", "6"],
        },
        "fee_ppm": "300",
        "orders": orders,
    }
    return read_batch(json.dumps(tree).encode())


@pytest.mark.parametrize("millions", [1.0, 3.0, 7.0, 10.0, 20.0, 30.0])
def test_orders_that_meet_each_other_clear_at_lower_bounds(millions: float) -> None:
    batch = at_lower_bounds(millions)
    result = clear_document(batch)
    assert result["status"] == "certified", result["reason"]
    verify_result(batch, json.dumps(result).encode())


def test_moved_prices_do_not_depend_on_the_sequence_of_the_orders() -> None:
    case = at_lower_bounds(30.0).case
    one, other = (
        propose(replace(case, orders=rows), kernels="numpy")
        for rows in (case.orders, np.ascontiguousarray(case.orders[::-1]))
    )
    assert one.prices == other.prices
    assert one.ration is not None
    assert other.ration is not None
    assert one.ration.omega == other.ration.omega
    assert one.paid.tolist() == other.paid.tolist()[::-1]
    assert not check(case, one).violations
