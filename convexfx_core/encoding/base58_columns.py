"""Base58 text of many keys at once: the columnar twin of ``identity.base58_encode``.

Tables name owners in base58, and a million of them one at a time is slow.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.key_columns import key_bytes

ALPHABET: Final = np.frombuffer(
    b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", dtype=np.uint8
)
GROUP: Final = np.uint64(58**5)
"""Five digits at a time: the remainder and 32 more bits stay inside 64."""
_GROUP_BITS: Final = 29
"""58^5 is more than 2^29: that many bits at least are gone after each division."""
_LIMB: Final = np.uint64(32)


def owner_texts(words: NDArray[np.uint64]) -> list[str]:
    """Base58 text of each of K x 4 big-endian words."""
    return base58_texts(key_bytes(words))


def base58_texts(keys: NDArray[np.uint8]) -> list[str]:
    """Base58 text of each row of u8[K, L], L a multiple of 4: owners, public keys, signatures."""
    # Limbs of 32 bits, high ones first; each division by 58^5 yields five digits from the end.
    limbs = np.ascontiguousarray(keys).view(">u4").astype(np.uint64)
    groups = -(-8 * keys.shape[1] // _GROUP_BITS)
    digits = np.empty((len(keys), 5 * groups), dtype=np.uint8)
    for group in range(groups, 0, -1):
        rest = _divide(limbs)
        for place in range(5 * group - 1, 5 * group - 6, -1):
            rest, digit = np.divmod(rest, np.uint64(58))
            digits[:, place] = digit
    # Every zero byte in front stands for one digit 0; other zeros in front are not written.
    start = _leading_zeros(digits) - _leading_zeros(keys)
    lines = ALPHABET[digits].tobytes().decode("ascii")
    width = digits.shape[1]
    return [lines[width * k + at : width * (k + 1)] for k, at in enumerate(start.tolist())]


def _divide(limbs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Divide K numbers of 32-bit limbs by 58^5 in place; the remainders."""
    rest = np.zeros(len(limbs), dtype=np.uint64)
    for column in range(limbs.shape[1]):
        limbs[:, column], rest = np.divmod((rest << _LIMB) | limbs[:, column], GROUP)
    return rest


def _leading_zeros(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number of zeros in front of each row's first other value."""
    other = rows != 0
    found = np.where(other.any(axis=1), other.argmax(axis=1), rows.shape[1])
    return np.asarray(found, dtype=np.int64)
