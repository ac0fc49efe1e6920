"""Key files and reference prices under arbitrary input."""

import json
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import base58
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import VerifyKey

from convexfx_core.errors import ConfigurationError
from tasks.adapters.ecb import CURRENCIES, EcbReplay, ecb_history
from tasks.adapters.keys import Ed25519Signer, read_key, write_key

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
DAYS = [entry.day for entry in ecb_history()]


@settings(max_examples=100, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), payload=st.binary(max_size=300))
def test_a_key_survives_its_file_and_signs(seed: bytes, payload: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = write_key(Path(folder) / "k.json", seed)
        read = read_key(Path(folder) / "k.json")
    assert read.public_key == written.public_key
    signature = read.sign(payload)
    assert signature == Ed25519Signer(seed).sign(payload)
    VerifyKey(read.public_key).verify(payload, signature)


def read_or_error(path: Path) -> Ed25519Signer | ConfigurationError:
    try:
        return read_key(path)
    except ConfigurationError as error:
        return error


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=80) | st.text(max_size=60).map(json.dumps) | st.binary().map(
    lambda raw: json.dumps(base58.b58encode(raw).decode())))  # fmt: skip
def test_any_other_file_is_refused_without_its_content(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "k.json"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        outcome = read_or_error(path)
    if isinstance(outcome, ConfigurationError):
        assert outcome.code == "KEYPAIR"
        assert len(text) < 12 or text not in outcome.line()
    else:
        seed = base58.b58decode(json.loads(text))
        assert outcome.public_key == Ed25519Signer(seed).public_key


@settings(max_examples=200, deadline=None)
@given(start=st.dates(date(2000, 1, 1), DAYS[-1]), epoch=st.integers(1, 100_000))
def test_a_replay_stays_in_its_window_and_moves_by_one_day(start: date, epoch: int) -> None:
    replay = EcbReplay(start=start)
    here, there = (DAYS.index(replay.day(n).day) for n in (epoch, epoch + 1))
    assert replay.day(epoch).day >= start
    assert abs(here - there) == (0 if start > DAYS[-2] else 1)


@settings(max_examples=100, deadline=None)
@given(day=st.sampled_from(DAYS), numeraire=st.sampled_from(CURRENCIES))
def test_prices_are_positive_and_consistent(day: date, numeraire: str) -> None:
    published = ecb_history()[DAYS.index(day)]
    prices = published.prices(numeraire, CURRENCIES)
    assert prices[numeraire] == 1
    for asset, price in prices.items():
        assert price > 0
        assert len(price.as_tuple().digits) <= 18
        product = price * published.per_euro[asset]
        assert abs(product / published.per_euro[numeraire] - 1) < Decimal("1e-17")
