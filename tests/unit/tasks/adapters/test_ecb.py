"""Reference prices from the bank's history: exact, dated, without a jump never published."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from convexfx_core.errors import ConfigurationError
from tasks.adapters.ecb import CURRENCIES, START, EcbReplay, ecb_history

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def day_of(day: date) -> dict[str, Decimal]:
    return next(entry for entry in ecb_history() if entry.day == day).per_euro


def test_rates_are_the_printed_decimals() -> None:
    assert day_of(date(2024, 1, 2)) == {
        "EUR": Decimal("1"), "USD": Decimal("1.0956"), "JPY": Decimal("155.68"),
        "GBP": Decimal("0.86645"), "CHF": Decimal("0.9305"), "AUD": Decimal("1.6147"),
    }  # fmt: skip


def test_days_are_in_order_and_hold_every_currency() -> None:
    days = ecb_history()
    assert [entry.day for entry in days] == sorted({entry.day for entry in days})
    assert all(set(entry.per_euro) == set(CURRENCIES) for entry in days)
    assert days[0].day == date(1999, 1, 4)


def test_a_day_on_which_a_currency_is_missing_is_left_out() -> None:
    with_rouble = ecb_history(("USD", "EUR", "RUB"))
    assert with_rouble[-1].day < date(2022, 3, 2) < ecb_history()[-1].day


def test_prices_are_in_the_numeraire() -> None:
    quotes = EcbReplay().at(NOW, 1)
    assert quotes.prices["USD"] == 1
    assert quotes.prices["EUR"] == Decimal("1.0956")
    assert quotes.prices["JPY"] == Decimal("0.00703751284686536485")
    assert quotes.prices["JPY"] * Decimal("155.68") == pytest.approx(Decimal("1.0956"))


def test_another_numeraire_inverts_the_rates() -> None:
    quotes = EcbReplay(("EUR", "JPY"), "EUR").at(NOW, 1)
    assert quotes.prices == {"EUR": 1, "JPY": Decimal("0.00642343268242548818")}


def test_each_epoch_replays_the_next_published_day() -> None:
    replay = EcbReplay()
    assert [replay.at(NOW, n).published for n in (1, 2, 3, 4, 5)] == [
        date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4), date(2024, 1, 5), date(2024, 1, 8),
    ]  # fmt: skip


def test_the_day_depends_on_the_epoch_and_not_on_the_time() -> None:
    first, later = (EcbReplay().at(NOW + timedelta(days=d), 7) for d in (0, 9))
    assert first.prices == later.prices
    assert first.published == later.published
    assert (first.as_of, later.as_of) == (NOW, NOW + timedelta(days=9))
    assert first.source == "ecb-replay"


def test_a_start_on_a_weekend_is_the_next_day_with_rates() -> None:
    assert EcbReplay(start=date(2024, 1, 6)).day(1).day == date(2024, 1, 8)


def test_at_the_end_of_the_file_it_turns_round() -> None:
    replay = EcbReplay()
    days = [entry for entry in ecb_history() if entry.day >= START]
    last = len(days)
    assert [replay.day(last + i).day for i in (-1, 0, 1)] == [
        days[-2].day, days[-1].day, days[-2].day,
    ]  # fmt: skip
    back = 2 * last - 1
    assert [replay.day(back + i).day for i in (-1, 0, 1)] == [
        days[1].day, days[0].day, days[1].day,
    ]  # fmt: skip


def test_no_step_is_larger_than_the_default_deviation() -> None:
    replay = EcbReplay()
    prices = [replay.at(NOW, n).prices for n in range(1, 2_000)]
    moves = [
        abs(after[asset] / before[asset] - 1)
        for before, after in pairwise(prices)
        for asset in CURRENCIES
    ]
    assert Decimal("0.01") < max(moves) < Decimal("0.05")


def test_a_history_of_one_day_repeats_it() -> None:
    last = ecb_history()[-1].day
    replay = EcbReplay(start=last)
    assert {replay.day(n).day for n in (1, 2, 3)} == {last}


def test_a_start_after_the_file_is_refused() -> None:
    last = ecb_history()[-1].day
    with pytest.raises(ConfigurationError) as caught:
        EcbReplay(start=last + timedelta(days=1))
    assert (caught.value.code, caught.value.field) == ("PRICE_RANGE", "reference.start")


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        EcbReplay(("USD", "EUR", "XAU"))
    assert caught.value.field == "reference.XAU"
