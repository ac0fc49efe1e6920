"""Sequence and search of rows by 32-byte keys, columnar.

Canonical order is by owner and nonce, and an owner is 32 bytes, which no numpy type compares. Keys
are four big-endian words (K x 4, ``>u8``), which compare as their bytes do. The first word of a
SHA-256 nearly always decides, so the fast path sorts by it alone; the exact path takes over where
two different keys share it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WORDS_DTYPE: Final = np.dtype(">u8")
"""A 32-byte key is four of these."""


def key_words(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """K x 4 words of u8[K, 32] keys."""
    return np.ascontiguousarray(keys).view(WORDS_DTYPE).reshape(len(keys), 4)


def key_bytes(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """u8[K, 32] keys of K x 4 words."""
    exact = np.ascontiguousarray(words, dtype=WORDS_DTYPE)
    return exact.view(np.uint8).reshape(len(words), 32)


def words_before(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each key of ``left`` stands strictly before that of ``right`` (K x 4 words)."""
    before = np.zeros(len(left), dtype=np.bool_)
    for word in (3, 2, 1, 0):
        before = (left[:, word] < right[:, word]) | ((left[:, word] == right[:, word]) & before)
    return before


def take_rows(
    rows: NDArray[np.void], index: NDArray[np.int64] | NDArray[np.bool_]
) -> NDArray[np.void]:
    """Rows at positions, or where a mask holds; rows are whole 8-byte words, moved as such."""
    words = np.ascontiguousarray(rows).view(np.uint64).reshape(-1, rows.dtype.itemsize // 8)
    return words[index].view(rows.dtype).reshape(-1)


def canonical_order(words: NDArray[np.uint64], nonces: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Stable permutation that puts rows in increasing (key, nonce), i64[K]."""
    first = words[:, 0].astype(np.uint64)
    order = np.lexsort((nonces, first))
    sorted_words, sorted_first = words[order], first[order]
    tied = sorted_first[1:] == sorted_first[:-1]
    if (sorted_words[1:][tied] != sorted_words[:-1][tied]).any():
        columns = [words[:, word].astype(np.uint64) for word in (3, 2, 1, 0)]
        order = np.lexsort((nonces, *columns))
    return order.astype(np.int64)


def same_as_previous(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each row's key equals the row before it; the first does not, bool[K]."""
    same = np.zeros(len(words), dtype=np.bool_)
    if len(words) > 1:
        same[1:] = (words[1:] == words[:-1]).all(axis=1)
    return same


def find_keys(table: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Position of each of K wanted keys in V strictly increasing keys, -1 where there is none."""
    found = np.full(len(wanted), -1, dtype=np.int64)
    first = table[:, 0].astype(np.uint64)
    at = np.searchsorted(first, wanted[:, 0].astype(np.uint64))
    open_rows = np.arange(len(wanted))
    while True:
        inside = at < len(table)
        open_rows, at = open_rows[inside], at[inside]
        near = first[at] == wanted[open_rows, 0]
        open_rows, at = open_rows[near], at[near]
        if not len(open_rows):
            return found
        hit = (table[at] == wanted[open_rows]).all(axis=1)
        found[open_rows[hit]] = at[hit]
        open_rows, at = open_rows[~hit], at[~hit] + 1
