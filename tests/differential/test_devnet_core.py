"""The executor's own bytes on the devnet: three codecs and two state machines, one result.

Here, and only here, the tests bring the core and the devnet together: an epoch that the core clears
and applies must get the same SDL hash from the gateway and the same public values from the
settlement side, and leave the same balances in both.
"""

from base64 import b64encode
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from convexfx_core.admission.book import Batch, LeftOut
from convexfx_core.clearing import propose
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.identity import Address, OwnerId
from convexfx_core.ledger.vaults import Opening, PoolState, VaultTable
from convexfx_core.market.assets import Asset, Registry
from convexfx_core.market.params import params_hash, params_to_bytes
from convexfx_core.market.reference import reference_to_bytes
from convexfx_core.orders.codes import PARK_CODES, REJECT_CODES
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.orders.row import KIND_CANCEL, NO_ASSET, ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import Domain, UnsignedOrder, order_payload
from convexfx_core.orders.terms import Terms
from convexfx_core.records.gateway_array import payout_payloads, verifiables_with_diffs
from convexfx_core.transition import EpochResult, apply_epoch
from convexfx_core.wire.orders import verifiable_json
from convexfx_core.witness.build import clearing_case
from devnet.gateway import codec as gateway_codec
from devnet.settlement import codec as settlement_codec
from devnet.settlement.chain import SdlRecord
from devnet.settlement.messages import decode_debit, decode_mint
from tests.support.clearing_cases import Shape, case_of
from tests.support.devnet_stage import Stage, through_json
from tests.support.devnet_world import (
    ASSETS,
    ATTESTOR,
    MINTS,
    NETWORK_ID,
    OPERATOR,
    PROGRAM_HASH,
    SHARD,
    Json,
    Mint,
    Vault,
    Wallet,
    agreement,
    b58,
)

WALLETS = sorted((Wallet(f"differential {at}") for at in range(7)), key=lambda w: w.owner)
POOL = Address(OwnerId(OPERATOR.owner), SHARD)
REGISTRY = Registry(
    tuple(Asset(name, 6, Address(OwnerId(MINTS[name].owner), SHARD)) for name in ASSETS)
)
DOMAIN = Domain(NETWORK_ID, POOL, REGISTRY)


def key(address: Address) -> settlement_codec.Address:
    return settlement_codec.Address(address.owner, address.shard)


def keys(rows: tuple[Allowance, ...] | tuple[Credit, ...]) -> tuple[tuple[Vault, int], ...]:
    return tuple((key(address), amount) for address, amount in rows)


@dataclass(frozen=True)
class Case:
    """An epoch of the core and what it takes to fund its vaults."""

    opening: Opening
    batch: Batch
    result: EpochResult


def rows_of_wallets(rows: np.ndarray, cancels: int) -> np.ndarray:
    """Orders dealt out to the wallets with consecutive nonces, cancels at the end of each."""
    extra = np.zeros(cancels, ORDER_DTYPE)
    extra["kind"], extra["receive"] = KIND_CANCEL, NO_ASSET
    rows = np.concatenate([rows, extra]).astype(ORDER_DTYPE)
    holder = np.arange(len(rows)) % len(WALLETS)
    owners = np.frombuffer(b"".join(w.owner for w in WALLETS), ">u8").reshape(-1, 4)
    rows["owner"] = owners[holder]
    rows["nonce"] = 1 + np.arange(len(rows)) // len(WALLETS)
    return rows[np.lexsort((rows["nonce"], holder))]


def signed(rows: np.ndarray) -> SealedOrders:
    """The rows as the wallets sign them."""
    by_owner = {wallet.owner: wallet for wallet in WALLETS}
    payloads, keys, signatures, ids = [], [], [], []
    for row in rows:
        wallet = by_owner[row["owner"].tobytes()]
        limit = (int(row["limit_kind"]), int(row["limit_e"]), int(row["limit_m"]))
        terms = Terms(
            int(row["kind"]), int(row["receive"]), *limit, int(row["min_fill"]),
            int(row["valid_until"]),
        )  # fmt: skip
        order = UnsignedOrder(
            OwnerId(wallet.owner), int(row["nonce"]), int(row["pay"]), int(row["budget"]), terms
        )
        payload = order_payload(DOMAIN, order)
        payloads.append(payload)
        keys.append(wallet.public)
        signatures.append(wallet.sign(payload))
        ids.append(DebitAllowance.from_bytes(payload).order_id)
    count = len(rows)

    def column(parts: list[bytes]) -> np.ndarray:
        return np.frombuffer(b"".join(parts), np.uint8).reshape(count, -1)

    epochs = np.ones(count, dtype=np.uint64)
    return SealedOrders(rows, column(ids), epochs, *map(column, (payloads, keys, signatures)))


@cache
def case(seed: int, orders: int = 30, cancels: int = 4) -> Case:
    made = case_of(Shape(assets=len(ASSETS), orders=orders, gross=40.0), seed)
    rows = rows_of_wallets(made.orders, cancels)
    balances = np.full((len(WALLETS), len(ASSETS)), 5, dtype=np.uint64)
    place = np.searchsorted([w.owner for w in WALLETS], [r["owner"].tobytes() for r in rows])
    np.add.at(balances, (place, rows["pay"]), rows["budget"])
    table = [(w.owner, 0, held.tolist()) for w, held in zip(WALLETS, balances, strict=True)]
    opening = Opening(
        NETWORK_ID,
        SHARD,
        1,
        made.params,
        REGISTRY,
        made.reference,
        PoolState(OwnerId(OPERATOR.owner), 0, made.inventory, (0,) * len(ASSETS)),
        VaultTable.from_rows(table, len(ASSETS)),
    )
    none, codes = SealedOrders.empty(), np.zeros(0, np.uint8)
    left = LeftOut(none, codes, PARK_CODES), LeftOut(none, codes, REJECT_CODES)
    batch = Batch(1, signed(rows), *left, 0)
    proposal = propose(clearing_case(opening, rows), kernels="numpy")
    return Case(opening, batch, apply_epoch(opening, batch, proposal))


def funded(epoch: Case) -> Stage:
    """A devnet whose vaults hold what the opening says, with the epoch's parameters agreed."""
    stage, opening = Stage(), epoch.opening
    holders = [(OPERATOR.vault(), opening.pool.balances)]
    vaults = opening.vaults.balances.tolist()
    holders += [(w.vault(), held) for w, held in zip(WALLETS, vaults, strict=True)]
    for asset, name in enumerate(ASSETS):
        credits = tuple((vault, held[asset]) for vault, held in holders)
        stage.gateway.execute([through_json(Mint(MINTS[name], 1, credits, name).json)])
    assert stage.settle(b"").status == "applied"
    stage.chain.register(
        agreement(
            params=b64encode(params_to_bytes(opening.params)).decode(),
            registry=b64encode(REGISTRY.to_bytes()).decode(),
            params_hash=params_hash(opening.params, REGISTRY).hex(),
        )
    )
    stage.chain.advance()
    return stage


def envelope(epoch: Case) -> bytes:
    values = epoch.result.public_values.to_bytes()
    proof = ATTESTOR.sign(b"cfx.attest.v1\0\0\0" + values)
    return json_bytes(
        {
            "format": "devnet-v1-proof",
            "mode": "attested",
            "program_hash": PROGRAM_HASH,
            "public_values": values.hex(),
            "proof": b64encode(proof).decode(),
            "reference": b64encode(reference_to_bytes(epoch.opening.reference)).decode(),
            "fees_accrued_after": [str(fee) for fee in epoch.result.pool_after.fees_accrued],
        }
    )


def verifiables(epoch: Case) -> list[Json]:
    payouts = payout_payloads(epoch.opening, epoch.result)
    signatures = [OPERATOR.sign(payout) for payout in payouts]
    return verifiables_with_diffs(
        epoch.opening, epoch.batch, epoch.result, OPERATOR.public, signatures
    )


def settled(stage: Stage, epoch: Case) -> SdlRecord:
    stage.gateway.submit(through_json(verifiables(epoch)))
    return stage.settle(envelope(epoch))


@pytest.mark.parametrize("seed", range(4))
def test_an_epoch_of_the_core_settles_on_the_devnet(seed: int) -> None:
    epoch = case(seed)
    result = epoch.result
    assert result.fills.count > 5
    assert result.sdl_hash is not None
    stage = funded(epoch)
    record = settled(stage, epoch)
    assert (record.status, record.code, record.message) == ("applied", "", "")
    assert record.name == b58(result.sdl_hash)
    accounts = stage.chain.ledger.accounts
    pool = accounts[key(POOL)]
    tokens = [key(asset.token) for asset in REGISTRY.assets]
    assert tuple(pool.tokens.get(token, 0) for token in tokens) == result.pool_after.balances
    assert pool.nonce == result.pool_after.nonce
    assert tuple(stage.chain.shards[SHARD].fees) == result.pool_after.fees_accrued
    touched = result.touched_after
    for at in range(len(touched)):
        owner = touched.owners[at].tobytes()
        account = accounts[settlement_codec.Address(owner, SHARD)]
        assert account.nonce == int(touched.nonces[at])
        held = [account.tokens.get(token, 0) for token in tokens]
        assert held == touched.balances[at].tolist()
    stage.close()


def test_the_gateway_and_the_settlement_side_end_with_equal_vaults() -> None:
    epoch = case(1)
    stage = funded(epoch)
    settled(stage, epoch)
    for wallet in (*WALLETS, OPERATOR):
        local = stage.gateway.vault(wallet.owner)
        final = stage.chain.ledger.accounts[settlement_codec.Address(wallet.owner, SHARD)]
        assert local is not None
        assert (local.nonce, local.holdings) == (final.nonce, final.tokens)
    stage.close()


# Codecs


def debit(allowances: int, auxiliary: bytes) -> DebitAllowance:
    tokens = [Address(OwnerId(bytes([n]) * 32), 1 + n) for n in range(allowances)]
    rows = tuple(Allowance(token, 7 * n) for n, token in enumerate(tokens))
    user = Address(OwnerId(WALLETS[0].owner), SHARD)
    return DebitAllowance(NETWORK_ID, user, POOL, 9, rows, auxiliary)


@pytest.mark.parametrize("allowances", [1, 2, 16])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 72, 1_024])
def test_three_codecs_write_and_read_equal_debits(allowances: int, size: int) -> None:
    message = debit(allowances, bytes(range(256)) * 4 if size == 1_024 else b"\x05" * size)
    ours = message.to_bytes()
    theirs = gateway_codec.debit_payload(
        NETWORK_ID, key(message.debited), key(POOL), 9, keys(message.allowances), message.auxiliary
    )
    assert theirs == ours
    decoded = decode_debit(ours, NETWORK_ID)
    assert decoded.digest == message.order_id
    assert (decoded.debited, decoded.credited) == (key(message.debited), key(POOL))
    assert decoded.allowances == keys(message.allowances)
    assert decoded.auxiliary == message.auxiliary


@pytest.mark.parametrize("names", [("US dollar", "USD"), ("Y\u00e4n", "\u00a5"), ("", "")])
def test_three_codecs_write_and_read_equal_mints(names: tuple[str, str]) -> None:
    operation = MintOperation.CREATE if names[0] else MintOperation.INCREASE_SUPPLY
    mint = Address(OwnerId(WALLETS[0].owner), SHARD)
    credits = (Credit(POOL, 5), Credit(Address(OwnerId(WALLETS[1].owner), 2), 0))
    message = MintPayload(NETWORK_ID, mint, 3, operation, *names, credits, b"note")
    theirs = gateway_codec.mint_payload(
        NETWORK_ID, key(mint), 3, names if names[0] else None, keys(credits), b"note"
    )
    assert theirs == message.to_bytes()
    decoded = decode_mint(theirs, NETWORK_ID)
    assert (decoded.mint, decoded.nonce, decoded.creates) == (key(mint), 3, bool(names[0]))
    assert (decoded.name, decoded.symbol, decoded.credits) == (*names, keys(credits))


def test_the_executors_mints_are_taken_by_the_gateway() -> None:
    stage, mint = Stage(), Address(OwnerId(WALLETS[0].owner), SHARD)
    credits = (Credit(POOL, 5),)
    message = MintPayload(NETWORK_ID, mint, 1, MintOperation.CREATE, "US dollar", "USD", credits)
    signature = WALLETS[0].sign(message.to_bytes())
    stage.gateway.execute([through_json(verifiable_json(message, WALLETS[0].public, signature))])
    assert stage.settle(b"").status == "applied"
    record = stage.chain.ledger.accounts[key(mint)].mint
    assert record is not None
    assert (record.name, record.symbol, record.supply) == ("US dollar", "USD", 5)
    stage.close()
