"""``POST /preview``: what an order would get if the open batch were cleared with it now."""

from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
from pydantic import TypeAdapter

from convexfx.api.answers.shapes import IntervalAnswer, PreviewAnswer
from convexfx.api.preview.open_batch import OpenBatch, OpenBatches
from convexfx_core.clearing import propose
from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.errors import ClearingRefused
from convexfx_core.identity import OwnerId
from convexfx_core.laws.predicates import refuse_unsteady
from convexfx_core.market.decimal_text import plain, rounded
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.signed import (
    Domain,
    SignedOrder,
    UnsignedOrder,
    decode_order,
    order_in_units,
    order_payload,
)
from convexfx_core.orders.signed_columns import order_row
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.fill_reasons import FillReason, fill_reasons, filling_limit
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.rates import PairRate, pair_rate
from convexfx_core.settlement.settle import settle
from convexfx_core.wire.types import DecimalNumber, Strict, validate

BODY_BYTES_MAX: Final = 4_096
BPS: Final = 10_000
IMPACT_DIGITS: Final = 6
NOBODY: Final = OwnerId(bytes(32))
"""Owner of the order that is previewed: nobody has such a key."""


class PreviewOrder(Strict):
    """An order without owner, nonce and signature."""

    pay_asset: str
    receive_asset: str
    budget: DecimalNumber
    limit_ratio: DecimalNumber | None = None
    min_fill_fraction: DecimalNumber = Decimal(0)


ORDER: Final[TypeAdapter[Any]] = TypeAdapter(PreviewOrder)


class Outcome(NamedTuple):
    """Result of the previewed order: base units, and what the clearing said of it."""

    paid: int
    received: int
    fee: int
    reason: FillReason
    prices: tuple[int, ...]


def read_order(body: bytes, domain: Domain) -> UnsignedOrder:
    """The order of a request.

    Raises
    ------
    RejectedOrder
        The code and field that ``POST /verifiables`` would answer.
    """
    value = strict_json(body, bytes_max=BODY_BYTES_MAX, keep_decimals=True)
    wanted: PreviewOrder = validate(ORDER, value, "preview")
    pay, budget, terms = order_in_units(
        domain.registry,
        wanted.pay_asset,
        wanted.receive_asset,
        wanted.budget,
        wanted.limit_ratio,
        wanted.min_fill_fraction,
        valid_until_epoch=0,
    )
    order = UnsignedOrder(NOBODY, 1, pay, budget, terms)
    return decode_order(order_payload(domain, order), domain)


class Previews:
    """Clears a copy of the open batch with one order more; the route asks one at a time.

    Parameters
    ----------
    domain : whose assets an order names. batches : the open batch.
    """

    def __init__(self, domain: Domain, batches: OpenBatches) -> None:
        self._domain = domain
        self._batches = batches

    def of(self, body: bytes) -> PreviewAnswer:
        """Preview of a request's order.

        Raises
        ------
        RejectedOrder
            The request is no order.
        ConfigurationError, ClearingRefused, PeerUnreachable, GatewayError
            As :meth:`OpenBatches.look`; the last solver step was not small.
        """
        order = read_order(body, self._domain)
        batch = self._batches.look()
        return self._answer(order, batch, cleared_with(batch.case, order))

    def _answer(self, order: UnsignedOrder, batch: OpenBatch, found: Outcome) -> PreviewAnswer:
        pay, receive = order.pay, order.terms.receive
        asset, other = self._domain.registry[pay], self._domain.registry[receive]
        scale = Decimal(10) ** (asset.decimals - other.decimals)
        rates = rates_of(batch, order, found.prices)
        whole, here = found.paid == order.budget, rates["with"]
        limit = filling_limit(here.net, here.shift, asset.decimals, other.decimals)
        return PreviewAnswer(
            epoch=batch.epoch,
            pay_asset=asset.id,
            receive_asset=other.id,
            budget=asset.text(order.budget),
            status="filled" if whole else "partial" if found.paid else "unfilled",
            reason=found.reason.text or None,
            paid=asset.text(found.paid),
            received=other.text(found.received),
            fee=other.text(found.fee),
            rate=rounded(net(here) * scale),
            limit_ratio=plain(limit),
            rate_without=rounded(net(rates["without"]) * scale),
            reference_rate=rounded(net(rates["reference"]) * scale),
            price_impact_bps=rounded(impact_bps(rates["without"], here), IMPACT_DIGITS),
            interval=IntervalAnswer(
                low=rounded(net(rates["low"]) * scale), high=rounded(net(rates["high"]) * scale)
            ),
            orders=len(batch.case.orders),
            solver=batch.proposal.solver,
            reference_published=batch.quotes.published.isoformat(),
        )


def cleared_with(case: ClearingCase, order: UnsignedOrder) -> Outcome:
    """Result of ``order`` in a clearing of the case's orders and itself.

    Raises
    ------
    ClearingRefused
        There is no acceptable clearing.
    """
    signed = SignedOrder(
        bytes(32), order.owner, order.nonce, order.pay, order.budget, order.terms, b"", b"", b""
    )
    row = np.array([order_row(signed)], dtype=ORDER_DTYPE)
    orders = np.concatenate([case.orders, row], dtype=ORDER_DTYPE)
    joined = ClearingCase(case.params, case.reference, case.inventory, orders)
    proposal: Proposal = propose(joined)
    refuse_unsteady(proposal)
    settlement = settle(joined, proposal)
    return Outcome(
        int(proposal.paid[-1]),
        int(settlement.received[-1]),
        int(settlement.fee[-1]),
        FillReason(int(fill_reasons(joined, proposal, settlement)[-1])),
        proposal.prices,
    )


def rates_of(
    batch: OpenBatch, order: UnsignedOrder, prices: tuple[int, ...]
) -> dict[str, PairRate]:
    """Rates of the order's pair: with it, without it, at the reference, at the ends of the bands.

    ``docs/spec.md`` section 7; a price never leaves its band (L7), so no epoch with this reference
    gives a rate outside ``low`` to ``high``.
    """
    case, pay, receive = batch.case, order.pay, order.terms.receive
    reference = case.reference

    def edge(paid: tuple[int, ...], received: tuple[int, ...]) -> tuple[int, ...]:
        ends = list(reference.pbar)
        ends[pay], ends[receive] = paid[pay], received[receive]
        return tuple(ends)

    vectors = {
        "with": prices,
        "without": batch.proposal.prices,
        "reference": reference.pbar,
        "low": edge(reference.plo, reference.phi),
        "high": edge(reference.phi, reference.plo),
    }
    found = {name: pair_rate(case, vector, pay, receive) for name, vector in vectors.items()}
    for rate in found.values():
        if not rate.in_range():
            raise ClearingRefused("VALUE_RANGE", "rate", "a pair within the range of rates")
    return found


def net(rate: PairRate) -> Decimal:
    """Base units received for one base unit paid, fee taken off."""
    return Decimal(rate.net) / (1 << rate.shift)


def impact_bps(without: PairRate, with_it: PairRate) -> Decimal:
    """How much worse the order makes its own rate, basis points; below zero: better."""
    return BPS * (Decimal(without.gross) / Decimal(with_it.gross) - 1)
