"""The page that the orchestrator shows of an epoch."""

from convexfx_core.records.receipts import STATUSES
from tasks.report import STAGES, report_markdown

COUNTS = {str(status): place for place, status in enumerate(STATUSES)}


def outcome(**changes: object) -> dict[str, object]:
    spent = {name: place for place, name in enumerate(sorted(STAGES))}
    plain = {
        "epoch": 7, "status": "settled", "reason": None, "orders": 9, "mode": "executed",
        "sdl_hash": "abc", "gap": "2", "stages": spent,
    }  # fmt: skip
    return plain | changes


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_stages_stand_in_their_order_with_their_own_times() -> None:
    shown = [row for row in rows(report_markdown(outcome(), COUNTS)) if row[0].endswith(", ms")]
    spent = {name: str(place) for place, name in enumerate(sorted(STAGES))}
    assert shown == [[f"{name}, ms", spent[name]] for name in STAGES]


def test_an_epoch_that_stopped_shows_the_stages_it_had_and_why() -> None:
    stopped = outcome(status="aborted", reason="L4: x", stages={"collect": 3}, mode=None)
    found = dict(rows(report_markdown(stopped, COUNTS)))
    assert found["epoch"] == "7"
    assert found["outcome"] == "aborted: L4: x"
    assert found["proof mode"] == "none (nothing settled)"
    assert [name for name in found if name.endswith(", ms")] == ["collect, ms"]
