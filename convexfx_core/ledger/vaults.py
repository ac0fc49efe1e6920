"""What an epoch starts from: domain, pool, vaults; and the state root over them.

The seal reads the vaults from the network once; from then on the epoch stands on this copy. Only
the vaults of consumed orders enter the witness and its roots. Source: ``docs/spec.md`` sections 4
and 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.hashing import TAG_STATE, TAG_VAULTS, tagged_hash
from convexfx_core.encoding.key_columns import WORDS_DTYPE, find_keys, words_before
from convexfx_core.encoding.merkle import table_root
from convexfx_core.errors import CodecError
from convexfx_core.identity import HASH_BYTES, OwnerId
from convexfx_core.market.assets import Registry
from convexfx_core.market.params import Params
from convexfx_core.market.reference import Reference

_U64_MAX: Final = (1 << 64) - 1


def vault_dtype(n: int) -> np.dtype[np.void]:
    """Vault row of ``docs/spec.md`` section 3 for n assets, 40 + 8 n bytes."""
    return np.dtype([("owner", ">u8", (4,)), ("nonce", "<u8"), ("balance", "<u8", (n,))])


def owner_words(owners: Sequence[bytes]) -> NDArray[np.uint64]:
    """V owners of 32 bytes as big-endian words, V x 4."""
    return np.frombuffer(b"".join(owners), dtype=WORDS_DTYPE).reshape(len(owners), 4)


def domain_bytes(network_id: bytes, shard: int, epoch: int) -> bytes:
    """Domain section of the witness: network id (32), shard u64, epoch u64."""
    writer = Writer().fixed(network_id, HASH_BYTES, "network_id")
    return writer.u64(shard, "shard").u64(epoch, "epoch").getvalue()


@dataclass(frozen=True, slots=True)
class PoolState:
    """The pool's vault and what the settlement side keeps beside it.

    Attributes
    ----------
    owner : 32 bytes, the operator.
    nonce : nonce of its last settled message.
    balances : n balances in base units.
    fees_accrued : n fees in base units, part of the balances but not of the inventory.
    """

    owner: OwnerId
    nonce: int
    balances: tuple[int, ...]
    fees_accrued: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse what has no pool block, with ``CodecError``."""
        if len(self.owner) != HASH_BYTES:
            raise CodecError("pool.owner", "32 bytes", len(self.owner))
        if len(self.balances) != len(self.fees_accrued):
            raise CodecError("pool.fees_accrued", f"{len(self.balances)} entries")
        for name, values in (
            ("nonce", (self.nonce,)),
            ("balances", self.balances),
            ("fees_accrued", self.fees_accrued),
        ):
            if not all(0 <= value <= _U64_MAX for value in values):
                raise CodecError(f"pool.{name}", "0 to 2^64 - 1", values)

    @property
    def inventory(self) -> tuple[int, ...]:
        """N inventories in base units: balance minus fees accrued."""
        return tuple(b - f for b, f in zip(self.balances, self.fees_accrued, strict=True))

    def to_bytes(self) -> bytes:
        """Pool block, 40 + 16 n bytes."""
        words = (self.nonce, *self.balances, *self.fees_accrued)
        return Writer().raw(self.owner).all_unsigned(words, 8).getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, n: int) -> Self:
        """Pool state from its block for n assets; ``CodecError`` on another length."""
        if len(data) != 40 + 16 * n:
            raise CodecError("pool", f"{40 + 16 * n} bytes", len(data))
        words = [int(word) for word in np.frombuffer(data, "<u8", offset=HASH_BYTES)]
        return cls(OwnerId(data[:32]), words[0], tuple(words[1 : 1 + n]), tuple(words[1 + n :]))


@dataclass(frozen=True, slots=True, eq=False)
class VaultTable:
    """User vaults of the domain, strictly increasing by owner.

    Attributes
    ----------
    owners : V x 4 big-endian words.
    nonces : u64[V], nonce of the last settled message.
    balances : u64[V, n] in base units.
    """

    owners: NDArray[np.uint64]
    nonces: NDArray[np.uint64]
    balances: NDArray[np.uint64]

    def __post_init__(self) -> None:
        """Refuse shapes and sequences that are no table, with ``CodecError``."""
        count = len(self.owners)
        if self.owners.shape != (count, 4) or self.owners.dtype != WORDS_DTYPE:
            raise CodecError("vaults.owners", "V x 4 big-endian words", self.owners.shape)
        if self.nonces.shape != (count,) or self.balances.shape[:1] != (count,):
            raise CodecError("vaults", f"{count} nonces and balances", self.nonces.shape)
        if count > 1:
            falls = np.flatnonzero(~words_before(self.owners[:-1], self.owners[1:]))
            if len(falls):
                raise CodecError("vaults", "strictly increasing owners", f"row {falls[0] + 1}")

    def __len__(self) -> int:
        """Number of vaults."""
        return len(self.owners)

    @property
    def n(self) -> int:
        """Number of assets."""
        return int(self.balances.shape[1])

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[bytes, int, Sequence[int]]], n: int) -> Self:
        """Table of (owner of 32 bytes, nonce, n balances), in any sequence."""
        ordered = sorted(rows, key=lambda row: row[0])
        return cls(
            owner_words([owner for owner, _, _ in ordered]),
            np.array([nonce for _, nonce, _ in ordered], dtype=np.uint64),
            np.array([list(b) for _, _, b in ordered], dtype=np.uint64).reshape(len(rows), n),
        )

    def to_bytes(self) -> bytes:
        """Vault rows, V x (40 + 8 n) bytes."""
        rows = np.empty(len(self), dtype=vault_dtype(self.n))
        rows["owner"], rows["nonce"], rows["balance"] = self.owners, self.nonces, self.balances
        return rows.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, n: int) -> Self:
        """Table from vault rows; ``CodecError`` on a broken length or sequence."""
        dtype = vault_dtype(n)
        if len(data) % dtype.itemsize:
            raise CodecError("vaults", f"a multiple of {dtype.itemsize} bytes", len(data))
        rows = np.frombuffer(data, dtype=dtype)
        return cls(
            rows["owner"], rows["nonce"].astype(np.uint64), rows["balance"].astype(np.uint64)
        )

    def take(self, index: NDArray[np.int64]) -> Self:
        """The vaults at strictly increasing positions."""
        return type(self)(self.owners[index], self.nonces[index], self.balances[index])

    def find(self, owners: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Position of each of K owners (K x 4 words), -1 for an owner without a vault."""
        return find_keys(self.owners, owners)


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything that an epoch starts from, besides its orders.

    Attributes
    ----------
    network_id : 32 bytes.
    shard : number of the domain.
    epoch : number of this epoch, from 1.
    params, registry, reference : versioned inputs, bound by their hashes.
    pool : the pool's vault before the epoch.
    vaults : the user vaults read at the seal, before the epoch.
    """

    network_id: bytes
    shard: int
    epoch: int
    params: Params
    registry: Registry
    reference: Reference
    pool: PoolState
    vaults: VaultTable

    def domain_bytes(self) -> bytes:
        """Domain section of the witness, 48 bytes."""
        return domain_bytes(self.network_id, self.shard, self.epoch)


def vaults_root(vaults: VaultTable) -> bytes:
    """Table root of the vault rows, 32 bytes."""
    return table_root(TAG_VAULTS, vaults.to_bytes(), vault_dtype(vaults.n).itemsize)


def state_root(pool: PoolState, vaults: VaultTable) -> bytes:
    """State root of pool and touched vaults (``docs/spec.md`` section 6), 32 bytes."""
    return tagged_hash(TAG_STATE, pool.to_bytes(), vaults_root(vaults))
