"""Batch files: strict reading, and orders that could never be admitted."""

import json
from copy import deepcopy
from typing import Any

import pytest

from convexfx_core.clear_files.batch import BatchFile, read_batch
from convexfx_core.errors import CodecError, RejectCode

Tree = dict[str, Any]


def batch_tree() -> Tree:
    asset = {
        "decimals": 6,
        "inventory": "1000",
        "target": "900.5",
        "inventory_min": "0",
        "inventory_max": "2000",
        "band_bps": "20",
    }
    return {
        "version": 1,
        "numeraire": "USD",
        "assets": [
            {"id": "USD", "reference_price": "1", **asset},
            {"id": "EUR", "reference_price": "1.1", **asset},
        ],
        "risk": {
            "gamma_bps_per_million": [["0", "0"], ["0", "0.43"]],
            "depth_million_per_bp": ["0", "6"],
        },
        "fee_ppm": "300",
        "orders": [
            {"id": "b", "pay": "USD", "receive": "EUR", "budget": "12.5", "limit_ratio": "1.2"},
            {"id": "a", "pay": "EUR", "receive": "USD", "budget": "3", "min_fill_fraction": "0.5"},
        ],
    }


def read(tree: Tree) -> BatchFile:
    return read_batch(json.dumps(tree).encode())


def changed(path: str, value: Any) -> Tree:
    """The batch with the value at a dotted path replaced; ``...`` removes it."""
    tree = deepcopy(batch_tree())
    parent: Any = tree
    *steps, last = path.split(".")
    for step in steps:
        parent = parent[int(step)] if step.isdigit() else parent[step]
    key = int(last) if last.isdigit() else last
    if value is ...:
        del parent[key]
    else:
        parent[key] = value
    return tree


def test_a_batch_becomes_a_case() -> None:
    batch = read(batch_tree())
    case = batch.case
    assert batch.ids == ("USD", "EUR")
    assert [order.id for order in batch.orders] == ["a", "b"]
    assert case.inventory == (1000 * 10**6,) * 2
    assert case.params.target == (900_500_000,) * 2
    assert case.params.fee_ppm == ((0, 300), (300, 0))
    assert case.orders["pay"].tolist() == [1, 0]
    assert case.orders["budget"].tolist() == [3_000_000, 12_500_000]
    assert case.orders["min_fill"].tolist() == [1_500_000, 0]
    assert case.orders["limit_kind"].tolist() == [0, 1]
    assert case.orders["nonce"].tolist() == [1, 2]


def test_sequence_of_orders_changes_nothing() -> None:
    tree = batch_tree()
    tree["orders"].reverse()
    assert read(tree).case.orders.tobytes() == read(batch_tree()).case.orders.tobytes()


def test_the_numeraire_may_stand_anywhere() -> None:
    tree = batch_tree()
    tree["assets"].reverse()
    tree["risk"] = {
        "gamma_bps_per_million": [["0.43", "0"], ["0", "0"]],
        "depth_million_per_bp": ["6", "0"],
    }
    assert read(tree).case.params == read(batch_tree()).case.params
    assert read(tree).ids == ("USD", "EUR")


def test_fees_by_pair() -> None:
    fees = read(changed("fee_ppm", {"USD/EUR": "25"})).case.params.fee_ppm
    assert fees == ((0, 25), (0, 0))


def test_null_limit_is_a_market_order() -> None:
    case = read(changed("orders.0.limit_ratio", None)).case
    assert case.orders["limit_kind"].tolist() == [0, 0]


MALFORMED = [
    ("version", 2, "version"),
    ("version", "1", "version"),
    ("version", True, "version"),
    ("version", ..., "version"),
    ("extra", 1, "extra"),
    ("numeraire", "GBP", "numeraire"),
    ("numeraire", 1, "numeraire"),
    ("assets", {}, "assets"),
    ("assets", [], "assets"),
    ("assets.1", [], "assets[1]"),
    ("assets.1.id", "USD", "assets[1].id"),
    ("assets.1.id", "", "assets[1].id"),
    ("assets.1.id", "E/R", "assets[1].id"),
    ("assets.1.decimals", "6", "assets[1].decimals"),
    ("assets.1.decimals", 10, "assets[1].decimals"),
    ("assets.1.decimals", -1, "assets[1].decimals"),
    ("assets.1.reference_price", 1.1, "assets[1].reference_price"),
    ("assets.1.reference_price", 1, "assets[1].reference_price"),
    ("assets.1.reference_price", "0", "assets[1].reference_price"),
    ("assets.1.reference_price", "-1", "assets[1].reference_price"),
    ("assets.0.reference_price", "1.1", "assets[0].reference_price"),
    ("assets.1.reference_price", "1e3", "assets[1].reference_price"),
    ("assets.1.inventory", 1000, "assets[1].inventory"),
    ("assets.1.inventory", "0.0000001", "assets[1].inventory"),
    ("assets.1.inventory", "-1", "assets[1].inventory"),
    ("assets.1.inventory", str(1 << 63), "assets[1].inventory"),
    ("assets.1.inventory_min", "3000", "assets[1].inventory_min"),
    ("assets.1.band_bps", "301", "assets[1].band_bps"),
    ("assets.1.band_bps", "-1", "assets[1].band_bps"),
    ("assets.1.band_bps", "0.0000001", "assets[1].band_bps"),
    ("assets.1.colour", "red", "assets[1].colour"),
    ("assets.1.target", ..., "assets[1].target"),
    ("risk.gamma_bps_per_million", [["0"]], "risk.gamma_bps_per_million"),
    ("risk.gamma_bps_per_million.1.1", "-1", "risk.gamma_bps_per_million[1][1]"),
    ("risk.gamma_bps_per_million.1.1", 0, "risk.gamma_bps_per_million[1][1]"),
    ("risk.gamma_bps_per_million.0.1", "1", "risk.gamma_bps_per_million[0][1]"),
    ("risk.depth_million_per_bp", ["0"], "risk.depth_million_per_bp"),
    ("risk.depth_million_per_bp.1", "x", "risk.depth_million_per_bp[1]"),
    ("risk.more", "x", "risk.more"),
    ("fee_ppm", 300, "fee_ppm"),
    ("fee_ppm", "0.5", "fee_ppm"),
    ("fee_ppm", "-1", "fee_ppm"),
    ("fee_ppm", "100001", "fee_ppm"),
    ("fee_ppm", {"EUR/USD": "100001"}, "fee_ppm.EUR/USD"),
    ("fee_ppm", {"USD/GBP": "1"}, "fee_ppm.USD/GBP"),
    ("fee_ppm", {"USD/USD": "1"}, "fee_ppm.USD/USD"),
    ("fee_ppm", {"USD/EUR": 1}, "fee_ppm.USD/EUR"),
    ("orders", None, "orders"),
    ("orders.0", "x", "orders[0]"),
    ("orders.0.id", "a", "orders[1].id"),
    ("orders.0.id", "", "orders[0].id"),
    ("orders.0.id", "x" * 65, "orders[0].id"),
    ("orders.0.id", 7, "orders[0].id"),
    ("orders.0.pay", ..., "orders[0].pay"),
    ("orders.0.budget", 12.5, "orders[0].budget"),
    ("orders.0.budget", 12, "orders[0].budget"),
    ("assets.1.decimals", 6.0, "assets[1].decimals"),
    ("orders.0.limit_ratio", 0.91, "orders[0].limit_ratio"),
    ("assets.1.reference_price", "0." + 30 * "0" + "1", "assets[1].reference_price"),
    ("risk.depth_million_per_bp.1", "-6", "risk.depth_million_per_bp[1]"),
    ("orders.0.budget", "12,5", "orders[0].budget"),
    ("orders.0.budget", "+1", "orders[0].budget"),
    ("orders.0.budget", "9" * 81, "orders[0].budget"),
    ("orders.0.limit_ratio", 1, "orders[0].limit_ratio"),
    ("orders.0.min_fill_fraction", 1, "orders[0].min_fill_fraction"),
    ("orders.0.min_fill_fraction", None, "orders[0].min_fill_fraction"),
    ("orders.0.note", "hi", "orders[0].note"),
]


@pytest.mark.parametrize(("path", "value", "field"), MALFORMED)
def test_a_malformed_batch_names_its_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(CodecError) as caught:
        read(changed(path, value))
    assert caught.value.field == field
    assert field in caught.value.line()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{", b'{"a":1,"a":2}', b"\xff{}", b"[" * 200, b'{"v":NaN}']
)
def test_what_is_no_json_object_is_malformed(data: bytes) -> None:
    with pytest.raises(CodecError, match="file"):
        read_batch(data)


NEVER = [
    ("receive", "USD", RejectCode.SELF_PAIR),
    ("pay", "GBP", RejectCode.ASSET_UNKNOWN),
    ("receive", "GBP", RejectCode.ASSET_UNKNOWN),
    ("budget", "0", RejectCode.BUDGET_ZERO),
    ("budget", "-0", RejectCode.BUDGET_ZERO),
    ("budget", "-1", RejectCode.BUDGET_NEGATIVE),
    ("budget", "0.0000001", RejectCode.AMOUNT_PRECISION),
    ("budget", "4611686018427.387904", RejectCode.AMOUNT_RANGE),
    ("limit_ratio", "0", RejectCode.LIMIT_RANGE),
    ("limit_ratio", "-1.2", RejectCode.LIMIT_RANGE),
    ("min_fill_fraction", "1.01", RejectCode.MIN_FILL_RANGE),
    ("min_fill_fraction", "-0.01", RejectCode.MIN_FILL_RANGE),
]


@pytest.mark.parametrize(("key", "value", "code"), NEVER)
def test_an_order_that_could_never_be_admitted_is_kept_apart(key, value, code) -> None:
    batch = read(changed(f"orders.0.{key}", value))
    assert [order.reject for order in batch.orders] == [None, code]
    assert batch.admitted == (0,)
    assert len(batch.case.orders) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("budget", "4611686018427.387903"),
        ("budget", "0.000001"),
        ("limit_ratio", "0.000000000000001"),
        ("min_fill_fraction", "1"),
        ("min_fill_fraction", "0"),
        ("receive", "EUR"),
    ],
)
def test_its_nearest_lawful_neighbour_is_admitted(key: str, value: str) -> None:
    assert read(changed(f"orders.0.{key}", value)).admitted == (0, 1)


def test_no_orders_are_a_batch() -> None:
    assert len(read(changed("orders", [])).case.orders) == 0


@pytest.mark.parametrize(("budget", "code"), [("23012", None), ("23013", RejectCode.AMOUNT_RANGE)])
def test_what_could_receive_too_much_inside_its_bands_is_kept_apart(
    budget: str, code: RejectCode | None
) -> None:
    """2^62 - 1 base units are the most: 23,012.36 at the far edge of the band."""
    tree = changed("assets.1.reference_price", "0.000005")
    tree["assets"][1]["decimals"] = 9
    tree["orders"] = [{"id": "a", "pay": "USD", "receive": "EUR", "budget": budget}]
    batch = read(tree)
    assert batch.orders[0].reject == code
    assert len(batch.case.orders) == (code is None)


def test_a_field_is_named_by_its_place_in_the_file() -> None:
    tree = changed("risk.gamma_bps_per_million", [["-1", "0"], ["0", "0"]])
    tree["assets"].reverse()
    with pytest.raises(CodecError) as caught:
        read(tree)
    assert caught.value.field == "risk.gamma_bps_per_million[0][0]"
