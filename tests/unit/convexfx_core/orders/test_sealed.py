"""Sealed orders as columns: shapes, joins, selections, and the bytes that must survive them."""

from dataclasses import replace

import numpy as np
import pytest

from convexfx_core.errors import CodecError
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed_columns import OrderColumns
from tests.support.epoch_cases import EPOCH, LIMIT_ONE, Sketch, sealed

COLUMNS = ("rows", "order_ids", "sealed_epoch", "payloads", "pub_keys", "signatures")


def book() -> SealedOrders:
    return sealed(
        Sketch(1, 1, signature=1),
        Sketch(2, 7, cancel=True, sealed=EPOCH - 1, signature=2),
        Sketch(3, 2, limit=LIMIT_ONE, signature=3),
    )


def content(orders: SealedOrders) -> list[bytes]:
    return [getattr(orders, name).tobytes() for name in COLUMNS]


def test_no_orders_have_every_column() -> None:
    nothing = SealedOrders.empty()
    assert len(nothing) == 0
    assert [getattr(nothing, name).shape[1:] for name in COLUMNS] == [
        (), (32,), (), (272,), (32,), (64,)
    ]  # fmt: skip
    assert nothing.rows.dtype == ORDER_DTYPE


@pytest.mark.parametrize("index", [[0], [2, 0], [0, 0], [], [True, False, True]])
def test_a_selection_takes_the_same_rows_of_every_column(index: list[int]) -> None:
    orders = book()
    places = np.array(index, dtype=np.bool_ if True in index and False in index else np.int64)
    taken = orders.take(places)
    for name in COLUMNS:
        assert getattr(taken, name).tobytes() == getattr(orders, name)[places].tobytes()


def test_a_join_holds_one_table_behind_the_other() -> None:
    orders = book()
    parts = [orders.take(np.array([k])) for k in range(3)]
    assert content(SealedOrders.joined(parts)) == content(orders)
    assert content(SealedOrders.joined([SealedOrders.empty(), orders])) == content(orders)
    assert content(SealedOrders.joined([orders])) == content(orders)


def test_a_join_of_nothing_is_empty() -> None:
    assert len(SealedOrders.joined([])) == 0
    assert len(SealedOrders.joined([SealedOrders.empty()] * 2)) == 0


def test_owners_keep_their_bytes_in_a_join() -> None:
    """numpy would turn joined words into the machine's own byte order."""
    orders = book()
    joined = SealedOrders.joined([orders, orders])
    assert joined.rows.dtype == ORDER_DTYPE
    assert joined.rows[3]["owner"].tobytes() == Sketch(1, 1).owner()


def test_new_orders_get_the_epoch_that_seals_them() -> None:
    orders = book()
    columns = OrderColumns(
        orders.rows, orders.order_ids, orders.payloads, orders.pub_keys, orders.signatures
    )
    fresh = SealedOrders.sealed(columns, 77)
    assert fresh.sealed_epoch.tolist() == [77, 77, 77]
    assert fresh.sealed_epoch.dtype == np.uint64
    assert content(replace(fresh, sealed_epoch=orders.sealed_epoch)) == content(orders)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("order_ids", (3, 31)),
        ("order_ids", (2, 32)),
        ("sealed_epoch", (2,)),
        ("sealed_epoch", (3, 1)),
        ("payloads", (3, 271)),
        ("payloads", (4, 272)),
        ("pub_keys", (3, 33)),
        ("signatures", (3, 63)),
        ("signatures", (3,)),
    ],
)
def test_other_shapes_are_refused(name: str, shape: tuple[int, ...]) -> None:
    dtype = np.uint64 if name == "sealed_epoch" else np.uint8
    with pytest.raises(CodecError, match=f"orders.{name}: expected shape"):
        replace(book(), **{name: np.zeros(shape, dtype=dtype)})


def test_rows_of_another_layout_are_refused() -> None:
    native = ORDER_DTYPE.newbyteorder("<")
    with pytest.raises(CodecError, match="order rows of 80 bytes"):
        replace(book(), rows=book().rows.astype(native))
