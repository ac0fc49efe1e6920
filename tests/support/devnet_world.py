"""Wallets, epochs and proofs for the devnet's tests, written once more from ``docs/spec.md``.

Nothing here comes from the executor or from the devnet, so that agreement means something.
"""

import base64
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from typing import Any

import base58
import nacl.signing

NETWORK = "convexfx-devnet"
SHARD = 1
ASSETS = ("USD", "EUR", "JPY", "GBP", "CHF", "AUD")
PROGRAM_HASH = sha256(b"cfx.program.v1\0\0convexfx-laws-2").hexdigest()

Json = dict[str, Any]
Vault = tuple[bytes, int]


def tagged(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode().ljust(16, b"\0") + data).digest()


NETWORK_ID = tagged("cfx.network.v1", NETWORK.encode())


def le(value: int, size: int = 8, signed: bool = False) -> bytes:
    return value.to_bytes(size, "little", signed=signed)


def b58(raw: bytes) -> str:
    return base58.b58encode(raw).decode()


def text(vault: Vault) -> str:
    return f"{b58(vault[0])},{vault[1]}"


def padded(raw: bytes) -> bytes:
    return le(len(raw)) + raw + bytes(-len(raw) % 8)


def table_root(tag: str, rows: list[bytes]) -> bytes:
    level = [
        tagged("cfx.chunk.v1", b"".join(row for _, row in chunk))
        for _, chunk in groupby(enumerate(rows), lambda pair: pair[0] // 64)
    ]
    while len(level) > 1:
        level = [
            tagged("cfx.node.v1", level[at] + level[at + 1]) if at + 1 < len(level) else level[at]
            for at in range(0, len(level), 2)
        ]
    return tagged(tag, (level[0] if level else bytes(32)) + le(len(rows)))


@dataclass(frozen=True)
class Wallet:
    """A key named after its holder."""

    name: str

    @cached_property
    def seed(self) -> bytes:
        return sha256(b"devnet test " + self.name.encode()).digest()

    @cached_property
    def key(self) -> nacl.signing.SigningKey:
        return nacl.signing.SigningKey(self.seed)

    @cached_property
    def public(self) -> bytes:
        return bytes(self.key.verify_key)

    @cached_property
    def owner(self) -> bytes:
        return sha256(self.public).digest()

    def vault(self, shard: int = SHARD) -> Vault:
        return self.owner, shard

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message).signature

    def container(self, payload: bytes, content: Json, auxiliary: bytes) -> Json:
        signature = {"pub_key": b58(self.public), "signature": b58(self.sign(payload))}
        return {
            "payload": {"auxiliary": list(auxiliary), "content": content},
            "signature": {"Ed25519": signature},
        }


OPERATOR, ATTESTOR = Wallet("operator"), Wallet("attestor")
MINTS = {asset: Wallet(f"mint {asset}") for asset in ASSETS}
TOKENS = {asset: wallet.vault() for asset, wallet in MINTS.items()}
POOL = OPERATOR.vault()


@dataclass(frozen=True)
class Debit:
    """A DebitAllowance that can be changed before it is signed."""

    signer: Wallet
    credited: Vault
    nonce: int
    allowances: dict[Vault, int]
    auxiliary: bytes = b""
    shard: int = SHARD
    network: bytes = NETWORK_ID

    @cached_property
    def payload(self) -> bytes:
        rows = sorted(self.allowances.items())
        return b"".join(
            (
                b"cfx.debit.v1\0\0\0\0",
                le(1, 4) + le(len(rows), 4) + self.network,
                self.signer.owner + le(self.shard),
                self.credited[0] + le(self.credited[1]),
                le(self.nonce),
                *(token[0] + le(token[1]) + le(amount) for token, amount in rows),
                padded(self.auxiliary),
            )
        )

    @cached_property
    def order_id(self) -> bytes:
        return sha256(self.payload).digest()

    @property
    def json(self) -> Json:
        content = {
            "credited": text(self.credited),
            "debited_shard": self.shard,
            "new_nonce": self.nonce,
            "allowances": {text(t): {"Fungible": a} for t, a in self.allowances.items()},
        }
        return {"DebitAllowance": self.signer.container(self.payload, content, self.auxiliary)}

    def executed(self, *amounts: int) -> Json:
        """With the diffs of having debited ``amounts``, one for each allowance in its order."""
        tokens = [text(token) for token in self.allowances]
        losses = {t: {"Fungible": -a} for t, a in zip(tokens, amounts, strict=True)}
        gains = {t: {"Fungible": a} for t, a in zip(tokens, amounts, strict=True) if a}
        diffs = [diff(text((self.signer.owner, self.shard)), losses)]
        return {
            "verifiable": self.json,
            "state_diffs": diffs + ([diff(text(self.credited), gains)] if gains else []),
        }


def diff(address: str, tokens: Json) -> Json:
    return {"address": address, "operation": {"TokenDiffs": tokens}}


@dataclass(frozen=True)
class Mint:
    """A FungibleTokenMint; without a name it increases the supply."""

    signer: Wallet
    nonce: int
    credits: tuple[tuple[Vault, int], ...]
    name: str = ""
    shard: int = SHARD
    auxiliary: bytes = b""

    @cached_property
    def payload(self) -> bytes:
        return b"".join(
            (
                b"cfx.mint.v1\0\0\0\0\0",
                le(1, 4) + le(len(self.credits), 4) + NETWORK_ID,
                self.signer.owner + le(self.shard) + le(self.nonce),
                le(0 if self.name else 1),
                padded(self.name.encode()) * 2,
                *(vault[0] + le(vault[1]) + le(amount) for vault, amount in self.credits),
                padded(self.auxiliary),
            )
        )

    @property
    def json(self) -> Json:
        credited = [{"address": text(vault), "amount": amount} for vault, amount in self.credits]
        operation: Json = {"IncreaseSupply": {"credited": credited}}
        if self.name:
            metadata = {"name": self.name, "symbol": self.name}
            operation = {"Create": {"metadata": metadata, "credited": credited}}
        content = {"new_nonce": self.nonce, "shard": self.shard, "operation": operation}
        return {"FungibleTokenMint": self.signer.container(self.payload, content, self.auxiliary)}

    def executed(self) -> Json:
        supply = sum(amount for _, amount in self.credits)
        operation: Json = {"IncreaseSupply": supply}
        if self.name:
            metadata = {"name": self.name, "symbol": self.name}
            operation = {"Create": {"metadata": metadata, "supply": supply}}
        own = text((self.signer.owner, self.shard))
        token = {"address": own, "operation": {"FungibleTokenMint": operation}}
        credited = [diff(text(vault), {own: {"Fungible": a}}) for vault, a in self.credits]
        return {"verifiable": self.json, "state_diffs": [token, *credited]}


def six_mints(holders: dict[Vault, int]) -> list[Json]:
    """Create the six currencies; each holder is credited its amount of every one of them."""
    credits = tuple(holders.items())
    return [Mint(wallet, 1, credits, asset).json for asset, wallet in MINTS.items()]


def terms(
    kind: int,
    receive: int = 65_535,
    pays: bytes = bytes(32),
    valid_until: int = 0,
    limit: tuple[int, int] | None = None,
    min_fill: int = 0,
) -> bytes:
    """Terms; ``limit`` (m, e) is m / 2^e received for each unit paid, None a market order."""
    mantissa, exponent = limit or (0, 0)
    asked = le(limit is not None, 2) + le(exponent, 2, signed=True) + le(0, 4) + le(mantissa)
    return le(1, 4) + le(kind, 2) + le(receive, 2) + asked + le(min_fill) + le(valid_until) + pays


def order(
    wallet: Wallet,
    nonce: int,
    pay: str,
    receive: str,
    budget: int,
    valid_until: int = 0,
    limit: tuple[int, int] | None = None,
    min_fill: int = 0,
) -> Debit:
    auxiliary = terms(1, ASSETS.index(receive), bytes(32), valid_until, limit, min_fill)
    return Debit(wallet, POOL, nonce, {TOKENS[pay]: budget}, auxiliary)


def cancel(wallet: Wallet, nonce: int, pay: str) -> Debit:
    return Debit(wallet, POOL, nonce, {TOKENS[pay]: 0}, terms(2))


def payout(filled: Debit, nonce: int, received: int) -> Debit:
    receive = ASSETS[int.from_bytes(filled.auxiliary[6:8], "little")]
    auxiliary = terms(3, pays=filled.order_id)
    return Debit(OPERATOR, filled.signer.vault(), nonce, {TOKENS[receive]: received}, auxiliary)


def params_section() -> bytes:
    n = len(ASSETS)
    return le(1) + le(n) + bytes(72 * n + 40 * n * n)


def registry_section() -> bytes:
    return b"".join(
        TOKENS[asset][0] + le(SHARD) + le(6) + asset.encode().ljust(16, b"\0") for asset in ASSETS
    )


def reference_section() -> bytes:
    return le(1_700_000_000) + le(len(ASSETS)) + le(1 << 64, 16) * 3 * len(ASSETS)


PARAMS_HASH = tagged("cfx.params.v1", params_section() + registry_section())


def agreement(operator: Wallet = OPERATOR, /, **changes: Any) -> Json:
    """Signed agreement; ``changes`` of its JSON are signed as well where bytes hold them."""
    body: Json = {
        "shard": SHARD,
        "operator": b58(operator.owner),
        "operator_key": b58(operator.public),
        "program_hash": PROGRAM_HASH,
        "allowed_modes": ["attested", "executed"],
        "attestor_key": b58(ATTESTOR.public),
        "params_hash": PARAMS_HASH.hex(),
        "fee": 1000,
        "network": NETWORK,
        "params": base64.b64encode(params_section()).decode(),
        "registry": base64.b64encode(registry_section()).decode(),
    } | changes
    modes = ("attested", "executed", "core", "compressed", "gpu")
    canonical = b"".join(
        (
            le(body["shard"]) + operator.owner + operator.public,
            bytes.fromhex(body["program_hash"]),
            le(sum(1 << at for at, mode in enumerate(modes) if mode in body["allowed_modes"])),
            ATTESTOR.public
            + bytes.fromhex(body["params_hash"])
            + le(int(body["fee"]))
            + NETWORK_ID,
        )
    )
    signature = operator.sign(b"cfx.agree.v1\0\0\0\0" + canonical)
    return body | {"signature": b58(signature)}


@dataclass
class Books:
    """What the tests expect the settlement layer to hold."""

    balances: dict[bytes, dict[str, int]] = field(default_factory=dict)
    nonces: dict[bytes, int] = field(default_factory=dict)
    fees: list[int] = field(default_factory=lambda: [0] * len(ASSETS))

    def row(self, owner: bytes) -> bytes:
        held = self.balances.get(owner, {})
        numbers = [self.nonces.get(owner, 0), *(held.get(asset, 0) for asset in ASSETS)]
        return owner + b"".join(map(le, numbers))

    def root(self, owners: list[bytes]) -> bytes:
        pool = self.row(OPERATOR.owner) + b"".join(map(le, self.fees))
        return tagged(
            "cfx.state.v1", pool + table_root("cfx.vaults.v1", [self.row(o) for o in owners])
        )

    def move(self, source: bytes, target: bytes, asset: str, amount: int) -> None:
        for owner, change in ((source, -amount), (target, amount)):
            held = self.balances.setdefault(owner, {})
            held[asset] = held.get(asset, 0) + change


@dataclass(frozen=True)
class Fill:
    """A consumed order with what was paid and received (0 for a cancel or an unfilled one)."""

    order: Debit
    paid: int = 0
    received: int = 0
    fee: int = 0


Item = tuple[Debit, tuple[int, ...]]
"""A debit with the executed amount of each allowance, in token order."""

PV_FIELDS = (
    ("version", 8), ("domain_tag", 16), ("shard", 8), ("epoch", 8), ("params_hash", 32),
    ("reference_hash", 32), ("prices_hash", 32), ("batch_root", 32), ("pre_state_root", 32),
    ("post_state_root", 32), ("sdl_hash", 32), ("n_orders", 8), ("n_fills", 8),
    ("network_id", 32), ("gap", 16), ("inventory_risk", 16), ("price_tracking", 16),
    ("fill_incentive", 16), ("total", 16),
)  # fmt: skip


@dataclass(frozen=True)
class Epoch:
    """A cleared epoch: what goes to the gateway and what its proof says."""

    number: int
    items: list["Item"]
    values: dict[str, bytes]
    fees_after: list[int]

    @property
    def verifiables(self) -> list[Json]:
        """Body of ``/intents/submit``."""
        return [debit.executed(*amounts) for debit, amounts in self.items]

    @property
    def sdl_hash(self) -> str:
        return b58(self.values["sdl_hash"])

    @property
    def public_values(self) -> bytes:
        return b"".join(self.values[name] for name, _ in PV_FIELDS)

    def claiming(self, **values: bytes) -> "Epoch":
        """The same epoch whose proof says something else."""
        return replace(self, values=self.values | values)

    def with_items(self, items: list["Item"], first_nonce: int = 1) -> "Epoch":
        """Other items, with the SDL hash that they have; everything else as it was."""
        sdl = clearing_hash(items, first_nonce)
        return replace(self, items=items, values=self.values | {"sdl_hash": sdl})

    def transaction(self, **options: Any) -> Json:
        """SDL transaction for the settlement layer."""
        return sdl_transaction(self.items, self.values["sdl_hash"], **options)

    def proof(self, signer: Wallet = OPERATOR, shard: int = SHARD, **changes: Any) -> Json:
        """Proof transaction for the settlement layer."""
        envelope = self.envelope(**changes)
        return proof_transaction(self.values["sdl_hash"], envelope, signer, shard)

    def envelope(self, **changes: Any) -> bytes:
        """Proof envelope in mode attested, signed by the attestor."""
        attestation = ATTESTOR.sign(b"cfx.attest.v1\0\0\0" + self.public_values)
        body = {
            "format": "devnet-v1-proof",
            "mode": "attested",
            "program_hash": PROGRAM_HASH,
            "public_values": self.public_values.hex(),
            "proof": base64.b64encode(attestation).decode(),
            "reference": base64.b64encode(reference_section()).decode(),
            "fees_accrued_after": [str(fee) for fee in self.fees_after],
        }
        return json.dumps(body | changes).encode()


def order_row(debit: Debit) -> bytes:
    (token, budget), aux = next(iter(debit.allowances.items())), debit.auxiliary
    pay = next(at for at, asset in enumerate(ASSETS) if TOKENS[asset] == token)
    limits = aux[16:24] + aux[24:32] + aux[32:40]
    kinds = aux[6:8] + aux[10:12] + aux[4:5] + aux[8:9]
    return debit.signer.owner + le(debit.nonce) + le(budget) + limits + le(pay, 2) + kinds


def clear(number: int, fills: list[Fill], books: Books, left: int = 0) -> Epoch:
    """Build epoch ``number`` and move ``books`` to the state after it."""
    fills = sorted(fills, key=lambda fill: (fill.order.signer.owner, fill.order.nonce))
    owners = sorted({fill.order.signer.owner for fill in fills})
    before = books.root(owners)
    first = nonce = books.nonces.get(OPERATOR.owner, 0) + 1
    allowances: list[Item] = []
    payouts: list[Item] = []
    for fill in fills:
        allowances.append((fill.order, (fill.paid,)))
        books.nonces[fill.order.signer.owner] = fill.order.nonce
        if fill.paid:
            payouts.append((payout(fill.order, nonce, fill.received), (fill.received,)))
            nonce += 1
            _settle(books, fill)
    books.nonces[OPERATOR.owner] = nonce - 1
    values = {name: bytes(size) for name, size in PV_FIELDS} | {
        "version": le(1),
        "domain_tag": b"cfx.pv.v1".ljust(16, b"\0"),
        "shard": le(SHARD),
        "epoch": le(number),
        "params_hash": PARAMS_HASH,
        "reference_hash": tagged("cfx.ref.v1", reference_section()),
        "pre_state_root": before,
        "post_state_root": books.root(owners),
        "sdl_hash": clearing_hash(allowances + payouts, first),
        "n_orders": le(len(fills) + left),
        "n_fills": le(len(payouts)),
        "network_id": NETWORK_ID,
        "gap": le(5, 16),
        "inventory_risk": le(7, 16, True),
        "fill_incentive": le(-9, 16, True),
        "total": le(-2, 16, True),
    }
    return Epoch(number, allowances + payouts, values, list(books.fees))


def clearing_hash(items: list[Item], first_nonce: int) -> bytes:
    """SDL hash of section 6 from orders followed by their payouts."""
    kinds = [debit.auxiliary[4] for debit, _ in items]
    orders = [item for item, kind in zip(items, kinds, strict=True) if kind != 3]
    received = {d.auxiliary[40:]: amounts[0] for d, amounts in items if d.auxiliary[4] == 3}
    rows = [le(paid[0]) + le(received.get(debit.order_id, 0)) for debit, paid in orders]
    orders_root = table_root("cfx.orders.v1", [order_row(debit) for debit, _ in orders])
    head = NETWORK_ID + OPERATOR.owner + le(SHARD) + le(first_nonce)
    return tagged("cfx.sdl.v1", head + orders_root + table_root("cfx.settle.v1", rows))


def general_hash(messages: list["Debit | Mint"], shard: int = SHARD) -> bytes:
    """Hash of any other SDL."""
    digests = b"".join(sha256(message.payload).digest() for message in messages)
    return tagged("cfx.sdlgen.v1", NETWORK_ID + le(shard) + digests)


def sdl_transaction(
    items: list[Any],
    sdl_hash: bytes,
    signer: Wallet = OPERATOR,
    shard: int = SHARD,
    **changes: Any,
) -> Json:
    """SDL transaction of (debit or mint, executed amounts), signed by ``signer``."""
    message = b"dev.sdltx.v1\0\0\0\0" + NETWORK_ID + le(shard) + sdl_hash
    return {
        "sdl_hash": b58(sdl_hash),
        "shard": shard,
        "operator_key": signer.public.hex(),
        "items": [
            {
                "kind": "debit" if isinstance(debit, Debit) else "mint",
                "payload": debit.payload.hex(),
                "pub_key": debit.signer.public.hex(),
                "signature": debit.signer.sign(debit.payload).hex(),
                "executed": list(amounts),
            }
            for debit, amounts in items
        ],
        "diffs": differences(items),
        "signature": signer.sign(message).hex(),
    } | changes


def proof_transaction(
    sdl_hash: bytes, envelope: bytes, signer: Wallet = OPERATOR, shard: int = SHARD
) -> Json:
    """Proof transaction, signed by ``signer``."""
    message = b"dev.prooftx.v1\0\0" + NETWORK_ID + le(shard) + sdl_hash
    return {
        "sdl_hash": b58(sdl_hash),
        "shard": shard,
        "operator_key": signer.public.hex(),
        "envelope": envelope.hex(),
        "signature": signer.sign(message + sha256(envelope).digest()).hex(),
    }


def differences(items: list[Any]) -> list[Json]:
    """Aggregated differences of (debit or mint, executed amounts)."""
    nonces: dict[Vault, int] = {}
    sums: dict[Vault, dict[Vault, int]] = {}
    for message, amounts in items:
        source = (message.signer.owner, message.shard)
        nonces[source] = message.nonce
        if isinstance(message, Debit):
            tokens = zip(sorted(message.allowances), amounts, strict=True)
            moves = [
                (v, t, s * a) for t, a in tokens for v, s in ((source, -1), (message.credited, 1))
            ]
        else:
            moves = [(vault, source, amount) for vault, amount in message.credits]
        for vault, token, amount in moves:
            held = sums.setdefault(vault, {})
            held[token] = held.get(token, 0) + amount
    rows = []
    for vault in sorted(nonces.keys() | sums.keys()):
        changes = {hex_text(t): a for t, a in sums.get(vault, {}).items() if a}
        if changes or vault in nonces:
            row = {"vault": hex_text(vault), "new_nonce": nonces.get(vault), "tokens": changes}
            rows.append(row)
    return rows


def hex_text(vault: Vault) -> str:
    return f"{vault[0].hex()},{vault[1]}"


def _settle(books: Books, fill: Fill) -> None:
    debit = fill.order
    pay = next(asset for asset in ASSETS if TOKENS[asset] in debit.allowances)
    receive = int.from_bytes(debit.auxiliary[6:8], "little")
    books.move(debit.signer.owner, OPERATOR.owner, pay, fill.paid)
    books.move(OPERATOR.owner, debit.signer.owner, ASSETS[receive], fill.received)
    books.fees[receive] += fill.fee


def genesis_books(holders: dict[Vault, int]) -> Books:
    """Books after :func:`six_mints` with the same holders."""
    return Books({vault[0]: dict.fromkeys(ASSETS, amount) for vault, amount in holders.items()})
