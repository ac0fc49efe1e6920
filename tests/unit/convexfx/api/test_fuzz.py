"""Requests that nobody would write: an answer for every item, nothing accepted by luck."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convexfx_core.errors import RejectCode
from tests.support.api_world import ApiWorld, api_world

Json = dict[str, Any]
STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 2**64, 10**40, 1.5, -0.0, 1e300, "", " ", "0", "-1", "1e5",
    "0x", "USD", "usd", "\u0000", "\u00e9", "a" * 5_000, [], {}, [[]], [1], {"a": 1}, "NaN",
    "\u0661",
]  # fmt: skip


@pytest.fixture(scope="module")
def world() -> ApiWorld:
    return api_world()


def good_items(world: ApiWorld) -> list[Json]:
    alice = world.wallets["alice"]
    terms: dict[str, Any] = {"nonce": 1, "limit_ratio": "1.1", "min_fill_fraction": "0.25"}
    return [
        alice.swap("USD", "EUR", "12.5", **terms),
        alice.order("USD", "EUR", "12.5", **terms).verifiable,
        alice.cancel(1, "USD").verifiable,
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Path of every value inside a JSON value, the value itself left out."""
    found = []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inner:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += places(part, (*path, key))
    return found


def holder(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def replaced(item: Json, path: tuple[Any, ...], chance: random.Random) -> None:
    holder(item, path)[path[-1]] = chance.choice(STRANGE)


def removed(item: Json, path: tuple[Any, ...], _chance: random.Random) -> None:
    del holder(item, path)[path[-1]]


def added(item: Json, path: tuple[Any, ...], chance: random.Random) -> None:
    place = holder(item, path)
    if isinstance(place, dict):
        place["more"] = chance.choice(STRANGE)
    else:
        place.append(chance.choice(STRANGE))


def nudged(item: Json, path: tuple[Any, ...], chance: random.Random) -> None:
    """Change one character of a text or one unit of a number."""
    place, key = holder(item, path), path[-1]
    value = place[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        replaced(item, path, chance)
    elif isinstance(value, int):
        place[key] = value + chance.choice([-1, 1, 256])
    elif value:
        at = chance.randrange(len(value))
        place[key] = value[:at] + chance.choice("019azAZ.-") + value[at + 1 :]


def renamed(item: Json, path: tuple[Any, ...], _chance: random.Random) -> None:
    place, key = holder(item, path), path[-1]
    if isinstance(place, dict):
        place[str(key).upper() + "_"] = place.pop(key)


MUTATIONS: list[Callable[[Json, tuple[Any, ...], random.Random], None]] = [
    replaced, removed, added, nudged, renamed,
]  # fmt: skip


def mutant(item: Json, chance: random.Random) -> Json:
    changed: Json = json.loads(json.dumps(item))
    for _ in range(chance.choice([1, 1, 1, 2])):
        spots = places(changed)
        if spots:
            chance.choice(MUTATIONS)(changed, chance.choice(spots), chance)
    return changed


def ids(world: ApiWorld, items: list[Json]) -> set[str]:
    return {answer["order_id"] for answer in world.post(*items)}


@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_mutants_are_answered_and_none_becomes_another_order(
    world: ApiWorld, seed: int
) -> None:
    """A mutant that means the same bytes is the same order; every other one is rejected."""
    chance, items = random.Random(seed), good_items(world)
    known = ids(world, items)
    before = world.inbox.depth().visible
    mutants = [mutant(chance.choice(items), chance) for _ in range(500)]
    mixed = [part for item in mutants for part in (item, items[0])]
    answer = world.client.post("/verifiables", content=json.dumps(mixed))
    assert answer.status_code == 200, answer.text
    answers = answer.json()
    assert len(answers) == 1_000
    assert {one["status"] for one in answers[1::2]} == {"queued"}
    rejected = [one for one in answers[::2] if one["status"] == "rejected"]
    assert len(rejected) > 400
    assert {one["code"] for one in rejected} <= set(RejectCode)
    assert len({one["code"] for one in rejected}) > 8
    for one in answers[::2]:
        assert one["status"] == "rejected" or one["order_id"] in known
    assert world.inbox.depth().visible == before


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Swap", "DebitAllowance", "payload", "owner", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(JSON, min_size=1, max_size=6))
def test_any_json_is_answered_item_by_item(world: ApiWorld, items: list[Any]) -> None:
    answer = world.client.post("/verifiables", content=json.dumps(items))
    assert answer.status_code == 200, answer.text
    answers = answer.json()
    assert len(answers) == len(items)
    assert {one["status"] for one in answers} == {"rejected"}
    assert {one["code"] for one in answers} <= set(RejectCode)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_problem_or_answered(world: ApiWorld, body: bytes) -> None:
    answer = world.client.post("/verifiables", content=body)
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["code"] in set(RejectCode)


PATHS = [
    "/orders/{}", "/vaults/{}", "/epochs/{}", "/epochs/{}/fills", "/epochs/{}/proof",
    "/epochs/{}/objects", "/epochs/{}/state-diffs.parquet", "/schemas/{}", "/objects/{}",
]  # fmt: skip
WORDS = [
    "0", "-1", "1.0", "99999999999999999999", "%00", "%2e%2e%2f", "..%2f..%2fetc", "a" * 3_000,
    "0x" + "f" * 64, "f" * 64, "%F0%9F%92%A9", "null", "' OR 1=1", "{}", "epochs/", "state/HEAD/",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_strange_words_in_paths_are_problems(world: ApiWorld, path: str) -> None:
    for word in WORDS:
        answer = world.client.get(path.format(word))
        if path == "/vaults/{}" and word.endswith("f" * 64):
            assert answer.status_code == 200
            continue
        assert answer.status_code in (404, 422), (path, word, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["limit=9" + "9" * 30, "before=1e3", "limit=%00", "offset=true"])
def test_strange_queries_are_problems(world: ApiWorld, query: str) -> None:
    for path in ("/epochs", "/epochs/1/fills"):
        answer = world.client.get(f"{path}?{query}")
        assert answer.status_code in (200, 404, 422)
        assert answer.status_code != 200 or not query.startswith("limit")
