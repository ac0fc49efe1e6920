"""Parameter files: strict reading, scaling to the pool, the two files of the package."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.identity import Address, OwnerId
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.parameter_file import (
    DEMO,
    HOUSE,
    ParameterFile,
    demo_parameters,
    packaged,
)
from convexfx_core.market.params import check_params, params_from_matrices
from convexfx_core.market.risk_matrix import risk_integers
from tests.support.epoch_cases import matrix

SIX = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD")


def registry_of(*ids: str, decimals: int = 6) -> Registry:
    """A registry of these assets."""
    tokens = (Address(OwnerId(bytes([k + 1]) * 32), 1) for k in range(len(ids)))
    return Registry(tuple(Asset(name, decimals, t) for name, t in zip(ids, tokens, strict=True)))


def small() -> ParameterFile:
    """Two currencies and the dollar, quoted for a pool ten times this one."""
    three = (Decimal(0), Decimal(6), Decimal(4))
    return ParameterFile(
        name="small-v1",
        ids=("USD", "EUR", "JPY"),
        pool_million=Decimal(60),
        risk_pool_million=Decimal(600),
        gamma=tuple(tuple(row) for row in matrix("0 0 0", "0 0.4 0.1", "0 0.1 0.3")),
        depth=three,
        band_bps=(Decimal(0), Decimal(20), Decimal("12.5")),
        target=(Decimal(1_000), Decimal("2000.5"), Decimal(3_000)),
        q_min=(Decimal(0), Decimal(-1), Decimal(0)),
        q_max=(Decimal(9_000), Decimal(9_000), Decimal("9000.000001")),
        fee_ppm=((0, 300, 250), (310, 0, 300), (320, 330, 0)),
        provenance={"source": "a test"},
    )


# -- scaling -----------------------------------------------------------------------------------


def test_a_smaller_pool_pays_more_for_risk_and_has_less_depth() -> None:
    assert small().scaled_gamma()[1][1] == 4
    assert small().scaled_depth() == [0, Decimal("0.6"), Decimal("0.4")]


def test_a_pool_of_the_quoted_size_takes_the_numbers_as_they_are() -> None:
    whole = replace(small(), pool_million=Decimal(600))
    assert whole.scaled_gamma() == [list(row) for row in whole.gamma]
    assert whole.scaled_depth() == list(whole.depth)


def test_parameters_are_those_of_the_scaled_matrices() -> None:
    made = small().params(registry_of("USD", "EUR", "JPY"))
    expected = params_from_matrices(
        decimals=(6, 6, 6),
        band_bps=small().band_bps,
        gamma=matrix("0 0 0", "0 4 1", "0 1 3"),
        depth=[Decimal(0), Decimal("0.6"), Decimal("0.4")],
        fee_ppm=small().fee_ppm,
        target=(1_000_000_000, 2_000_500_000, 3_000_000_000),
        q_min=(0, -1_000_000, 0),
        q_max=(9_000_000_000, 9_000_000_000, 9_000_000_001),
    )
    assert made == expected


def test_the_registry_says_the_sequence_and_may_leave_assets_out() -> None:
    whole = small().params(registry_of("USD", "EUR", "JPY"))
    turned = small().params(registry_of("USD", "JPY", "EUR"))
    assert turned.target == (whole.target[0], whole.target[2], whole.target[1])
    assert turned.fee_ppm == ((0, 250, 300), (320, 0, 330), (310, 300, 0))
    assert turned.risk[1][1] == whole.risk[2][2]
    assert turned.risk[1][2] == whole.risk[1][2]
    pair = small().params(registry_of("USD", "JPY"))
    assert (pair.n, pair.band) == (2, (0, 12_500_000))


def test_an_asset_without_an_entry_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        small().params(registry_of("USD", "GBP"))
    assert (caught.value.code, caught.value.field) == (
        ConfigurationCode.PARAMS,
        "parameters.assets.GBP",
    )


def test_another_numeraire_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="numeraire: expected EUR"):
        small().params(registry_of("EUR", "USD"))


def test_an_amount_finer_than_the_asset_is_refused() -> None:
    small().params(registry_of("USD", "EUR", "JPY", decimals=6))
    with pytest.raises(ConfigurationError) as caught:
        small().params(registry_of("USD", "EUR", "JPY", decimals=5))
    assert caught.value.field == "parameters.q_max.JPY"
    with pytest.raises(ConfigurationError) as caught:
        small().params(registry_of("USD", "EUR", "JPY", decimals=0))
    assert caught.value.field == "parameters.target.EUR"


# -- bytes -------------------------------------------------------------------------------------


def test_a_file_and_back() -> None:
    assert ParameterFile.from_json(small().to_json()) == small()


def test_the_file_is_ascii_and_ends_with_a_newline() -> None:
    data = small().to_json()
    assert data.isascii()
    assert data.endswith(b"}\n")


def test_innermost_lists_stand_on_one_line() -> None:
    assert b'\n  [ "0", "300", "250" ],' in small().to_json()


Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> bytes:
    """The small file with one change."""
    value = json.loads(small().to_json())
    edit(value)
    return json.dumps(value).encode()


def put(path: str, new: object) -> Edit:
    """Set the entry at a dotted path; numbers are places in lists."""

    def edit(value: Any) -> None:
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parents:
            value = value[part]
        value[last] = new

    return edit


def drop(path: str) -> Edit:
    """Take the entry at a dotted path away."""

    def edit(value: Any) -> None:
        *parents, last = path.split(".")
        for part in parents:
            value = value[part]
        del value[last]

    return edit


def test_an_edit_that_changes_nothing_is_read() -> None:
    assert ParameterFile.from_json(edited(put("name", "small-v1"))) == small()


@pytest.mark.parametrize(
    "path",
    [
        "format", "version", "name", "ids", "pool_million", "assets", "fee_ppm", "risk",
        "integers", "provenance", "assets.JPY", "assets.EUR.band_bps", "assets.EUR.target",
        "assets.EUR.inventory_min", "assets.EUR.inventory_max", "risk.pool_million",
        "risk.gamma_bps_per_million", "risk.depth_million_per_bp", "integers.G", "integers.H",
        "integers.numeraire_decimals",
    ],
)  # fmt: skip
def test_every_entry_must_be_there(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParameterFile.from_json(edited(drop(path)))
    assert caught.value.code == ConfigurationCode.PARAMS
    assert caught.value.field == f"parameters.{path}"
    assert caught.value.observed == "nothing"


@pytest.mark.parametrize(
    "path",
    ["more", "assets.GBP", "assets.EUR.more", "risk.more", "integers.more"],
)
def test_no_entry_may_be_unknown(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParameterFile.from_json(edited(put(path, "1")))
    assert caught.value.field == f"parameters.{path}"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("format", "other", "parameters.version"),
        ("version", 2, "parameters.version"),
        ("version", "1", "parameters.version"),
        ("version", True, "parameters.version"),
        ("name", 1, "parameters.name"),
        ("ids", ["USD"], "parameters.ids"),
        ("ids", ["USD", "EUR", "EUR"], "parameters.ids"),
        ("ids", ["USD", "EUR", 3], "parameters.ids"),
        ("ids", "USD", "parameters.ids"),
        ("ids", [f"A{k}" for k in range(65)], "parameters.ids"),
        ("pool_million", "0", "parameters.pool_million"),
        ("pool_million", "-1", "parameters.pool_million"),
        ("pool_million", 60, "parameters.pool_million"),
        ("pool_million", "1e3", "parameters.pool_million"),
        ("pool_million", "NaN", "parameters.pool_million"),
        ("pool_million", " 60", "parameters.pool_million"),
        ("pool_million", "1" * 61, "parameters.pool_million"),
        ("assets.EUR.target", "0." + "1" * 61, "parameters.assets.EUR.target"),
        ("risk.pool_million", "0", "parameters.risk.pool_million"),
        ("assets", [], "parameters.assets"),
        ("assets.EUR", "20", "parameters.assets.EUR"),
        ("assets.EUR.band_bps", 20, "parameters.assets.EUR.band_bps"),
        ("assets.EUR.target", None, "parameters.assets.EUR.target"),
        ("risk.depth_million_per_bp", ["0", "6"], "parameters.risk.depth_million_per_bp"),
        ("risk.depth_million_per_bp.1", 6, "parameters.risk.depth_million_per_bp[1]"),
        ("risk.gamma_bps_per_million", {}, "parameters.risk.gamma_bps_per_million"),
        ("risk.gamma_bps_per_million.1", ["0"], "parameters.risk.gamma_bps_per_million[1]"),
        ("risk.gamma_bps_per_million.1.2", "", "parameters.risk.gamma_bps_per_million[1][2]"),
        ("fee_ppm.0.1", "300.5", "parameters.fee_ppm[0][1]"),
        ("fee_ppm.0.1", 300, "parameters.fee_ppm[0][1]"),
        ("fee_ppm.2", [], "parameters.fee_ppm[2]"),
        ("provenance", "ECB", "parameters.provenance"),
        ("integers.numeraire_decimals", 5, "parameters.integers"),
        ("integers.G.1.1", "1", "parameters.integers"),
        ("integers.H.2.1", "1", "parameters.integers"),
        ("risk.depth_million_per_bp.1", "6.1", "parameters.integers"),
        ("risk.gamma_bps_per_million.1.1", "0.5", "parameters.integers"),
        ("risk.gamma_bps_per_million.1.2", "0.5", "gamma[2][1]"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_path(path: str, value: object, field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParameterFile.from_json(edited(put(path, value)))
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, field)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b'{"a": 1.5}', '{"é": 1}'.encode(), b"null"]
)
def test_what_is_no_strict_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ParameterFile.from_json(data)
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, "parameters")


# -- the files of the package ------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOUSE, DEMO])
def test_packaged_files_are_written_as_they_are_read(name: str) -> None:
    data = (files("convexfx_core") / "parameters" / name).read_bytes()
    assert packaged(name).to_json() == data


@pytest.mark.parametrize("name", [HOUSE, DEMO])
def test_packaged_files_make_lawful_parameters(name: str) -> None:
    params = packaged(name).params(registry_of(*SIX))
    check_params(params)
    assert params.n == 6
    assert params.band == (20_000_000,) * 6
    assert {fee for row in params.fee_ppm for fee in row} == {0, 300}
    assert params.q_min == (0,) * 6
    assert all(10 * t == q for t, q in zip(params.target, params.q_max, strict=True))


def test_the_house_calibration_is_for_600_million() -> None:
    house = packaged(HOUSE)
    assert house.pool_million == house.risk_pool_million == 600
    assert house.depth == (0, 6, 6, 6, 6, 6)
    risk, inverse = risk_integers(house.gamma, house.depth, 6)
    shown = json.loads((files("convexfx_core") / "parameters" / HOUSE).read_bytes())["integers"]
    assert shown["G"] == [[str(v) for v in row] for row in risk]
    assert shown["H"] == [[str(v) for v in row] for row in inverse]


def test_the_demo_is_the_house_scaled_to_2_2_million() -> None:
    house, demo = packaged(HOUSE), packaged(DEMO)
    assert (demo.gamma, demo.depth, demo.ids) == (house.gamma, house.depth, house.ids)
    assert demo.pool_million == Decimal("2.2")
    assert demo.risk_pool_million == 600


def test_in_the_demo_a_hundred_thousand_dollars_move_euros_by_about_three_bps() -> None:
    """The figure that the calibration was chosen by; own risk of EUR times 0.1 million."""
    params = packaged(DEMO).params(registry_of(*SIX))
    bps = Decimal(params.risk[1][1]) / 2**112 * 10**4 * 10**11
    assert 1 < bps < 4


def test_demo_parameters_of_a_given_pool() -> None:
    registry = registry_of("USD", "EUR", "AUD")
    target = [10**12, 2 * 10**11, 5]
    made = demo_parameters(registry, target, Decimal(2_200_000))
    params = made.params(registry)
    assert params.target == tuple(target)
    assert params.q_max == tuple(10 * t for t in target)
    assert ParameterFile.from_json(made.to_json()) == made
    whole = packaged(DEMO).params(registry_of(*SIX))
    assert params.depth == whole.depth[:3]


def test_demo_parameters_of_an_unknown_asset_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"parameters\.assets\.XAU"):
        demo_parameters(registry_of("USD", "XAU"), [1, 1], Decimal(1))
