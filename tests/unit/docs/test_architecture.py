"""``docs/architecture.md`` against the floor plan and the tree."""

import re
from pathlib import Path

import pytest

from tests.test_direction import FLOORS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
PLAN = dict(enumerate(map(set, FLOORS["convexfx_core"]), start=1))
FOLDERS = "convexfx_core|convexfx|tasks|flows|devnet|sp1_worker|tests|docs"
NAMED = sorted(set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", PAGE)))
"""Paths on the page."""


def floors_of_the_table(page: str) -> dict[int, set[str]]:
    """Rooms by floor, as the table shows them."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.M)
    return {int(floor): set(re.findall(r"`(\w+)`", rooms)) for floor, rooms in rows}


def floors_of_the_picture(page: str) -> dict[int, set[str]]:
    """Rooms by floor, as the picture shows them."""
    boxes = re.findall(r"F\d+\[\"(\d+): ([^\"]+)\"\]", page)
    return {int(floor): set(rooms.split(", ")) for floor, rooms in boxes}


def test_the_table_is_the_floor_plan() -> None:
    assert floors_of_the_table(PAGE) == PLAN


def test_the_picture_is_the_floor_plan() -> None:
    assert floors_of_the_picture(PAGE) == PLAN


def test_every_arrow_of_the_picture_goes_down_one_floor() -> None:
    order = [int(floor) for floor in re.findall(r"F(\d+)\[", PAGE)]
    assert order == sorted(PLAN, reverse=True)


def test_canary_a_room_on_another_floor_is_seen() -> None:
    moved = PAGE.replace("| 3 | `identity` |", "| 3 | `identity` `market` |")
    assert floors_of_the_table(moved) != PLAN
    assert floors_of_the_picture(PAGE.replace('"3: identity"', '"3: identities"')) != PLAN


@pytest.mark.parametrize("name", NAMED)
def test_every_file_on_the_page_exists(name: str) -> None:
    assert (ROOT / name).exists()


def test_every_stage_of_the_flow_is_on_the_way_in_its_order() -> None:
    way = PAGE.split("## The way of an order")[1].split("\n## ")[0]
    flow = (ROOT / "flows" / "epoch.py").read_text()
    called = re.findall(r"^ +\w+ = (\w+)\(", flow.split("def epoch()")[1], re.M)
    stages = [name.replace("_", "-") for name in dict.fromkeys(called)]
    assert len(stages) == 7
    assert re.findall(r"^\| \*\*([\w-]+)\*\* \|", way, re.M) == stages


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        ("architecture", "**Where is a limit enforced?**"),
        ("architecture", "| after the seal, before the outcome |"),
        ("architecture", "A new **reject code**"),
        ("extending", "a reject code: `RejectCode`"),
        ("glossary", "| `Rn`, `Rn_ij` | **net rate**"),
    ],
)
def test_a_newcomer_s_questions_are_answered_one_click_from_the_readme(
    page: str, answer: str
) -> None:
    assert f"(docs/{page}.md)" in (ROOT / "README.md").read_text()
    assert answer in (ROOT / "docs" / f"{page}.md").read_text()
