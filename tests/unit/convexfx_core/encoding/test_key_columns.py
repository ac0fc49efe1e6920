"""Sequence and search of 32-byte keys, above all where their first words are equal."""

import numpy as np
import pytest

from convexfx_core.encoding.key_columns import (
    canonical_order,
    find_keys,
    key_bytes,
    key_words,
    same_as_previous,
    take_rows,
    words_before,
)
from convexfx_core.orders.row import ORDER_DTYPE


def keys(*texts: str) -> np.ndarray:
    """Keys of 32 bytes from hexadecimal texts, zero-padded on the right."""
    data = b"".join(bytes.fromhex(text).ljust(32, b"\0") for text in texts)
    return np.frombuffer(data, dtype=np.uint8).reshape(len(texts), 32)


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


FIRST = "00000000000000ff"
"""A first word that several keys share."""


def test_words_and_bytes_are_the_same_keys() -> None:
    given = keys("0102", "ff")
    words = key_words(given)
    assert words.tolist()[0] == [0x0102 << 48, 0, 0, 0]
    assert key_bytes(words).tolist() == given.tolist()
    assert key_bytes(words.astype(np.uint64)).tolist() == given.tolist()


def test_no_keys_have_no_words() -> None:
    words = key_words(np.empty((0, 32), dtype=np.uint8))
    assert words.shape == (0, 4)
    assert key_bytes(words).shape == (0, 32)


@pytest.mark.parametrize(
    ("left", "right", "before"),
    [
        ("01", "02", True),
        ("02", "01", False),
        ("01", "01", False),
        (FIRST + "01", FIRST + "02", True),
        (FIRST + "02", FIRST + "01", False),
        ("00" * 31 + "01", "00" * 31 + "02", True),
        ("00" * 31 + "02", "00" * 31 + "01", False),
        ("00" * 16 + "01", "00" * 23 + "ff", False),
        ("7f", "80", True),
    ],
)
def test_words_compare_as_bytes(left: str, right: str, before: bool) -> None:
    found = words_before(key_words(keys(left)), key_words(keys(right)))
    assert found.tolist() == [before]
    assert (keys(left).tobytes() < keys(right).tobytes()) is before


def test_rows_are_sorted_by_key_then_nonce() -> None:
    words = key_words(keys("02", "01", "02", "01", "03"))
    assert canonical_order(words, numbers(5, 2, 4, 1, 0)).tolist() == [3, 1, 2, 0, 4]


def test_equal_rows_keep_their_sequence() -> None:
    words = key_words(keys("02", "01", "02", "02"))
    assert canonical_order(words, numbers(7, 1, 7, 7)).tolist() == [1, 0, 2, 3]


def test_nonces_above_the_signed_range_sort_as_unsigned() -> None:
    words = key_words(keys("01", "01", "01"))
    assert canonical_order(words, numbers(1 << 63, (1 << 64) - 1, 1)).tolist() == [2, 0, 1]


def test_keys_that_share_their_first_word_are_sorted_by_the_rest() -> None:
    """By nonce alone the first and last row would change places."""
    words = key_words(keys(FIRST + "02", FIRST + "01", FIRST + "01"))
    assert canonical_order(words, numbers(1, 2, 1)).tolist() == [2, 1, 0]


def test_a_shared_first_word_beside_others() -> None:
    words = key_words(keys("ff", FIRST + "00" * 23 + "02", FIRST + "00" * 23 + "01", "00"))
    assert canonical_order(words, numbers(1, 1, 9, 1)).tolist() == [3, 2, 1, 0]


def test_no_rows_have_an_order() -> None:
    assert canonical_order(key_words(keys()), numbers()).tolist() == []


def test_repeats_are_seen_only_side_by_side() -> None:
    words = key_words(keys("01", "01", FIRST + "01", FIRST + "02", "01"))
    assert same_as_previous(words).tolist() == [False, True, False, False, False]
    assert same_as_previous(key_words(keys())).tolist() == []
    assert same_as_previous(key_words(keys("01"))).tolist() == [False]


def test_keys_are_found_at_their_places() -> None:
    table = key_words(keys("01", "02", "04"))
    wanted = key_words(keys("04", "03", "01", "00", "05", "02"))
    assert find_keys(table, wanted).tolist() == [2, -1, 0, -1, -1, 1]


def test_keys_with_a_shared_first_word_are_told_apart() -> None:
    table = key_words(keys("00", FIRST + "01", FIRST + "02", FIRST + "03", "ff"))
    wanted = key_words(keys(FIRST + "03", FIRST + "01", FIRST + "04", FIRST, FIRST + "02"))
    assert find_keys(table, wanted).tolist() == [3, 1, -1, -1, 2]


def test_a_shared_first_word_at_the_end_of_the_table() -> None:
    table = key_words(keys(FIRST + "01", FIRST + "02"))
    assert find_keys(table, key_words(keys(FIRST + "03", FIRST + "02"))).tolist() == [-1, 1]


def test_nothing_is_found_in_an_empty_table() -> None:
    nothing = key_words(keys())
    assert find_keys(nothing, key_words(keys("01", "02"))).tolist() == [-1, -1]
    assert find_keys(key_words(keys("01")), nothing).tolist() == []


def test_rows_move_whole() -> None:
    rows = np.zeros(3, dtype=ORDER_DTYPE)
    rows["owner"] = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    rows["nonce"], rows["limit_e"], rows["kind"] = [7, 8, 9], [-5, 6, -7], [1, 2, 1]
    for index in (np.array([2, 0]), np.array([True, False, True]), np.array([], dtype=np.int64)):
        moved = take_rows(rows, index)
        assert moved.dtype == ORDER_DTYPE
        assert moved.tobytes() == rows[index].tobytes()


def test_no_rows_move_too() -> None:
    nothing = take_rows(np.empty(0, dtype=ORDER_DTYPE), np.array([], dtype=np.int64))
    assert len(nothing) == 0


def test_rows_of_a_strided_table_move_too() -> None:
    rows = np.zeros(6, dtype=ORDER_DTYPE)
    rows["nonce"] = range(6)
    assert take_rows(rows[::2], np.array([2, 1]))["nonce"].tolist() == [4, 2]
