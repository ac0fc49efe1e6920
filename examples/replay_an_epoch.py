"""An epoch in memory, and a stranger who checks it: ``python examples/replay_an_epoch.py``.

The operator's side: sign orders, admit them, clear, apply the one state transition. The stranger
gets bytes alone, the epoch's witness and its 392 public bytes, and needs no solver and no secret.
(A settled epoch of a running exchange is replayed from its public objects: ``convexfx epoch
replay``.)
"""

from convexfx.dry_epoch import demo_signer, dry_opening
from convexfx.wallet.signing import SignedVerifiable, Wallet
from convexfx_core.admission.book import Batch, admit
from convexfx_core.clearing import propose
from convexfx_core.errors import LawViolated
from convexfx_core.identity import Address, owner_id
from convexfx_core.laws import check
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.ledger.vaults import Opening
from convexfx_core.orders.sealed import SealedOrders
from convexfx_core.orders.signed import Domain, read_signed_order
from convexfx_core.orders.signed_columns import OrderColumns
from convexfx_core.transition import EpochResult, apply_epoch
from convexfx_core.witness.build import clearing_case
from convexfx_core.witness.public_values import PublicValues

STRIDE = 8
"""One bit in each word of the witness is changed, one after the other."""


def sealed_batch(orders: list[SignedVerifiable], domain: Domain, opening: Opening) -> Batch:
    """Every signature checked, the orders sealed in one batch and admitted against the vaults."""
    signed = [read_signed_order(o.payload, o.pub_key, o.signature, domain) for o in orders]
    return admit(SealedOrders.sealed(OrderColumns.of(signed), opening.epoch), opening)


def operate() -> EpochResult:
    """The operator's epoch: two wallets, four orders, one of them out of the money."""
    pool, users = demo_signer("pool"), [demo_signer("alice"), demo_signer("bob")]
    opening = dry_opening(pool, [owner_id(user.public_key) for user in users])
    address = Address(owner_id(pool.public_key), opening.shard)
    domain = Domain(opening.network_id, address, opening.registry)
    alice, bob = (Wallet(user, domain) for user in users)
    orders = [
        alice.order("USD", "EUR", "1000", nonce=1),
        alice.order("USD", "EUR", "1000", nonce=2, limit_ratio="0.9"),
        bob.order("EUR", "USD", "400", nonce=1),
        bob.order("GBP", "JPY", "50", nonce=2),
    ]
    batch = sealed_batch(orders, domain, opening)
    return apply_epoch(opening, batch, propose(clearing_case(opening, batch.orders.rows)))


def stranger(witness: bytes, public_values: bytes) -> PublicValues:
    """Hold a witness to all twenty laws and compare what it proves with what was published."""
    derived = check(witness)
    assert derived.to_bytes() == public_values, "published values are not those of the witness"
    return derived


def main() -> None:
    """Run an epoch, check it as a stranger, change one byte."""
    result = operate()
    published = result.public_values.to_bytes()
    consumed = int(result.consumed.sum())
    print(f"{consumed} of {len(result.consumed)} orders consumed, {len(result.diffs)} diffs,"
          f" a witness of {len(result.witness):,} bytes")  # fmt: skip
    values = stranger(result.witness, published)
    print(f"replayed: epoch {values.epoch}, {values.n_fills} fills, every law holds")
    print(f"state root before {values.pre_state_root.hex()}")
    print(f"state root after  {values.post_state_root.hex()}")
    refusals: dict[str, int] = {}
    for place in range(0, len(result.witness), STRIDE):
        spoilt = bytearray(result.witness)
        spoilt[place] ^= 1
        try:
            stranger(bytes(spoilt), published)
            raise SystemExit(f"byte {place} changed and nobody noticed")
        except LawViolated as violation:
            name = f"L{violation.law} {LAW_NAMES[violation.law]}"
            refusals[name] = refusals.get(name, 0) + 1
    tried = sum(refusals.values())
    print(f"one bit changed, {tried} times in other places, refused each time:")
    for name, times in sorted(refusals.items(), key=lambda item: -item[1]):
        print(f"  {times:4} times by {name}")


if __name__ == "__main__":
    main()
