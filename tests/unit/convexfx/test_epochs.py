"""What ``convexfx epoch show`` and ``explain`` print of an epoch that was aborted."""

from convexfx.epochs import epoch_document, epoch_lines, epoch_rows, order_history, order_lines
from convexfx_core.errors import LawViolated
from tests.support.api_world import ApiWorld, api_world

REFUSAL = "code L5, law 5, index 7, expected 4, observed -3"


def aborted_then_settled() -> tuple[ApiWorld, str]:
    """An order whose first epoch a law ends and whose second one settles; its id."""
    world = api_world()
    order = world.wallets["alice"].order("USD", "EUR", "1", nonce=1, valid_until_epoch=9)
    world.post(order.verifiable)
    sealed = world.seal()
    assert sealed is not None
    world.finish(sealed, LawViolated(5, 7, -3, 4))
    assert world.run() is not None
    return world, order.order_id.hex()


def test_show_has_the_refusal_as_text_and_as_data() -> None:
    world, _ = aborted_then_settled()
    lines = list(epoch_lines(epoch_document(world.store, 1)))
    assert lines[lines.index("reason L5: index 7: expected 4, found -3") + 1] == f"  {REFUSAL}"
    assert not [line for line in epoch_lines(epoch_document(world.store, 2)) if "code" in line]
    assert [row["reason"] is None for row in epoch_rows(world.store)] == [False, True]


def test_show_of_an_outcome_from_before_refusals_were_data() -> None:
    document = epoch_document(aborted_then_settled()[0].store, 1)
    del document["outcome"]["refusal"]
    lines = list(epoch_lines(document))
    assert "reason L5: index 7: expected 4, found -3" in lines
    assert f"  {REFUSAL}" not in lines


def test_explain_says_what_aborted_the_order_s_epoch() -> None:
    world, order_id = aborted_then_settled()
    history = list(order_history(world.store, order_id))
    assert [row["refusal"] and row["refusal"]["law"] for row in history] == [5, None]
    lines = list(order_lines(order_id, history))
    assert lines.count(f"  the epoch was aborted: {REFUSAL}") == 1
