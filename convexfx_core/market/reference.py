"""Reference prices and bands as integers, and the guards that stop a seal.

The reference is what everybody knows before the epoch: quotes become Pbar, and the band around it
(Plo, Phi) is where the clearing price has to stay. It is fixed at the seal and hashed into the
public values. A quote that is stale, or that moved too far since the last epoch, stops the seal: a
wrong reference would shift the clearing price by as much. Source: ``docs/spec.md`` sections 4 and
7. Letters: ``docs/glossary.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.encoding.hashing import TAG_REFERENCE, tagged_hash
from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError
from convexfx_core.limits import ASSETS_MAX, RATE_SHIFT_MAX
from convexfx_core.market.assets import Registry
from convexfx_core.market.params import Params
from convexfx_core.units import (
    DECIMAL,
    PRICE_SHIFT,
    PriceQ64,
    rate_shift,
    round_down,
    round_up,
)

BAND_UNIT: Final = Decimal("1e-10")
"""One band unit, 1e-6 bps, as a log price."""
QUOTE_EXPONENT_MAX: Final = 30
"""No currency is worth more, or less, than this power of ten of another."""
_ONE: Final = 1 << PRICE_SHIFT
_HEAD: Final = 16
_ROW: Final = 48
_U128: Final = 1 << 128


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference vector of an epoch (``docs/spec.md`` sections 4 and 7).

    Attributes
    ----------
    as_of_s : Unix time of the quotes, seconds.
    pbar, plo, phi : n prices each, numeraire base units per base unit, scale 2^64.
    """

    as_of_s: int
    pbar: tuple[int, ...]
    plo: tuple[int, ...]
    phi: tuple[int, ...]


def reference_from_quotes(
    quotes: Mapping[str, Decimal], as_of_s: int, params: Params, registry: Registry
) -> Reference:
    """Reference vector from quotes: numeraire units for one unit of the asset, by asset id.

    The numeraire may be left out; if it is there it is 1.

    Raises
    ------
    ConfigurationError
        ``PRICE_RANGE``, field ``price.<id>``.
    """
    ids = [asset.id for asset in registry.assets]
    missing = [name for name in ids[1:] if name not in quotes]
    if missing:
        raise _price_error(f"price.{missing[0]}", "a quote", "none")
    prices = [quotes.get(ids[0], Decimal(1)), *(quotes[name] for name in ids[1:])]
    return reference_from_prices(prices, as_of_s, params, ids)


def reference_from_prices(
    prices: Sequence[Decimal], as_of_s: int, params: Params, ids: Sequence[str] = ()
) -> Reference:
    """Reference vector from n prices in registry order, numeraire units for one unit.

    Parameters
    ----------
    prices : n decimals, entry 0 is 1.
    as_of_s : Unix time of the quotes, seconds.
    params : gives decimals and bands.
    ids : names for errors.

    Raises
    ------
    ConfigurationError
        ``PRICE_RANGE``, field ``price.<id or index>``.
    """
    if len(prices) != params.n:
        raise _price_error("prices", f"{params.n} entries", len(prices))
    names = [f"price.{name}" for name in ids or range(params.n)]
    if prices[0] != 1:
        raise _price_error(names[0], "1 for the numeraire", prices[0])
    pbar = tuple(
        reference_price(price, params.decimals[0], digits, name)
        for price, digits, name in zip(prices, params.decimals, names, strict=True)
    )
    _check_shifts(pbar, names)
    edges = [band_edges(p, band) for p, band in zip(pbar[1:], params.band[1:], strict=True)]
    for name, (_, high) in zip(names[1:], edges, strict=True):
        if high >= _U128:
            raise _price_error(name, "an upper band edge below 2^64 base units", high)
    return Reference(
        as_of_s=as_of_s,
        pbar=pbar,
        plo=(_ONE, *(low for low, _ in edges)),
        phi=(_ONE, *(high for _, high in edges)),
    )


def reference_price(
    price: Decimal, numeraire_decimals: int, decimals: int, field: str = "price"
) -> PriceQ64:
    """Pbar: ``price 10^(d_0 - d_i) 2^64`` to the nearest integer, ties to even, exactly.

    Raises
    ------
    ConfigurationError
        ``PRICE_RANGE`` if the price is not a positive number or rounds to nothing.
    """
    if not price.is_finite() or price <= 0 or abs(price.adjusted()) > QUOTE_EXPONENT_MAX:
        raise _price_error(field, f"a number from 1e-{QUOTE_EXPONENT_MAX} up", price)
    numerator, denominator = price.as_integer_ratio()
    numerator = (numerator << PRICE_SHIFT) * 10**numeraire_decimals
    denominator *= 10**decimals
    whole, rest = divmod(numerator, denominator)
    whole += 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
    if not 0 < whole < _U128:
        raise _price_error(field, "a price that fits 128 bits at scale 2^64", price)
    return PriceQ64(whole)


def band_edges(pbar: int, band: int) -> tuple[PriceQ64, PriceQ64]:
    """Plo and Phi: ``pbar exp(-+ b)`` rounded into the band, ``band`` in 1e-6 bps."""
    width = DECIMAL.multiply(Decimal(band), BAND_UNIT)
    low = DECIMAL.multiply(Decimal(pbar), DECIMAL.exp(-width))
    high = DECIMAL.multiply(Decimal(pbar), DECIMAL.exp(width))
    return PriceQ64(round_up(low)), PriceQ64(round_down(high))


def _check_shifts(pbar: Sequence[int], names: Sequence[str]) -> None:
    """Refuse prices so far apart that a rate shift leaves its range: the extreme pair decides."""
    low = min(range(len(pbar)), key=lambda i: pbar[i])
    high = max(range(len(pbar)), key=lambda i: pbar[i])
    down, up = rate_shift(pbar[high], pbar[low]), rate_shift(pbar[low], pbar[high])
    if not (0 <= down <= RATE_SHIFT_MAX and 0 <= up <= RATE_SHIFT_MAX):
        expected = f"rate shifts from 0 to {RATE_SHIFT_MAX} against {names[low]}"
        raise _price_error(names[high], expected, f"{down} and {up}")


def check_fresh(reference_as_of_s: int, now_s: int, age_s_max: int) -> None:
    """Refuse quotes older than ``age_s_max`` seconds, or as far in the future.

    Raises
    ------
    ConfigurationError
        ``PRICE_STALE``.
    """
    age = now_s - reference_as_of_s
    if abs(age) > age_s_max:
        raise ConfigurationError(
            ConfigurationCode.PRICE_STALE,
            "reference.as_of",
            f"at most {age_s_max} s from now",
            f"{age} s ago" if age > 0 else f"{-age} s ahead",
        )


def check_deviation(
    previous: Reference, following: Reference, bps_max: int, ids: Sequence[str] = ()
) -> None:
    """Refuse a reference price that moved by more than ``bps_max`` of the previous one.

    Raises
    ------
    ConfigurationError
        ``PRICE_DEVIATES``, field ``price.<id or index>`` of the first such asset.
    """
    names = ids or range(len(following.pbar))
    for name, old, new in zip(names, previous.pbar, following.pbar, strict=True):
        if abs(new - old) * 10_000 > bps_max * old:
            moved = DECIMAL.divide(Decimal((new - old) * 10_000), Decimal(old))
            raise ConfigurationError(
                ConfigurationCode.PRICE_DEVIATES,
                f"price.{name}",
                f"at most {bps_max} bps from the previous epoch",
                f"{moved:.1f} bps",
            )


def reference_to_bytes(reference: Reference) -> bytes:
    """Reference section of ``docs/spec.md`` section 4: 16 + 48 n bytes."""
    writer = Writer().u64(reference.as_of_s).u64(len(reference.pbar))
    for row in zip(reference.pbar, reference.plo, reference.phi, strict=True):
        writer.all_unsigned(row, 16)
    return writer.getvalue()


def reference_from_bytes(data: bytes) -> Reference:
    """Reference vector from its section.

    Raises
    ------
    CodecError
        If the length is wrong, or a price is zero or outside its own band.
    """
    n, rest = divmod(len(data) - _HEAD, _ROW)
    if rest or not 2 <= n <= ASSETS_MAX:
        raise _length_error(data)
    reader = Reader(data, "reference")
    as_of_s, count = reader.u64("as_of_s"), reader.u64("n")
    if count != n:
        raise _length_error(data)
    rows = [reader.all_unsigned(3, 16, "price") for _ in range(n)]
    columns = [tuple(row[k] for row in rows) for k in range(3)]
    reference = Reference(as_of_s, *columns)
    for i, (pbar, plo, phi) in enumerate(zip(*columns, strict=True)):
        if not 0 < plo <= pbar <= phi:
            raise CodecError(f"reference[{i}]", "0 < Plo <= Pbar <= Phi", (plo, pbar, phi))
    if not reference.pbar[0] == reference.plo[0] == reference.phi[0] == _ONE:
        raise CodecError("reference[0]", "price 2^64 without a band", reference.pbar[0])
    return reference


def reference_hash(reference: Reference) -> bytes:
    """Reference hash, 32 bytes, over the reference section."""
    return tagged_hash(TAG_REFERENCE, reference_to_bytes(reference))


def _length_error(data: bytes) -> CodecError:
    return CodecError("reference", f"16 + 48 n bytes, n from 2 to {ASSETS_MAX}", len(data))


def _price_error(field: str, expected: str, observed: object) -> ConfigurationError:
    shown = f"{observed:.12g}" if isinstance(observed, Decimal) else observed
    return ConfigurationError(ConfigurationCode.PRICE_RANGE, field, expected, shown)
