"""The page that the orchestrator shows of an epoch."""

from decimal import Decimal
from fractions import Fraction

from convexfx_core.records.receipts import STATUSES
from tasks.report import STAGES, price_table, report_markdown
from tests.support.witnesses.epochs import plain_epoch

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


def test_the_price_table_shows_each_asset_in_units_and_its_move_in_bps() -> None:
    epoch = plain_epoch(orders=40)
    result = epoch.apply()
    shown = price_table(epoch.opening, epoch.proposal.prices, result)
    assets = epoch.opening.registry.assets
    assert [row["asset"] for row in shown] == [asset.id for asset in assets]
    assert (shown[0]["price"], shown[0]["deviation_bps"]) == ("1", "0.0000")
    for place, (asset, row) in enumerate(zip(assets, shown, strict=True)):
        moved = Fraction(epoch.proposal.prices[place], epoch.opening.reference.pbar[place]) - 1
        assert abs(Fraction(row["deviation_bps"]) - moved * 10**4) <= Fraction(1, 10**4)
        assert not any(mark in row["price"] + row["reference"] for mark in "eE")
        paid_in, paid_out = Decimal(row["paid in"]), Decimal(row["paid out"])
        assert Decimal(row["net"]) == paid_in - paid_out
        assert int(paid_in.scaleb(asset.decimals)) == int(result.settlement.flow_in[place])
        assert int(paid_out.scaleb(asset.decimals)) == int(result.settlement.flow_out[place])
