"""The ports and the domain that a stage works with; ``tasks.process`` says which ones."""

from dataclasses import dataclass

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
