"""From an epoch's result to the array that the gateway takes: verifiables with their diffs.

Source: ``docs/spec.md`` sections 2 and 3: all consumed allowances in canonical order, then the
payouts of the filled ones in the same order, the pool's nonces consecutive. Columnar as far as JSON
allows: an epoch of 100,000 orders takes seconds.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convexfx_core.admission.book import Batch
from convexfx_core.encoding.base58_columns import base58_texts, owner_texts
from convexfx_core.encoding.hashing import TAG_DEBIT, tag_bytes
from convexfx_core.encoding.key_columns import key_bytes
from convexfx_core.errors import ExecutionCode, ExecutionError
from convexfx_core.identity import ADDRESS_BYTES, SIGNATURE_BYTES, Address, base58_encode
from convexfx_core.ledger.diff_checks import check_diffs
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.payload import CODEC_VERSION
from convexfx_core.orders.row import KIND_PAYOUT, NO_ASSET
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed_columns import PAYLOAD_DTYPE, byte_rows
from convexfx_core.orders.terms import TERMS_BYTES, TERMS_VERSION
from convexfx_core.transition import EpochResult

Json = dict[str, Any]


def payout_payloads(opening: Opening, result: EpochResult) -> list[bytes]:
    """What the operator signs for each filled order, in order: received, to the order's owner."""
    payouts = result.payouts
    rows = np.zeros(len(payouts), dtype=PAYLOAD_DTYPE)
    rows["tag"], rows["version"] = np.void(tag_bytes(TAG_DEBIT)), CODEC_VERSION
    rows["allowances"], rows["auxiliary"] = 1, TERMS_BYTES
    rows["network"] = np.void(opening.network_id)
    rows["owner"], rows["shard"] = np.frombuffer(opening.pool.owner, ">u8"), opening.shard
    credited = np.empty((len(payouts), ADDRESS_BYTES), dtype=np.uint8)
    credited[:, :-8] = key_bytes(payouts.owners)
    credited[:, -8:] = np.array([opening.shard], "<u8").view(np.uint8)
    rows["credited"], rows["nonce"] = credited.view("V40").reshape(-1), payouts.nonce
    tokens = b"".join(asset.token.to_bytes() for asset in opening.registry.assets)
    rows["token"], rows["amount"] = np.frombuffer(tokens, "V40")[payouts.asset], payouts.amount
    rows["terms_version"], rows["kind"], rows["receive"] = TERMS_VERSION, KIND_PAYOUT, NO_ASSET
    rows["pays"] = np.ascontiguousarray(payouts.order_ids).view("<u8")
    return [row.tobytes() for row in rows]


def verifiables_with_diffs(
    opening: Opening,
    batch: Batch,
    result: EpochResult,
    pool_key: bytes,
    signatures: Sequence[bytes],
) -> list[Json]:
    """The ordered array for the gateway.

    Parameters
    ----------
    pool_key : the operator's public key, 32 bytes.
    signatures : of :func:`payout_payloads`, 64 bytes each.

    Raises
    ------
    ExecutionError
        ``MESSAGE_FORMAT`` unless there is one signature for each payout; the codes of
        ``check_diffs``: nothing that delta would refuse is sent.
    """
    payouts = result.payouts
    if [len(signature) for signature in signatures] != [SIGNATURE_BYTES] * len(payouts):
        raise ExecutionError(
            ExecutionCode.MESSAGE_FORMAT,
            "payout signatures",
            f"{len(payouts)} of {SIGNATURE_BYTES} bytes",
            len(signatures),
        )
    count = len(result.fills.rows)
    check_diffs(result.diffs, count + len(payouts), result.pool_before, result.touched_before)
    pool = str(Address(opening.pool.owner, opening.shard))
    consumed = batch.orders.take(result.consumed)
    return [
        *_allowances(opening, consumed, result, pool),
        *_payouts(opening, result, pool, base58_encode(pool_key), signatures),
    ]


def _allowances(
    opening: Opening, consumed: SealedOrders, result: EpochResult, pool: str
) -> Iterator[Json]:
    tokens, shard = [str(asset.token) for asset in opening.registry.assets], opening.shard
    owners = [f"{text},{shard}" for text in owner_texts(result.touched_before.owners)]
    vaults = result.diffs["vault"][
        np.diff(result.diffs["position"].astype(np.int64), prepend=-1) > 0
    ]
    rows = result.fills.rows
    columns = zip(
        (vaults[: len(rows)] - 1).tolist(),
        rows["pay"].tolist(),
        rows["nonce"].tolist(),
        rows["budget"].tolist(),
        result.fills.paid.tolist(),
        consumed.payloads[:, -TERMS_BYTES:].tolist(),
        base58_texts(consumed.pub_keys),
        base58_texts(consumed.signatures),
        strict=True,
    )
    for vault, pay, nonce, budget, paid, terms, key, signature in columns:
        content = _content(pool, shard, nonce, tokens[pay], budget)
        diffs = _diffs(owners[vault], pool, tokens[pay], paid)
        yield _executed(content, terms, key, signature, diffs)


def _payouts(
    opening: Opening, result: EpochResult, pool: str, key: str, signatures: Sequence[bytes]
) -> Iterator[Json]:
    tokens, shard = [str(asset.token) for asset in opening.registry.assets], opening.shard
    payouts = result.payouts
    payloads = np.frombuffer(b"".join(payout_payloads(opening, result)), np.uint8)
    columns = zip(
        owner_texts(payouts.owners),
        payouts.asset.tolist(),
        payouts.nonce.tolist(),
        payouts.amount.tolist(),
        payloads.reshape(-1, PAYLOAD_DTYPE.itemsize)[:, -TERMS_BYTES:].tolist(),
        base58_texts(byte_rows(signatures, SIGNATURE_BYTES)),
        strict=True,
    )
    for owner, asset, nonce, amount, terms, signature in columns:
        user = f"{owner},{shard}"
        content = _content(user, shard, nonce, tokens[asset], amount)
        yield _executed(content, terms, key, signature, _diffs(pool, user, tokens[asset], amount))


def _content(credited: str, shard: int, nonce: int, token: str, amount: int) -> Json:
    return {
        "credited": credited,
        "debited_shard": shard,
        "new_nonce": nonce,
        "allowances": {token: {"Fungible": amount}},
    }


def _diffs(debited: str, credited: str, token: str, amount: int) -> list[Json]:
    found = [_token_diff(debited, token, -amount)]
    return [*found, _token_diff(credited, token, amount)] if amount else found


def _token_diff(address: str, token: str, amount: int) -> Json:
    return {"address": address, "operation": {"TokenDiffs": {token: {"Fungible": amount}}}}


def _executed(content: Json, terms: list[int], key: str, signature: str, diffs: list[Json]) -> Json:
    message = {
        "payload": {"auxiliary": terms, "content": content},
        "signature": {"Ed25519": {"pub_key": key, "signature": signature}},
    }
    return {"verifiable": {"DebitAllowance": message}, "state_diffs": diffs}
