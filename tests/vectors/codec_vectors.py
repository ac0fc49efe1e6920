"""Writes ``tests/vectors/codec``: the codec's golden vectors (``README.md`` beside this file).

    python -m tests.vectors.codec_vectors

A test builds them again and compares; everything follows from names and fixed numbers.
"""

from dataclasses import asdict, replace
from decimal import Decimal
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.encoding.hashing import (
    TAG_AGREEMENT,
    TAG_ATTEST,
    TAG_DEBIT,
    TAG_LEFT,
    TAG_SETTLE,
    network_id,
    tagged_hash,
)
from convexfx_core.encoding.merkle import chunk_hashes, prove_chunk, root, table_root
from convexfx_core.identity import Address, base58_encode, verify_signature
from convexfx_core.orders.payload import (
    Allowance,
    Credit,
    DebitAllowance,
    MintOperation,
    MintPayload,
)
from convexfx_core.orders.signed import UnsignedOrder, order_payload, read_signed_order
from convexfx_core.orders.signed_columns import OrderColumns
from convexfx_core.orders.terms import (
    Terms,
    cancel_terms,
    limit_from_ratio,
    min_fill_atoms,
    order_terms,
    payout_terms,
)
from convexfx_core.wire.orders import verifiable_json
from convexfx_core.wire.swap import Swap, parse_swap, swap_order
from tests.support import ed25519_math as ed
from tests.support import signed_cases as cases
from tests.unit.convexfx_core.orders import test_signed as order_cases
from tests.unit.convexfx_core.orders import test_terms as terms_cases

Json = dict[str, Any]
FOLDER = Path(__file__).resolve().parent / "codec"
U64_MAX = (1 << 64) - 1


def hashes() -> Json:
    """Tagged hashes, network ids, owner ids."""
    parts = [(TAG_DEBIT, b""), (TAG_SETTLE, b"\0"), ("sixteen letters.", b"ab"), ("t", bytes(100))]
    return {
        "tagged": [
            {"tag": tag, "data": data.hex(), "hash": tagged_hash(tag, data).hex()}
            for tag, data in [*parts, (TAG_ATTEST, bytes(392)), (TAG_AGREEMENT, b"\xff" * 9)]
        ],
        "networks": [
            {"name": name, "id": network_id(name).hex()} for name in ("convexfx-devnet", "x")
        ],
        "owners": [
            {
                "name": name,
                "seed": cases.key(name).seed.hex(),
                "pub_key": cases.key(name).public.hex(),
                "owner": cases.key(name).owner.hex(),
                "owner_base58": base58_encode(cases.key(name).owner),
                "address": str(cases.address(name)),
            }
            for name in ("alice", "bob", "pool", "mint USD", "mint EUR", "mint JPY")
        ],
    }


def table_rows(rows: int, row_bytes: int) -> bytes:
    """Byte j of a table is (7 j + 3) mod 251."""
    return bytes((7 * j + 3) % 251 for j in range(rows * row_bytes))


def tables() -> Json:
    """Table roots of made-up rows, and the opening of every chunk of some."""
    sizes = [0, 1, 2, 63, 64, 65, 127, 128, 129, 192, 193, 320, 449, 640]
    return {"tables": [table(rows, row_bytes) for row_bytes in (16, 80) for rows in sizes]}


def table(rows: int, row_bytes: int) -> Json:
    """One table: root and openings."""
    data = table_rows(rows, row_bytes)
    leaves = chunk_hashes(data, row_bytes)
    proofs = (
        [prove_chunk(leaves, chunk) for chunk in range(len(leaves))] if rows in (193, 449) else []
    )
    return {
        "tag": TAG_SETTLE if row_bytes == 16 else TAG_LEFT,
        "rows": rows,
        "row_bytes": row_bytes,
        "sha256_of_rows": sha256(data).hexdigest(),
        "merkle_root": root(leaves).hex(),
        "root": table_root(TAG_SETTLE if row_bytes == 16 else TAG_LEFT, data, row_bytes).hex(),
        "openings": [
            {
                "chunk": p.chunk,
                "leaf": leaves[p.chunk].hex(),
                "siblings": [s.hex() for s in p.siblings],
            }
            for p in proofs
        ],
    }


def terms() -> Json:
    """Terms with their bytes, and bytes that are none."""
    valid = [
        order_terms(1, cases.LIMIT, min_fill=5, valid_until=9),
        order_terms(0, None),
        order_terms(65_534, (-192, 1 << 62)),
        order_terms(63, (255, (1 << 63) - 1), min_fill=U64_MAX, valid_until=U64_MAX),
        cancel_terms(),
        cancel_terms(valid_until=3),
        payout_terms(bytes(31) + b"\1"),
    ]
    return {
        "valid": [{**terms_json(value), "bytes": value.to_bytes().hex()} for value in valid],
        "invalid": [
            {"name": name, "bytes": data.hex(), "code": code}
            for name, (data, code) in terms_cases.INVALID.items()
        ],
    }


def terms_json(value: Terms) -> Json:
    """Fields of terms; 64-bit numbers as decimal strings."""
    fields: Json = asdict(value)
    wide = ("limit_m", "min_fill", "valid_until")
    return {**fields, **{name: str(fields[name]) for name in wide}, "pays": value.pays.hex()}


def limits() -> Json:
    """Limits from ratios, minimum fills from fractions, amounts from decimals."""
    ratios = ["1", "0.91", "1.1", "158.27", "0.0063", "3", "0.3333333333", "1000000", "0.000001"]
    decimals = [(6, 6), (6, 2), (2, 6), (0, 9), (9, 0)]
    fills = [("0", 10), ("1", 10), ("0.5", 11), ("0.01", 1), ("0.333", 1_000_000_007)]
    return {
        "limits": [limit(ratio, *pair) for ratio in ratios for pair in decimals],
        "min_fills": [
            {"fraction": f, "budget": str(b), "min_fill": str(min_fill_atoms(Decimal(f), b))}
            for f, b in fills
        ],
    }


def limit(ratio: str, pay: int, receive: int) -> Json:
    """One limit."""
    e, m = limit_from_ratio(Decimal(ratio), pay, receive)
    return {"limit_ratio": ratio, "decimals_pay": pay, "decimals_receive": receive,
            "limit_e": e, "limit_m": str(m)}  # fmt: skip


def orders() -> Json:
    """Signed orders and cancels as bytes, JSON and rows, and payloads that are refused."""
    domain = cases.domain()
    return {
        "domain": {
            "network": "convexfx-devnet",
            "network_id": domain.network_id.hex(),
            "pool": str(domain.pool),
            "assets": [
                {"id": asset.id, "decimals": asset.decimals, "token": str(asset.token)}
                for asset in domain.registry.assets
            ],
            "registry_section": domain.registry.to_bytes().hex(),
        },
        "accepted": [order(name, data) for name, data in order_cases.ACCEPTED.items()],
        "refused": [
            {"name": name, "payload": data.hex(), "code": code}
            for name, (data, code) in (order_cases.REFUSED | order_cases.SHAPES).items()
        ],
        "swaps": [swap(**changes) for changes in SWAPS],
    }


def order(name: str, data: bytes) -> Json:
    """One accepted order."""
    alice = cases.key("alice")
    signed = read_signed_order(data, alice.public, alice.sign(data), cases.domain())
    return {
        "name": name,
        "payload": data.hex(),
        "order_id": signed.order_id.hex(),
        "pub_key": signed.pub_key.hex(),
        "signature": signed.signature.hex(),
        "nonce": str(signed.nonce),
        "pay": signed.pay,
        "budget": str(signed.budget),
        "terms": terms_json(signed.terms),
        "row": OrderColumns.of([signed]).rows.tobytes().hex(),
        "verifiable": cases.verifiable(data),
    }


SWAPS: list[Json] = [
    {},
    {"limit_ratio": "0.91", "min_fill_fraction": "0.25", "valid_until_epoch": 12},
    {"pay_asset": "JPY", "receive_asset": "USD", "budget": "150000.5", "limit_ratio": "149.77"},
    {"pay_asset": "EUR", "receive_asset": "JPY", "budget": "0.000001", "nonce": 9},
]


def swap(**changes: Any) -> Json:
    """A Swap as the HTTP API takes it, with the payload that its wallet signs."""
    alice = cases.key("alice")
    fields = {
        "owner": base58_encode(alice.owner), "pay_asset": "USD", "receive_asset": "EUR",
        "budget": "1000", "nonce": 1, "pub_key": base58_encode(alice.public), "signature": "",
        **changes,
    }  # fmt: skip
    payload = order_payload(cases.domain(), meaning(parse_swap({"Swap": fields})))
    fields["signature"] = base58_encode(alice.sign(payload))
    assert swap_order(parse_swap({"Swap": fields}), cases.domain()).payload == payload
    return {"swap": {"Swap": fields}, "payload": payload.hex()}


def meaning(parsed: Swap) -> UnsignedOrder:
    """What a Swap says, spelled out once more."""
    registry, nonce = cases.registry(), parsed.nonce or 0
    pay, receive = registry.index(parsed.pay_asset), registry.index(parsed.receive_asset)
    budget = registry[pay].atoms(parsed.budget)
    bound = None
    if parsed.limit_ratio is not None:
        decimals = registry[pay].decimals, registry[receive].decimals
        bound = limit_from_ratio(parsed.limit_ratio, *decimals)
    least = min_fill_atoms(parsed.min_fill_fraction, budget)
    said = order_terms(receive, bound, least, parsed.valid_until_epoch)
    return UnsignedOrder(cases.key("alice").owner, nonce, pay, budget, said)


def messages() -> Json:
    """Other signed payloads: payouts, several allowances, other auxiliaries, mints."""
    alice, pool = cases.key("alice"), cases.address("pool")
    tokens = sorted(cases.address(f"mint {name}") for name in ("USD", "EUR", "JPY"))
    base = DebitAllowance.from_bytes(cases.payload())
    paid = Allowance(cases.address("mint EUR"), 909_090_909)
    debits = {
        "payout": replace(
            base, debited=pool, credited=base.debited, allowances=(paid,),
            auxiliary=payout_terms(base.order_id).to_bytes(),
        ),
        "no auxiliary": replace(base, auxiliary=b""),
        "three allowances": replace(
            base, allowances=tuple(Allowance(t, U64_MAX - i) for i, t in enumerate(tokens))
        ),
        "one byte": replace(base, auxiliary=b"\1"),
        "eight bytes": replace(base, auxiliary=b"12345678"),
        "most": replace(base, new_nonce=U64_MAX, auxiliary=bytes(1_024)),
    }  # fmt: skip
    return {
        "debit_allowances": [
            debit(name, value, cases.key("pool") if name == "payout" else alice)
            for name, value in debits.items()
        ],
        "mints": [mint(name, value) for name, value in mints(pool).items()],
    }


def debit(name: str, value: DebitAllowance, signer: cases.Key) -> Json:
    """One DebitAllowance."""
    data = value.to_bytes()
    signature = signer.sign(data)
    return {
        "name": name,
        "network_id": value.network_id.hex(),
        "debited": str(value.debited),
        "credited": str(value.credited),
        "new_nonce": str(value.new_nonce),
        "allowances": [[str(token), str(amount)] for token, amount in value.allowances],
        "auxiliary": value.auxiliary.hex(),
        "payload": data.hex(),
        "order_id": sha256(data).hexdigest(),
        "pub_key": signer.public.hex(),
        "signature": signature.hex(),
        "verifiable": verifiable_json(value, signer.public, signature),
    }


def mints(pool: Address) -> dict[str, MintPayload]:
    """Mints by name."""
    network, vault = cases.domain().network_id, cases.address("mint USD")
    create = MintPayload(network, vault, 1, MintOperation.CREATE, "US dollar", "USD",
                         (Credit(pool, 10**15), Credit(cases.address("alice", 9), 1)))  # fmt: skip
    return {
        "create": create,
        "create, name beyond ASCII": replace(create, name="\u20ac", symbol="E"),
        "increase": replace(create, new_nonce=2, operation=MintOperation.INCREASE_SUPPLY, name="",
                            symbol="", auxiliary=b"\1\2\3"),
    }  # fmt: skip


def mint(name: str, value: MintPayload) -> Json:
    """One FungibleTokenMint."""
    signer, data = cases.key("mint USD"), value.to_bytes()
    signature = signer.sign(data)
    return {
        "name": name,
        "network_id": value.network_id.hex(),
        "mint": str(value.mint),
        "new_nonce": str(value.new_nonce),
        "operation": int(value.operation),
        "token_name": value.name,
        "token_symbol": value.symbol,
        "credits": [[str(address), str(amount)] for address, amount in value.credits],
        "auxiliary": value.auxiliary.hex(),
        "payload": data.hex(),
        "hash": sha256(data).hexdigest(),
        "pub_key": signer.public.hex(),
        "signature": signature.hex(),
        "verifiable": verifiable_json(value, signer.public, signature),
    }


def signatures() -> Json:
    """Signatures that tell verifiers apart; made here, each satisfies the equation or nearly."""
    found = [signature_case(*parts) for parts in signature_parts()]
    return {"cases": found}


def signature_case(name: str, pub_key: bytes, message: bytes, signature: bytes) -> Json:
    """One signature with the verdict that holds here."""
    return {"name": name, "pub_key": pub_key.hex(), "message": message.hex(),
            "signature": signature.hex(),
            "accepted": verify_signature(pub_key, message, signature)}  # fmt: skip


def signature_parts() -> list[tuple[str, bytes, bytes, bytes]]:
    """(name, key, message, signature)."""
    alice, message = cases.key("alice"), b"edge"
    signature, scalar = alice.sign(message), ed.secret_scalar(alice.seed)
    s = int.from_bytes(signature[32:], "little")
    torsion = ed.small_order_points()
    five = ed.encode(ed.multiply(5, ed.BASE)) + (5).to_bytes(32, "little")
    parts = [
        ("plain", alice.public, message, signature),
        ("another message", alice.public, message + b"\0", signature),
        ("S + L", alice.public, message, signature[:32] + (s + ed.L).to_bytes(32, "little")),
        ("key is the identity", ed.encode(torsion[0]), message, five),
        ("key is the identity, y + p", ed.non_canonical_encodings(torsion[0])[0], message, five),
        (
            "key is the identity, minus zero",
            ed.non_canonical_encodings(torsion[0])[1],
            message,
            five,
        ),
    ]
    zero_r = ed.encode(torsion[0])
    k = ed.challenge(zero_r, alice.public, message)
    zero_s = (k * scalar % ed.L).to_bytes(32, "little")
    parts.append(("commitment is the identity", alice.public, message, zero_r + zero_s))
    return [*parts, *mixed_order_parts(scalar, torsion[1])]


def mixed_order_parts(scalar: int, torsion: ed.Point) -> list[tuple[str, bytes, bytes, bytes]]:
    """A key with a torsion component: the rule without cofactor decides."""
    public = ed.encode(ed.add(ed.multiply(scalar, ed.BASE), torsion))
    r = ed.encode(ed.multiply(11, ed.BASE))
    found: dict[bool, tuple[str, bytes, bytes, bytes]] = {}
    for attempt in count():
        message = b"mixed" + bytes([attempt])
        k = ed.challenge(r, public, message)
        name = "mixed order, k = 0 mod 8" if k % 8 == 0 else "mixed order, k != 0 mod 8"
        s = ((11 + k * scalar) % ed.L).to_bytes(32, "little")
        found.setdefault(k % 8 == 0, (name, public, message, r + s))
        if len(found) == 2:
            return [found[True], found[False]]
    raise AssertionError("unreachable")


DOCUMENTS = {
    "hashes": hashes,
    "tables": tables,
    "terms": terms,
    "limits": limits,
    "orders": orders,
    "messages": messages,
    "signatures": signatures,
}


def build() -> dict[str, bytes]:
    """Bytes of each file, by its name without ending."""
    return {name: json_bytes({"version": 1, **make()}) for name, make in DOCUMENTS.items()}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in build().items():
        (FOLDER / f"{name}.json").write_bytes(data)


if __name__ == "__main__":
    main()
