"""The guest's cost an order: within what was promised, and no dearer than the saved figures.

Cycles are instructions, so they are exact: a growth of 3 % is a change of the code.
"""

import json

import pytest

from bench.guest_cycles import SAVED, cycles_of
from bench.guest_witness import witness_of
from tasks.adapters.rust_parts import RustParts

ORDERS = 1_000
PROMISED = {1: 1_500, 4: 1_000}
GROWTH_MAX = 1.03
SAVED_CASES = {
    (case["orders"], case["orders_a_vault"]): case for case in json.loads(SAVED.read_text())
}


@pytest.fixture(scope="module")
def witnesses() -> dict[int, bytes]:
    return {per_vault: witness_of(ORDERS, per_vault) for per_vault in PROMISED}


def test_cycles_an_order_have_not_grown(rust: RustParts, witnesses: dict[int, bytes]) -> None:
    found = cycles_of(rust, rust.elf, list(witnesses.values()))
    for per_vault, cycles in zip(witnesses, found, strict=True):
        saved = SAVED_CASES[ORDERS, per_vault]["cycles"]
        assert cycles <= GROWTH_MAX * saved, f"{per_vault} orders a vault"
        assert cycles <= PROMISED[per_vault] * ORDERS, f"{per_vault} orders a vault"


@pytest.mark.parametrize("per_vault", PROMISED)
def test_the_saved_figures_keep_the_promise(per_vault: int) -> None:
    at_1_000, at_10_000 = (SAVED_CASES[orders, per_vault] for orders in (1_000, 10_000))
    assert at_1_000["cycles_an_order"] <= PROMISED[per_vault]
    assert at_10_000["cycles_an_order"] <= at_1_000["cycles_an_order"]


def test_the_saved_parts_add_up() -> None:
    for case in SAVED_CASES.values():
        parts = sum(case["parts_an_order"].values())
        assert parts == pytest.approx(case["cycles_an_order"], abs=0.5)
