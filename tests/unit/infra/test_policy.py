"""The evaluator of policies: each rule of the language with its smallest wrong neighbour."""

from typing import Any

import pytest

from infra.terraform.policy import Request, is_allowed, is_denied

QUEUE = "arn:aws:sqs:us-east-1:1:inbox"
SEND = Request("sqs:SendMessage", QUEUE)


def document(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    return {
        "Statement": [
            {"Effect": effect, "Action": "sqs:SendMessage", "Resource": QUEUE} | elements,
        ]
    }


def test_nothing_is_allowed_by_default() -> None:
    assert not is_allowed([], SEND)
    assert not is_allowed([{"Statement": []}], SEND)


def test_an_allow_names_its_action_and_its_resource_only() -> None:
    assert is_allowed([document()], SEND)
    assert not is_allowed([document()], Request("sqs:ReceiveMessage", QUEUE))
    assert not is_allowed([document()], Request("sqs:SendMessage", QUEUE + "-dlq"))


def test_a_deny_outweighs_every_allow_in_any_order() -> None:
    for documents in ([document(), document("Deny")], [document("Deny"), document()]):
        assert not is_allowed(documents, SEND)
        assert is_denied(documents, SEND)
    assert not is_denied([document()], SEND)


@pytest.mark.parametrize(
    "action", ["*", "sqs:*", "sqs:Send*", "SQS:sendmessage", "sqs:SendMessag?"]
)
def test_actions_match_by_wildcard_whatever_their_case(action: str) -> None:
    assert is_allowed([document(Action=action)], SEND)


@pytest.mark.parametrize("action", ["s3:*", "sqs:Send", "sqs:SendMessage?", "sqs:[S]endMessage"])
def test_invalid_near_actions_do_not_match(action: str) -> None:
    assert not is_allowed([document(Action=action)], SEND)


@pytest.mark.parametrize(
    "resource", ["*", "arn:aws:sqs:*:1:inbox", "arn:aws:sqs:us-east-1:1:inb?x"]
)
def test_resources_match_by_wildcard(resource: str) -> None:
    assert is_allowed([document(Resource=resource)], SEND)


@pytest.mark.parametrize("resource", [QUEUE.upper(), QUEUE[:-1], QUEUE + "?", "arn.aws.sqs*"])
def test_invalid_near_resources_do_not_match(resource: str) -> None:
    assert not is_allowed([document(Resource=resource)], SEND)


def test_lists_match_by_any_member() -> None:
    listed = document(Action=["s3:PutObject", "sqs:SendMessage"], Resource=["x", QUEUE])
    assert is_allowed([listed], SEND)
    assert not is_allowed([document(Action=["s3:PutObject"], Resource=["x", QUEUE])], SEND)


@pytest.mark.parametrize(
    ("condition", "context", "held"),
    [
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "true"}}, {"k": "*"}, False),
        ({"Null": {"k": "false"}}, {"k": "*"}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Bool": {"k": "true"}}, {"k": "true"}, True),
        ({"Bool": {"k": "true"}}, {"k": "false"}, False),
        ({"Bool": {"k": "true"}}, {}, False),
        ({"Bool": {"k": "false"}}, {}, False),
        ({"Null": {"k": "true", "j": "true"}}, {}, True),
        ({"Null": {"k": "true", "j": "true"}}, {"j": "*"}, False),
        ({"Null": {"k": "true"}, "Bool": {"j": "true"}}, {"j": "true"}, True),
        ({"Null": {"k": "true"}, "Bool": {"j": "true"}}, {"j": "false"}, False),
    ],
)
def test_all_conditions_of_a_statement_must_hold(
    condition: dict[str, Any], context: dict[str, str], held: bool
) -> None:
    request = Request("sqs:SendMessage", QUEUE, context)
    assert is_allowed([document(Condition=condition)], request) is held


@pytest.mark.parametrize(
    "elements",
    [
        {"Condition": {"StringLike": {"k": "a"}}},
        {"NotAction": "sqs:ReceiveMessage"},
        {"NotResource": QUEUE},
        {"Principal": {"AWS": "1"}},
        {"Effect": "Permit"},
    ],
)
def test_invalid_what_is_not_understood_never_passes(elements: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not known here|expected"):
        is_allowed([document(**elements)], SEND)


def test_a_statement_that_is_not_understood_is_seen_behind_one_that_matches() -> None:
    with pytest.raises(ValueError, match="NotAction"):
        is_allowed([document(), document(NotAction="s3:GetObject")], SEND)
