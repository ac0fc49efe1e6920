"""Batches of strangers that were refused although a certificate exists; `tests/vectors/clear-hard`.

Each was found by random markets in shapes nobody here thought of, judged by a checker written from
the documents alone.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.clearing_campaign import market_of_seed
from convexfx.cli.clear import clear_document
from convexfx_core.clear_files.batch import read_batch
from convexfx_core.clear_files.verify import verify_result
from convexfx_core.clearing import propose
from convexfx_core.clearing.price_rule import check_resolution
from convexfx_core.clearing.problem import pose
from convexfx_core.clearing.rounding import rates_of
from convexfx_core.errors import ClearingRefused
from convexfx_core.limits import VALUE_MAX

BATCHES = sorted((Path(__file__).parents[3] / "vectors" / "clear-hard").glob("*.json"))


def cleared(tree: dict[str, Any]) -> bytes:
    result = clear_document(read_batch(json.dumps(tree).encode()))
    assert result["status"] == "certified", result["reason"]
    result.pop("timing_ms")
    return json.dumps(result, sort_keys=True).encode()


@pytest.mark.parametrize("path", BATCHES, ids=lambda path: path.stem)
def test_a_hard_batch_is_certified_whatever_the_sequence_of_its_orders(path: Path) -> None:
    tree = json.loads(path.read_bytes())
    result = cleared(tree)
    verify_result(read_batch(path.read_bytes()), result)
    np.random.default_rng(7).shuffle(tree["orders"])
    assert cleared(tree) == result


def test_there_are_hard_batches() -> None:
    assert len(BATCHES) >= 20


def test_values_out_of_range_are_not_called_coarse_units() -> None:
    """Overflow beyond 2^80 beside coarse units: the law that it breaks is to name the reason."""
    path = BATCHES[0].parent / "refused" / "values-beyond-2-80.json"
    batch = read_batch(path.read_bytes())
    reason = clear_document(batch)["reason"]
    assert reason.startswith("Clearing failed: NO_CERTIFICATE: ")
    problem, prices = pose(batch.case), batch.case.reference.pbar
    rates, nothing = rates_of(batch.case, prices, problem.demand.pair), problem.budget * 0
    beyond = tuple(overflow * (asset == 1) for asset, overflow in enumerate([VALUE_MAX + 1] * 20))
    check_resolution(problem, prices, rates, nothing, beyond)
    with pytest.raises(ClearingRefused, match="fine enough to hold every limit"):
        check_resolution(problem, prices, rates, nothing, tuple(side >> 9 for side in beyond))


def test_short_prices_are_refused_as_such_and_not_refined_into_a_broken_limit() -> None:
    """A step of one unit of a short price leaves the limit of a partly filled order behind."""
    with pytest.raises(ClearingRefused, match="fine enough to hold every limit"):
        propose(market_of_seed(2149), kernels="numpy")
