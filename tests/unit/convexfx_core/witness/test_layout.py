"""Witness and public values: offsets by hand, round trips, refusals."""

from dataclasses import fields, replace

import pytest

from convexfx_core.errors import CodecError
from convexfx_core.ledger.rows import DIFF_DTYPE, SETTLEMENT_DTYPE
from convexfx_core.witness.layout import (
    AMOUNT_DTYPE,
    DEMAND_DTYPE,
    PAIR_DTYPE,
    REJECT_DTYPE,
    SECTION_NAMES,
    encode_sections,
    encode_witness,
    split_sections,
    with_public_values,
)
from convexfx_core.witness.public_values import (
    FIELD_NAMES,
    PUBLIC_VALUES_BYTES,
    PublicValues,
    first_difference,
)
from tests.support.witnesses.epochs import plain_epoch, rationed_epoch
from tests.support.witnesses.forge import witness_of

VALUES = PublicValues(
    shard=3,
    epoch=4,
    params_hash=b"\x01" * 32,
    reference_hash=b"\x02" * 32,
    prices_hash=b"\x03" * 32,
    batch_root=b"\x04" * 32,
    pre_state_root=b"\x05" * 32,
    post_state_root=b"\x06" * 32,
    sdl_hash=b"\x07" * 32,
    n_orders=10,
    n_fills=9,
    network_id=b"\x08" * 32,
    gap=(1 << 128) - 1,
    inventory_risk=5,
    price_tracking=6,
    fill_incentive=-(1 << 127),
    total=-11,
)


def test_public_values_stand_where_the_specification_says() -> None:
    data = VALUES.to_bytes()
    assert len(data) == PUBLIC_VALUES_BYTES == 392
    assert data[:8] == (1).to_bytes(8, "little")
    assert data[8:24] == b"cfx.pv.v1\0\0\0\0\0\0\0"
    assert (data[24], data[32], data[264], data[272]) == (3, 4, 10, 9)
    offsets = (40, 72, 104, 136, 168, 200, 232, 280)
    for offset, byte in zip(offsets, (1, 2, 3, 4, 5, 6, 7, 8), strict=True):
        assert data[offset : offset + 32] == bytes([byte]) * 32
    assert data[312:328] == b"\xff" * 16
    assert data[328:360:16] == b"\x05\x06"
    assert data[360:376] == bytes(15) + b"\x80"
    assert int.from_bytes(data[376:], "little", signed=True) == -11


def test_public_values_round_trip() -> None:
    assert PublicValues.from_bytes(VALUES.to_bytes()) == VALUES


def test_field_names_are_the_fields_in_the_order_of_the_bytes() -> None:
    assert FIELD_NAMES[2:] == tuple(field.name for field in fields(PublicValues))


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_the_first_difference_names_its_field(name: str) -> None:
    data, offset = VALUES.to_bytes(), 0
    widths = (8, 16, 8, 8, *(32,) * 7, 8, 8, 32, *(16,) * 5)
    offset = sum(widths[: FIELD_NAMES.index(name)])
    other = data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
    assert first_difference(other, data) == FIELD_NAMES.index(name)
    last = offset + widths[FIELD_NAMES.index(name)] - 1
    other = data[:last] + bytes([data[last] ^ 128]) + data[last + 1 :]
    assert first_difference(other, data) == FIELD_NAMES.index(name)


def test_equal_bytes_have_no_difference() -> None:
    assert first_difference(VALUES.to_bytes(), VALUES.to_bytes()) is None


@pytest.mark.parametrize(
    ("at", "byte", "field"), [(0, 2, "version"), (8, 100, "domain_tag"), (23, 1, "domain_tag")]
)
def test_foreign_public_values_are_refused(at: int, byte: int, field: str) -> None:
    data = VALUES.to_bytes()
    with pytest.raises(CodecError) as error:
        PublicValues.from_bytes(data[:at] + bytes([byte]) + data[at + 1 :])
    assert error.value.field == f"public_values.{field}"


@pytest.mark.parametrize("change", [-1, 1])
def test_public_values_of_another_length_are_refused(change: int) -> None:
    data = (VALUES.to_bytes() + b"\0")[: 392 + change]
    with pytest.raises(CodecError, match="392 bytes"):
        PublicValues.from_bytes(data)


@pytest.mark.parametrize("name", ["params_hash", "sdl_hash", "network_id"])
def test_a_short_hash_has_no_bytes(name: str) -> None:
    with pytest.raises(CodecError, match=name):
        replace(VALUES, **{name: b"\x01" * 31}).to_bytes()


@pytest.mark.parametrize(
    ("name", "value"), [("gap", 1 << 128), ("gap", -1), ("total", 1 << 127), ("epoch", 1 << 64)]
)
def test_a_number_that_does_not_fit_has_no_bytes(name: str, value: int) -> None:
    with pytest.raises(CodecError, match=f"public_values.{name}"):
        replace(VALUES, **{name: value}).to_bytes()


def test_json_shows_bytes_in_hex_and_numbers_in_decimal() -> None:
    shown = VALUES.to_json()
    assert shown["sdl_hash"] == "07" * 32
    assert shown["fill_incentive"] == str(-(1 << 127))
    assert set(shown) == set(FIELD_NAMES[2:])


def test_row_widths() -> None:
    widths = [
        dtype.itemsize
        for dtype in (
            PAIR_DTYPE, DEMAND_DTYPE, REJECT_DTYPE, AMOUNT_DTYPE, SETTLEMENT_DTYPE, DIFF_DTYPE,
        )
    ]  # fmt: skip
    assert widths == [16, 16, 16, 16, 16, 32]


def test_sections_stand_behind_their_lengths() -> None:
    parts = [bytes([i]) * (8 * i) for i in range(len(SECTION_NAMES))]
    data = encode_sections(parts)
    assert data[:16] == b"CFXWIT\0\0" + (1).to_bytes(8, "little")
    assert data[16:24] == bytes(8)
    assert data[24:40] == (8).to_bytes(8, "little") + b"\x01" * 8
    assert [bytes(part) for part in split_sections(data)] == parts


@pytest.mark.parametrize("cut", [0, 7, 8, 15, 16, 23, 24, 100])
def test_a_truncated_frame_is_refused(cut: int) -> None:
    data = encode_sections([b"12345678"] * len(SECTION_NAMES))
    with pytest.raises(CodecError):
        split_sections(data[:cut])


def test_a_decoded_witness_encodes_to_the_same_bytes() -> None:
    for epoch in (plain_epoch(), rationed_epoch()):
        data = epoch.apply().witness
        assert encode_witness(witness_of(data)) == data


def test_public_values_are_the_last_section() -> None:
    data = plain_epoch().apply().witness
    other = with_public_values(data, VALUES.to_bytes())
    assert bytes(split_sections(other)[13]) == VALUES.to_bytes()
    assert other[:-392] == data[:-392]


def test_sections_of_a_witness_have_the_lengths_that_the_specification_gives() -> None:
    data = rationed_epoch().apply().witness
    witness, n = witness_of(data), rationed_epoch().opening.params.n
    consumed, left = len(witness.consumed), len(witness.left)
    sizes = [len(section) for section in split_sections(data)]
    assert sizes == [
        48,
        16 + 72 * n + 40 * n * n,
        64 * n,
        16 + 48 * n,
        40 + 16 * n + len(witness.vaults) * (40 + 8 * n),
        16 + 80 * (consumed + left),
        16 * n + 16 * len(witness.pairs),
        8 * consumed,
        32 * n,
        8 * n + 16 * len(witness.demanded),
        16 * len(witness.rejects),
        16 * consumed,
        32 * len(witness.diffs),
        392,
    ]


def test_consumed_orders_come_first_in_the_order_index() -> None:
    witness = witness_of(plain_epoch().apply().witness)
    count = len(witness.consumed)
    assert (witness.orders[:count] == witness.consumed).all()
    assert (witness.orders[count:] == witness.left).all()
    assert witness.orders.dtype == witness.consumed.dtype
