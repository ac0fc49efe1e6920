"""The table of rules: one order and columns are judged alike, and no rule can be left out."""

from typing import Any

import numpy as np
import pytest

from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import AMOUNT_MAX, NONCE_MAX
from convexfx_core.orders import rules
from convexfx_core.orders.codes import code_of, first_codes
from convexfx_core.orders.row import MANTISSA_MAX, MANTISSA_MIN, ORDER_DTYPE
from convexfx_core.orders.rules import (
    ADMISSION_RULES,
    NONCE,
    ORDER_RULES,
    PAY,
    TERMS_RULES,
    OrderFields,
    Rule,
    breaches,
    refuse,
)

ALL = (NONCE, PAY, *TERMS_RULES, *ORDER_RULES)
NAMES = {id(rule): name for name, rule in vars(rules).items() if isinstance(rule, Rule)}
LIMIT = {
    "kind": 1, "receive": 1, "limit_kind": 1, "limit_e": 62, "limit_m": MANTISSA_MIN,
    "min_fill": 5, "nonce": 1, "pay": 0, "budget": 10, "assets": 3,
}  # fmt: skip
CANCEL = {**LIMIT, "kind": 2, "receive": 65_535, "limit_kind": 0, "limit_e": 0, "limit_m": 0,
          "min_fill": 0, "budget": 0}  # fmt: skip
KEPT: list[dict[str, Any]] = [
    LIMIT,
    CANCEL,
    {**LIMIT, "limit_kind": 0, "limit_e": 0, "limit_m": 0},
    {**LIMIT, "nonce": NONCE_MAX, "receive": 2, "budget": AMOUNT_MAX, "min_fill": AMOUNT_MAX},
    {**LIMIT, "limit_e": -192, "limit_m": MANTISSA_MAX},
    {**LIMIT, "limit_e": 255, "budget": 1, "min_fill": 1},
]
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("NONCE", {**LIMIT, "nonce": 0}),
    ("NONCE", {**LIMIT, "nonce": NONCE_MAX + 1}),
    ("PAY", {**LIMIT, "pay": 3}),
    ("PAY", {**CANCEL, "pay": 3}),
    ("KIND_KNOWN", {**LIMIT, "kind": 0}),
    ("KIND_KNOWN", {**CANCEL, "kind": 4}),
    ("PAYS", {**LIMIT, "pays": bytes(31) + b"\1"}),
    ("PAYS", {**CANCEL, "kind": 3}),
    ("BARE", {**CANCEL, "receive": 1}),
    ("BARE", {**CANCEL, "min_fill": 1}),
    ("BARE", {**CANCEL, "limit_kind": 1, "limit_m": MANTISSA_MIN}),
    ("LIMIT_KIND", {**LIMIT, "limit_kind": 2, "limit_e": 0, "limit_m": 0}),
    ("MANTISSA", {**LIMIT, "limit_m": MANTISSA_MIN - 1}),
    ("MANTISSA", {**LIMIT, "limit_m": MANTISSA_MAX + 1}),
    ("EXPONENT", {**LIMIT, "limit_e": -193}),
    ("EXPONENT", {**LIMIT, "limit_e": 256}),
    ("NO_LIMIT", {**LIMIT, "limit_kind": 0, "limit_e": 0}),
    ("NO_LIMIT", {**LIMIT, "limit_kind": 0, "limit_m": 0}),
    ("KIND", {**CANCEL, "kind": 3, "pays": b"\1" * 32}),
    ("CANCEL_AMOUNT", {**CANCEL, "budget": 1}),
    ("RECEIVE", {**LIMIT, "receive": 3}),
    ("SELF_PAIR", {**LIMIT, "receive": 0}),
    ("BUDGET_ZERO", {**LIMIT, "budget": 0, "min_fill": 0}),
    ("BUDGET_RANGE", {**LIMIT, "budget": AMOUNT_MAX + 1}),
    ("MIN_FILL", {**LIMIT, "min_fill": 11}),
]


def refused_by(values: dict[str, Any], skipped: Rule | None = None) -> tuple[str, ...] | None:
    """Code, field and expectation with which one order is refused."""
    try:
        refuse([rule for rule in ALL if rule is not skipped], OrderFields(**values))
    except RejectedOrder as error:
        return error.code, error.field, error.expected
    return None


def columns(cases: list[dict[str, Any]]) -> OrderFields:
    """The cases as columns."""
    names = [name for name in OrderFields._fields if name not in ("pays", "assets")]
    types = dict.fromkeys(names, np.uint64) | {"limit_e": np.int16}
    pays = b"".join(case.get("pays", bytes(32)) for case in cases)
    table = {name: np.array([case[name] for case in cases], types[name]) for name in names}
    return OrderFields(**table, pays=np.frombuffer(pays, "<u8").reshape(-1, 4), assets=3)


@pytest.mark.parametrize("values", KEPT)
def test_orders_that_break_no_rule(values: dict[str, Any]) -> None:
    assert refused_by(values) is None


@pytest.mark.parametrize(("name", "values"), BROKEN, ids=[name for name, _ in BROKEN])
def test_the_smallest_breach_names_its_rule(name: str, values: dict[str, Any]) -> None:
    rule = getattr(rules, name)
    words = rule.code, rule.field, rule.expected.format(assets=3)
    assert refused_by(values) == words
    assert refused_by(values, skipped=rule) != words


def test_every_rule_is_broken_by_a_case_and_stands_in_the_sequence() -> None:
    assert {name for name, _ in BROKEN} == set(NAMES.values())
    assert {NAMES[id(rule)] for rule in ALL} == set(NAMES.values())


def test_columns_are_judged_as_one_order_at_a_time() -> None:
    cases = [*KEPT, *(values for _, values in BROKEN)]
    codes = first_codes(breaches(ALL, columns(cases)), len(cases))
    expected = [getattr(rules, name).code for name, _ in BROKEN]
    assert [code_of(int(code)) for code in codes] == [None] * len(KEPT) + expected


def test_a_refusal_says_what_stood_there_and_what_is_expected() -> None:
    seen = []
    for values in (
        {**LIMIT, "receive": 3},
        {**LIMIT, "limit_kind": 0},
        {**LIMIT, "pays": b"\2" * 32},
    ):
        with pytest.raises(RejectedOrder) as caught:
            refuse(ALL, OrderFields(**values))
        seen.append(str(caught.value))
    assert seen == [
        "ASSET_UNKNOWN: receive: expected a registry index below 3, found 3",
        f"TERMS: limit: expected zero without a limit, found (62, {MANTISSA_MIN})",
        f"TERMS: pays: expected an order id exactly in a payout, found {'02' * 32}",
    ]


def test_rows_are_read_as_admission_sees_them() -> None:
    rows = np.zeros(2, dtype=ORDER_DTYPE)
    for name in ("kind", "receive", "limit_kind", "limit_e", "limit_m", "min_fill", "pay"):
        rows[name] = [LIMIT[name], CANCEL[name]]
    rows["budget"] = [10, 1]
    found = first_codes(breaches(ADMISSION_RULES, OrderFields.of_rows(rows, 3)), 2)
    assert [code_of(int(code)) for code in found] == [None, RejectCode.CANCEL_AMOUNT]
    found = first_codes(breaches(ADMISSION_RULES, OrderFields.of_rows(rows, 1)), 2)
    assert [code_of(int(code)) for code in found] == [
        RejectCode.ASSET_UNKNOWN,
        RejectCode.CANCEL_AMOUNT,
    ]
