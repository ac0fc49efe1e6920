"""Another true statement is refused by the settlement side and by a stranger, by the field."""

from base64 import b64encode
from dataclasses import replace
from functools import cache

import pytest

from convexfx.proofs import Key, verify_epoch
from convexfx_core.canonical import json_bytes
from convexfx_core.clearing import propose
from convexfx_core.errors import PublicValueMismatch
from convexfx_core.laws import check
from convexfx_core.public_values import PublicValues
from convexfx_core.reference import reference_to_bytes
from convexfx_core.transition import clearing_case
from devnet.settlement.chain import SdlRecord
from tasks.adapters.prover_local import LocalProver
from tasks.chain import manifest_of, outcome_of, sealed_epoch
from tasks.objects import get_json
from tasks.proposal_object import proposal_from_json
from tests.attack.statements import Statement, statements
from tests.devnet_world import ATTESTOR, PROGRAM_HASH
from tests.differential.laws.witnesses import Told
from tests.differential.test_devnet_core import Case, case, envelope, funded, verifiables
from tests.fake_laws_host import VKEY, FakeHost
from tests.unit.api_world import ApiWorld, api_world, signer
from tests.unit.devnet_stage import through_json

SETTLED = ("network_id", "shard", "epoch", "params_hash", "reference_hash", "pre_state_root",
           "sdl_hash", "n_fills", "total", "post_state_root")  # fmt: skip
"""What the settlement side derives itself, in the sequence in which it compares."""
NAMES = (
    "an epoch far ahead", "the last epoch", "another shard", "another network", "more fees",
    "another pool nonce", "another pool", "richer vaults", "a vault one nonce on", "wider bounds",
    "deeper markets", "an asset by another name", "prices of another time", "a narrower band",
    "other terms", "an order that nobody sent", "cancels that nobody sent",
    "a price a hair away",
)  # fmt: skip
LEFT_TO_THE_PROOF = {"an order that nobody sent", "a price a hair away"}
"""Orders that stay outside, and prices that change no amount, do not pass the hands of the
settlement side; a stranger sees them."""
BY_PROOF_ALONE = {"batch_root", "n_orders", "prices_hash", "gap", "inventory_risk",
                  "price_tracking", "fill_incentive", "total"}  # fmt: skip
each = pytest.mark.parametrize("name", NAMES)


# The settlement side


@cache
def devnet_case() -> Case:
    return case(2)


@cache
def shown_on_the_devnet() -> dict[str, Statement]:
    made = devnet_case()
    rows = made.batch.orders.rows
    proposal = propose(clearing_case(made.opening, rows), kernels="numpy")
    return {found.name: found for found in statements(Told(made.opening, rows, proposal))}


def attested(values: PublicValues) -> bytes:
    """An envelope of the honest epoch but for its public values, which the attestor signed."""
    made, raw = devnet_case(), values.to_bytes()
    return json_bytes(
        {
            "format": "devnet-v1-proof",
            "mode": "attested",
            "program_hash": PROGRAM_HASH,
            "public_values": raw.hex(),
            "proof": b64encode(ATTESTOR.sign(b"cfx.attest.v1\0\0\0" + raw)).decode(),
            "reference": b64encode(reference_to_bytes(made.opening.reference)).decode(),
            "fees_accrued_after": [str(fee) for fee in made.result.pool_after.fees_accrued],
        }
    )


def settled_with(body: bytes) -> SdlRecord:
    stage, made = funded(devnet_case()), devnet_case()
    try:
        stage.domain.submit(through_json(verifiables(made)))
        return stage.settle(body)
    finally:
        stage.close()


def test_the_honest_statement_settles() -> None:
    honest = attested(devnet_case().result.public_values)
    assert honest == envelope(devnet_case())
    assert settled_with(honest).status == "applied"


@each
def test_another_true_statement_does_not_settle(name: str) -> None:
    statement = shown_on_the_devnet()[name]
    assert check(statement.witness) == statement.values
    differing = statement.differing(devnet_case().result.public_values)
    assert differing
    record = settled_with(attested(statement.values))
    if name in LEFT_TO_THE_PROOF:
        assert set(differing) <= BY_PROOF_ALONE
        assert record.status == "applied"
        return
    first = next(field for field in SETTLED if field in differing)
    assert (record.status, record.code) == ("failed", f"PV_MISMATCH:{first}")


def test_the_statements_differ_in_every_field_that_can_be_chosen() -> None:
    honest = devnet_case().result.public_values
    seen = {f for s in shown_on_the_devnet().values() for f in s.differing(honest)}
    # Other prices and fills for the same orders would need another clearing of them.
    assert seen >= {*SETTLED, "batch_root", "n_orders", "prices_hash"} - {"n_fills"}
    assert set(shown_on_the_devnet()) == set(NAMES)


# A stranger


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeHost:
    """Proves and verifies whatever it is given, so only the public values stand in the way."""
    return FakeHost(tmp_path_factory.mktemp("fake") / "host")


@pytest.fixture(scope="module")
def world(fake: FakeHost) -> ApiWorld:
    made = api_world(("alice", "bob"))
    prover = LocalProver(made.store, signer("attestor"), bytes(32), fake.host())
    ctx = replace(made.ctx, prover=prover, program_hash=bytes.fromhex(VKEY), proof_mode="core")
    made, at = replace(made, ctx=ctx), {"nonce": 1, "valid_until_epoch": 9}
    alice, bob = made.wallets["alice"], made.wallets["bob"]
    made.send(alice.order("USD", "EUR", "1000", **at), bob.order("EUR", "USD", "90", **at))
    assert made.run() is not None
    return made


@pytest.fixture(scope="module")
def told(world: ApiWorld) -> Told:
    sealed, outcome = manifest_of(world.store, 1), outcome_of(world.store, 1)
    assert sealed is not None
    assert outcome is not None
    opening, batch = sealed_epoch(world.store, sealed[0])
    proposal = proposal_from_json(get_json(world.store, outcome["proposal"]))
    return Told(opening, batch.orders.rows, proposal)


@pytest.fixture(scope="module")
def shown_to_a_stranger(told: Told) -> dict[str, Statement]:
    return {found.name: found for found in statements(told)}


def verified(world: ApiWorld, fake: FakeHost, proof: bytes | None) -> PublicValues:
    key = Key(bytes.fromhex(VKEY), fake.program.elf.with_name("vkey.bin"), fake.binary)
    return verify_epoch(world.store, 1, lambda _: key, "core", proof).public_values


@each
def test_a_stranger_is_not_taken_in(
    world: ApiWorld, fake: FakeHost, shown_to_a_stranger: dict[str, Statement], name: str
) -> None:
    honest, statement = verified(world, fake, None), shown_to_a_stranger[name]
    proof = fake.host().prove("core", statement.witness).proof
    with pytest.raises(PublicValueMismatch) as refused:
        verified(world, fake, proof)
    assert refused.value.code == f"PV_MISMATCH:{statement.differing(honest)[0]}"
