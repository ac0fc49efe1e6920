"""What a set of AWS policies lets a request do: the part of the language that ours use.

An element outside that part raises, so that no policy passes because it was not understood.
Source of the rules: the policy evaluation logic of the IAM user guide.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
STATEMENT_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


@dataclass(frozen=True, slots=True)
class Request:
    """One call: ``service:Action``, the ARN it is for, and the condition keys that it carries."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def is_denied(documents: Iterable[Document], request: Request) -> bool:
    """Whether a Deny of any document names the request; no Allow outweighs it."""
    return _is_named("Deny", documents, request)


def is_allowed(documents: Iterable[Document], request: Request) -> bool:
    """Whether the request passes: some Allow names it and no Deny does.

    Raises ValueError for an element, operator or principal that this module does not know.
    """
    documents = list(documents)
    return _is_named("Allow", documents, request) and not is_denied(documents, request)


def _is_named(effect: str, documents: Iterable[Document], request: Request) -> bool:
    statements = [s for document in documents for s in _listed(document["Statement"])]
    named = [s for s in statements if _effect(s) == effect]
    return any(_matches(statement, request) for statement in named)


def _effect(statement: Mapping[str, Any]) -> str:
    unknown = set(statement) - STATEMENT_ELEMENTS
    if unknown:
        raise ValueError(f"policy element not known here: {', '.join(sorted(unknown))}")
    if statement.get("Principal", "*") != "*":
        raise ValueError(f"Principal: expected *, found {statement['Principal']}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"Effect: expected Allow or Deny, found {statement['Effect']}")
    return str(statement["Effect"])


def _matches(statement: Mapping[str, Any], request: Request) -> bool:
    actions = [str(a).lower() for a in _listed(statement["Action"])]
    conditions = statement.get("Condition", {})
    held = [
        _holds(operator, request.context.get(key), _listed(values))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    return (
        any(_like(pattern, request.action.lower()) for pattern in actions)
        and any(_like(pattern, request.resource) for pattern in _listed(statement["Resource"]))
        and all(held)
    )


def _holds(operator: str, found: str | None, values: list[Any]) -> bool:
    wanted = [str(value).lower() for value in values]
    if operator == "Null":
        return ("true" if found is None else "false") in wanted
    if operator == "Bool":
        return found is not None and found.lower() in wanted
    raise ValueError(f"Condition operator not known here: {operator}")


def _like(pattern: str, text: str) -> bool:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, flags=re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
