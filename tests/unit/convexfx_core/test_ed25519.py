"""Strict Ed25519: forgeries for which the bare equation holds, made here, are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from convexfx_core.errors import CodecError
from convexfx_core.identity import verify_rows, verify_signature
from tests.support import ed25519_math as ed
from tests.support.signed_cases import key

SHARED = Path(__file__).resolve().parents[3].parent / "shared/data/ed25519_edge_cases.json"
MESSAGE = b"a message of an order"
TORSION = ed.small_order_points()


def scalar_bytes(value: int) -> bytes:
    return value.to_bytes(32, "little")


def test_the_test_arithmetic_is_that_of_the_library() -> None:
    alice = key("alice")
    scalar = ed.secret_scalar(alice.seed)
    point, signature = ed.multiply(scalar, ed.BASE), alice.sign(MESSAGE)
    assert ed.encode(point) == alice.public
    coded = int.from_bytes(signature[:32], "little")
    y, x = coded % 2**255, ed.x_of(coded % 2**255, coded >> 255)
    assert x is not None
    commitment = (x, y)
    assert ed.equation_holds(point, alice.public, MESSAGE, commitment, signature)
    assert len({ed.encode(t) for t in TORSION}) == 8


def test_valid_and_each_smallest_neighbour() -> None:
    alice, signature = key("alice"), key("alice").sign(MESSAGE)
    assert verify_signature(alice.public, MESSAGE, signature)
    assert not verify_signature(key("bob").public, MESSAGE, signature)
    assert not verify_signature(alice.public, MESSAGE + b"\0", signature)
    assert not verify_signature(alice.public, MESSAGE[:-1], signature)
    for bit in range(0, 512, 31):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not verify_signature(alice.public, MESSAGE, bytes(flipped))


@pytest.mark.parametrize(
    ("key_bytes", "sig_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)]
)
def test_wrong_lengths_are_no_signature(key_bytes: int, sig_bytes: int) -> None:
    alice = key("alice")
    public = (alice.public + b"\0")[:key_bytes]
    signature = (alice.sign(MESSAGE) + b"\0")[:sig_bytes]
    assert not verify_signature(public, MESSAGE, signature)


def test_s_not_below_l_is_refused_though_the_equation_holds() -> None:
    alice, signature = key("alice"), key("alice").sign(MESSAGE)
    s = int.from_bytes(signature[32:], "little")
    for again in (s + ed.L, s + 2 * ed.L):
        forged = signature[:32] + scalar_bytes(again)
        assert again % ed.L == s
        assert not verify_signature(alice.public, MESSAGE, forged)
    assert not verify_signature(alice.public, MESSAGE, signature[:32] + scalar_bytes(ed.L))


def small_order_forgery(point: ed.Point, encoding: bytes) -> tuple[bytes, bytes] | None:
    """(message, signature) that satisfies the equation for a small-order key, found by trying."""
    r = ed.multiply(5, ed.BASE)
    for attempt in range(64):
        message = MESSAGE + bytes([attempt])
        signature = ed.encode(r) + scalar_bytes(5)
        if ed.equation_holds(point, encoding, message, r, signature):
            return message, signature
    return None


@pytest.mark.parametrize("index", range(8))
def test_small_order_keys_sign_nothing(index: int) -> None:
    point = TORSION[index]
    for encoding in [ed.encode(point), *ed.non_canonical_encodings(point)]:
        forgery = small_order_forgery(point, encoding)
        assert forgery is not None
        assert not verify_signature(encoding, *forgery)


@pytest.mark.parametrize("index", range(8))
def test_small_order_commitments_are_refused(index: int) -> None:
    point, alice = TORSION[index], key("alice")
    scalar, public = ed.secret_scalar(alice.seed), alice.public
    for encoding in [ed.encode(point), *ed.non_canonical_encodings(point)]:
        k = ed.challenge(encoding, public, MESSAGE)
        signature = encoding + scalar_bytes(k * scalar % ed.L)
        own = ed.multiply(scalar, ed.BASE)
        assert ed.equation_holds(own, public, MESSAGE, point, signature) == (index == 0)
        assert not verify_signature(public, MESSAGE, signature)


def test_non_canonical_keys_are_refused() -> None:
    for y in range(19):
        for sign in (0, 1):
            encoding = (y + ed.P | sign << 255).to_bytes(32, "little")
            assert not verify_signature(encoding, MESSAGE, key("alice").sign(MESSAGE))


def test_mixed_order_key_follows_the_equation_without_cofactor() -> None:
    scalar = ed.secret_scalar(key("alice").seed)
    point = ed.add(ed.multiply(scalar, ed.BASE), TORSION[1])
    public, r = ed.encode(point), ed.multiply(11, ed.BASE)
    verdicts = set()
    for attempt in range(24):
        message = MESSAGE + bytes([attempt])
        k = ed.challenge(ed.encode(r), public, message)
        signature = ed.encode(r) + scalar_bytes((11 + k * scalar) % ed.L)
        assert verify_signature(public, message, signature) == (k % 8 == 0)
        verdicts.add(k % 8 == 0)
    assert verdicts == {True, False}


def test_columns_give_the_single_verdicts() -> None:
    messages = [MESSAGE + bytes([i]) for i in range(20)]
    keys = [key(f"signer {i % 3}") for i in range(20)]
    signatures = [k.sign(m) for k, m in zip(keys, messages, strict=True)]
    signatures[3] = signatures[4]
    signatures[19] = bytes(64)
    items = [(k.public, m, s) for k, m, s in zip(keys, messages, signatures, strict=True)]
    expected = [verify_signature(*item) for item in items]
    assert expected.count(False) == 2

    def columns(parts: list[bytes]) -> np.ndarray:
        return np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(20, -1)

    table = columns(messages), columns([k.public for k in keys]), columns(signatures)
    assert verify_rows(*table).tolist() == expected
    chosen = np.array([19, 0, 3, 4])
    assert verify_rows(*table, chosen).tolist() == [expected[i] for i in chosen]
    assert verify_rows(*table, chosen[:0]).shape == (0,)


def test_columns_of_other_shapes_are_refused() -> None:
    rows = np.zeros((2, 272), dtype=np.uint8)
    with pytest.raises(CodecError, match="2 rows"):
        verify_rows(rows, np.zeros((2, 31), dtype=np.uint8), np.zeros((2, 64), dtype=np.uint8))
    with pytest.raises(CodecError, match="2 rows"):
        verify_rows(rows, np.zeros((2, 32), dtype=np.uint8), np.zeros((1, 64), dtype=np.uint8))


def test_public_edge_cases_where_they_are_at_hand() -> None:
    cases = json.loads(SHARED.read_text())["cases"] if SHARED.exists() else []
    for case in cases:
        parts = (bytes.fromhex(case[name]) for name in ("pub_key", "message", "signature"))
        assert verify_signature(*parts) == case["accepted"], case["case"]
    assert len(cases) in (0, 12)
