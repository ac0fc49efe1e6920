"""Ed25519 keys in files: a JSON string, base58 of the 32-byte seed, as delta's tools write them.

The operator signs payouts and transactions, the attestor signs public values, a wallet signs
orders; each of them is a :class:`Ed25519Signer`. A seed never leaves its process: no text, pickle
or error shows it, and no key file is ever overwritten.
"""

import json
import os
from pathlib import Path
from typing import Final

import base58
from nacl.signing import SigningKey

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.limits import SMALL_FILE_BYTES_MAX
from tasks.adapters.capped_file import read_file

SEED_BYTES: Final = 32
SEED_CHARS_MAX: Final = 128
"""Base58 of the seed has 44. Decoding takes the square of the length."""
KEY_FILE_BYTES_MAX: Final = SMALL_FILE_BYTES_MAX
FILE_EXPECTED: Final = "a file holding a JSON string, base58 of a 32-byte seed"


class Ed25519Signer:
    """A ``Signer`` that holds its seed in memory; neither text nor pickles of it show the seed.

    Parameters
    ----------
    seed : 32 bytes.
    """

    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)

    @property
    def public_key(self) -> bytes:
        """Public key, 32 bytes."""
        return bytes(self._key.verify_key)

    def sign(self, payload: bytes) -> bytes:
        """Ed25519 signature of ``payload``, 64 bytes, deterministic."""
        return bytes(self._key.sign(payload).signature)

    def __repr__(self) -> str:
        """Show the public half only."""
        return f"Ed25519Signer(public_key={base58.b58encode(self.public_key).decode()})"

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a signer does not leave its process")


def read_key(path: Path) -> Ed25519Signer:
    """Signer of a key file.

    Raises
    ------
    ConfigurationError
        ``KEYPAIR`` naming the file; what stood in it is never repeated.
    """
    try:
        text = read_file(path, KEY_FILE_BYTES_MAX).decode("ascii")
    except FileNotFoundError:
        raise _key_error(path, "no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _key_error(path, type(error).__name__) from None
    return Ed25519Signer(_seed_of(path, text))


def write_key(path: Path, seed: bytes) -> Ed25519Signer:
    """Write a new key file that only its owner may read; its signer.

    Raises
    ------
    ConfigurationError
        ``KEYPAIR``: the file is there already (a key is never overwritten) or cannot be written.
    """
    signer = Ed25519Signer(seed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            ConfigurationCode.KEYPAIR, str(path), "no file of that name", "one"
        ) from None
    except OSError as error:
        raise _key_error(path, error.strerror or type(error).__name__) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(json.dumps(base58.b58encode(seed).decode()) + "\n")
    return signer


def generate_key(path: Path) -> Ed25519Signer:
    """Write a key file with a fresh seed; see :func:`write_key`."""
    return write_key(path, bytes(SigningKey.generate()))


def _seed_of(path: Path, text: str) -> bytes:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _key_error(path, "not JSON") from None
    if not isinstance(value, str):
        raise _key_error(path, f"a JSON {type(value).__name__}")
    if len(value) > SEED_CHARS_MAX:
        raise _key_error(path, f"{len(value)} characters")
    try:
        seed = base58.b58decode(value)
    except ValueError:
        raise _key_error(path, "not base58") from None
    if len(seed) != SEED_BYTES:
        raise _key_error(path, f"{len(seed)} bytes")
    return seed


def _key_error(path: Path, observed: str) -> ConfigurationError:
    return ConfigurationError(ConfigurationCode.KEYPAIR, str(path), FILE_EXPECTED, observed)
