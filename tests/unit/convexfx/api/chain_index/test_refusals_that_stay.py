"""For every reject code a decision: may another delivery of the same message escape it, or never?

The API tells a wallet that an order is refused for good. A code that nobody decided about would be
told as final by default, so each one stands here in one of the two lists.
"""

import pytest

from convexfx.api.chain_index.order_state import REVOCABLE
from convexfx_core.errors import RejectCode
from convexfx_core.orders.codes import code_number
from tasks.collect import LOST_TO_ANOTHER

OF_THE_BYTES = {
    "MESSAGE_TOO_LARGE",
    "NOT_ASCII",
    "NOT_JSON",
    "DUPLICATE_KEY",
    "FLOAT_NUMBER",
    "SCHEMA",
    "VERSION_UNKNOWN",
    "KIND_UNKNOWN",
    "TOO_MANY_ITEMS",
    "BUNDLE_MISSING",
    "BUNDLE_TOO_LARGE",
    "BUNDLE_HASH",
    "BUNDLE_COUNT",
    "BUNDLE_FORMAT",
    "PAYLOAD",
    "VERIFIABLE_KIND",
    "SIGNATURE_KIND",
    "PUBLIC_KEY",
    "SIGNATURE",
    "NETWORK_MISMATCH",
    "OWNER_MISMATCH",
    "CREDITED_MISMATCH",
    "SHARD_MISMATCH",
    "ALLOWANCE_COUNT",
    "ALLOWANCE_KIND",
    "TERMS",
    "SELF_PAIR",
    "BUDGET_ZERO",
    "BUDGET_NEGATIVE",
    "AMOUNT_PRECISION",
    "CANCEL_AMOUNT",
    "LIMIT_RANGE",
    "MIN_FILL_RANGE",
    "NONCE_RANGE",
}
"""The message alone decides: the same bytes are refused in every epoch."""
OF_THE_PAST = {"NONCE_STALE", "EXPIRED"}
"""Nonces and epochs only grow: what is stale today is stale tomorrow."""
OF_THE_MOMENT = {"NONCE_TAKEN", "CANCELLED", "EXPIRY_TOO_FAR", "AMOUNT_RANGE", "ASSET_UNKNOWN"}
"""Another order, the price, the registry or the epoch's number decides, and each may change."""


def undecided(codes: set[str]) -> set[str]:
    """Codes in none of the lists, and names in a list that are no code."""
    return codes ^ (OF_THE_BYTES | OF_THE_PAST | OF_THE_MOMENT)


def test_every_code_is_decided() -> None:
    assert not undecided({str(code) for code in RejectCode})


def test_canary_a_new_code_is_undecided() -> None:
    assert undecided({str(code) for code in RejectCode} | {"MOON"}) == {"MOON"}


def test_no_code_is_in_two_lists() -> None:
    every = len(OF_THE_BYTES) + len(OF_THE_PAST) + len(OF_THE_MOMENT)
    assert every == len(RejectCode)


@pytest.mark.parametrize("code", RejectCode)
def test_a_refusal_is_final_unless_the_moment_decided_it(code: RejectCode) -> None:
    assert (code in REVOCABLE) is (str(code) in OF_THE_MOMENT)


def test_orders_that_lost_to_another_wait_for_the_winners_end() -> None:
    """They are kept, not refused, while nothing is sealed: the winner may expire before they do."""
    lost = {code for code in RejectCode if code_number(code) in LOST_TO_ANOTHER}
    assert lost == {RejectCode.NONCE_TAKEN, RejectCode.CANCELLED}
    assert lost <= REVOCABLE
