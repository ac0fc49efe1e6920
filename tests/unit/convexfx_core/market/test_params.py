"""Parameters: ranges, the bytes of their section, their hash."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError
from convexfx_core.limits import BAND_BPS_MAX, FEE_PPM_MAX, RISK_MAX
from convexfx_core.market.params import (
    RISK_INVERSE_MAX,
    Params,
    check_params,
    flat_fee,
    params_from_bytes,
    params_from_matrices,
    params_hash,
    params_to_bytes,
)
from tests.support.epoch_cases import matrix, params_of_three, registry_of_three

I128_MAX = (1 << 127) - 1


@pytest.fixture(scope="module")
def params() -> Params:
    return params_of_three()


def little(value: int, size: int) -> bytes:
    """An integer of the section: 16 bytes are signed, 8 are not."""
    return value.to_bytes(size, "little", signed=size == 16)


def put(rows: tuple[tuple[int, ...], ...], i: int, j: int, value: int) -> Any:
    """A matrix with one other entry."""
    changed = [list(row) for row in rows]
    changed[i][j] = value
    return tuple(tuple(row) for row in changed)


def put_both(rows: tuple[tuple[int, ...], ...], i: int, j: int, value: int) -> Any:
    """A symmetric matrix with one other pair of entries."""
    return put(put(rows, i, j, value), j, i, value)


def arguments(**changes: object) -> dict[str, Any]:
    """Arguments of ``params_from_matrices`` for three assets."""
    given: dict[str, Any] = {
        "decimals": (6, 6, 6),
        "band_bps": [Decimal(20)] * 3,
        "gamma": matrix("0 0 0", "0 0.43 0.1", "0 0.1 0.5"),
        "depth": [Decimal(0), Decimal(6), Decimal(6)],
        "fee_ppm": flat_fee(3, 300),
        "target": (1, 2, 3),
        "q_min": (0, 0, 0),
        "q_max": (10, 10, 10),
    }
    return given | changes


# -- from numbers that people write ------------------------------------------------------------


def test_bands_become_units_of_a_millionth_bps() -> None:
    made = params_from_matrices(**arguments(band_bps=[Decimal("0"), Decimal("20"), Decimal("7.5")]))
    assert made.band == (0, 20_000_000, 7_500_000)


def test_depth_becomes_base_units_per_unit_of_log_price() -> None:
    """6 million per bp are 6e6 * 1e6 base units per 1e-4."""
    assert params_from_matrices(**arguments()).depth == (0, 6 * 10**16, 6 * 10**16)


def test_depth_follows_the_numeraire_s_decimals() -> None:
    made = params_from_matrices(**arguments(decimals=(2, 6, 0)))
    assert made.depth == (0, 6 * 10**12, 6 * 10**12)


def test_one_asset_alone_has_its_own_effective_risk() -> None:
    """Gamma / (1 + W Gamma), at scale 2^112, per numeraire base unit."""
    given = arguments(gamma=matrix("0 0 0", "0 0.5 0", "0 0 0"))
    made = params_from_matrices(**given)
    expected = Decimal("0.5") / (1 + 6 * Decimal("0.5")) * Decimal("1e-4") / 10**12
    assert made.risk[1][1] == int((expected * 2**112).to_integral_value())
    assert [row.count(0) for row in made.risk] == [3, 2, 3]


def test_targets_and_bounds_are_kept_as_they_are() -> None:
    made = params_from_matrices(**arguments(target=(5, -6, 7), q_min=(-1, -9, 0), q_max=(8, 9, 9)))
    assert (made.target, made.q_min, made.q_max) == ((5, -6, 7), (-1, -9, 0), (8, 9, 9))


def test_a_flat_fee_has_a_zero_diagonal() -> None:
    assert flat_fee(3, 7) == ((0, 7, 7), (7, 0, 7), (7, 7, 0))


def test_the_widest_band_is_accepted() -> None:
    made = params_from_matrices(**arguments(band_bps=[Decimal(BAND_BPS_MAX)] * 3))
    assert made.band[1] == BAND_BPS_MAX * 1_000_000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"band_bps": [Decimal(20)] * 2}, "band_bps"),
        ({"depth": [Decimal(0)] * 4}, "depth"),
        ({"target": (1, 2)}, "target"),
        ({"q_min": (1, 2)}, "q_min"),
        ({"q_max": (1, 2, 3, 4)}, "q_max"),
        ({"fee_ppm": flat_fee(2, 300)}, "fee_ppm"),
        ({"fee_ppm": [(0, 1, 1), (1, 0), (1, 1, 0)]}, "fee_ppm[1]"),
        ({"gamma": matrix("0 0", "0 1")}, "depth"),
        ({"band_bps": [Decimal(20), Decimal("300.000001"), Decimal(20)]}, "band_bps[1]"),
        ({"band_bps": [Decimal(20), Decimal("-0.000001"), Decimal(20)]}, "band_bps[1]"),
        ({"band_bps": [Decimal(20), Decimal("0.0000001"), Decimal(20)]}, "band_bps[1]"),
        ({"band_bps": [Decimal(20), Decimal("NaN"), Decimal(20)]}, "band_bps[1]"),
        ({"band_bps": [Decimal(20), Decimal("1e999999"), Decimal(20)]}, "band_bps[1]"),
        ({"fee_ppm": flat_fee(3, FEE_PPM_MAX + 1)}, "fee_ppm[0][1]"),
        ({"fee_ppm": flat_fee(3, -1)}, "fee_ppm[0][1]"),
        ({"q_min": (0, 11, 0)}, "q_min[1]"),
        ({"decimals": (6, 10, 6)}, "decimals[1]"),
        ({"decimals": (6, -1, 6)}, "decimals[1]"),
    ],
)
def test_a_wrong_number_is_refused_with_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        params_from_matrices(**arguments(**changes))
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, field)


def test_no_assets_at_all_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="2 to 64 assets"):
        params_from_matrices(
            decimals=(), band_bps=(), gamma=(), depth=(), fee_ppm=(), target=(), q_min=(), q_max=()
        )


# -- ranges of the integers --------------------------------------------------------------------

Change = Callable[[Params], dict[str, object]]


def of(name: str, i: int, value: int) -> Change:
    """One other entry of a column."""
    return lambda p: {name: tuple(value if k == i else v for k, v in enumerate(getattr(p, name)))}


def entry(name: str, i: int, j: int, value: int) -> Change:
    """One other entry of a matrix."""
    return lambda p: {name: put(getattr(p, name), i, j, value)}


def entries(name: str, i: int, j: int, value: int) -> Change:
    """One other pair of entries of a matrix."""
    return lambda p: {name: put_both(getattr(p, name), i, j, value)}


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        (of("band", 1, 300_000_000), of("band", 1, 300_000_001), "band[1]"),
        (of("band", 1, 0), of("band", 1, -1), "band[1]"),
        (of("target", 2, I128_MAX), of("target", 2, I128_MAX + 1), "target[2]"),
        (of("target", 2, -I128_MAX), of("target", 2, -I128_MAX - 1), "target[2]"),
        (of("q_min", 1, 10**15), of("q_min", 1, 10**15 + 1), "q_min[1]"),
        (of("q_min", 1, -I128_MAX), of("q_min", 1, -I128_MAX - 1), "q_min[1]"),
        (of("q_max", 1, I128_MAX), of("q_max", 1, I128_MAX + 1), "q_max[1]"),
        (of("depth", 1, I128_MAX), of("depth", 1, I128_MAX + 1), "depth[1]"),
        (of("depth", 1, 0), of("depth", 1, -1), "depth[1]"),
        (of("depth", 0, 0), of("depth", 0, 1), "depth[0]"),
        (of("decimals", 1, 9), of("decimals", 1, 10), "decimals[1]"),
        (of("decimals", 1, 0), of("decimals", 1, -1), "decimals[1]"),
        (entry("fee_ppm", 1, 2, 100_000), entry("fee_ppm", 1, 2, 100_001), "fee_ppm[1][2]"),
        (entry("fee_ppm", 1, 2, 0), entry("fee_ppm", 1, 2, -1), "fee_ppm[1][2]"),
        (entry("fee_ppm", 1, 1, 0), entry("fee_ppm", 1, 1, 1), "fee_ppm[1][1]"),
        (entries("risk", 1, 2, RISK_MAX), entries("risk", 1, 2, RISK_MAX + 1), "risk[1][2]"),
        (entries("risk", 1, 2, -RISK_MAX), entries("risk", 1, 2, -RISK_MAX - 1), "risk[1][2]"),
        (entries("risk", 1, 2, 5), entry("risk", 1, 2, 5), "risk[1][2]"),
        (entries("risk", 0, 1, 0), entries("risk", 0, 1, 1), "risk[0][1]"),
        (entry("risk", 1, 1, 0), entry("risk", 1, 1, -1), "risk[1][1]"),
        (
            entries("risk_inverse", 1, 2, RISK_INVERSE_MAX),
            entries("risk_inverse", 1, 2, RISK_INVERSE_MAX + 1),
            "risk_inverse[1][2]",
        ),
        (
            entries("risk_inverse", 1, 2, 0),
            entries("risk_inverse", 1, 2, -1),
            "risk_inverse[1][2]",
        ),
        (
            entries("risk_inverse", 1, 2, 5),
            entry("risk_inverse", 1, 2, 5),
            "risk_inverse[1][2]",
        ),
        (entry("risk_inverse", 0, 0, 0), entry("risk_inverse", 0, 0, 1), "risk_inverse[0][0]"),
    ],
)
def test_each_bound_holds_to_the_last_unit(
    params: Params, good: Change, bad: Change, field: str
) -> None:
    check_params(replace(params, **good(params)))
    with pytest.raises(ConfigurationError) as caught:
        check_params(replace(params, **bad(params)))
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, field)


def test_one_asset_alone_is_no_exchange(params: Params) -> None:
    alone = Params((6,), (0,), (0,), (0,), (0,), (0,), ((0,),), ((0,),), ((0,),))
    with pytest.raises(ConfigurationError, match="2 to 64 assets, found 1"):
        check_params(alone)


# -- bytes -------------------------------------------------------------------------------------


def test_the_section_stands_as_the_specification_says(params: Params) -> None:
    """Built here by hand from ``docs/spec.md`` section 4."""
    rows = b"".join(
        little(params.band[i], 8)
        + little(params.target[i], 16)
        + little(params.q_min[i], 16)
        + little(params.q_max[i], 16)
        + little(params.depth[i], 16)
        for i in range(3)
    )
    fees = b"".join(little(v, 8) for row in params.fee_ppm for v in row)
    risk = b"".join(little(v, 16) for row in params.risk for v in row)
    inverse = b"".join(little(v, 16) for row in params.risk_inverse for v in row)
    expected = little(1, 8) + little(3, 8) + rows + fees + risk + inverse
    assert params_to_bytes(params) == expected
    assert len(expected) == 16 + 72 * 3 + 40 * 9


def test_bytes_and_back(params: Params) -> None:
    assert params_from_bytes(params_to_bytes(params), params.decimals) == params


def test_negative_numbers_survive(params: Params) -> None:
    changed = replace(params, target=(-1, -I128_MAX, 0), q_min=(-5, -6, -7))
    assert params_from_bytes(params_to_bytes(changed), changed.decimals) == changed


@pytest.mark.parametrize("change", [-1, 1, 8])
def test_another_length_is_refused(params: Params, change: int) -> None:
    data = params_to_bytes(params)
    other = data[:change] if change < 0 else data + b"\0" * change
    with pytest.raises(CodecError, match=f"params: expected {len(data)} bytes for 3 assets"):
        params_from_bytes(other, params.decimals)


def test_another_number_of_assets_than_the_registry_s_is_refused(params: Params) -> None:
    with pytest.raises(CodecError, match="for 2 assets"):
        params_from_bytes(params_to_bytes(params), (6, 6))


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [(0, 2, "params.version"), (0, 0, "params.version"), (8, 2, "params.n"), (8, 4, "params.n")],
)
def test_the_head_is_checked(params: Params, offset: int, value: int, field: str) -> None:
    data = bytearray(params_to_bytes(params))
    data[offset] = value
    with pytest.raises(CodecError) as caught:
        params_from_bytes(bytes(data), params.decimals)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("offset", "field"),
    [
        (16 + 6, "params.band[0]"),
        (16 + 72 + 71, "params.depth[1]"),
        (16 + 3 * 72, "params.fee_ppm[0][0]"),
        (16 + 3 * 72 + 9 * 8, "params.risk[0][0]"),
        (16 + 3 * 72 + 9 * 8 + 16 * 5, "params.risk[1][2]"),
        (16 + 3 * 72 + 9 * 8 + 16 * 9, "params.risk_inverse[0][0]"),
        (16 + 3 * 72 + 9 * 8 + 16 * (9 + 7), "params.risk_inverse[1][2]"),
    ],
)
def test_a_value_out_of_range_does_not_decode(params: Params, offset: int, field: str) -> None:
    data = bytearray(params_to_bytes(params))
    data[offset] ^= 0x80
    with pytest.raises(CodecError) as caught:
        params_from_bytes(bytes(data), params.decimals)
    assert caught.value.field == field


# -- hash --------------------------------------------------------------------------------------


def test_the_hash_is_over_both_sections(params: Params) -> None:
    registry = registry_of_three()
    tagged = b"cfx.params.v1".ljust(16, b"\0") + params_to_bytes(params) + registry.to_bytes()
    assert params_hash(params, registry) == sha256(tagged).digest()


def test_the_hash_of_these_parameters_never_changes(params: Params) -> None:
    """Pinned: a change of the elimination or of the bytes would be a new version."""
    expected = "0887f1596612656aeb711483d2ae0e94e72b355555071fe277ee55115f027566"
    assert params_hash(params, registry_of_three()).hex() == expected


@pytest.mark.parametrize(
    "change",
    [
        of("band", 2, 1),
        of("target", 0, 1),
        of("q_min", 0, -1),
        of("q_max", 2, 10**18),
        of("depth", 1, 1),
        entry("fee_ppm", 2, 0, 301),
        entry("risk", 2, 2, 1),
        entry("risk_inverse", 2, 2, 1),
    ],
)
def test_every_field_is_in_the_hash(params: Params, change: Change) -> None:
    registry = registry_of_three()
    changed = replace(params, **change(params))
    assert params_hash(changed, registry) != params_hash(params, registry)


def test_the_registry_is_in_the_hash(params: Params) -> None:
    """Decimals stand in the registry only."""
    assert params_hash(params, registry_of_three()) != params_hash(
        params, registry_of_three((6, 5, 6))
    )
