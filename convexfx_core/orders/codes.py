"""Codes of a closed list as a column of bytes: 0 says accepted, k names the k-th code of the list.

A column of a million orders cannot hold a million texts. Zero means that nothing is wrong, so that
``codes.any()`` asks whether something is. The numbers live in memory only; what is written to the
store or sent to somebody holds the text.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import ParkCode, RejectCode

ACCEPTED: Final = 0
REJECT_CODES: Final = tuple(RejectCode)
PARK_CODES: Final = tuple(ParkCode)
_NUMBERS: Final = {
    code: number for names in (REJECT_CODES, PARK_CODES) for number, code in enumerate(names, 1)
}


def code_number(code: RejectCode | ParkCode) -> int:
    """Number of a code: its place in its closed list, from 1."""
    return _NUMBERS[code]


def code_of(number: int) -> RejectCode | None:
    """The reject code of a number; None for 0, which is acceptance."""
    return None if number == ACCEPTED else REJECT_CODES[number - 1]


def first_codes(
    checks: Iterable[tuple[RejectCode, NDArray[np.bool_]]], count: int
) -> NDArray[np.uint8]:
    """Number of the first check that each of ``count`` orders fails, u8[K]; 0 where none does.

    ``checks`` : (code, which orders fail, bool[K]), the one that names the code first in front.
    """
    codes = np.full(count, ACCEPTED, dtype=np.uint8)
    for code, failed in checks:
        if failed.any():
            codes[failed & (codes == ACCEPTED)] = code_number(code)
    return codes
