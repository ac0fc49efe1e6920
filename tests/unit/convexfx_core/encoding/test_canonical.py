"""The byte encoding: every width, every bound, every way in which bytes do not decode."""

import hashlib
from collections.abc import Callable

import pytest

from convexfx_core.encoding.canonical import Reader, Writer, padded_length
from convexfx_core.encoding.hashing import network_id, tag_bytes, tagged_hash
from convexfx_core.encoding.merkle import table_root
from convexfx_core.errors import CodecError

UNSIGNED = [("u16", 2), ("u32", 4), ("u64", 8)]
SIGNED = [("i16", 2), ("i128", 16)]


@pytest.mark.parametrize(("name", "width"), UNSIGNED)
def test_unsigned_bounds_and_bytes(name: str, width: int) -> None:
    top = (1 << (8 * width)) - 1
    for value in (0, 1, 0x7F, top - 1, top):
        data = getattr(Writer(), name)(value).getvalue()
        assert data == value.to_bytes(width, "little")
        assert getattr(Reader(data), name)() == value
    for value in (-1, top + 1):
        with pytest.raises(CodecError, match=f"unsigned {8 * width}-bit"):
            getattr(Writer(), name)(value)


@pytest.mark.parametrize(("name", "width"), SIGNED)
def test_signed_bounds_and_twos_complement(name: str, width: int) -> None:
    half = 1 << (8 * width - 1)
    for value in (-half, -1, 0, half - 1):
        data = getattr(Writer(), name)(value).getvalue()
        assert data == (value % (2 * half)).to_bytes(width, "little")
        assert getattr(Reader(data), name)() == value
    for value in (-half - 1, half):
        with pytest.raises(CodecError, match=f"signed {8 * width}-bit"):
            getattr(Writer(), name)(value)


@pytest.mark.parametrize(("name", "width"), UNSIGNED + SIGNED)
def test_reading_one_byte_short_is_refused(name: str, width: int) -> None:
    with pytest.raises(CodecError, match="more bytes"):
        getattr(Reader(bytes(width - 1)), name)()


@pytest.mark.parametrize(
    ("method", "values", "width", "data"),
    [
        ("all_unsigned", (), 8, b""),
        ("all_unsigned", (1, 258, 0), 2, b"\1\0\2\1\0\0"),
        ("all_signed", (-1, 1, -128), 1, b"\xff\1\x80"),
    ],
)
def test_many_integers_stand_one_after_the_other(
    method: str, values: tuple[int, ...], width: int, data: bytes
) -> None:
    assert getattr(Writer(), method)(values, width).getvalue() == data
    reader = Reader(data)
    assert getattr(reader, method)(len(values), width) == values
    reader.end()
    with pytest.raises(CodecError, match="more bytes"):
        getattr(Reader(data), method)(len(values) + 1, width)


@pytest.mark.parametrize(("method", "value"), [("all_unsigned", 256), ("all_signed", 128)])
def test_one_integer_of_many_that_does_not_fit_is_refused(method: str, value: int) -> None:
    with pytest.raises(CodecError, match=r"price: expected .* 8-bit integer, found"):
        getattr(Writer(), method)((value - 1, value), 1, "price")


def test_a_view_is_read_where_it_lies() -> None:
    lying = bytearray(b"\1\0\2\0")
    reader = Reader(memoryview(lying))
    assert reader.u16() == 1
    lying[2] = 3
    assert reader.fixed(2) == b"\3\0"


@pytest.mark.parametrize(("length", "padded"), [(0, 0), (1, 8), (7, 8), (8, 8), (9, 16)])
def test_sized_bytes_are_padded_to_eight(length: int, padded: int) -> None:
    value = bytes(range(1, length + 1))
    data = Writer().sized(value).getvalue()
    assert padded_length(length) == padded
    assert data == length.to_bytes(8, "little") + value + bytes(padded - length)
    reader = Reader(data)
    assert reader.sized(length) == value
    reader.end()


def test_sized_length_is_checked_before_it_is_used() -> None:
    bomb = (1 << 63).to_bytes(8, "little") + bytes(8)
    with pytest.raises(CodecError, match="at most 1024"):
        Reader(bomb).sized(1_024)
    with pytest.raises(CodecError, match="at most 4 bytes"):
        Reader(Writer().sized(b"12345").getvalue()).sized(4)


def test_padding_and_reserved_bytes_must_be_zero() -> None:
    data = bytearray(Writer().sized(b"123").getvalue())
    data[-1] = 1
    with pytest.raises(CodecError, match="padding"):
        Reader(bytes(data)).sized(8)
    with pytest.raises(CodecError, match="zero bytes"):
        Reader(b"\0\1").zeros(2)


REFUSED_READS: list[Callable[[], object]] = [
    lambda: Reader(b"\0").end(),
    lambda: Reader(b"").fixed(1),
    lambda: Reader(b"").fixed(-1),
    lambda: Reader(b"cfx.other".ljust(16, b"\0")).tag("cfx.debit.v1"),
    lambda: Reader(b"a\0b\0").ascii(4),
    lambda: Reader(b"\xff\0\0\0").ascii(4),
]
REFUSED_WRITES: list[Callable[[], object]] = [
    lambda: Writer().fixed(b"12", 3),
    lambda: Writer().ascii("12345", 4),
    lambda: Writer().ascii("\u00e9", 4),
    lambda: Writer().ascii("a\0", 4),
    lambda: tag_bytes(""),
    lambda: tag_bytes("seventeen letters"),
    lambda: tag_bytes("\u00e9"),
    lambda: network_id(""),
    lambda: network_id("\u00e9"),
    lambda: table_root("t", b"123", 2),
    lambda: table_root("t", b"", 0),
]


@pytest.mark.parametrize("call", REFUSED_READS + REFUSED_WRITES)
def test_refused(call: Callable[[], object]) -> None:
    with pytest.raises(CodecError):
        call()


def test_reader_tells_where_it_stands() -> None:
    reader = Reader(b"\1\2\3\4ab\0\0", "thing")
    assert (reader.u16(), reader.offset, reader.remaining) == (0x0201, 2, 6)
    reader.fixed(2)
    assert reader.ascii(4) == "ab"
    reader.end()
    with pytest.raises(CodecError, match=r"thing\.price"):
        reader.u64("price")


def test_tagged_hash_is_sha256_of_padded_tag_and_parts() -> None:
    expected = hashlib.sha256(b"cfx.node.v1" + bytes(5) + b"ab").digest()
    assert tagged_hash("cfx.node.v1", b"a", b"b") == expected
    assert tagged_hash("cfx.node.v1", b"ab") == expected
    assert tagged_hash("cfx.node.v2", b"ab") != expected


def test_network_id_is_the_tagged_hash_of_the_name() -> None:
    assert network_id("x") == hashlib.sha256(b"cfx.network.v1".ljust(16, b"\0") + b"x").digest()
