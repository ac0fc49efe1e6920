"""The context of this process: what its stages work with.

A process builds its context once, from its settings; tests put their own in place with
:func:`using`. Only this module imports adapters; ``Context`` does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from tasks.adapters.result_bucket import ResultBucket
from tasks.adapters.wiring import context_from_settings, prover_from_settings
from tasks.context import Context
from tasks.ports import Prover

RESULTS: Final = ResultBucket
"""Prefect keeps results in the block that its settings name, if the process knows the class."""
_chosen: ContextVar[Context | None] = ContextVar("convexfx_context", default=None)
_prover: ContextVar[Prover | None] = ContextVar("convexfx_prover", default=None)


@contextmanager
def using(context: Context) -> Iterator[Context]:
    """Stages inside the block work with ``context``."""
    token = _chosen.set(context)
    try:
        yield context
    finally:
        _chosen.reset(token)


@cache
def _from_settings() -> Context:
    return context_from_settings()


def current() -> Context:
    """The context of this process, or the one of :func:`using`."""
    return _chosen.get() or _from_settings()


@contextmanager
def proving_with(prover: Prover) -> Iterator[Prover]:
    """The proving pool's stage inside the block works with ``prover``."""
    token = _prover.set(prover)
    try:
        yield prover
    finally:
        _prover.reset(token)


@cache
def _prover_from_settings() -> Prover:
    return prover_from_settings()


def proving() -> Prover:
    """The prover of this process, or the one of :func:`proving_with`."""
    return _prover.get() or _prover_from_settings()
