"""The columnar path: no step of Python for each order, no check that could go unnoticed."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import numpy as np
import pytest

from convexfx_core.errors import RejectCode
from convexfx_core.identity import verify_rows
from convexfx_core.orders import signed_columns as order_columns
from convexfx_core.orders.codes import code_of
from convexfx_core.orders.signed_columns import byte_rows, decode_payloads, read_columns
from tests.support.signed_cases import domain, key, limit_order, payload
from tests.unit.convexfx_core.orders.test_signed import ACCEPTED, REFUSED


def calls_while_decoding(count: int) -> int:
    """Number of Python and C calls that decoding ``count`` payloads makes."""
    rows, seen = byte_rows([payload()] * count, 272), 0

    def watch(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(watch)
    try:
        decode_payloads(rows, domain())
    finally:
        sys.setprofile(None)
    return seen


def test_calls_do_not_grow_with_the_number_of_orders() -> None:
    calls_while_decoding(1)
    assert calls_while_decoding(5_000) == calls_while_decoding(1)


def codes_without(skipped: int, monkeypatch: pytest.MonkeyPatch) -> list[RejectCode | None]:
    original = order_columns._checks

    def fewer(*arguments: Any) -> Iterator[tuple[RejectCode, Any]]:
        checks: Iterable[tuple[RejectCode, Any]] = original(*arguments)
        yield from (check for place, check in enumerate(checks) if place != skipped)

    with monkeypatch.context() as patch:
        patch.setattr(order_columns, "_checks", fewer)
        return all_codes()


def all_codes() -> list[RejectCode | None]:
    payloads = [*ACCEPTED.values(), *(data for data, _ in REFUSED.values())]
    return [code_of(int(code)) for code in decode_payloads(byte_rows(payloads, 272), domain())[1]]


NUMBER_OF_CHECKS = 24
WORDING = 10
"""The rule of known kinds: a later one refuses them too, and with the same code."""


@pytest.mark.parametrize("place", set(range(NUMBER_OF_CHECKS)) - {WORDING})
def test_no_check_can_be_left_out_unnoticed(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes_without(place, monkeypatch) != all_codes()


def test_canary_these_are_all_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert codes_without(NUMBER_OF_CHECKS, monkeypatch) == all_codes()


def signed_rows(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Payloads, keys and signatures; every fifth signature belongs to another payload."""
    payloads = [payload(limit_order(nonce=i + 1)) for i in range(count)]
    signatures = [key("alice").sign(data) for data in payloads]
    for i in range(0, count, 5):
        signatures[i] = key("alice").sign(b"something else")
    keys = [key("alice").public] * count
    return byte_rows(payloads, 272), byte_rows(keys, 32), byte_rows(signatures, 64)


def test_threads_over_slices_give_the_same_verdicts() -> None:
    table = signed_rows(200)
    whole = verify_rows(*table)
    with ThreadPoolExecutor(4) as pool:
        parts = list(
            pool.map(lambda s: verify_rows(*(c[s : s + 23] for c in table)), range(0, 200, 23))
        )
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.tolist() == [i % 5 != 0 for i in range(200)]


def test_verification_in_several_layouts(monkeypatch: pytest.MonkeyPatch) -> None:
    table = signed_rows(30)
    whole = verify_rows(*table)
    monkeypatch.setattr("convexfx_core.identity.VERIFY_ROWS", 7)
    assert np.array_equal(verify_rows(*table), whole)
    backwards = tuple(column[::-1] for column in table)
    assert np.array_equal(verify_rows(*backwards), whole[::-1])


def test_only_rows_that_pass_everything_else_reach_the_signature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[int] = []

    def counting(*arguments: Any) -> np.ndarray:
        reached.append(len(arguments[3]))
        return verify_rows(*arguments)

    monkeypatch.setattr(order_columns, "verify_rows", counting)
    payloads = [payload(), *(data for data, _ in REFUSED.values())]
    count = len(payloads)
    keys = byte_rows([key("alice").public] * count, 32)
    codes = read_columns(
        byte_rows(payloads, 272), keys, byte_rows([key("alice").sign(payload())] * count, 64),
        domain(),
    )[1]  # fmt: skip
    assert reached == [1]
    assert (codes == 0).tolist() == [True] + [False] * (count - 1)


def test_columns_may_be_read_only_and_strided() -> None:
    wide = np.zeros((6, 300), dtype=np.uint8)
    wide[:, 10:282] = byte_rows([payload(limit_order(nonce=i + 1)) for i in range(6)], 272)
    wide.setflags(write=False)
    rows, codes = decode_payloads(wide[::2, 10:282], domain())
    assert rows["nonce"].tolist() == [1, 3, 5]
    assert not codes.any()
