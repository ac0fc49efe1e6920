"""Golden batches and results: verified to the last unit, by both engines.

Format of ``tests/vectors/clear-files/*.json``: ``batch`` and ``result`` as ``docs/clear-files.md``
says (without ``timing_ms``), ``certificate`` what the laws derive, numbers as strings.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from convexfx_core.clear_files.batch import read_batch
from convexfx_core.clear_files.verify import verify_result
from tests.attack.result_batches import batch_tree

VECTORS = sorted((Path(__file__).parents[3] / "vectors" / "clear-files").glob("*.json"))
KINDS = {"plain", "rationed", "rejecting", "crowded", "banded"}


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def as_bytes(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def test_every_kind_has_a_vector() -> None:
    assert {path.stem for path in VECTORS} == KINDS


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("way", ["scalar", "columnar"])
def test_a_golden_result_is_certified_with_the_same_numbers(path: Path, way: str) -> None:
    vector = load(path)
    found = verify_result(read_batch(as_bytes(vector["batch"])), as_bytes(vector["result"]), way)
    due = vector["certificate"]
    for name in ("gap", "inventory_risk", "price_tracking", "fill_incentive", "total"):
        assert str(getattr(found, name)) == due[name], name
    assert found.fills == due["fills"]
    assert [str(value) for value in found.residual] == due["residual"]
    assert [str(value) for value in found.tau] == due["tau"]


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_batches_of_the_attacks_are_those_of_the_vectors(path: Path) -> None:
    assert load(path)["batch"] == batch_tree(path.stem)
