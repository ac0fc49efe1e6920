"""`docs/limits.md` names every bound of an input with its true value, its reader and its code."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from convexfx_core import errors, limits

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/limits.md").read_text()
NOT_OF_DECODERS = {
    "ASSETS_MAX", "AMOUNT_MAX", "BALANCE_MAX", "NONCE_MAX", "VALUE_MAX", "RISK_MAX",
    "BAND_BPS_MAX", "FEE_PPM_MAX", "EXPIRY_EPOCHS_MAX", "DECIMALS_MAX", "AUXILIARY_BYTES_MAX",
    "ALLOWANCES_MAX", "LIMIT_EXPONENT_MIN", "LIMIT_EXPONENT_MAX", "RATE_SHIFT_MAX",
}  # fmt: skip
"""Ranges of numbers, and parts of one order: spec.md has them."""
OTHER_CODES = {"CODEC", "SIZE"}
"""Of a ``CodecError``, and of the devnet's gateway."""
NUMBERS = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| ([\d,]+) \|$", PAGE, re.MULTILINE)


def section(name: str) -> list[list[str]]:
    """Cells of the rows of a section's table, without its head."""
    text = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize(("name", "module", "value"), NUMBERS)
def test_a_number_is_the_constant_s(name: str, module: str, value: str) -> None:
    assert getattr(import_module(module), name) == int(value.replace(",", ""))


def test_every_row_of_numbers_is_read() -> None:
    assert len(NUMBERS) == len(section("Numbers")) > 20


def test_every_bound_of_a_decoder_stands_on_the_page() -> None:
    ours = {name for name in vars(limits) if name.isupper()} - NOT_OF_DECODERS
    assert ours == {name for name, module, _ in NUMBERS if module == "convexfx_core.limits"}


def test_every_input_names_its_reader_its_bound_and_its_code() -> None:
    named, codes = {name for name, _, _ in NUMBERS}, set(OTHER_CODES)
    for listed in (errors.RejectCode, errors.ConfigurationCode):
        codes |= set(listed)
    used: set[str] = set()
    for what, readers, bound, _, refusal in section("Inputs"):
        for reader in re.findall(r"`([\w./]+)`", readers):
            assert (ROOT / reader).is_file(), what
        constants = set(re.findall(r"`([A-Z_]+)`", bound))
        assert constants <= named, what
        used |= constants
        found = set(re.findall(r"`([A-Z_]+)`", refusal))
        assert found <= codes, what
        assert found or "exit code" in refusal, what
    assert used == named


def test_every_bomb_has_its_test() -> None:
    rows = section("What such an input costs")
    assert len(rows) >= 9
    assert all((ROOT / test.strip("`")).is_file() for *_, test in rows)
