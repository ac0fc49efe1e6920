"""The chain of epochs in the store: where it ends, and what an epoch's objects say.

Source: ``docs/spec.md`` section 9. ``epochs/{n}/outcome.json`` is the only commit point;
``state/HEAD`` is a hint that can be rebuilt.
"""

from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from convexfx_core.admission.book import Batch, admit
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.encoding.json_fields import DECIMAL_CHARS_MAX
from convexfx_core.errors import CodecError, CommitConflict, PublicValueMismatch
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import Registry
from convexfx_core.market.params import Params, params_from_bytes, params_hash
from convexfx_core.market.reference import (
    Reference,
    reference_from_bytes,
    reference_from_quotes,
    reference_hash,
)
from convexfx_core.records.tables import read_orders
from tasks.objects import (
    GENESIS,
    HEAD_KEY,
    Ref,
    as_object,
    epoch_key,
    get_json,
    get_object,
    sha256_hex,
)
from tasks.ports import Store
from tasks.quarantine import Slice, next_slice, only_slice, slice_of


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last epoch that has an outcome.

    Attributes
    ----------
    epoch : its number, 0 before the first one.
    outcome_sha256 : hash of its outcome object, 64 zeros before the first one.
    outcome : the object itself.
    """

    epoch: int
    outcome_sha256: str
    outcome: dict[str, Any]


def outcome_of(store: Store, epoch: int) -> dict[str, Any] | None:
    """Outcome object of an epoch, None while it has none."""
    body = store.get(epoch_key(epoch, "outcome.json"))
    return None if body is None else as_object(body, epoch_key(epoch, "outcome.json"))


def read_head(store: Store) -> ChainHead:
    """Walk from the hint to the end of the chain."""
    hint = store.get(HEAD_KEY)
    epoch = int(as_object(hint, HEAD_KEY)["epoch"]) if hint else 0
    while epoch and not store.exists(epoch_key(epoch, "outcome.json")):
        epoch -= 1
    body = store.get(epoch_key(epoch, "outcome.json")) if epoch else None
    while (later := store.get(epoch_key(epoch + 1, "outcome.json"))) is not None:
        epoch, body = epoch + 1, later
    if body is None:
        return ChainHead(0, GENESIS, {})
    return ChainHead(epoch, sha256_hex(body), as_object(body, epoch_key(epoch, "outcome.json")))


def move_head(store: Store, epoch: int) -> None:
    """Let the hint point to ``epoch`` unless it is further already; losing the race is fine."""
    found = store.get_versioned(HEAD_KEY)
    if found is not None and int(as_object(found.body, HEAD_KEY)["epoch"]) >= epoch:
        return
    try:
        store.put_if_match(HEAD_KEY, json_bytes({"epoch": epoch}), found.tag if found else None)
    except CommitConflict:
        return


def manifest_of(store: Store, epoch: int) -> tuple[Ref, dict[str, Any]] | None:
    """Reference and content of an epoch's manifest, None while it is not sealed."""
    key = epoch_key(epoch, "manifest.json")
    body = store.get(key)
    if body is None:
        return None
    return Ref(key=key, sha256=sha256_hex(body)), as_object(body, key)


def slice_behind(store: Store, head: ChainHead) -> Slice | None:
    """Which vaults the epoch behind ``head`` lets in; None: all."""
    if head.outcome.get("status") != "aborted":
        return None
    before = outcome_of(store, head.epoch - 1) or {}
    sealed = manifest_of(store, head.epoch)
    return next_slice(slice_of(sealed[1] if sealed else {}), before.get("status") == "aborted")


def fees_accrued(head: ChainHead, n: int) -> tuple[int, ...]:
    """Fees in the pool's vault after the last epoch, n base units by asset."""
    values = head.outcome.get("fees_accrued")
    return tuple(int(value) for value in values) if values else (0,) * n


def read_params(store: Store, digest: str) -> tuple[Params, Registry]:
    """Parameters and registry of a params hash (hexadecimal).

    Raises
    ------
    CommitConflict
        The stored bytes are missing or hash to something else.
    """
    key = f"params/{digest}.json"
    body = store.get(key)
    if body is None:
        raise CommitConflict(key, "the parameters of the manifest", "nothing")
    value = as_object(body, key)
    registry = Registry.from_bytes(b64decode(value["registry"]))
    params = params_from_bytes(b64decode(value["params"]), registry.decimals)
    if params_hash(params, registry).hex() != digest:
        raise CommitConflict(key, f"params hash {digest}", params_hash(params, registry).hex())
    return params, registry


def reference_of(sealed: dict[str, Any], params: Params, registry: Registry) -> Reference:
    """Reference vector of a manifest: what its prices and the agreed bands make.

    Raises
    ------
    PublicValueMismatch
        ``reference_hash``: the section holds other prices, another time or other bands.
    """
    found = reference_from_bytes(bytes.fromhex(sealed["section"]))
    prices = {name: _quote(name, price) for name, price in sealed["prices"].items()}
    as_of_s = int(datetime.fromisoformat(sealed["as_of"]).timestamp())
    due = reference_from_quotes(prices, as_of_s, params, registry)
    if due != found:
        hashes = (reference_hash(reference).hex() for reference in (due, found))
        raise PublicValueMismatch("reference_hash", *hashes)
    return found


def _quote(name: str, text: str) -> Decimal:
    # An exact price of K digits takes the square of K.
    if len(text) > DECIMAL_CHARS_MAX:
        expected = f"at most {DECIMAL_CHARS_MAX} characters"
        raise CodecError(f"reference.prices.{name}", expected, len(text))
    try:
        return Decimal(text)
    except ArithmeticError:
        raise CodecError(f"reference.prices.{name}", "a decimal number", text) from None


def opening_of(store: Store, manifest: dict[str, Any]) -> Opening:
    """What an epoch starts from, read back from its manifest."""
    params, registry = read_params(store, manifest["params_hash"])
    vaults = VaultTable.from_bytes(get_object(store, manifest["vaults"]), len(registry))
    return Opening(
        network_id=bytes.fromhex(manifest["network_id"]),
        shard=manifest["shard"],
        epoch=manifest["epoch"],
        params=params,
        registry=registry,
        reference=reference_of(manifest["reference"], params, registry),
        pool=PoolState.from_bytes(bytes.fromhex(manifest["pool"]), len(registry)),
        vaults=vaults,
    )


def sealed_epoch(store: Store, manifest_ref: Ref) -> tuple[Opening, Batch]:
    """Opening and batch of a sealed epoch; admission is a pure function of its objects."""
    key = manifest_ref["key"], manifest_ref["sha256"]
    return _sealed_epoch(store, *key)


@lru_cache(maxsize=2)
def _sealed_epoch(store: Store, key: str, sha256: str) -> tuple[Opening, Batch]:
    manifest: dict[str, Any] = get_json(store, Ref(key=key, sha256=sha256))
    opening = opening_of(store, manifest)
    candidates = read_orders(get_object(store, manifest["orders"]))
    return opening, only_slice(admit(candidates, opening), slice_of(manifest))
