"""Assets that the domain trades: id, decimals, token; index 0 is the numeraire.

Rows, rates and matrices name an asset by its index in the registry, never by its id. The registry
is append-only, so an index keeps its meaning for ever; its bytes are part of the params hash.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Self

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.errors import (
    CodecError,
    ConfigurationCode,
    ConfigurationError,
    ConvexFxError,
    RejectCode,
    RejectedOrder,
)
from convexfx_core.identity import Address
from convexfx_core.limits import AMOUNT_MAX, ASSETS_MAX, DECIMALS_MAX
from convexfx_core.market.decimal_text import amount_text, price_text

ASSET_ROW_BYTES: Final = 64
ASSET_ID_BYTES: Final = 16
_ASSET_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes
    ----------
    id : up to 16 ASCII letters, digits, ``.``, ``_``, ``-``.
    decimals : base units per unit are 10^decimals; 0 to 9.
    token : address of the mint vault.
    """

    id: str
    decimals: int
    token: Address

    def __post_init__(self) -> None:
        """Refuse ids and decimals outside their range."""
        if not _ASSET_ID.fullmatch(self.id):
            raise _registry("asset id", "1 to 16 of letters, digits, '.', '_', '-'", self.id)
        if not 0 <= self.decimals <= DECIMALS_MAX:
            raise _registry(f"{self.id}.decimals", f"0 to {DECIMALS_MAX}", self.decimals)

    def atoms(self, amount: Decimal, field: str = "amount") -> int:
        """Base units of a decimal amount, which must be exact and in [0, 2^62).

        Raises :class:`RejectedOrder`: BUDGET_NEGATIVE, AMOUNT_RANGE or AMOUNT_PRECISION.
        """
        if not amount.is_finite() or amount.adjusted() > 19:
            raise RejectedOrder(
                RejectCode.AMOUNT_RANGE, field, "below 2^62 base units", str(amount)
            )
        if amount < 0:
            raise RejectedOrder(RejectCode.BUDGET_NEGATIVE, field, "not below zero", str(amount))
        _, digits, exponent = amount.as_tuple()
        value, shift = int("".join(map(str, digits))), int(exponent) + self.decimals
        dropped = 10 ** min(max(-shift, 0), len(digits))
        if value % dropped:
            expected = f"at most {self.decimals} decimals for {self.id}"
            raise RejectedOrder(RejectCode.AMOUNT_PRECISION, field, expected, str(amount))
        atoms: int = value * 10 ** max(shift, 0) // dropped
        if atoms > AMOUNT_MAX:
            raise RejectedOrder(
                RejectCode.AMOUNT_RANGE, field, "below 2^62 base units", str(amount)
            )
        return atoms

    def text(self, atoms: int) -> str:
        """Units of a signed number of base units, with exactly ``decimals`` digits."""
        return amount_text(atoms, self.decimals)


@dataclass(frozen=True)
class Registry:
    """Append-only list of assets; an asset's index is its place.

    Attributes
    ----------
    assets : 2 to 64 assets with distinct ids and tokens.
    """

    assets: tuple[Asset, ...]

    def __post_init__(self) -> None:
        """Refuse lists that are too short, too long or not distinct."""
        object.__setattr__(self, "assets", tuple(self.assets))
        if not 2 <= len(self.assets) <= ASSETS_MAX:
            raise _registry("assets", f"2 to {ASSETS_MAX} assets", len(self.assets))
        if len(self._by_id) != len(self.assets):
            raise _registry("assets", "distinct ids", [asset.id for asset in self.assets])
        if len(self._by_token) != len(self.assets):
            raise _registry("assets", "distinct tokens", [str(a.token) for a in self.assets])

    @cached_property
    def _by_id(self) -> dict[str, int]:
        return {asset.id: i for i, asset in enumerate(self.assets)}

    @cached_property
    def _by_token(self) -> dict[Address, int]:
        return {asset.token: i for i, asset in enumerate(self.assets)}

    def __len__(self) -> int:
        """Number of assets."""
        return len(self.assets)

    def __getitem__(self, index: int) -> Asset:
        """Asset at ``index``."""
        return self.assets[index]

    @property
    def ids(self) -> tuple[str, ...]:
        """Asset ids in registry order."""
        return tuple(asset.id for asset in self.assets)

    @property
    def decimals(self) -> tuple[int, ...]:
        """Decimals in registry order."""
        return tuple(asset.decimals for asset in self.assets)

    def price_text(self, index: int, price: int) -> str:
        """Price of one unit of an asset in numeraire units, 12 significant digits.

        ``price`` is that of one base unit in numeraire base units, times 2^64.
        """
        return price_text(price, self.assets[index].decimals, self.assets[0].decimals)

    def index(self, asset_id: str, field: str = "asset") -> int:
        """Index of an asset id; :class:`RejectedOrder` ASSET_UNKNOWN otherwise."""
        found = self._by_id.get(asset_id)
        if found is None:
            raise _unknown(field, " ".join(self.ids), asset_id)
        return found

    def by_token(self, token: Address, field: str = "token") -> int:
        """Index of the asset of a token; :class:`RejectedOrder` ASSET_UNKNOWN otherwise."""
        found = self._by_token.get(token)
        if found is None:
            raise _unknown(field, "the token of a registered asset", str(token))
        return found

    def to_bytes(self) -> bytes:
        """Registry section of the witness: n rows of 64 bytes."""
        writer = Writer()
        for asset in self.assets:
            writer.raw(asset.token.to_bytes()).u64(asset.decimals, "decimals")
            writer.ascii(asset.id, ASSET_ID_BYTES, "asset id")
        return writer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Decode :meth:`to_bytes`; :class:`CodecError` for anything else."""
        if len(data) % ASSET_ROW_BYTES:
            raise CodecError("registry", f"rows of {ASSET_ROW_BYTES} bytes", len(data))
        reader = Reader(data, "registry")
        try:
            return cls(tuple(_read_asset(reader) for _ in range(len(data) // ASSET_ROW_BYTES)))
        except ConfigurationError as error:
            raise CodecError(f"registry {error.field}", error.expected, error.observed) from None


def registry_of(rows: Sequence[tuple[str, int, str]]) -> Registry:
    """Registry from (id, decimals, ``"<owner base58>,<shard>"``) rows."""
    return Registry(tuple(Asset(name, dec, Address.parse(token)) for name, dec, token in rows))


def _read_asset(reader: Reader) -> Asset:
    token = Address.read(reader, "token")
    decimals = reader.u64("decimals")
    return Asset(reader.ascii(ASSET_ID_BYTES, "asset id"), decimals, token)


def _registry(field: str, expected: str, observed: object) -> ConvexFxError:
    return ConfigurationError(ConfigurationCode.REGISTRY, field, expected, observed)


def _unknown(field: str, expected: str, observed: object) -> ConvexFxError:
    return RejectedOrder(RejectCode.ASSET_UNKNOWN, field, expected, observed)
