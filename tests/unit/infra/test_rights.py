"""The policy texts against the table of rights, and the table against worse texts."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

import pytest

from infra.terraform.rights import Policies, broken_rights, rights

TEXTS = Path(__file__).resolve().parents[3] / "infra" / "terraform" / "policies"
ARNS = {
    "bucket_arn": "arn:aws:s3:::convexfx-epochs",
    "inbox_arn": "arn:aws:sqs:us-east-1:123456789012:convexfx-inbox",
    "dead_letter_arn": "arn:aws:sqs:us-east-1:123456789012:convexfx-inbox-dlq",
}


def text(name: str, **arns: str) -> dict[str, Any]:
    """A policy as terraform's templatefile renders it."""
    rendered = Template((TEXTS / f"{name}.json").read_text()).substitute(arns)
    document: dict[str, Any] = json.loads(rendered)
    return document


POLICIES = Policies(
    **ARNS,
    bucket=text("bucket", bucket_arn=ARNS["bucket_arn"]),
    inbox=text("queue", queue_arn=ARNS["inbox_arn"]),
    dead_letters=text("queue", queue_arn=ARNS["dead_letter_arn"]),
    wallet=text("wallet", **ARNS),
    sealer=text("sealer", **ARNS),
)
DOCUMENTS = ("bucket", "inbox", "dead_letters", "wallet", "sealer")


def worse(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every document with one statement, condition, resource or action less."""
    for at, statement in enumerate(document["Statement"]):
        sid = statement["Sid"]
        rest = copy.deepcopy(document)
        del rest["Statement"][at]
        yield f"without {sid}", rest
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                less = copy.deepcopy(document)
                del less["Statement"][at]["Condition"][operator][key]
                yield f"{sid} without {key}", less
        for element in ("Action", "Resource"):
            listed = statement[element] if isinstance(statement[element], list) else []
            for item in listed:
                less = copy.deepcopy(document)
                less["Statement"][at][element].remove(item)
                yield f"{sid} without {item}", less


WORSE = [
    pytest.param(name, document, id=f"{name}: {what}")
    for name in DOCUMENTS
    for what, document in worse(getattr(POLICIES, name))
]


def test_the_texts_agree_with_the_table() -> None:
    assert broken_rights(POLICIES) == []


def test_the_table_has_both_answers_for_every_actor_it_can_have_them_for() -> None:
    answers: dict[str, set[bool]] = {}
    for row in rights(POLICIES):
        answers.setdefault(row.actor, set()).add(row.granted)
    assert answers == {
        "wallet": {True, False},
        "wallet with every right": {False},
        "sealer": {True, False},
        "administrator": {True, False},
    }


@pytest.mark.parametrize(("name", "document"), WORSE)
def test_invalid_a_text_with_one_part_less_is_noticed(name: str, document: dict[str, Any]) -> None:
    assert broken_rights(replace(POLICIES, **{name: document}))
