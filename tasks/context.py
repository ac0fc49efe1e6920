"""The ports and the domain that a stage works with.

A process builds its context once from its settings (``tasks.adapters.wiring``); tests put their own
in place with :func:`using`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

from convexfx_core.market.params import Params
from convexfx_core.orders.signed import Domain
from tasks.ports import (
    Clock,
    Gateway,
    Inbox,
    ProofVerifier,
    Prover,
    ReferencePrices,
    Signer,
    Store,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage may use.

    Attributes
    ----------
    store, inbox, prices, gateway, prover, operator, clock : ports.
    network : network name, as in the agreement.
    domain : network id, pool vault, registry.
    params : risk, depth, fees, policy.
    proof_mode : name of the mode that settles.
    program_hash : 32 bytes, of the law program in the agreement.
    staleness_s, deviation_bps : guards of the reference prices.
    api_url : where people read about epochs.
    verifier : verifies proofs before they are submitted; None: only modes without a proof settle.
    """

    store: Store
    inbox: Inbox
    prices: ReferencePrices
    gateway: Gateway
    prover: Prover
    operator: Signer
    clock: Clock
    network: str
    domain: Domain
    params: Params
    proof_mode: str
    program_hash: bytes
    staleness_s: int
    deviation_bps: int
    api_url: str = ""
    verifier: ProofVerifier | None = None


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
    from tasks.adapters.wiring import context_from_settings

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
    from tasks.adapters.wiring import prover_from_settings

    return prover_from_settings()


def proving() -> Prover:
    """The prover of this process, or the one of :func:`proving_with`."""
    return _prover.get() or _prover_from_settings()
