"""Parsed JSON with one place changed: the smallest invalid neighbour of a message."""

from collections.abc import Callable
from typing import Any


def at(*path: Any, value: Any = ...) -> Callable[[Any], Any]:
    """Puts ``value`` at the end of ``path``; without a value it takes away what is there."""

    def change(body: Any) -> Any:
        target = body
        for step in path[:-1]:
            target = target[step]
        if value is ...:
            del target[path[-1]]
        else:
            target[path[-1]] = value
        return body

    return change
