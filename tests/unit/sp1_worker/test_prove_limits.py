"""The limits of ``make prove`` follow the width of the processor's vectors, and nothing else."""

import pytest

from sp1_worker.prove_check import SECONDS_MAX, seconds_max, slowness

WIDE = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512dq sha_ni\n"
NARROW = WIDE.replace(" avx512f avx512dq", "")


def test_the_limits_are_those_of_a_processor_with_wide_vectors() -> None:
    assert slowness(WIDE) == 1.0


@pytest.mark.parametrize("text", [NARROW, "", "model name\t: avx512f\n", WIDE.replace("2f", "2fp")])
def test_without_them_a_proof_may_take_twice_as_long(text: str) -> None:
    assert slowness(text) == 2.0


@pytest.mark.parametrize("mode", SECONDS_MAX)
def test_the_limit_of_this_machine_is_one_of_the_two(mode: str) -> None:
    assert seconds_max(mode) in (SECONDS_MAX[mode], 2 * SECONDS_MAX[mode])
