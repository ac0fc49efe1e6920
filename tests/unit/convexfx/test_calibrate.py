"""Calibration: the estimate by hand, the shipped files made again from the shipped history."""

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from convexfx.calibrate import (
    Method,
    calibrate,
    covariance,
    gamma_of,
    log_returns,
    main,
)
from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.market.parameter_file import DEMO, HOUSE, ParameterFile, packaged
from tasks.adapters.ecb import EcbDay, ecb_history

NO_SHRINKAGE = Method(window_days=2, half_life_days=1, shrinkage=Decimal(0))


def days_of(*rows: tuple[str, str]) -> list[EcbDay]:
    """Days with (USD, JPY) for a euro."""
    return [
        EcbDay(date(2024, 1, k + 1), {"EUR": Decimal(1), "USD": Decimal(u), "JPY": Decimal(j)})
        for k, (u, j) in enumerate(rows)
    ]


# -- returns -----------------------------------------------------------------------------------


def test_returns_are_of_prices_in_the_numeraire() -> None:
    """A euro goes from 1.0 to 1.1 dollars; a yen from 1/100 to 1.1/121 dollars."""
    found = log_returns(days_of(("1", "100"), ("1.1", "121")), ("USD", "EUR", "JPY"))
    assert len(found) == 1
    assert found[0][0] == 0.0
    assert found[0][1] == pytest.approx(math.log(1.1), rel=1e-12)
    assert found[0][2] == pytest.approx(-math.log(1.1), rel=1e-12)


def test_n_days_have_one_return_less() -> None:
    rows = days_of(("1", "100"), ("1.1", "100"), ("1.2", "100"), ("1.3", "100"))
    assert len(log_returns(rows, ("USD", "JPY"))) == 3


# -- covariance --------------------------------------------------------------------------------


def test_weights_halve_with_the_half_life() -> None:
    """Two returns a half-life apart: one third and two thirds."""
    found = covariance([[0.03], [0.06]], NO_SHRINKAGE)
    assert found[0][0] == pytest.approx((0.03**2 + 2 * 0.06**2) / 3, rel=1e-12)


def test_the_mean_is_zero() -> None:
    """A steady drift is risk, not removed."""
    found = covariance([[0.01], [0.01], [0.01]], NO_SHRINKAGE)
    assert found[0][0] == pytest.approx(1e-4, rel=1e-12)


def test_only_correlations_shrink() -> None:
    returns = [[0.01, 0.02], [0.02, -0.01], [0.03, 0.01]]
    whole = covariance(returns, NO_SHRINKAGE)
    shrunk = covariance(returns, Method(2, 1, Decimal("0.25")))
    assert shrunk[0][0] == whole[0][0]
    assert shrunk[1][1] == whole[1][1]
    assert shrunk[0][1] == pytest.approx(0.75 * whole[0][1], rel=1e-12)


def test_it_is_symmetric_to_the_last_bit() -> None:
    found = covariance([[0.01, 0.02, 0.3], [0.02, -0.01, 0.1]], Method())
    assert all(found[i][j] == found[j][i] for i in range(3) for j in range(3))


def test_gamma_is_one_point_two_sigma_in_bps() -> None:
    assert gamma_of([[0.0, 0.0], [0.0, 2.5e-5]]) == ((0, 0), (0, Decimal("0.3")))


def test_gamma_has_six_significant_digits() -> None:
    assert gamma_of([[1.23456789e-5]]) == ((Decimal("0.148148"),),)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((1, 250, Decimal(0)), "window"),
        ((1_000, 0, Decimal(0)), "half-life"),
        ((1_000, 250, Decimal("-0.01")), "shrinkage"),
        ((1_000, 250, Decimal("1.01")), "shrinkage"),
    ],
)
def test_a_method_that_estimates_nothing_is_refused(
    arguments: tuple[int, int, Decimal], field: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Method(*arguments)
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.SETTING, field)


@pytest.mark.parametrize("arguments", [(2, 1, Decimal(0)), (2, 1, Decimal(1))])
def test_the_ends_of_the_ranges_are_methods(arguments: tuple[int, int, Decimal]) -> None:
    assert Method(*arguments).window_days == 2


# -- the shipped files -------------------------------------------------------------------------


def same_risk(made: ParameterFile, shipped: ParameterFile) -> bool:
    return (made.gamma, made.depth, made.band_bps) == (
        shipped.gamma, shipped.depth, shipped.band_bps
    )  # fmt: skip


def again(name: str) -> tuple[ParameterFile, ParameterFile]:
    """A shipped file, and the one that its provenance makes."""
    shipped = packaged(name)
    facts = shipped.provenance
    made = calibrate(
        shipped.name,
        shipped.ids,
        shipped.pool_million,
        until=date.fromisoformat(facts["last_day"]),
        valued=date.fromisoformat(facts["target"].split()[-1]),
        method=Method(facts["window_days"], facts["half_life_days"], Decimal(facts["shrinkage"])),
    )
    return shipped, made


@pytest.mark.parametrize("name", [HOUSE, DEMO])
def test_a_shipped_file_follows_from_its_provenance(name: str) -> None:
    shipped, made = again(name)
    assert same_risk(made, shipped)
    assert (made.target, made.q_min, made.q_max) == (shipped.target, shipped.q_min, shipped.q_max)
    data = (files("convexfx_core") / "parameters" / name).read_bytes()
    newer = {"package": shipped.provenance["package"]}
    assert replace(made, provenance={**made.provenance, **newer}).to_json() == data


def test_the_window_is_a_thousand_returns_up_to_the_last_day() -> None:
    history = [day.day.isoformat() for day in ecb_history()]
    facts = packaged(HOUSE).provenance
    first, last = history.index(facts["first_day"]), history.index(facts["last_day"])
    assert last - first == facts["window_days"] == 1_000


def test_the_target_is_an_equal_value_of_each_asset() -> None:
    demo = packaged(DEMO)
    day = next(d for d in ecb_history() if d.day == date(2024, 1, 2))
    prices = day.prices("USD", demo.ids)
    values = [t * prices[name] for t, name in zip(demo.target, demo.ids, strict=True)]
    assert all(abs(value - Decimal("2.2e6") / 6) < 1 for value in values)


def test_every_asset_s_own_risk_is_of_a_currency() -> None:
    """Daily volatility between 0.2 and 1.5 percent: Gamma = 1.2 sigma^2 1e4 bps per million."""
    gamma = packaged(HOUSE).gamma
    for i in range(1, 6):
        volatility = (float(gamma[i][i]) / 1.2e4) ** 0.5
        assert 0.002 < volatility < 0.015


def test_another_window_or_day_gives_other_risk() -> None:
    shipped, _ = again(HOUSE)
    last = date.fromisoformat(shipped.provenance["last_day"])
    assert not same_risk(calibrate("x", until=date(2020, 1, 2)), shipped)
    assert not same_risk(calibrate("x", until=last, method=Method(500)), shipped)


def test_a_history_that_does_not_reach_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="window: expected at most"):
        calibrate("x", until=date(2000, 1, 3))
    with pytest.raises(ConfigurationError, match="valued: expected a day from 1999"):
        calibrate("x", valued=date(1998, 1, 1))


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        calibrate("x", ids=("USD", "XAU"))
    assert caught.value.code == ConfigurationCode.PRICE_RANGE


# -- the command -------------------------------------------------------------------------------


def test_the_command_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "parameters.json"
    arguments = ["--name", "pair-v1", "--assets", "USD,SEK", "--pool-million", "12.5"]
    assert main([str(out), *arguments, "--until", "2024-06-28", "--window", "100"]) == 0
    made = ParameterFile.from_json(out.read_bytes())
    assert (made.name, made.ids, made.pool_million) == ("pair-v1", ("USD", "SEK"), Decimal("12.5"))
    assert made.provenance["last_day"] == "2024-06-28"
    assert "pair-v1, USD, SEK, pool of 12.5 million" in capsys.readouterr().out


def test_a_command_that_cannot_says_why_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "parameters.json"
    assert main([str(out), "--window", "1"]) == 2
    assert capsys.readouterr().err == ("SETTING: window: expected at least 2 days, found 1\n")
    assert not out.exists()


def test_a_folder_that_is_not_there_is_an_error_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "no" / "parameters.json"), "--window", "100"]) == 2
    assert "No such file" in capsys.readouterr().err
