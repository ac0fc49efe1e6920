"""Another true statement is refused by the settlement side and by a stranger, by the field."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from convexfx.proofs import Key, verify_epoch
from convexfx_core.clearing import propose
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import ConvexFxError, PublicValueMismatch
from convexfx_core.laws import check
from convexfx_core.market.reference import reference_from_bytes, reference_to_bytes
from convexfx_core.records.tables import read_orders, write_orders
from convexfx_core.witness.build import clearing_case
from convexfx_core.witness.layout import split_sections
from convexfx_core.witness.public_values import PublicValues
from devnet.settlement.chain import SdlRecord
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import LocalProver
from tasks.chain import manifest_of, outcome_of, sealed_epoch
from tasks.objects import epoch_key, get_json, sha256_hex
from tasks.ports import Json, Store
from tasks.proposal_object import proposal_from_json
from tasks.replay import replay_epoch
from tests.attack.statements import Statement, statements
from tests.differential.laws.witnesses import Told
from tests.differential.test_devnet_core import Case, case, envelope, funded, verifiables
from tests.support.api_world import ApiWorld, api_world, signer
from tests.support.devnet_stage import through_json
from tests.support.devnet_world import ATTESTOR, PROGRAM_HASH
from tests.support.fake_laws_host import VKEY, FakeHost

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


def attested(values: PublicValues, reference: bytes | None = None) -> bytes:
    """An envelope of the honest epoch but for its public values, which the attestor signed."""
    made, raw = devnet_case(), values.to_bytes()
    if reference is None:
        reference = reference_to_bytes(made.opening.reference)
    return json_bytes(
        {
            "format": "devnet-v1-proof",
            "mode": "attested",
            "program_hash": PROGRAM_HASH,
            "public_values": raw.hex(),
            "proof": b64encode(ATTESTOR.sign(b"cfx.attest.v1\0\0\0" + raw)).decode(),
            "reference": b64encode(reference).decode(),
            "fees_accrued_after": [str(fee) for fee in made.result.pool_after.fees_accrued],
        }
    )


def settled_with(body: bytes) -> SdlRecord:
    stage, made = funded(devnet_case()), devnet_case()
    try:
        stage.gateway.submit(through_json(verifiables(made)))
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


@pytest.mark.parametrize(
    ("name", "code"),
    [("a narrower band", "PV_MISMATCH:reference_hash"), ("prices of another time", "")],
)
def test_the_operator_brings_prices_but_not_their_bands(name: str, code: str) -> None:
    statement = shown_on_the_devnet()[name]
    reference = bytes(split_sections(statement.witness)[3])
    assert settled_with(attested(statement.values, reference)).code == code


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


# Objects of a liar


def lying(
    world: ApiWorld, key: str, change: Callable[[Json], None], **others: bytes
) -> MemoryStore:
    """The epoch's objects with one of them changed, and its hash where it is named."""
    bodies = {name: world.store.get(name) or b"" for name in world.store.list("")} | others
    value = json.loads(bodies[key])
    change(value)
    bodies[key] = json_bytes(value)
    outcome = json.loads(bodies[epoch_key(1, "outcome.json")])
    for named in outcome.values():
        if isinstance(named, dict) and named.get("key") == key:
            named["sha256"] = sha256_hex(bodies[key])
    bodies[epoch_key(1, "outcome.json")] = json_bytes(outcome)
    store = MemoryStore()
    for name, body in bodies.items():
        store.put_new(name, body)
    return store


def told_by(store: Store, fake: FakeHost, number: int = 1) -> PublicValues:
    key = Key(bytes.fromhex(VKEY), fake.program.elf.with_name("vkey.bin"), fake.binary)
    return verify_epoch(store, number, lambda _: key).public_values


def narrowed(manifest: Json) -> None:
    found = reference_from_bytes(bytes.fromhex(manifest["reference"]["section"]))
    edges = (found.plo[0], *found.pbar[1:]), (found.phi[0], *found.pbar[1:])
    section = reference_to_bytes(replace(found, plo=edges[0], phi=edges[1]))
    manifest["reference"]["section"] = section.hex()


def test_an_epoch_is_not_told_again_under_another_number(world: ApiWorld, fake: FakeHost) -> None:
    store = lying(world, epoch_key(1, "manifest.json"), lambda _: None)
    assert told_by(store, fake).epoch == 1
    for name in ("manifest.json", "outcome.json"):
        store.put_new(epoch_key(2, name), store.get(epoch_key(1, name)) or b"")
    with pytest.raises(PublicValueMismatch) as refused:
        told_by(store, fake, 2)
    assert refused.value.code == "PV_MISMATCH:epoch"


@pytest.mark.parametrize(
    "change",
    [
        narrowed,
        lambda manifest: manifest["reference"]["prices"].update(EUR="1.5"),
        lambda manifest: manifest["reference"].update(as_of="2026-01-01T00:00:00+00:00"),
    ],
    ids=["narrower bands", "a price that is not shown", "another time"],
)
def test_the_reference_is_the_one_that_the_manifest_shows(
    world: ApiWorld, fake: FakeHost, change: Callable[[Json], None]
) -> None:
    store = lying(world, epoch_key(1, "manifest.json"), change)
    with pytest.raises(PublicValueMismatch) as refused:
        told_by(store, fake)
    assert refused.value.code == "PV_MISMATCH:reference_hash"


def test_every_order_is_signed_whether_it_is_filled_or_not(world: ApiWorld, fake: FakeHost) -> None:
    key = epoch_key(1, "manifest.json")
    named = json.loads(world.store.get(key) or b"")["orders"]["key"]
    orders = read_orders(world.store.get(named) or b"")
    signatures = orders.signatures.copy()
    signatures[0, 0] ^= 1
    body = write_orders(replace(orders, signatures=signatures))

    def swapped(manifest: Json) -> None:
        manifest["orders"] = {"key": "orders.parquet", "sha256": sha256_hex(body)}

    with pytest.raises(PublicValueMismatch) as refused:
        told_by(lying(world, key, swapped, **{"orders.parquet": body}), fake)
    assert refused.value.code == "PV_MISMATCH:batch_root"


def test_the_network_is_the_one_that_the_manifest_shows(world: ApiWorld, fake: FakeHost) -> None:
    key = epoch_key(1, "manifest.json")
    store = lying(world, key, lambda manifest: manifest.update(network="convexfx-mainnet"))
    with pytest.raises(PublicValueMismatch) as refused:
        told_by(store, fake)
    assert refused.value.code == "PV_MISMATCH:network_id"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("manifest.json", lambda manifest: manifest.pop("pool")),
        ("manifest.json", lambda manifest: manifest.update(orders=None)),
        ("manifest.json", lambda manifest: manifest["reference"].update(as_of="yesterday")),
        ("manifest.json", lambda manifest: manifest["reference"]["prices"].update(EUR="x")),
        ("outcome.json", lambda outcome: outcome.update(proposal=[])),
        ("manifest.json", lambda manifest: manifest["reference"].update(prices="1")),
        ("proposal.json", lambda proposal: proposal.update(paid=5)),
        ("proposal.json", lambda proposal: proposal.update(prices=proposal["prices"][:3])),
    ],
)
def test_objects_that_are_none_are_named_not_fallen_over(
    world: ApiWorld, fake: FakeHost, name: str, change: Callable[[Json], None]
) -> None:
    with pytest.raises(ConvexFxError) as refused:
        told_by(lying(world, epoch_key(1, name), change), fake)
    assert refused.value.code in ("COMMIT_CONFLICT", "CODEC")
    found = replay_epoch(lying(world, epoch_key(1, name), change), 1)
    assert len(found) > 10
    assert not all(finding.holds for finding in found)
