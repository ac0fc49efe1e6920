"""Epochs in every proof mode on a real devnet; the external host is a fake one.

One devnet serves all tests: its agreement allows every mode, and each test ends its own epoch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from convexfx_core.errors import (
    AgreementError,
    ConfigurationError,
    ConvexFxError,
    ProofError,
    PublicValueMismatch,
)
from convexfx_core.identity import base58_encode
from tasks.adapters.law_program import LawProgram
from tasks.adapters.prover_local import LocalProver
from tasks.chain import read_head
from tasks.objects import Ref, as_object, epoch_key, proof_prefix
from tasks.ports import Json
from tasks.process import using
from tasks.proof_check import check_before_submitting
from tasks.prove import prove
from tasks.replay import replay_epoch
from tasks.stage import proof_cache_key
from tests.support.epoch_world import World, open_world, run_epoch, signer
from tests.support.fake_laws_host import VKEY, FakeHost

AGREED = ("executed", "core", "compressed", "gpu")


@dataclass
class Stage:
    """The devnet's world, its fake host, and the next nonce of every wallet."""

    world: World
    fake: FakeHost
    nonce: int = 1

    def in_mode(self, mode: str) -> World:
        self.fake.behave()
        (self.fake.folder / "runs").unlink(missing_ok=True)
        return replace(self.world, ctx=replace(self.world.ctx, proof_mode=mode))

    def wave(self, mode: str) -> tuple[World, int]:
        """A world in that mode with two orders in its inbox, and the number of their epoch."""
        world = self.in_mode(mode)
        alice, bob = world.wallets["alice"], world.wallets["bob"]
        at = {"nonce": self.nonce, "valid_until_epoch": 900}
        world.send([alice.order("USD", "EUR", "100", **at), bob.order("EUR", "USD", "50", **at)])
        self.nonce += 1
        return world, read_head(world.store).epoch + 1


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    fake = FakeHost(tmp_path_factory.mktemp("fake") / "host")
    folder = tmp_path_factory.mktemp("world")
    with open_world(folder, names=("alice", "bob"), proof=(AGREED, fake.host())) as world:
        yield Stage(world, fake)


def settled(world: World) -> Json:
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["reason"]) == ("settled", None)
    return outcome


def described(world: World, outcome: Json) -> Json:
    key = outcome["proof_description"]["key"]
    return as_object(world.store.get(key) or b"", key)


@pytest.mark.parametrize("mode", ["executed", "core", "compressed"])
def test_an_epoch_settles_and_every_object_names_its_mode(stage: Stage, mode: str) -> None:
    world, epoch = stage.wave(mode)
    outcome = settled(world)
    assert (outcome["epoch"], outcome["mode"]) == (epoch, mode)
    found = described(world, outcome)
    assert (found["mode"], found["program_hash"]) == (mode, VKEY)
    assert found["is_proof"] == (mode != "executed")
    assert ("attestor" in found) == (mode == "executed")
    assert found["cycles"] == 123_456
    assert outcome["proof"]["key"] == proof_prefix(outcome["job_id"], mode) + "proof.bin"
    record = world.gateway.settlement.sdl(outcome["sdl_hash"])
    assert record is not None
    assert (record["status"], record["mode"]) == ("applied", mode)
    assert [f for f in replay_epoch(world.store, epoch) if not f.holds] == []
    assert world.sums() == {world.minted}
    asked = {"executed": ["execute"]}.get(mode, ["prove", "verify", "verify"])
    assert stage.fake.runs() == asked, "verified before submitting, and by the settlement layer"


@pytest.mark.parametrize("mode", ["executed", "core"])
def test_a_broken_law_aborts_the_epoch_with_its_number(stage: Stage, mode: str) -> None:
    world, epoch = stage.wave(mode)
    stage.fake.behave(execute="violated", prove="violated")
    outcome = world.run()
    assert outcome is not None
    assert (outcome["epoch"], outcome["status"], outcome["mode"]) == (epoch, "aborted", None)
    assert outcome["reason"] == "L5: index 7: expected 4, found -3"
    assert outcome["refusal"] == {
        "code": "L5", "law": 5, "index": 7, "expected": "4", "observed": "-3",
    }  # fmt: skip
    stage.fake.behave()
    assert settled(world)["fills"] == 2, "its orders live on"
    assert world.sums() == {world.minted}


def test_a_trapped_guest_aborts_the_epoch(stage: Stage) -> None:
    world, _ = stage.wave("executed")
    stage.fake.behave(execute="trapped")
    outcome = world.run()
    assert outcome is not None
    assert outcome["status"] == "aborted"
    assert outcome["reason"].startswith("Execution failed: GUEST_TRAPPED: guest:")
    stage.fake.behave()
    settled(world)


@pytest.mark.parametrize("kind", ["14", "killed", "15", "12", "13"])
def test_a_prover_s_own_failure_leaves_the_epoch_open_until_it_is_asked_again(
    stage: Stage, kind: str
) -> None:
    world, epoch = stage.wave("core")
    stage.fake.behave(prove=kind)
    with pytest.raises(ProofError):
        world.run()
    assert not world.store.exists(epoch_key(epoch, "outcome.json"))
    assert not world.store.exists(epoch_key(epoch, "intent.json"))
    stage.fake.behave()
    assert settled(world)["epoch"] == epoch


@pytest.mark.parametrize("mode", ["executed", "core"])
def test_values_of_another_epoch_are_named_and_not_submitted(stage: Stage, mode: str) -> None:
    world, epoch = stage.wave(mode)
    before = world.balances()
    stage.fake.behave(execute="other", prove="other")
    with pytest.raises(PublicValueMismatch, match=f"PV_MISMATCH:epoch: epoch: expected {epoch}"):
        world.run()
    assert not world.store.exists(epoch_key(epoch, "intent.json"))
    assert world.balances() == before
    key = next(k for k in world.store.list("proofs/") if proof_epoch(world, k) == epoch)
    for name in ("proof.bin", "proof.json"):
        world.store.objects.discard(key.rsplit("/", 1)[0] + "/" + name)
    stage.fake.behave()
    settled(world)


def proof_epoch(world: World, key: str) -> int:
    if not key.endswith("proof.json"):
        return 0
    return int(as_object(world.store.get(key) or b"", key)["epoch"])


def another_elf(stage: Stage, world: World) -> World:
    host = stage.fake.host()
    other = LawProgram(host.program.folder, host.program.vkey, "00" * 32)
    prover = LocalProver(world.store, signer("attestor"), bytes(32), replace(host, program=other))
    return replace(world, ctx=replace(world.ctx, prover=prover))


def another_key(stage: Stage, world: World) -> World:
    host = stage.fake.host()
    other = replace(host.program, vkey=bytes(32))
    prover = LocalProver(world.store, signer("attestor"), bytes(32), replace(host, program=other))
    return replace(world, ctx=replace(world.ctx, prover=prover))


def another_agreement(stage: Stage, world: World) -> World:
    agreement = world.ctx.gateway.agreement(1)
    assert agreement is not None
    prover = LocalProver(
        world.store, signer("attestor"), bytes(32), stage.fake.host(),
        lambda: replace(agreement, program_hash="00" * 32),
    )  # fmt: skip
    return replace(world, ctx=replace(world.ctx, prover=prover))


@pytest.mark.parametrize("mode", ["executed", "core"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (another_elf, "PROVER_ENVIRONMENT"),
        (another_key, "WRONG_VKEY"),
        (another_agreement, "AGREEMENT"),
    ],
)
def test_another_program_than_the_agreed_one_is_not_run(
    stage: Stage, mode: str, change: Callable[[Stage, World], World], code: str
) -> None:
    world, _ = stage.wave(mode)
    with pytest.raises(ConvexFxError) as caught:
        change(stage, world).run()
    assert caught.value.code == code
    assert stage.fake.runs() == []
    settled(world)


def test_a_proof_that_does_not_verify_any_more_is_not_submitted(stage: Stage) -> None:
    world, epoch = stage.wave("core")
    stage.fake.behave(verify="12")
    with pytest.raises(ProofError, match="PROOF_INVALID"):
        world.run()
    assert not world.store.exists(epoch_key(epoch, "intent.json"))
    stage.fake.behave()
    assert settled(world)["epoch"] == epoch
    assert stage.fake.runs().count("prove") == 1, "the stored proof is used"


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"proof_mode": "attested"}, AgreementError, "core, compressed, gpu, found attested"),
        ({"program_hash": bytes(32)}, AgreementError, "program_hash: expected"),
        ({"proof_mode": "compressed"}, ProofError, "mode: expected compressed, found core"),
        ({"verifier": None}, ConfigurationError, "expected laws-host, which verifies"),
    ],
)
def test_what_is_not_agreed_or_cannot_be_verified_is_not_submitted(
    stage: Stage, changes: Json, error: type[ConvexFxError], text: str
) -> None:
    world, outcome = proven(stage)
    refs = outcome["proof"], outcome["proof_description"]
    values = bytes.fromhex(described(world, outcome)["public_values"])
    check_before_submitting(world.ctx, *refs, values)
    with pytest.raises(error, match=text):
        check_before_submitting(replace(world.ctx, **changes), *refs, values)


def test_every_public_value_is_compared_before_submitting(stage: Stage) -> None:
    world, outcome = proven(stage)
    values = bytes.fromhex(described(world, outcome)["public_values"])
    fields = {0: "version", 8: "domain_tag", 24: "shard", 32: "epoch", 40: "params_hash",
              168: "pre_state_root", 391: "total"}  # fmt: skip
    for place, field in fields.items():
        other = values[:place] + bytes([values[place] ^ 1]) + values[place + 1 :]
        with pytest.raises(PublicValueMismatch, match=f"^PV_MISMATCH:{field}: "):
            check_before_submitting(
                world.ctx, outcome["proof"], outcome["proof_description"], other
            )


def proven(stage: Stage) -> tuple[World, Json]:
    """An epoch that settled in mode core; the last one if there is one."""
    world = stage.in_mode("core")
    head = read_head(world.store)
    if head.epoch and head.outcome["mode"] == "core":
        return world, head.outcome
    world, _ = stage.wave("core")
    return world, settled(world)


def test_modes_never_replace_each_other(stage: Stage) -> None:
    """A worker that cannot make the mode that was asked for makes none."""
    world, epoch = stage.wave("core")
    bare = LocalProver(world.store, signer("attestor"), bytes(32))
    with (
        using(replace(world.ctx, prover=bare)),
        pytest.raises(ConfigurationError, match="proof_mode: expected attested on this worker"),
    ):
        run_epoch()
    stage.fake.behave(prove="15")
    with pytest.raises(ProofError):
        world.run()
    stage.fake.behave()
    outcome = settled(world)
    made = [key for key in world.store.list(f"proofs/{outcome['job_id']}/") if "/core/" not in key]
    assert (outcome["epoch"], made) == (epoch, [])


def test_mode_gpu_says_what_is_missing(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = stage.wave("gpu")
    with monkeypatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        with pytest.raises(ConfigurationError, match=r"no sp1-gpu-server 6\.10\.0 at") as caught:
            world.run()
    assert caught.value.line().startswith("SETTING: proof_mode: expected gpu on a machine")
    assert stage.fake.runs() == []
    settled(stage.in_mode("core"))


def test_the_settlement_layer_refuses_what_its_own_verifier_refuses(stage: Stage) -> None:
    class Trusting:
        def verify(self, mode: str, proof: bytes, public_values: bytes) -> None:
            """Takes everything, as a submitter with bad intentions would."""

    world, epoch = stage.wave("core")
    before = world.balances()
    stage.fake.behave(verify="12")
    outcome = replace(world, ctx=replace(world.ctx, verifier=Trusting())).run()
    assert outcome is not None
    assert (outcome["status"], outcome["reason"]) == ("aborted", "BaseLayerFailed")
    assert outcome["refusal"] == {
        "code": "BaseLayerFailed", "law": None, "index": None, "expected": "BaseLayerApplied",
        "observed": None,
    }  # fmt: skip
    key = epoch_key(epoch, "intent.json")
    name = as_object(world.store.get(key) or b"", key)["sdl_hash"]
    record = world.gateway.settlement.sdl(base58_encode(bytes.fromhex(name)))
    assert record is not None
    assert (record["status"], record["code"]) == ("failed", "PROOF")
    assert record["message"].startswith("the verifier refused (exit 12): ")
    assert world.balances() == before
    stage.fake.behave()
    settled(world)


def test_another_mode_or_program_is_another_cached_result(stage: Stage) -> None:
    """A run that is retried after a change of mode must not submit the former mode's proof."""
    run: Any = SimpleNamespace(task=prove)
    sealed: Json = {"sealed": {"epoch": 7}, "diffs": {}}
    keys = set()
    for mode, program in (("core", b"\1"), ("executed", b"\1"), ("core", b"\2")):
        ctx = replace(stage.world.ctx, proof_mode=mode, program_hash=program * 32)
        with using(ctx):
            keys.add(proof_cache_key(run, sealed))
    assert len(keys) == 3
    assert not any("/" in key for key in keys)


def test_two_epochs_with_one_sdl_hash_do_not_share_a_proof(stage: Stage) -> None:
    """An SDL hash does not name its epoch, and an epoch that failed may leave it to the next."""
    world = stage.in_mode("executed")
    jobs = []
    with using(world.ctx):
        for epoch in (9_001, 9_002, 9_001, 9_002):
            body = epoch.to_bytes(2, "little") * 200
            world.store.put_new(epoch_key(epoch, "witness.bin"), body)
            ref = Ref(key=epoch_key(epoch, "witness.bin"), sha256=sha256(body).hexdigest())
            diffs: dict[str, Any] = {"sdl_hash": "11" * 32, "witness": ref}
            made = prove.fn({"epoch": epoch}, diffs | {"public_values": body[-392:].hex()})
            assert made is not None
            jobs.append(made["job_id"])
    assert jobs[:2] == jobs[2:]
    assert jobs[0] != jobs[1]
