"""Answers hold to the OpenAPI document that the API itself serves."""

import json
import re
from typing import Any

import jsonschema
import pytest

from convexfx.api.problem import MEDIA_TYPE, ProblemCode
from tests.support.api_world import ApiWorld, api_world
from tests.write_generated import OPENAPI

NEVER = "0.0000001"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> ApiWorld:
    """Two settled epochs with filled, carried, parked, cancelled and rejected orders."""
    made = api_world()
    alice, bob, charlie = (made.wallets[name] for name in ("alice", "bob", "charlie"))
    made.post(
        alice.order("USD", "EUR", "1000", nonce=1).verifiable,
        bob.order("EUR", "USD", "5", nonce=1, limit_ratio=NEVER, valid_until_epoch=9).verifiable,
        charlie.order("USD", "JPY", "5", nonce=2, valid_until_epoch=9).verifiable,
    )
    made.epoch()
    made.post(
        alice.order("USD", "EUR", "1000", nonce=2).verifiable,
        alice.order("USD", "EUR", "999", nonce=2).verifiable,
        bob.cancel(1, "EUR").verifiable,
    )
    made.epoch()
    made.post(alice.order("USD", "CHF", "7", nonce=3).verifiable)
    return made


@pytest.fixture(scope="module")
def document(world: ApiWorld) -> Document:
    found: Document = world.get("/openapi.json")
    return found


def schema_of(document: Document, path: str, status: int, method: str = "get") -> Any:
    """Schema of a JSON answer with its components; None where the answer is no JSON."""
    answers = document["paths"][path][method]["responses"]
    content = answers[str(status)]["content"]
    (media,) = content
    if "json" not in media:
        return None
    content = content[media]
    return {**content["schema"], "components": document["components"]}


def check(document: Document, path: str, answer: Any, method: str = "get") -> None:
    schema = schema_of(document, path, answer.status_code, method)
    assert schema is not None, path
    media = answer.headers["content-type"].split(";")[0]
    named = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    assert media in named, path
    if media == MEDIA_TYPE:
        assert answer.json()["code"] in named[media]["examples"], path
    jsonschema.validate(answer.json(), schema, cls=jsonschema.Draft202012Validator)


GOOD = [
    ("/api/ready", "/api/ready"),
    ("/domain", "/domain"),
    ("/problems", "/problems"),
    ("/epochs", "/epochs"),
    ("/epochs", "/epochs?limit=1"),
    ("/epochs/{number}", "/epochs/1"),
    ("/epochs/{number}", "/epochs/2"),
    ("/epochs/{number}/fills", "/epochs/1/fills"),
    ("/epochs/{number}/fills", "/epochs/2/fills?state=all"),
    ("/epochs/{number}/proof", "/epochs/1/proof"),
    ("/epochs/{number}/objects", "/epochs/1/objects"),
]
BAD = [
    ("/epochs", "/epochs?limit=0"),
    ("/epochs/{number}", "/epochs/9"),
    ("/epochs/{number}", "/epochs/x"),
    ("/epochs/{number}/fills", "/epochs/1/fills?state=x"),
    ("/epochs/{number}/state-diffs.parquet", "/epochs/9/state-diffs.parquet"),
    ("/orders/{order_id}", "/orders/x"),
    ("/orders/{order_id}", f"/orders/{'00' * 32}"),
    ("/vaults/{owner}", "/vaults/x"),
    ("/schemas/{name}", "/schemas/x"),
    ("/objects/{key}", "/objects/x"),
]


@pytest.mark.parametrize(("path", "url"), GOOD)
def test_answers_hold_to_their_schema(
    world: ApiWorld, document: Document, path: str, url: str
) -> None:
    answer = world.client.get(url)
    assert answer.status_code in (200, 503)
    check(document, path, answer)


@pytest.mark.parametrize(("path", "url"), BAD)
def test_problems_hold_to_their_schema(
    world: ApiWorld, document: Document, path: str, url: str
) -> None:
    answer = world.client.get(url)
    assert answer.status_code in (404, 422)
    check(document, path, answer)


def test_orders_in_every_state_hold_to_their_schema(world: ApiWorld, document: Document) -> None:
    ids = {
        fill["order_id"]: fill["state"]
        for epoch in (1, 2)
        for fill in world.get(f"/epochs/{epoch}/fills?state=all")["fills"]
    }
    vault = world.get(f"/vaults/{world.wallets['alice'].owner}")
    ids |= {order["order_id"]: order["state"] for order in vault["open_orders"]}
    states = set()
    for order_id in ids:
        answer = world.client.get(f"/orders/{order_id}")
        check(document, "/orders/{order_id}", answer)
        states.add(answer.json()["state"])
    assert states == {"filled", "parked", "cancelled", "consumed", "rejected", "queued"}


def test_vaults_hold_to_their_schema(world: ApiWorld, document: Document) -> None:
    for wallet in world.wallets.values():
        check(document, "/vaults/{owner}", world.client.get(f"/vaults/{wallet.owner}"))


def test_submissions_hold_to_their_schema(world: ApiWorld, document: Document) -> None:
    good = world.wallets["bob"].order("USD", "EUR", "1", nonce=2).verifiable
    answer = world.client.post("/verifiables", content=json.dumps([good, 1]))
    check(document, "/verifiables", answer, "post")
    assert [set(one) for one in answer.json()] == [
        {"status", "order_id"}, {"status", "code", "detail"},
    ]  # fmt: skip
    check(document, "/verifiables", world.client.post("/verifiables", content=b"x"), "post")


def test_previews_hold_to_their_schema(world: ApiWorld, document: Document) -> None:
    order = {"pay_asset": "USD", "receive_asset": "EUR", "budget": "1"}
    for body in (order, {**order, "limit_ratio": 0.5}, {}):
        answer = world.client.post("/preview", content=json.dumps(body))
        check(document, "/preview", answer, "post")
    asked = document["paths"]["/preview"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.validate(order, asked["schema"], cls=jsonschema.Draft202012Validator)


def test_a_problem_of_the_events_holds_to_its_schema(world: ApiWorld, document: Document) -> None:
    answer = world.client.get("/events", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 422
    check(document, "/events", answer)


def test_canary_another_answer_does_not_hold(document: Document) -> None:
    schema = schema_of(document, "/domain", 200)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"network": "x", "pool": "y", "assets": [], "more": 1}, schema)


def test_every_reading_route_is_checked_here(document: Document) -> None:
    seen = {path for path, _ in (*GOOD, *BAD)}
    plain = {"/api/health", "/metrics"}
    others = {"/verifiables", "/preview", "/events"}
    assert set(document["paths"]) - plain == seen | others


def test_every_operation_says_what_it_does(document: Document) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), (method, path)
            assert operation["summary"] in operation["description"]
            assert operation["tags"]


def test_every_answer_of_every_operation_has_a_type(document: Document) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                assert answer["description"], (path, status)
                assert all(one["schema"] for one in answer["content"].values()), (path, status)


def test_every_error_answer_shows_a_problem_for_each_of_its_codes(document: Document) -> None:
    seen = set()
    for operation in (one for path in document["paths"].values() for one in path.values()):
        assert "500" in operation["responses"]
        for status, answer in operation["responses"].items():
            for code, example in answer["content"].get(MEDIA_TYPE, {}).get("examples", {}).items():
                schema = {**document["components"]["schemas"]["ProblemAnswer"]}
                jsonschema.validate(example["value"], schema)
                assert (example["value"]["code"], example["value"]["status"]) == (code, int(status))
                seen.add(code)
    assert set(ProblemCode) - seen == {ProblemCode.METHOD, ProblemCode.BODY}


def test_the_example_of_a_preview_is_one(world: ApiWorld, document: Document) -> None:
    asked = document["paths"]["/preview"]["post"]["requestBody"]["content"]["application/json"]
    answer = world.client.post("/preview", content=json.dumps(asked["example"]))
    assert (answer.status_code, answer.json()["status"]) == (200, "filled")


def test_every_reference_of_the_document_leads_somewhere(document: Document) -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"])


def test_the_committed_document_is_the_served_one(document: Document) -> None:
    """Written by ``python -m tests.write_generated``."""
    assert json.loads(OPENAPI.read_bytes()) == document


def test_answers_are_json_that_loses_no_digit(world: ApiWorld) -> None:
    """Integers above 2^53 would not survive a JavaScript reader: amounts travel as strings."""

    def numbers(value: Any) -> list[int]:
        if isinstance(value, dict):
            return [n for part in value.values() for n in numbers(part)]
        if isinstance(value, list):
            return [n for part in value for n in numbers(part)]
        assert not isinstance(value, float)
        return [value] if isinstance(value, int) else []

    for _, url in GOOD:
        assert all(abs(number) < 1 << 53 for number in numbers(world.client.get(url).json())), url
