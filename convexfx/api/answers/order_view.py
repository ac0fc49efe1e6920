"""An order as the API shows it."""

from convexfx.api.answers.shapes import Fill, OrderAnswer
from convexfx.api.chain_index.order_state import OrderFacts
from convexfx_core.identity import base58_encode
from convexfx_core.market.assets import Registry


def order_answer(facts: OrderFacts, registry: Registry) -> OrderAnswer:
    """Answer of ``GET /orders/{order_id}``."""
    known = bool(facts.owner)
    pay = registry[facts.pay]
    receive = None if facts.is_cancel or not known else registry[facts.receive].id
    return OrderAnswer(
        order_id=facts.order_id.hex(),
        state=str(facts.state),
        status=str(facts.state),
        final=facts.final,
        epoch=facts.epoch,
        reason=facts.reason,
        fill=fill_answer(facts, registry) if facts.paid else None,
        filling_limit=facts.filling_limit,
        kind=("cancel" if facts.is_cancel else "order") if known else None,
        owner=base58_encode(facts.owner) if known else None,
        nonce=facts.nonce if known else None,
        pay_asset=pay.id if known else None,
        receive_asset=receive,
        budget=pay.text(facts.budget) if known else None,
        budget_base_units=str(facts.budget) if known else None,
    )


def fill_answer(facts: OrderFacts, registry: Registry) -> Fill:
    """What a filled order paid and got."""
    pay, receive = registry[facts.pay], registry[facts.receive]
    return Fill(
        paid=pay.text(facts.paid),
        received=receive.text(facts.received),
        fee=receive.text(facts.fee),
        paid_base_units=str(facts.paid),
        received_base_units=str(facts.received),
        fee_base_units=str(facts.fee),
    )
