"""The one numbering of codes in columns: 0 accepts, then the closed lists from 1."""

import numpy as np

from convexfx_core.errors import ParkCode, RejectCode
from convexfx_core.orders.codes import (
    ACCEPTED,
    PARK_CODES,
    REJECT_CODES,
    code_number,
    code_of,
    first_codes,
)


def test_every_code_has_a_number_and_back() -> None:
    assert code_of(ACCEPTED) is None
    assert [code_of(code_number(code)) for code in RejectCode] == list(RejectCode)
    assert [PARK_CODES[code_number(code) - 1] for code in ParkCode] == list(ParkCode)


def test_numbers_fit_a_byte_and_none_of_them_accepts() -> None:
    numbers = [code_number(code) for code in REJECT_CODES]
    assert ACCEPTED not in numbers
    assert max(numbers) < 256


def test_the_first_check_that_fails_names_the_code() -> None:
    checks = [
        (RejectCode.TERMS, np.array([False, True, False, True])),
        (RejectCode.SELF_PAIR, np.array([False, True, True, False])),
        (RejectCode.TERMS, np.array([False, False, True, False])),
    ]
    found = [code_of(int(code)) for code in first_codes(checks, 4)]
    assert found == [None, RejectCode.TERMS, RejectCode.SELF_PAIR, RejectCode.TERMS]
    assert first_codes([], 2).tolist() == [ACCEPTED, ACCEPTED]
