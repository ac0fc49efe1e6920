"""Key files: the format of delta's tools, and nothing else."""

import json
import pickle
import stat
from pathlib import Path

import base58
import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from convexfx_core.errors import ConfigurationError
from tasks.adapters.keys import Ed25519Signer, generate_key, read_key, write_key

SEED = bytes(range(32))
PUBLIC_RFC8032 = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")
"""Public key of the seed 00 01 .. 1f (as libsodium and RFC 8032 derive it)."""


def refused(path: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read_key(path)
    assert caught.value.code == "KEYPAIR"
    assert caught.value.field == str(path)
    return caught.value


def test_a_written_key_is_read_back(tmp_path: Path) -> None:
    written = write_key(tmp_path / "keys" / "operator.json", SEED)
    read = read_key(tmp_path / "keys" / "operator.json")
    assert read.public_key == written.public_key == PUBLIC_RFC8032
    assert read.sign(b"payload") == written.sign(b"payload")


def test_the_file_is_a_json_string_of_base58(tmp_path: Path) -> None:
    write_key(tmp_path / "k.json", SEED)
    assert base58.b58decode(json.loads((tmp_path / "k.json").read_text())) == SEED


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    write_key(tmp_path / "k.json", SEED)
    assert stat.S_IMODE((tmp_path / "k.json").stat().st_mode) == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = generate_key(tmp_path / "k.json")
    with pytest.raises(ConfigurationError) as caught:
        generate_key(tmp_path / "k.json")
    assert caught.value.code == "KEYPAIR"
    assert read_key(tmp_path / "k.json").public_key == first.public_key


def test_generated_keys_differ(tmp_path: Path) -> None:
    keys = {generate_key(tmp_path / f"{i}.json").public_key for i in range(4)}
    assert len(keys) == 4


def test_a_signature_verifies_and_one_of_other_bytes_does_not() -> None:
    signer = Ed25519Signer(SEED)
    signature = signer.sign(b"payload")
    assert len(signature) == 64
    verify_key = VerifyKey(signer.public_key)
    assert verify_key.verify(b"payload", signature) == b"payload"
    with pytest.raises(BadSignatureError):
        verify_key.verify(b"payloae", signature)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "not JSON"),
        (base58.b58encode(SEED).decode(), "not JSON"),
        (json.dumps([1, 2]), "a JSON list"),
        (json.dumps({"seed": base58.b58encode(SEED).decode()}), "a JSON dict"),
        (json.dumps("0OIl"), "not base58"),
        (json.dumps(""), "0 bytes"),
        (json.dumps(base58.b58encode(SEED[:31]).decode()), "31 bytes"),
        (json.dumps(base58.b58encode(SEED + b"\1").decode()), "33 bytes"),
        (json.dumps(base58.b58encode(SEED + SEED).decode()), "64 bytes"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, text: str, seen: str) -> None:
    (tmp_path / "k.json").write_text(text)
    assert refused(tmp_path / "k.json").observed == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("5" * 5_000_000, "FileTooLarge"),
        (json.dumps("5" * 16_000), "16000 characters"),
        (json.dumps("5" * 129), "129 characters"),
        ("[" * 16_000, "not JSON"),
    ],
    ids=["5 MB", "a file's worth", "one more", "brackets"],
)
def test_a_long_file_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, seen: str
) -> None:
    """A file of 5 MB took 30 s: base58 takes the square of its length."""
    monkeypatch.setattr("base58.b58decode", lambda value: pytest.fail(f"{len(value)} characters"))
    (tmp_path / "k.json").write_text(text)
    assert refused(tmp_path / "k.json").observed == seen


def test_a_missing_file_and_bytes_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json").observed == "no such file"
    (tmp_path / "k.json").write_bytes(b"\xff\xfe")
    assert refused(tmp_path / "k.json").observed == "UnicodeDecodeError"
    assert refused(tmp_path).observed == "IsADirectoryError"


def test_no_error_and_no_text_repeats_the_secret(tmp_path: Path) -> None:
    secret = base58.b58encode(SEED + b"\1").decode()
    (tmp_path / "k.json").write_text(json.dumps(secret))
    assert secret not in refused(tmp_path / "k.json").line()
    shown = repr(Ed25519Signer(SEED))
    assert base58.b58encode(PUBLIC_RFC8032).decode() in shown
    assert base58.b58encode(SEED).decode() not in shown


def test_a_signer_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Ed25519Signer(SEED))
