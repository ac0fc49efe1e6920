"""What is written is read back, and only that: random values through every codec."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.encoding.canonical import Reader, Writer
from convexfx_core.encoding.canonical_json import json_bytes, strict_json
from convexfx_core.encoding.merkle import chunk_hashes, prove_chunk, table_root, verify_chunk
from convexfx_core.identity import Address, OwnerId, base58_decode, base58_encode
from convexfx_core.market.assets import Asset
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.orders.terms import (
    Terms,
    cancel_terms,
    limit_from_ratio,
    min_fill_atoms,
    order_terms,
    payout_terms,
)
from convexfx_core.wire.delta import VERIFIABLE
from convexfx_core.wire.orders import debit_allowance, verifiable_json
from tests.support.signed_cases import address, code_of_call, key

PATIENT = settings(deadline=None)
"""Other work on the machine is no failure."""

U64 = st.integers(0, (1 << 64) - 1)
HASHES = st.binary(min_size=32, max_size=32)
ADDRESSES = st.builds(Address, HASHES.map(OwnerId), st.integers(1, (1 << 64) - 1))
LIMITS = st.tuples(st.integers(-192, 255), st.integers(1 << 62, (1 << 63) - 1))
TERMS = st.one_of(
    st.builds(order_terms, st.integers(0, 65_535), st.none() | LIMITS, U64, U64),
    st.builds(cancel_terms, U64),
    st.builds(payout_terms, HASHES.filter(any)),
)
ALLOWANCES = st.dictionaries(ADDRESSES, U64, max_size=16).map(
    lambda found: tuple(Allowance(token, found[token]) for token in sorted(found))
)
ALICE = key("alice")
DEBITS = st.builds(
    DebitAllowance, HASHES, st.builds(Address, st.just(ALICE.owner), st.integers(1, 9)),
    ADDRESSES, U64, ALLOWANCES, st.binary(max_size=1_024),
)  # fmt: skip
CREDITS = st.lists(st.builds(Credit, ADDRESSES, U64), max_size=5).map(tuple)
NAMES = st.text(st.characters(codec="utf-8"), max_size=60)
MINTERS = st.builds(Address, st.just(ALICE.owner), st.integers(1, 9))
MINTS = st.one_of(
    st.builds(MintPayload, HASHES, MINTERS, U64, st.just(MintOperation.CREATE), NAMES, NAMES,
              CREDITS, st.binary(max_size=64)),
    st.builds(MintPayload, HASHES, MINTERS, U64, st.just(MintOperation.INCREASE_SUPPLY),
              st.just(""), st.just(""), CREDITS, st.binary(max_size=64)),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 130), 1 << 130) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(TERMS)
@settings(PATIENT)
def test_terms(terms: Terms) -> None:
    assert Terms.from_bytes(terms.to_bytes()) == terms


@given(st.binary(min_size=72, max_size=72))
@settings(PATIENT)
def test_terms_read_from_any_bytes_have_exactly_these_bytes(data: bytes) -> None:
    code = code_of_call(lambda: Terms.from_bytes(data))
    assert code in (None, "TERMS", "LIMIT_RANGE")
    if code is None:
        assert Terms.from_bytes(data).to_bytes() == data


@given(DEBITS)
@settings(PATIENT, max_examples=60)
def test_debit_allowances(value: DebitAllowance) -> None:
    data = value.to_bytes()
    assert len(data) % 8 == 0
    assert DebitAllowance.from_bytes(data) == value


@given(DEBITS.filter(lambda value: value.allowances))
@settings(PATIENT, max_examples=40)
def test_debit_allowances_as_json(value: DebitAllowance) -> None:
    text = json_bytes(verifiable_json(value, ALICE.public, bytes(64)))
    model = VERIFIABLE.validate_python(strict_json(text))
    assert debit_allowance(model, ALICE.public, value.network_id) == value


@given(MINTS)
@settings(PATIENT, max_examples=60)
def test_mints(value: MintPayload) -> None:
    data = value.to_bytes()
    assert len(data) % 8 == 0
    assert MintPayload.from_bytes(data) == value
    VERIFIABLE.validate_python(verifiable_json(value, ALICE.public, bytes(64)))


@given(st.binary(min_size=1, max_size=70))
@settings(PATIENT)
def test_base58(data: bytes) -> None:
    assert base58_decode(base58_encode(data), len(data)) == data


@given(ADDRESSES)
@settings(PATIENT)
def test_addresses(value: Address) -> None:
    assert Address.parse(str(value)) == value
    assert Address.read(Reader(value.to_bytes())) == value


@given(st.text("1234567890abcXYZ,+- ", max_size=60))
@settings(PATIENT)
def test_no_other_text_is_an_address(text: str) -> None:
    code = code_of_call(lambda: Address.parse(text))
    assert code in (None, "CODEC")
    if code is None:
        assert str(Address.parse(text)) == text


@given(JSON)
@settings(PATIENT)
def test_json(value: object) -> None:
    data = json_bytes(value)
    assert data.isascii()
    assert strict_json(data) == value
    assert json_bytes(strict_json(data)) == data


@given(st.binary(max_size=300))
@settings(PATIENT)
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    code = code_of_call(lambda: strict_json(data, keep_decimals=True))
    assert code in (None, "NOT_JSON", "NOT_ASCII", "DUPLICATE_KEY")


@given(st.text('{}[]",:0123456789.eE+-truefalsn\\u ', max_size=60))
@settings(PATIENT)
def test_any_text_of_json_letters_parses_or_is_refused(text: str) -> None:
    code = code_of_call(lambda: json_bytes(strict_json(text.encode())))
    assert code in (None, "NOT_JSON", "DUPLICATE_KEY", "FLOAT_NUMBER")


@given(st.lists(st.tuples(st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 255)), max_size=9))
@settings(PATIENT)
def test_writer_and_reader_meet(fields: list[tuple[int, int]]) -> None:
    writer = Writer()
    for width, value in fields:
        writer.unsigned(value, width)
    reader = Reader(writer.getvalue())
    assert [reader.unsigned(width) for width, _ in fields] == [value for _, value in fields]
    reader.end()


POSITIVE = st.fractions(Fraction(1, 10**12), Fraction(10**12), max_denominator=10**12)


@given(POSITIVE, st.integers(0, 9), st.integers(0, 9))
@settings(PATIENT)
def test_limits_are_the_least_that_suffice(ratio: Fraction, pay: int, receive: int) -> None:
    least = Fraction(10) ** (receive - pay) / ratio
    e, m = limit_from_ratio(ratio, pay, receive)
    below = Fraction(m - 1) if m > 1 << 62 else Fraction((1 << 63) - 1, 2)
    assert below / Fraction(2) ** e < least <= Fraction(m) / Fraction(2) ** e


@given(st.decimals("0.000001", "1000000", places=6), st.integers(1, 10**15))
@settings(PATIENT)
def test_a_fill_at_the_limit_costs_at_most_the_ratio(ratio: Decimal, paid: int) -> None:
    e, m = limit_from_ratio(ratio, 6, 6)
    received = Fraction(paid * m) / Fraction(2) ** e
    assert Fraction(paid) / received <= Fraction(ratio)


@given(st.fractions(0, 1), st.integers(0, 1 << 62))
@settings(PATIENT)
def test_minimum_fill_is_the_ceiling(fraction: Fraction, budget: int) -> None:
    least = min_fill_atoms(fraction, budget)
    assert least - 1 < fraction * budget <= least <= max(budget, 0)


@given(st.integers(0, 9), st.integers(0, (1 << 62) - 1))
@settings(PATIENT)
def test_amounts_as_text_and_back(decimals: int, atoms: int) -> None:
    asset = Asset("X", decimals, address("mint X"))
    assert asset.atoms(Decimal(asset.text(atoms))) == atoms


@given(st.integers(1, 700), st.data())
@settings(PATIENT, max_examples=40)
def test_opening_any_chunk(count: int, data: st.DataObject) -> None:
    rows = np.arange(count * 2, dtype="<u8").tobytes()
    leaves = chunk_hashes(rows, 16)
    chunk = data.draw(st.integers(0, len(leaves) - 1))
    table = table_root("cfx.settle.v1", rows, 16)
    part = rows[chunk * 1_024 : (chunk + 1) * 1_024]
    proof = prove_chunk(leaves, chunk)
    assert verify_chunk("cfx.settle.v1", table, count, part, 16, proof)
    at = data.draw(st.integers(0, len(part) - 1))
    spoilt = part[:at] + bytes([part[at] ^ 1]) + part[at + 1 :]
    assert not verify_chunk("cfx.settle.v1", table, count, spoilt, 16, proof)
