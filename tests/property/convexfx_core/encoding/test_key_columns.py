"""Sorting and searching keys agree with Python's own bytes, collisions of first words included."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.encoding.base58_columns import owner_texts
from convexfx_core.encoding.key_columns import canonical_order, find_keys, key_words, words_before
from convexfx_core.identity import base58_encode

KEYS = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.builds(
        lambda head, tail: (head * 8).ljust(31, b"\0") + tail,
        st.sampled_from([b"\0", b"\1", b"\xff"]),
        st.sampled_from([b"\0", b"\1", b"\2", b"\xff"]),
    ),
)
ROWS = st.lists(st.tuples(KEYS, st.integers(0, 3)), max_size=30)


def words_of(keys: list[bytes]) -> np.ndarray:
    return key_words(np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32))


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_the_canonical_order_is_that_of_tuples(rows: list[tuple[bytes, int]]) -> None:
    nonces = np.array([nonce for _, nonce in rows], dtype=np.uint64)
    found = canonical_order(words_of([key for key, _ in rows]), nonces)
    assert found.tolist() == sorted(range(len(rows)), key=lambda k: rows[k])


@settings(max_examples=200, deadline=None)
@given(st.sets(KEYS, max_size=20), st.lists(KEYS, max_size=20))
def test_keys_are_found_as_in_a_dictionary(table: set[bytes], others: list[bytes]) -> None:
    ordered = sorted(table)
    places = {key: place for place, key in enumerate(ordered)}
    wanted = [*others, *table]
    found = find_keys(words_of(ordered), words_of(wanted))
    assert found.tolist() == [places.get(key, -1) for key in wanted]


@settings(max_examples=200, deadline=None)
@given(KEYS, KEYS)
def test_before_is_that_of_bytes(left: bytes, right: bytes) -> None:
    assert words_before(words_of([left]), words_of([right])).tolist() == [left < right]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(KEYS, st.integers(0, 300).map(lambda v: v.to_bytes(32, "big"))),
                max_size=12))  # fmt: skip
def test_base58_by_columns_is_that_one_by_one(keys: list[bytes]) -> None:
    assert owner_texts(words_of(keys)) == [base58_encode(key) for key in keys]
