"""The checker itself: mutated files are certified, refused by a law or malformed; nothing else.

``CONVEXFX_FUZZ=100000`` runs the long form.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from convexfx_core.clear_files.batch import read_batch
from convexfx_core.clear_files.verify import verify_result
from convexfx_core.errors import CodecError, LawViolated
from tests.attack.result_batches import batch_tree, cleared, result_bytes

RUNS = int(os.environ.get("CONVEXFX_FUZZ", "1200"))
SEED = 77
VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 1 << 64, 1 << 200, "", "0", "1", "-1", "1.5", "1e5", "NaN", "Infinity",
    "0x10", " 1", "1 ", "01", "-0", "9" * 60, "1" + "0" * 38, "0." + "1" * 70, "\u00e9", [], {},
    [[]], {"": ""}, "USD", "o001", "certified", "9" * 5000, "-9223372036854775809", "\x00",
)  # fmt: skip


def places(tree: Any, trail: tuple = ()) -> list[tuple]:
    """Trails to every value inside a tree."""
    found = [trail] if trail else []
    if isinstance(tree, dict):
        for key in tree:
            found += places(tree[key], (*trail, key))
    elif isinstance(tree, list):
        for index in range(min(len(tree), 4)):
            found += places(tree[index], (*trail, index))
    return found


def mutated_tree(rng: random.Random, tree: Any) -> bytes:
    """A value replaced, removed or doubled, one to three times."""
    tree = deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        trail = rng.choice(places(tree))
        parent = tree
        for step in trail[:-1]:
            parent = parent[step]
        kind = rng.random()
        if kind < 0.7:
            parent[trail[-1]] = rng.choice(VALUES)
        elif kind < 0.85:
            del parent[trail[-1]]
        elif isinstance(parent, dict):
            parent["extra"] = parent[trail[-1]]
        else:
            parent.append(parent[trail[-1]])
    return json.dumps(tree).encode()


def mutated_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, cut out or repeated."""
    at, size = rng.randrange(len(data)), rng.randint(1, 40)
    kind = rng.random()
    if kind < 0.5:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind < 0.75:
        return data[:at] + data[at + size :]
    return data[:at] + data[at : at + size] + data[at:]


def mutated_digit(rng: random.Random, data: bytes) -> bytes:
    """One digit replaced by another: the file stays well formed."""
    digits = [i for i in range(len(data)) if 48 <= data[i] < 58]
    at = rng.choice(digits)
    return data[:at] + str(rng.randrange(10)).encode() + data[at + 1 :]


def outcome(check: Callable[[], object]) -> str:
    """How a check ends; anything but a typed error of one line is a failure of the test."""
    line = code = ""
    try:
        check()
    except (CodecError, LawViolated) as error:
        line, code = error.line(), error.code
    assert "\n" not in line
    return code or "holds"


def same_amounts(data: bytes, tree: Any) -> bool:
    """Whether a file that holds moves the same amounts as the true one."""
    other = json.loads(data)
    return all(other[key] == tree[key] for key in ("fills", "inventory_after", "fees_accrued"))


def test_mutated_results_never_break_the_checker() -> None:
    rng, seen = random.Random(SEED), Counter[str]()
    kinds = ("plain", "rationed", "crowded", "banded", "rejecting")
    for run in range(RUNS):
        batch, tree = cleared(kinds[run % len(kinds)])
        way = rng.choice((mutated_tree, mutated_bytes, mutated_digit))
        data = way(rng, tree if way is mutated_tree else result_bytes(tree))
        ended = outcome(lambda b=batch, d=data: verify_result(b, d))
        assert ended != "holds" or same_amounts(data, tree)
        seen[ended] += 1
    print(f"seed {SEED}: {dict(seen)}")
    assert seen["CODEC"] > RUNS // 10
    assert len([name for name in seen if name.startswith("L")]) >= 6


def test_mutated_batches_never_break_the_reader() -> None:
    rng, seen = random.Random(SEED + 1), Counter[str]()
    tree = batch_tree("rejecting")
    tree["orders"] = tree["orders"][:6]
    for _ in range(RUNS // 2):
        way = rng.choice((mutated_tree, mutated_bytes, mutated_digit))
        data = way(rng, tree if way is mutated_tree else result_bytes(tree))
        seen[outcome(lambda d=data: read_batch(d))] += 1
    print(f"seed {SEED + 1}: {dict(seen)}")
    assert seen["CODEC"] > RUNS // 10
    assert set(seen) == {"CODEC", "holds"}
