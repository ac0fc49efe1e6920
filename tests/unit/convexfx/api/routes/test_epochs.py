"""``/epochs`` and what lies below it, on two epochs: one settled, one aborted, one of nothing."""

import hashlib
import json
from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from convexfx.api.answers.epoch_view import NO_PROOF, epoch_answer
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import (
    ClearingCode,
    ClearingRefused,
    ConvexFxError,
    ExecutionCode,
    ExecutionError,
    LawViolated,
)
from convexfx_core.identity import verify_signature
from tasks.clear import clear
from tasks.objects import epoch_key, get_json, sha256_hex
from tasks.process import using
from tests.support.api_world import DOMAIN, ApiWorld, api_world, signer

NEVER = "0.0000001"


@pytest.fixture(scope="module")
def world() -> ApiWorld:
    """Epoch 1 settled with fills, 2 aborted, 3 settled without a consumed order, 4 sealed."""
    made = api_world()
    alice, bob = made.wallets["alice"], made.wallets["bob"]
    made.post(
        alice.order("USD", "EUR", "1000", nonce=1).verifiable,
        bob.order("EUR", "USD", "500", nonce=1).verifiable,
        bob.order("USD", "JPY", "3", nonce=2, limit_ratio=NEVER, valid_until_epoch=9).verifiable,
    )
    made.epoch()
    made.post(alice.order("USD", "EUR", "5", nonce=2).verifiable)
    sealed = made.seal()
    assert sealed is not None
    made.finish(sealed, ClearingRefused(ClearingCode.NO_CERTIFICATE, "gap", "a certificate"))
    made.poll()
    made.epoch()
    made.post(alice.order("USD", "EUR", "6", nonce=2).verifiable)
    assert made.seal() is not None
    made.poll()
    return made


def stored_json(world: ApiWorld, epoch: int, name: str) -> Any:
    return json.loads(world.store.get(epoch_key(epoch, name)) or b"")


def test_the_list_is_latest_first_and_names_the_sealed_one(world: ApiWorld) -> None:
    found = world.get("/epochs")
    assert (found["head"], found["sealed"], found["next_before"]) == (3, 4, None)
    assert [(one["epoch"], one["status"]) for one in found["epochs"]] == [
        (3, "settled"), (2, "aborted"), (1, "settled"),
    ]  # fmt: skip
    first = found["epochs"][-1]
    assert first["orders"] == {"filled": 2, "carried": 1}
    assert first["fills"] == 2
    assert (first["mode"], first["mode_text"]) == ("attested", "attested (not a proof)")
    assert set(first["stages_ms"]) == {
        "collect", "clear", "validate", "state_diffs", "prove", "submit", "settle",
    }  # fmt: skip
    body = world.store.get(epoch_key(1, "outcome.json")) or b""
    assert first["outcome_sha256"] == sha256_hex(body)
    assert found["epochs"][1]["reason"].startswith("Clearing failed: NO_CERTIFICATE")


def test_the_list_in_pages(world: ApiWorld) -> None:
    page = world.get("/epochs?limit=2")
    assert [one["epoch"] for one in page["epochs"]] == [3, 2]
    assert page["next_before"] == 2
    rest = world.get(f"/epochs?limit=2&before={page['next_before']}")
    assert [one["epoch"] for one in rest["epochs"]] == [1]
    assert rest["next_before"] is None
    assert world.get("/epochs?before=1")["epochs"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=0"])
def test_pages_out_of_range(world: ApiWorld, query: str) -> None:
    answer = world.client.get(f"/epochs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAMETER")


def test_one_epoch(world: ApiWorld) -> None:
    found = world.get("/epochs/1")
    manifest = stored_json(world, 1, "manifest.json")
    assert found["parent"] == "0" * 64
    assert (found["candidates"], found["admitted"]) == (3, 3)
    assert found["params_hash"] == manifest["params_hash"]
    assert found["reference_source"] == "ecb-replay"
    assert set(found["prices"]) == set(DOMAIN.registry.ids)
    assert found["prices"]["USD"]["clearing"] == "1"
    euro = found["prices"]["EUR"]
    assert abs(Decimal(euro["clearing"]) / Decimal(euro["reference"]) - 1) < Decimal("0.002")
    assert int(euro["clearing_p64"]) == int(stored_json(world, 1, "proposal.json")["prices"][1])
    assert Decimal(found["fees_accrued"]["EUR"]) > 0
    assert found["gap_base_units"].isdecimal()
    for path in found["links"].values():
        assert world.client.get(path).status_code == 200
    assert world.get("/epochs/2")["parent"] == found["outcome_sha256"]


def test_an_aborted_epoch_has_no_clearing_prices(world: ApiWorld) -> None:
    found = world.get("/epochs/2")
    assert found["status"] == "aborted"
    assert found["prices"]["EUR"]["clearing"] is None
    assert found["mode"] is None
    assert found["orders"] == {"carried": 1, "expired": 1}
    assert found["refusal"] == {
        "code": "NO_CERTIFICATE", "law": None, "index": None, "expected": "a certificate",
        "observed": None,
    }  # fmt: skip
    assert found["refusal"] == world.get("/epochs")["epochs"][1]["refusal"]


def aborted_by(error: ConvexFxError) -> ApiWorld:
    """One epoch, which that error ended."""
    world = api_world()
    world.post(world.wallets["alice"].order("USD", "EUR", "1", nonce=1).verifiable)
    sealed = world.seal()
    assert sealed is not None
    world.finish(sealed, error)
    world.poll()
    return world


def test_a_violated_law_reaches_the_answer_as_data() -> None:
    world = aborted_by(LawViolated(5, 7, -3, 4))
    found = world.get("/epochs/1")
    assert found["reason"] == "L5: index 7: expected 4, found -3"
    assert found["refusal"] == {
        "code": "L5", "law": 5, "index": 7, "expected": "4", "observed": "-3",
    }  # fmt: skip
    assert stored_json(world, 1, "outcome.json")["refusal"] == found["refusal"]


def test_a_law_that_the_frozen_proposal_breaks_reaches_the_answer() -> None:
    """No error is put in here: the proposal is, and the stage ``validate`` finds what it breaks."""
    world = api_world()
    world.post(
        world.wallets["alice"].order("USD", "EUR", "1000", nonce=1).verifiable,
        world.wallets["bob"].order("EUR", "USD", "500", nonce=1).verifiable,
    )
    sealed = world.seal()
    assert sealed is not None
    with using(world.ctx):
        frozen = get_json(world.store, clear.fn(sealed)["proposal"])
    frozen["prices"][1] = str(int(frozen["prices"][1]) * 2)
    world.store.objects.bodies[epoch_key(1, "proposal.json")] = json_bytes(frozen)
    assert world.finish(sealed)["status"] == "aborted"
    world.poll()
    refusal = world.get("/epochs/1")["refusal"]
    verdict = stored_json(world, 1, "verdict.json")
    assert refusal["code"] == f"L{refusal['law']}"
    assert refusal["index"] >= 0
    assert (verdict["violated"], verdict["index"]) == (refusal["code"], refusal["index"])


@pytest.mark.parametrize(
    ("error", "observed"),
    [
        (ExecutionError(ExecutionCode.BALANCE, "vault x", "a whole balance", 3), "3"),
        (ExecutionError(ExecutionCode.GUEST_TRAPPED, "guest", "a plain end"), None),
        (ClearingRefused(ClearingCode.STEP_NORM, "y", "a small last step", 0.5), "0.5"),
    ],
)
def test_a_refusal_without_a_law_has_nulls(error: ConvexFxError, observed: str | None) -> None:
    found = aborted_by(error).get("/epochs/1")
    assert found["reason"] == error.line()
    assert found["refusal"] == {
        "code": error.code, "law": None, "index": None, "expected": error.expected,
        "observed": observed,
    }  # fmt: skip


def test_an_epoch_that_was_not_aborted_has_no_refusal(world: ApiWorld) -> None:
    assert [world.get(f"/epochs/{number}")["refusal"] for number in (1, 3, 4)] == [None] * 3
    assert stored_json(world, 1, "outcome.json")["refusal"] is None


def test_an_outcome_from_before_refusals_were_data_is_read_as_it_is() -> None:
    aborted = aborted_by(LawViolated(5, 7, -3, 4)).services.index.epoch(1)
    assert aborted is not None
    before = {name: value for name, value in aborted.outcome.items() if name != "refusal"}
    answer = epoch_answer(replace(aborted, outcome=before))
    assert (answer.reason, answer.refusal) == (aborted.outcome["reason"], None)


def test_a_sealed_epoch_without_an_outcome(world: ApiWorld) -> None:
    found = world.get("/epochs/4")
    assert (found["status"], found["orders"]) == ("sealed", {"sealed": 2})
    assert found["outcome_sha256"] is None
    objects = world.get("/epochs/4/objects")["objects"]
    assert epoch_key(4, "manifest.json") in [one["key"] for one in objects]


@pytest.mark.parametrize("part", ["", "/fills", "/state-diffs.parquet", "/proof", "/objects"])
def test_epochs_that_are_not_there(world: ApiWorld, part: str) -> None:
    answer = world.client.get(f"/epochs/5{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "EPOCH_UNKNOWN")
    assert "the last one is 3" in answer.json()["detail"]
    for number in ("0", "-1", "x", "100000000"):
        answer = world.client.get(f"/epochs/{number}{part}")
        assert (answer.status_code, answer.json()["code"]) == (422, "PARAMETER")


def test_while_the_chain_is_read_an_absent_epoch_is_not_denied(world: ApiWorld) -> None:
    answer = world.restarted().client.get("/epochs/1/fills")
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_READY")


def test_fills(world: ApiWorld) -> None:
    found = world.get("/epochs/1/fills")
    assert (found["count"], found["next_offset"]) == (2, None)
    assert {fill["state"] for fill in found["fills"]} == {"filled"}
    owners = [bytes.fromhex(fill["order_id"]) for fill in found["fills"]]
    assert len(set(owners)) == 2
    everything = world.get("/epochs/1/fills?state=all")
    assert everything["count"] == 3
    [carried] = world.get("/epochs/1/fills?state=carried")["fills"]
    assert (carried["state"], carried["reason"]) == ("carried", "limit")
    for fill in everything["fills"]:
        assert world.get(f"/orders/{fill['order_id']}")["owner"] == fill["owner"]


def test_fills_in_pages(world: ApiWorld) -> None:
    first = world.get("/epochs/1/fills?state=all&limit=2")
    assert (len(first["fills"]), first["next_offset"]) == (2, 2)
    second = world.get("/epochs/1/fills?state=all&limit=2&offset=2")
    assert (len(second["fills"]), second["next_offset"]) == (1, None)
    whole = world.get("/epochs/1/fills?state=all")["fills"]
    assert first["fills"] + second["fills"] == whole


@pytest.mark.parametrize("query", ["state=gone", "state=", "offset=-1", "limit=0", "limit=1001"])
def test_fills_by_wrong_parameters(world: ApiWorld, query: str) -> None:
    answer = world.client.get(f"/epochs/1/fills?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAMETER")


def test_state_diffs_are_the_stored_bytes(world: ApiWorld, tmp_path: Any) -> None:
    answer = world.client.get("/epochs/1/state-diffs.parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.content == world.store.get(epoch_key(1, "state_diffs.parquet"))
    path = tmp_path / "diffs.parquet"
    path.write_bytes(answer.content)
    table = pq.read_table(path)
    per_token: dict[str, int] = {}
    for row in table.to_pylist():
        per_token[row["asset"]] = per_token.get(row["asset"], 0) + row["amount"]
    assert set(per_token.values()) == {0}


@pytest.mark.parametrize("epoch", [2, 3])
def test_epochs_that_consumed_nothing_have_no_state_diffs(world: ApiWorld, epoch: int) -> None:
    answer = world.client.get(f"/epochs/{epoch}/state-diffs.parquet")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "no state diffs" in answer.json()["detail"]


def test_the_proof_names_its_mode_and_says_that_attested_is_none(world: ApiWorld) -> None:
    found = world.get("/epochs/1/proof")
    assert (found["mode"], found["is_proof"]) == ("attested", False)
    assert found["note"] == NO_PROOF["attested"]
    assert "no proof" in found["note"]
    message = b"cfx.attest.v1".ljust(16, b"\0") + bytes.fromhex(found["public_values"])
    key = signer("attestor").public_key
    assert verify_signature(key, message, b64decode(found["proof"]))
    assert not verify_signature(key, message[:-1] + b"\1", b64decode(found["proof"]))
    assert found["description"]["mode"] == "attested"


@pytest.mark.parametrize("epoch", [2, 3])
def test_where_nothing_settled_the_mode_is_none(world: ApiWorld, epoch: int) -> None:
    found = world.get(f"/epochs/{epoch}/proof")
    assert (found["mode"], found["is_proof"], found["proof"]) == ("none", False, None)
    assert "nothing was settled" in found["note"]


def test_objects_have_the_hashes_of_their_bytes(world: ApiWorld) -> None:
    found = world.get("/epochs/1/objects")["objects"]
    names = {one["key"].rsplit("/", 1)[-1] for one in found}
    assert names >= {
        "manifest.json", "proposal.json", "verdict.json", "state_diffs.parquet", "sdl.json",
        "witness.bin", "outcome.json", "receipts.parquet", "lineage.json", "proof.bin",
        "proof.json",
    }  # fmt: skip
    for one in found:
        answer = world.client.get(one["url"])
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == one["sha256"], one["key"]
    recorded = {one["key"]: one["recorded_in"] for one in found}
    assert recorded[epoch_key(1, "proposal.json")] == epoch_key(1, "outcome.json")
    assert recorded[epoch_key(1, "outcome.json")] is None


@pytest.mark.parametrize(
    "key",
    ["inbox/x.json.gz", "rejects/x.json", "epochs/../x", "epochs/00000001/none", "etc/passwd"],
)
def test_objects_that_are_not_public_or_not_there(world: ApiWorld, key: str) -> None:
    world.store.put_new("inbox/x.json.gz", b"x")
    world.store.put_new("rejects/x.json", b"{}")
    answer = world.client.get(f"/objects/{key}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_a_changed_object_is_not_served_as_the_epochs_own() -> None:
    world = api_world()
    world.post(world.wallets["alice"].order("USD", "EUR", "5", nonce=1).verifiable)
    world.epoch()
    key = epoch_key(1, "state_diffs.parquet")
    found = world.store.get_versioned(key)
    assert found is not None
    world.store.put_if_match(key, found.body[:-1] + b"\0", found.tag)
    answer = world.client.get("/epochs/1/state-diffs.parquet")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert key in answer.json()["detail"]
