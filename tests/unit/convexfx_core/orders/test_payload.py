"""Signed payloads: layout, round trip, and bytes that are none."""

from dataclasses import replace
from hashlib import sha256

import pytest

from convexfx_core.errors import CodecError
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from tests.support.signed_cases import address, domain, limit_order, patched, payload

TOKENS = sorted(address(f"mint {name}") for name in ("USD", "EUR", "JPY"))
ALLOWANCE = DebitAllowance.from_bytes(payload())
MINT = MintPayload(
    network_id=domain().network_id,
    mint=address("mint USD"),
    new_nonce=1,
    operation=MintOperation.CREATE,
    name="US dollar \u20ac",
    symbol="USD",
    credits=(Credit(address("pool"), 10), Credit(address("alice", shard=9), (1 << 64) - 1)),
    auxiliary=b"\1\2\3",
)
INCREASE = replace(MINT, operation=MintOperation.INCREASE_SUPPLY, name="", symbol="", credits=())


def test_layout_of_an_order() -> None:
    data, order = payload(), limit_order()
    assert len(data) == 272
    assert data[:24] == b"cfx.debit.v1".ljust(16, b"\0") + b"\1\0\0\0\1\0\0\0"
    assert data[24:56] == domain().network_id
    assert data[56:96] == address("alice").to_bytes()
    assert data[96:136] == address("pool").to_bytes()
    assert data[136:144] == (1).to_bytes(8, "little")
    assert data[144:184] == address("mint USD").to_bytes()
    assert data[184:192] == order.budget.to_bytes(8, "little")
    assert data[192:200] == (72).to_bytes(8, "little")
    assert data[200:] == order.terms.to_bytes()
    assert ALLOWANCE.order_id == sha256(data).digest()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("auxiliary", [b"", b"\0", b"12345678", bytes(1_024)])
def test_allowances_round_trip(count: int, auxiliary: bytes) -> None:
    allowances = tuple(Allowance(token, i) for i, token in enumerate(TOKENS[:count]))
    value = replace(ALLOWANCE, allowances=allowances, auxiliary=auxiliary)
    data = value.to_bytes()
    assert len(data) == 152 + 48 * count + -(-len(auxiliary) // 8) * 8
    assert DebitAllowance.from_bytes(data) == value


def test_allowances_that_have_no_bytes() -> None:
    many = tuple(Allowance(t, 1) for t in sorted(address(f"token {i}") for i in range(17)))
    assert len(DebitAllowance.from_bytes(replace(ALLOWANCE, allowances=many[:16]).to_bytes())
               .allowances) == 16  # fmt: skip
    for change in (
        {"allowances": many},
        {"allowances": (Allowance(TOKENS[1], 1), Allowance(TOKENS[0], 1))},
        {"allowances": (Allowance(TOKENS[0], 1), Allowance(TOKENS[0], 1))},
        {"allowances": (Allowance(TOKENS[0], 1 << 64),)},
        {"allowances": (Allowance(TOKENS[0], -1),)},
        {"auxiliary": bytes(1_025)},
        {"new_nonce": 1 << 64},
        {"new_nonce": -1},
        {"network_id": bytes(31)},
    ):
        with pytest.raises(CodecError):
            replace(ALLOWANCE, **change).to_bytes()


def not_allowances() -> dict[str, bytes]:
    """Bytes near an allowance's that are none."""
    good = payload()
    two = replace(ALLOWANCE, allowances=(Allowance(TOKENS[0], 1), Allowance(TOKENS[1], 1)))
    data = two.to_bytes()
    return {
        "empty": b"",
        "cut": good[:-1],
        "longer": good + b"\0",
        "eight longer": good + bytes(8),
        "tag": patched(good, 0, b"C"),
        "tag tail": patched(good, 15, b"\1"),
        "version": patched(good, 16, b"\2"),
        "no allowance said": patched(good, 20, b"\0"),
        "two said": patched(good, 20, b"\2"),
        "seventeen": patched(good, 20, b"\x11") + bytes(16 * 48),
        "debited shard": patched(good, 88, bytes(8)),
        "credited shard": patched(good, 128, bytes(8)),
        "token shard": patched(good, 176, bytes(8)),
        "length": patched(good, 192, b"\x40"),
        "length bomb": patched(good, 192, b"\xff" * 8),
        "unsorted": data[:144] + data[192:240] + data[144:192] + data[240:],
        "repeated": data[:192] + data[144:192] + data[240:],
        "padding": replace(ALLOWANCE, auxiliary=b"1").to_bytes()[:-1] + b"\1",
    }


@pytest.mark.parametrize("name", not_allowances())
def test_bytes_that_are_no_allowance(name: str) -> None:
    with pytest.raises(CodecError):
        DebitAllowance.from_bytes(not_allowances()[name])


def test_layout_of_a_mint() -> None:
    data = MINT.to_bytes()
    name = MINT.name.encode()
    assert data[:24] == b"cfx.mint.v1".ljust(16, b"\0") + b"\1\0\0\0\2\0\0\0"
    assert data[24:96] == domain().network_id + address("mint USD").to_bytes()
    assert data[96:112] == (1).to_bytes(8, "little") + bytes(8)
    assert data[112:120] == len(name).to_bytes(8, "little")
    assert data[120:136] == name.ljust(16, b"\0")
    assert data[136:152] == (3).to_bytes(8, "little") + b"USD".ljust(8, b"\0")
    assert data[152:200] == address("pool").to_bytes() + (10).to_bytes(8, "little")
    assert data[248:] == (3).to_bytes(8, "little") + b"\1\2\3".ljust(8, b"\0")


@pytest.mark.parametrize("mint", [MINT, INCREASE])
def test_mints_round_trip(mint: MintPayload) -> None:
    assert MintPayload.from_bytes(mint.to_bytes()) == mint


def test_mints_that_have_no_bytes() -> None:
    for change in (
        {"operation": MintOperation.INCREASE_SUPPLY},
        {"name": "x" * 257},
        {"name": "\ud800"},
        {"credits": (Credit(address("pool"), -1),)},
        {"credits": (Credit(address("pool"), 1),) * 1_001},
        {"auxiliary": bytes(1_025)},
    ):
        with pytest.raises(CodecError):
            replace(MINT, **change).to_bytes()


def not_mints() -> dict[str, bytes]:
    """Bytes near a mint's that are none."""
    good, increase = MINT.to_bytes(), INCREASE.to_bytes()
    return {
        "allowance": payload(),
        "cut": good[:-8],
        "longer": good + bytes(8),
        "version": patched(good, 16, b"\0"),
        "more credits": patched(good, 20, b"\3"),
        "credits bomb": patched(good, 20, b"\xff" * 4),
        "shard": patched(good, 88, bytes(8)),
        "operation": patched(good, 104, b"\2"),
        "increase with a name": patched(good, 104, b"\1"),
        "name padding": patched(good, 135, b"\1"),
        "name not UTF-8": patched(good, 120, b"\xff"),
        "name bomb": patched(good, 112, b"\xff" * 8),
        "increase cut": increase[:-1],
    }


@pytest.mark.parametrize("name", not_mints())
def test_bytes_that_are_no_mint(name: str) -> None:
    with pytest.raises(CodecError):
        MintPayload.from_bytes(not_mints()[name])
