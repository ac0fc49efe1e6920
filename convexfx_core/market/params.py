"""Risk, depth, fee and policy parameters as integers, versioned and hashed.

An operator writes decimals (``parameter_file``); the laws need integers. Here the one becomes the
other, and the ranges are checked that later products rely on. The hash of these bytes stands in the
domain agreement and in the public values of every epoch: nobody can clear under other parameters.
Source: ``docs/spec.md`` sections 4 and 7. Letters: ``docs/glossary.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.encoding.hashing import TAG_PARAMS, tagged_hash
from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError
from convexfx_core.limits import (
    ASSETS_MAX,
    BAND_BPS_MAX,
    DECIMALS_MAX,
    FEE_PPM_MAX,
    RISK_MAX,
)
from convexfx_core.market.assets import Registry
from convexfx_core.market.risk_matrix import depth_integers, risk_integers
from convexfx_core.units import DECIMAL

PARAMS_VERSION: Final = 1
BAND_UNITS_PER_BPS: Final = 1_000_000
"""Bands are kept in 1e-6 bps."""
RISK_INVERSE_MAX: Final = (1 << 112) - 1
"""Entries of H, so that 64 x 64 terms H r r stay inside signed 256 bits."""
_I128_MAX: Final = (1 << 127) - 1


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters of ``docs/spec.md`` section 4 (params section) and section 7.

    Attributes
    ----------
    decimals : n decimals (they stand in the registry section); index 0 is the numeraire.
    band : n bands in 1e-6 bps.
    target, q_min, q_max : n inventories in base units.
    depth : n depths W, numeraire base units per unit of log price.
    fee_ppm : n x n fees, row pays, column receives.
    risk : n x n entries G, log price per numeraire base unit at scale 2^112.
    risk_inverse : n x n entries H, numeraire base units per unit of log price, rounded up.
    """

    decimals: tuple[int, ...]
    band: tuple[int, ...]
    target: tuple[int, ...]
    q_min: tuple[int, ...]
    q_max: tuple[int, ...]
    depth: tuple[int, ...]
    fee_ppm: tuple[tuple[int, ...], ...]
    risk: tuple[tuple[int, ...], ...]
    risk_inverse: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """Number of assets."""
        return len(self.decimals)


def params_from_matrices(
    *,
    decimals: Sequence[int],
    band_bps: Sequence[Decimal],
    gamma: Sequence[Sequence[Decimal]],
    depth: Sequence[Decimal],
    fee_ppm: Sequence[Sequence[int]],
    target: Sequence[int],
    q_min: Sequence[int],
    q_max: Sequence[int],
) -> Params:
    """Parameters from the numbers that people write.

    Parameters
    ----------
    decimals : n; index 0 is the numeraire.
    band_bps : n half widths of the price bands in bps; the numeraire's counts for nothing.
    gamma : n x n marginal risk prices, bps per million numeraire; row and column 0 are zero.
    depth : n depths W, million numeraire per bp; entry 0 is zero.
    fee_ppm : n x n, row pays, column receives, zero diagonal.
    target, q_min, q_max : n inventories in base units.

    Raises
    ------
    ConfigurationError
        ``PARAMS`` with the name of the field that is wrong.

    Notes
    -----
    Rules G, H and W of ``docs/spec.md`` section 7, in 60-digit decimal; tens of milliseconds at
    49 x 49, so callers keep the result by its hash.
    """
    n = len(decimals)
    for name, column in (("band_bps", band_bps), ("depth", depth), ("target", target)):
        _expect(len(column) == n, name, f"{n} entries", len(column))
    risk, inverse = risk_integers(gamma, depth, decimals[0] if decimals else 0)
    band = [_band_units(index, bps) for index, bps in enumerate(band_bps)]
    params = Params(
        decimals=tuple(decimals),
        band=tuple(band),
        target=tuple(target),
        q_min=tuple(q_min),
        q_max=tuple(q_max),
        depth=depth_integers(depth, decimals[0] if decimals else 0),
        fee_ppm=tuple(tuple(row) for row in fee_ppm),
        risk=risk,
        risk_inverse=inverse,
    )
    check_params(params)
    return params


def flat_fee(n: int, fee_ppm: int) -> tuple[tuple[int, ...], ...]:
    """n x n fee matrix with one fee in ppm off the diagonal."""
    return tuple(tuple(0 if i == j else fee_ppm for j in range(n)) for i in range(n))


def _band_units(index: int, bps: Decimal) -> int:
    in_range = bps.is_finite() and 0 <= bps <= BAND_BPS_MAX
    _expect(in_range, f"band_bps[{index}]", f"0 to {BAND_BPS_MAX}", bps)
    units = DECIMAL.multiply(bps, Decimal(BAND_UNITS_PER_BPS))
    whole = int(units)
    _expect(units == whole, f"band_bps[{index}]", "a multiple of 1e-6 bps", bps)
    return whole


def check_params(params: Params) -> None:
    """Refuse parameters outside the ranges that the laws rely on.

    Raises
    ------
    ConfigurationError
        ``PARAMS`` with the name and index of the first field that is wrong.
    """
    n = params.n
    _expect(2 <= n <= ASSETS_MAX, "decimals", f"2 to {ASSETS_MAX} assets", n)
    for name in ("band", "target", "q_min", "q_max", "depth", "fee_ppm", "risk", "risk_inverse"):
        length = len(getattr(params, name))
        _expect(length == n, name, f"{n} entries", length)
    for index in range(n):
        _check_asset(params, index)
    for name in ("fee_ppm", "risk", "risk_inverse"):
        _check_matrix(params, name)


def _check_asset(params: Params, index: int) -> None:
    band_max = BAND_BPS_MAX * BAND_UNITS_PER_BPS
    decimals = params.decimals[index]
    _expect(0 <= decimals <= DECIMALS_MAX, f"decimals[{index}]", f"0 to {DECIMALS_MAX}", decimals)
    band = params.band[index]
    _expect(0 <= band <= band_max, f"band[{index}]", f"0 to {BAND_BPS_MAX} bps", band)
    low, high, target = params.q_min[index], params.q_max[index], params.target[index]
    _expect(low <= high, f"q_min[{index}]", f"at most q_max {high}", low)
    for name, value in (("target", target), ("q_min", low), ("q_max", high)):
        _expect(abs(value) <= _I128_MAX, f"{name}[{index}]", "a 128-bit integer", value)
    depth = params.depth[index]
    _expect(0 <= depth <= _I128_MAX, f"depth[{index}]", "0 to 2^127 - 1", depth)
    _expect(index > 0 or depth == 0, "depth[0]", "0 for the numeraire", depth)


def _check_matrix(params: Params, name: str) -> None:
    rows: tuple[tuple[int, ...], ...] = getattr(params, name)
    low, high = {
        "fee_ppm": (0, FEE_PPM_MAX),
        "risk": (-RISK_MAX, RISK_MAX),
        "risk_inverse": (0, RISK_INVERSE_MAX),
    }[name]
    n = params.n
    for i, row in enumerate(rows):
        _expect(len(row) == n, f"{name}[{i}]", f"{n} entries", len(row))
        for j, value in enumerate(row):
            field = f"{name}[{i}][{j}]"
            _expect(low <= value <= high, field, f"{low} to {high}", value)
            if name == "fee_ppm":
                _expect(i != j or value == 0, field, "0 on the diagonal", value)
            else:
                _expect(i > 0 or value == 0, field, "0 for the numeraire", value)
                _expect(value == rows[j][i], field, "a symmetric matrix", value)
        _expect(name != "risk" or row[i] >= 0, f"{name}[{i}][{i}]", "at least 0", row[i])


def params_to_bytes(params: Params) -> bytes:
    """Params section of ``docs/spec.md`` section 4: 16 + 72 n + 40 n^2 bytes."""
    writer = Writer().u64(PARAMS_VERSION).u64(params.n)
    for index in range(params.n):
        writer.u64(params.band[index])
        for column in (params.target, params.q_min, params.q_max, params.depth):
            writer.i128(column[index])
    for fees in params.fee_ppm:
        writer.all_unsigned(fees, 8)
    for entries in (*params.risk, *params.risk_inverse):
        writer.all_signed(entries, 16)
    return writer.getvalue()


def params_from_bytes(data: bytes, decimals: Sequence[int]) -> Params:
    """Parameters from their section and the decimals of the registry.

    Raises
    ------
    CodecError
        If the version, the number of assets or the length is wrong, or a value is out of range.
    """
    n = len(decimals)
    size = 16 + 72 * n + 40 * n * n
    if len(data) != size:
        raise CodecError("params", f"{size} bytes for {n} assets", len(data))
    reader = Reader(data, "params")
    version, count = reader.u64("version"), reader.u64("n")
    if version != PARAMS_VERSION:
        raise CodecError("params.version", str(PARAMS_VERSION), version)
    if count != n:
        raise CodecError("params.n", f"{n} as in the registry", count)
    rows = [(reader.u64("band"), *reader.all_signed(4, 16)) for _ in range(n)]
    band, target, q_min, q_max, depth = (tuple(row[k] for row in rows) for k in range(5))
    params = Params(
        decimals=tuple(decimals),
        band=band,
        target=target,
        q_min=q_min,
        q_max=q_max,
        depth=depth,
        fee_ppm=tuple(reader.all_unsigned(n, 8, "fee_ppm") for _ in range(n)),
        risk=tuple(reader.all_signed(n, 16, "risk") for _ in range(n)),
        risk_inverse=tuple(reader.all_signed(n, 16, "risk_inverse") for _ in range(n)),
    )
    try:
        check_params(params)
    except ConfigurationError as error:
        raise CodecError(f"params.{error.field}", error.expected, error.observed) from error
    return params


def params_hash(params: Params, registry: Registry) -> bytes:
    """Params hash, 32 bytes, over the params section and the registry section."""
    return tagged_hash(TAG_PARAMS, params_to_bytes(params), registry.to_bytes())


def _expect(holds: bool, field: str, expected: str, observed: object = "") -> None:
    if not holds:
        raise ConfigurationError(ConfigurationCode.PARAMS, field, expected, observed)
