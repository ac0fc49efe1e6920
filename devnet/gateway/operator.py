"""The domain's key: it names the pool vault and signs transactions for the settlement layer.

Once a shard has an agreement, the settlement layer takes its SDLs and proofs from that operator
alone.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import nacl.signing

from devnet.gateway.codec import VaultKey, from_base58, transaction_message
from devnet.gateway.refusal import Refused

KEY_FILE_CHARS_MAX: Final = 1_024
"""A seed has 44 characters; of a longer file no more is read."""


class Operator:
    """Operator of one shard of one network.

    Parameters
    ----------
    seed : 32 bytes of Ed25519 seed.
    network : network id, 32 bytes.
    shard : at least 1.
    """

    def __init__(self, seed: bytes, network: bytes, shard: int) -> None:
        self._key = nacl.signing.SigningKey(seed)
        self.network = network
        self.shard = shard
        self.pub_key = bytes(self._key.verify_key)

    @property
    def pool(self) -> VaultKey:
        """The operator's own vault on its shard."""
        return hashlib.sha256(self.pub_key).digest(), self.shard

    def sign(self, kind: str, *parts: bytes) -> bytes:
        """Signature (64 bytes) of an ``sdl`` or ``proof`` transaction."""
        message = transaction_message(kind, self.network, self.shard, *parts)
        return self._key.sign(message).signature


def read_seed(path: Path) -> bytes:
    """Seed in a key file: a JSON string of base58.

    Raises
    ------
    ValueError
        Naming the file when it holds anything else.
    """
    try:
        with path.open(encoding="ascii") as file:
            return from_base58(json.loads(file.read(KEY_FILE_CHARS_MAX)), 32, "keypair")
    except (ValueError, Refused) as error:
        raise ValueError(f"keypair {path}: expected a JSON string of base58, 32 bytes") from error
