"""Health, readiness, metrics, schemas, codes, page, and the shape of errors."""

import json
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from convexfx.api.problem import MEANINGS, MEDIA_TYPE, ProblemCode
from convexfx.api.readiness import Readiness
from convexfx_core.errors import ClearingCode, ClearingRefused, ParkCode, RejectCode
from tasks.adapters.injected_faults import Fault, Faults
from tests.support.api_world import ApiWorld, api_world, unreachable


class Followed:
    """A follower that is well."""

    trouble: str | None = None
    alive = True


def readiness(world: ApiWorld, **options: Any) -> tuple[Readiness, Followed]:
    follower = Followed()
    return Readiness(world.ctx, world.services.index, follower, **options), follower


def missing(found: Any) -> dict[str, str]:
    return {name: one.missing for name, one in found.dependencies.items() if not one.ready}


def test_health_is_plain_text() -> None:
    answer = api_world().client.get("/api/health")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"].startswith("text/plain")


def test_ready_when_everything_is_there() -> None:
    found = readiness(api_world())[0].look()
    assert found.ready
    assert set(found.dependencies) == {"store", "inbox", "gateway", "agreement", "chain"}
    assert missing(found) == {}


def test_ready_says_what_is_missing_and_answers_503() -> None:
    world = api_world()
    world.gateway.down = unreachable()
    answer = world.client.get("/api/ready")
    assert answer.status_code == 503
    found = answer.json()
    assert found["ready"] is False
    assert found["dependencies"]["store"] == {"ready": True, "missing": None}
    for name in ("gateway", "agreement"):
        assert "PEER_UNREACHABLE: gateway" in found["dependencies"][name]["missing"]
    assert found["dependencies"]["chain"]["missing"] == "nobody follows the chain"


@pytest.mark.parametrize("operation", ["get"])
def test_ready_without_the_store(operation: str) -> None:
    faults = Faults()
    world = api_world(faults=faults)
    looking, _ = readiness(world)
    faults.plan(operation, Fault.LOSE_ANSWER, times=1)
    found = missing(looking.look())
    assert list(found) == ["store"]
    assert missing(looking.look()) == {}


def test_ready_without_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    world = api_world()

    def depth() -> None:
        raise unreachable("inbox")

    monkeypatch.setattr(world.inbox, "depth", depth)
    assert list(missing(readiness(world)[0].look())) == ["inbox"]
    assert "convexfx_inbox_up 0.0" in world.client.get("/metrics").text


def test_ready_without_an_active_agreement() -> None:
    world = api_world()
    looking, _ = readiness(world)
    active = world.gateway.active
    assert active is not None
    for agreement, said in (
        (None, "submit-domain-agreement"),
        (replace(active, active_from=99), "active from delta epoch 99"),
        (replace(active, params_hash="00" * 32), "params_hash"),
        (replace(active, allowed_modes=("core",)), "proof_mode"),
    ):
        world.gateway.active = agreement
        found = missing(looking.look())
        assert list(found) == ["agreement"]
        assert found["agreement"].startswith("Domain agreement not found: ")
        assert said in found["agreement"]


def test_ready_while_the_chain_is_read_and_when_it_cannot_be() -> None:
    world = api_world().restarted()
    looking, follower = readiness(world)
    assert missing(looking.look()) == {"chain": "the chain is still being read"}
    world.poll()
    assert missing(looking.look()) == {}
    follower.trouble = "PEER_UNREACHABLE: store: expected an answer"
    assert missing(looking.look()) == {"chain": follower.trouble}


def test_a_dependency_that_hangs_is_asked_once_and_named() -> None:
    world = api_world()
    looking, _ = readiness(world, answer_s_max=0.05)
    calls: list[str] = []
    import threading

    gate = threading.Event()

    def hang(owner: str) -> int:
        calls.append(owner)
        gate.wait(20)
        return 1

    world.gateway.next_nonce = hang  # type: ignore[method-assign]  # a gateway that hangs
    for _ in range(3):
        assert missing(looking.look()) == {"gateway": "no answer within 0.05 s"}
    assert len(calls) == 1
    gate.set()


def samples(world: ApiWorld) -> dict[tuple[str, str], float]:
    """Samples by name and the values of their labels."""
    answer = world.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_epochs_orders_stages_submissions_and_the_inbox() -> None:
    world = api_world()
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    world.post(
        alice.order("USD", "EUR", "5", nonce=1).verifiable,
        bob.order("USD", "EUR", "5", nonce=1, limit_ratio="0.001").verifiable,
        {"Swap": {}},
    )
    before = samples(world)
    assert before["convexfx_inbox_messages", "visible"] == 1
    assert before["convexfx_inbox_up", ""] == 1
    assert before["convexfx_submissions_total", "queued"] == 2
    assert before["convexfx_submissions_total", "SCHEMA"] == 1
    outcome = world.epoch()
    world.post(alice.order("USD", "EUR", "5", nonce=2, valid_until_epoch=9).verifiable)
    sealed = world.seal()
    assert sealed is not None
    world.finish(sealed, ClearingRefused(ClearingCode.STEP_NORM, "y", "a small last step", 3))
    world.poll()
    found = samples(world)
    assert found["convexfx_epochs_total", "settled"] == 1
    assert found["convexfx_epochs_total", "aborted"] == 1
    assert found["convexfx_orders_total", "filled"] == 1
    assert found["convexfx_orders_total", "expired"] == 1
    assert ("convexfx_orders_total", "carried") not in found
    assert found["convexfx_epoch_head", ""] == 2
    assert found["convexfx_stage_seconds_count", "clear"] == 1
    assert found["convexfx_stage_seconds_count", "collect"] == 2
    assert found["convexfx_stage_seconds_sum", "submit"] == pytest.approx(0.012)
    assert outcome["stages"]["submit"] == 12
    assert found["convexfx_inbox_messages", "visible"] == 0


def test_metrics_of_the_chain_survive_a_restart() -> None:
    world = api_world()
    world.post(world.wallets["alice"].order("USD", "EUR", "5", nonce=1).verifiable)
    world.epoch()
    again = world.restarted()
    assert ("convexfx_epochs_total", "settled") not in samples(again)
    again.poll()
    kept = ("convexfx_epochs_total", "convexfx_orders_total", "convexfx_stage_seconds_sum")
    old, new = samples(world), samples(again)
    assert {k: v for k, v in old.items() if k[0] in kept} == {
        k: v for k, v in new.items() if k[0] in kept
    }


@pytest.mark.parametrize("name", ["verifiable", "swap", "inbox-message"])
def test_schemas_accept_what_wallets_send(name: str) -> None:
    world = api_world()
    alice = world.wallets["alice"]
    signed = alice.order("USD", "EUR", "5", nonce=1, limit_ratio="1.1")
    good = {
        "verifiable": signed.verifiable,
        "swap": alice.swap("USD", "EUR", "5", nonce=1, limit_ratio="1.1"),
        "inbox-message": {"version": 1, "kind": "verifiables", "items": [signed.verifiable]},
    }[name]
    for path in (f"/schemas/{name}", f"/schemas/{name}.json"):
        answer = world.client.get(path)
        assert answer.headers["content-type"] == "application/schema+json"
        schema = answer.json()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**good, "more": 1}, schema)


def test_a_schema_that_is_not_there() -> None:
    answer = api_world().client.get("/schemas/vault.json")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "inbox-message" in answer.json()["detail"]


def test_the_codes_are_the_closed_lists() -> None:
    found = api_world().get("/problems")
    assert set(found["problems"]) == set(ProblemCode) == set(MEANINGS)
    assert found["rejects"] == list(RejectCode)
    assert found["parks"] == list(ParkCode)
    assert {"queued", "sealed", "filled"} <= set(found["states"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("DELETE", "/verifiables", 405, "METHOD"),
        ("GET", "/verifiables", 405, "METHOD"),
        ("POST", "/verifiables", 400, "NOT_JSON"),
        ("GET", "/epochs/0", 422, "PARAMETER"),
        ("GET", "/docs", 404, "NOT_FOUND"),
    ],
)
def test_errors_are_problems(method: str, path: str, status: int, code: str) -> None:
    answer = api_world().client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail"}
    assert (problem["status"], problem["code"], problem["type"]) == (
        status, code, f"/problems#{code}",
    )  # fmt: skip


def test_every_link_of_the_front_page_works_and_none_leaves_it() -> None:
    world = api_world()
    page = world.client.get("/").text
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) > 8
    world.services.change_signal.close()  # so that the stream of events ends
    for link in links:
        assert link.startswith("/")
        assert world.client.get(link).status_code in (200, 503), link
    assert "http://" not in page
    assert "https://" not in page


def test_the_schemas_are_listed() -> None:
    world = api_world()
    for path in ("/schemas", "/schemas/"):
        named = world.get(path)["schemas"]
        assert len(named) == 3
        assert all(world.client.get(name).status_code == 200 for name in named)


def test_the_front_page_reads_what_the_routes_answer() -> None:
    """Its script is run by a browser only, so its words are held against the answers here."""
    world = api_world()
    world.post(world.wallets["alice"].order("USD", "EUR", "10", nonce=1).verifiable)
    world.epoch()
    page = world.client.get("/").text
    script = page.partition("<script>")[2]
    epochs = world.get("/epochs?limit=12")
    assert set(re.findall(r"found\.(\w+)", script)) <= epochs.keys()
    assert set(re.findall(r"\be\.(\w+)", script)) <= epochs["epochs"][0].keys()
    detail = world.get("/epochs/1")
    assert set(re.findall(r"price\.(\w+)", script)) <= detail["prices"]["EUR"].keys()
    for name in ("sealed", "settled", "aborted"):
        assert f'"{name}"' in script


def test_the_front_page_names_every_route() -> None:
    world = api_world()
    page = world.client.get("/").text.replace("{n}", "{number}")
    named = set(world.get("/openapi.json")["paths"]) - {"/schemas/{name}", "/objects/{key}"}
    assert {path for path in named if path not in page} == set()


def test_openapi_names_routes_problems_and_the_body() -> None:
    found = api_world().get("/openapi.json")
    post = found["paths"]["/verifiables"]["post"]
    items = post["requestBody"]["content"]["application/json"]["schema"]["items"]["anyOf"]
    assert [item["$ref"] for item in items] == ["/schemas/swap.json", "/schemas/verifiable.json"]
    assert {"400", "413", "500", "503"} <= set(post["responses"])
    assert "OrderAnswer" in json.dumps(found["paths"]["/orders/{order_id}"])
    assert found["components"]["schemas"]["ProblemAnswer"]["properties"].keys() >= {"code"}
