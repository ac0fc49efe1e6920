"""The registry: what it refuses, its bytes, exact amounts."""

from decimal import Decimal

import pytest

from convexfx_core.errors import CodecError, ConfigurationError, RejectedOrder
from convexfx_core.market.assets import ASSET_ROW_BYTES, Asset, Registry, registry_of
from tests.support.signed_cases import address, registry

USD = Asset("USD", 6, address("mint USD"))


def test_registry_bytes_are_rows_of_64() -> None:
    data = registry().to_bytes()
    assert len(data) == 3 * ASSET_ROW_BYTES
    assert data[:40] == address("mint USD").to_bytes()
    assert data[40:64] == (6).to_bytes(8, "little") + b"USD".ljust(16, b"\0")
    assert Registry.from_bytes(data) == registry()


def test_lookups() -> None:
    assets = registry()
    assert (len(assets), assets.ids, assets.decimals) == (3, ("USD", "EUR", "JPY"), (6, 6, 2))
    assert assets[1].id == "EUR"
    assert [assets.index(name) for name in assets.ids] == [0, 1, 2]
    assert [assets.by_token(asset.token) for asset in assets.assets] == [0, 1, 2]
    with pytest.raises(RejectedOrder, match="ASSET_UNKNOWN: pay_asset"):
        assets.index("usd", "pay_asset")
    with pytest.raises(RejectedOrder, match="ASSET_UNKNOWN"):
        assets.by_token(address("mint USD", shard=8))


def test_registry_from_text_rows() -> None:
    rows = [(asset.id, asset.decimals, str(asset.token)) for asset in registry().assets]
    assert registry_of(rows) == registry()
    with pytest.raises(CodecError):
        registry_of([("USD", 6, "nowhere,1"), rows[1]])


@pytest.mark.parametrize("name", ["", "U" * 17, "US/D", "US D", "\u20ac", "US\0"])
def test_asset_ids(name: str) -> None:
    with pytest.raises(ConfigurationError, match="REGISTRY"):
        Asset(name, 6, address("mint"))


@pytest.mark.parametrize("decimals", [-1, 10])
def test_asset_decimals(decimals: int) -> None:
    with pytest.raises(ConfigurationError, match=r"USD\.decimals"):
        Asset("USD", decimals, address("mint"))


def numbered(count: int) -> tuple[Asset, ...]:
    return tuple(Asset(f"A{i}", 0, address(f"mint {i}")) for i in range(count))


def test_number_and_distinctness_of_assets() -> None:
    for count in (2, 64):
        assert len(Registry(numbered(count))) == count
    for count in (0, 1, 65):
        with pytest.raises(ConfigurationError, match="2 to 64"):
            Registry(numbered(count))
    with pytest.raises(ConfigurationError, match="distinct ids"):
        Registry((USD, Asset("USD", 6, address("mint other"))))
    with pytest.raises(ConfigurationError, match="distinct tokens"):
        Registry((USD, Asset("EUR", 6, USD.token)))


def test_bytes_that_are_no_registry() -> None:
    good = registry().to_bytes()
    broken = {
        "cut": good[:-1],
        "one row": good[:64],
        "shard 0": good[:32] + bytes(8) + good[40:],
        "decimals": good[:40] + b"\x0a" + good[41:],
        "id": good[:48] + bytes(16) + good[64:],
        "id with hole": good[:48] + b"U\0D".ljust(16, b"\0") + good[64:],
        "twice": good[:64] + good[:64],
    }
    for name, data in broken.items():
        with pytest.raises(CodecError):
            pytest.fail(f"{name}: {Registry.from_bytes(data)}")


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("0", 0),
        ("-0", 0),
        ("1", 1_000_000),
        ("1000.00", 1_000_000_000),
        ("0.000001", 1),
        ("0.0000010000", 1),
        ("1E+3", 1_000_000_000),
        ("4611686018427.387903", (1 << 62) - 1),
    ],
)
def test_amounts_are_exact(text: str, atoms: int) -> None:
    assert USD.atoms(Decimal(text)) == atoms


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-0.000001", "BUDGET_NEGATIVE"),
        ("-1", "BUDGET_NEGATIVE"),
        ("0.0000001", "AMOUNT_PRECISION"),
        ("1.0000005", "AMOUNT_PRECISION"),
        ("1E-30", "AMOUNT_PRECISION"),
        ("1E-1000000", "AMOUNT_PRECISION"),
        ("4611686018427.387904", "AMOUNT_RANGE"),
        ("1E+20", "AMOUNT_RANGE"),
        ("1E+1000000", "AMOUNT_RANGE"),
        ("NaN", "AMOUNT_RANGE"),
        ("Infinity", "AMOUNT_RANGE"),
    ],
)
def test_amounts_that_are_none(text: str, code: str) -> None:
    with pytest.raises(RejectedOrder, match=f"{code}: budget"):
        USD.atoms(Decimal(text), "budget")


@pytest.mark.parametrize(
    ("decimals", "atoms", "text"),
    [(6, 0, "0.000000"), (6, 1, "0.000001"), (6, -1_500_000, "-1.500000"), (0, -7, "-7"),
     (2, 12_345, "123.45"), (9, 1, "0.000000001")],
)  # fmt: skip
def test_amounts_as_text(decimals: int, atoms: int, text: str) -> None:
    assert Asset("X", decimals, address("mint")).text(atoms) == text
