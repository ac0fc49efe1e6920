"""Result files: rendering, reading back, malformed files; the texts of their numbers."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from convexfx_core.clear_files.document import RESULT_FIELDS, refusal_document
from convexfx_core.clear_files.text import bps_text, error_text, fraction_text, log_text
from convexfx_core.clear_files.verify import NOTHING, differences, verify_result
from convexfx_core.errors import CodecError, LawViolated
from tests.attack.result_batches import cleared, result_bytes


def changed(path: str, value: Any, kind: str = "rationed") -> bytes:
    """A certified result with the value at a dotted path replaced; ``...`` removes it."""
    tree = deepcopy(cleared(kind).tree)
    parent: Any = tree
    *steps, last = path.split(".")
    for step in steps:
        parent = parent[int(step)] if step.isdigit() else parent[step]
    key = int(last) if last.isdigit() else last
    if value is ...:
        del parent[key]
    else:
        parent[key] = value
    return result_bytes(tree)


MALFORMED = [
    ("version", 2, "version"),
    ("version", "1", "version"),
    ("status", "refused", "status"),
    ("status", None, "status"),
    ("extra", 1, "extra"),
    ("reason", ..., "reason"),
    ("objective", ..., "objective"),
    ("certificate", ..., "certificate"),
    ("iterations", "3", "iterations"),
    ("iterations", -1, "iterations"),
    ("solver", 5, "solver"),
    ("step_norm_y", 1, "step_norm_y"),
    ("step_norm_y", "nan", "step_norm_y"),
    ("step_norm_alpha", "-1", "step_norm_alpha"),
    ("prices", [], "prices"),
    ("prices.EUR", ..., "prices.EUR"),
    ("prices.GBP", {}, "prices.GBP"),
    ("prices.EUR.p64", 20291418212984160256, "prices.EUR.p64"),
    ("prices.EUR.p64", "1.5", "prices.EUR.p64"),
    ("prices.EUR.colour", "x", "prices.EUR.colour"),
    ("fills", {}, "fills"),
    ("fills.0.paid", 1, "fills[0].paid"),
    ("fills.0.paid", "1e6", "fills[0].paid"),
    ("fills.0.paid", "0.0000000001", "fills[0].paid"),
    ("fills.0.fee", ..., "fills[0].fee"),
    ("fills.0.status", None, "fills[0].status"),
    ("fills.0.colour", "red", "fills[0].colour"),
    ("inventory_after.EUR", 5, "inventory_after.EUR"),
    ("inventory_after.GBP", "5", "inventory_after.GBP"),
    ("band_overflow_numeraire.EUR", 0, "band_overflow_numeraire.EUR"),
    ("ration.omega.EUR", 1, "ration.omega.EUR"),
    ("ration.omega.EUR", "0.5", "ration.omega.EUR"),
    ("ration.more", "0.5", "ration.more"),
    ("ration.demanded", [], "ration.demanded"),
    ("ration.demanded.x3", 5, "ration.demanded.x3"),
    ("rejected", None, "rejected"),
    ("rejected", [{"id": "o001"}], "rejected[0].kind"),
]


@pytest.mark.parametrize(("path", "value", "field"), MALFORMED)
def test_a_malformed_result_names_its_field(path: str, value: Any, field: str) -> None:
    with pytest.raises(CodecError) as caught:
        verify_result(cleared("rationed").batch, changed(path, value))
    assert caught.value.field == field


def fills_without(place: int) -> list[Any]:
    fills = list(cleared("rationed").tree["fills"])
    del fills[place]
    return fills


TOO_MUCH = str(1 << 64)
FALSE_CLAIMS = [
    # path, value, law, index: of the fill in the batch's sequence, or of the witness section.
    ("fills", [], 13, 0),
    ("fills", fills_without(0), 13, 0),
    ("fills", fills_without(-1), 13, 62),
    ("fills.0.id", "o001", 13, 0),
    ("fills.0.paid", TOO_MUCH, 0, 7),
    ("fills.0.received", "-0.01", 0, 11),
    ("fills.60.paid", "0.01", 0, 7),
    ("ration.demanded.x1", "1", 0, 9),
    ("ration.demanded.nobody", "1", 0, 9),
    ("ration.demanded.o000", TOO_MUCH, 0, 9),
    ("rejected", [{"id": "x1", "kind": "min_fill"}], 0, 10),
    ("rejected", [{"id": "o000", "kind": "because"}], 0, 10),
]


@pytest.mark.parametrize(("path", "value", "law", "index"), FALSE_CLAIMS)
def test_a_claim_that_no_batch_could_have_is_refused_by_its_law(
    path: str, value: Any, law: int, index: int
) -> None:
    with pytest.raises(LawViolated) as caught:
        verify_result(cleared("rationed").batch, changed(path, value))
    assert (caught.value.law, caught.value.index) == (law, index)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("timing_ms", ...),
        ("timing_ms", {"solve": 1}),
        ("iterations", 0),
        ("solver", "another"),
        ("step_norm_y", "0.5"),
        ("step_norm_alpha", "1e-300"),
    ],
)
def test_what_is_published_and_trusted_by_no_law(path: str, value: Any) -> None:
    verify_result(cleared("rationed").batch, changed(path, value))


def test_published_norms_stand_in_their_shortest_form() -> None:
    with pytest.raises(LawViolated, match=r"step_norm_y: 0\.50"):
        verify_result(cleared("rationed").batch, changed("step_norm_y", "0.50"))


def test_numbers_where_texts_are_due_in_derived_fields() -> None:
    for path in ("objective.total", "certificate.gap_numeraire", "fees_accrued.USD"):
        with pytest.raises(LawViolated) as caught:
            verify_result(cleared("rationed").batch, changed(path, 0))
        assert caught.value.law == 19
        assert RESULT_FIELDS[caught.value.index] == path.split(".")[0]


def test_a_refusal_has_no_fills_and_certifies_nothing() -> None:
    tree = refusal_document("Clearing failed: because")
    assert tree["fills"] == []
    with pytest.raises(CodecError, match="status"):
        verify_result(cleared("plain").batch, result_bytes(tree))


def test_a_result_of_another_batch() -> None:
    with pytest.raises((LawViolated, CodecError)):
        verify_result(cleared("plain").batch, result_bytes(cleared("banded").tree))


def test_fields_of_a_certified_result() -> None:
    tree = cleared("plain").tree
    assert set(tree) == {*RESULT_FIELDS, "timing_ms"}
    assert [fill["id"] for fill in tree["fills"]] == sorted(fill["id"] for fill in tree["fills"])
    assert all(fill["status"] in ("filled", "partial", "unfilled") for fill in tree["fills"])
    assert tree["prices"]["USD"] == {
        "p64": "18446744073709551616",
        "numeraire": "1",
        "log_price": "0",
    }


def test_differences_name_their_place() -> None:
    assert list(differences("x", {"a": [1, {"b": "2"}]}, {"a": [1, {"b": "2"}]})) == []
    assert list(differences("x", {"a": [1, 2]}, {"a": [1, 3]})) == [("x.a[1]", 2, 3)]
    assert list(differences("x", {"a": 1}, {"b": 1})) == [
        ("x.a", 1, NOTHING),
        ("x.b", NOTHING, 1),
    ]
    assert list(differences("x", [1], [1, 1])) == [("x", [1], [1, 1])]
    assert list(differences("x", 1, True)) == [("x", 1, True)]
    assert list(differences("x", 1, Decimal(1))) == [("x", 1, Decimal(1))]


@pytest.mark.parametrize(
    ("seen", "due"),
    [
        (log_text(Decimal(1)), "0"),
        (log_text(Decimal("1.1")), "0.0953101798"),
        (bps_text(0), "0"),
        (bps_text((1 << 64) // 10_000), "1"),
        (bps_text(-(1 << 64)), "-10000"),
        (error_text(1), "0.00000000000000055"),
        (error_text(0), "0"),
        (fraction_text(1, 1), "1"),
        (fraction_text(0, 7), "0"),
        (fraction_text(2, 3), "0.666666666"),
        (fraction_text((1 << 62) - 2, (1 << 62) - 1), "0.999999999"),
    ],
)
def test_texts_of_numbers(seen: str, due: str) -> None:
    if due == "0.00000000000000055":
        assert Decimal("5.42e-16") < Decimal(seen) < Decimal("5.44e-16")
    else:
        assert seen == due
