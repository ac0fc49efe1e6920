"""Carry an SDL through the gateway's states, asking before every step that cannot be repeated.

Source: ``docs/spec.md`` section 9 and the gateway's states Submitted -> Proving -> Proven ->
ProofSubmitted -> BaseLayerApplied | BaseLayerFailed, ProvingFailed. Nothing is resent blindly: the
nonce of a debited vault says whether the array was applied, the list of SDLs whether one holds it,
its state how far it went.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from convexfx_core.errors import CommitConflict, CommitUnknown, ExecutionCode, ExecutionError
from tasks.context import Context
from tasks.ports import Json, SdlPhase, SdlState

TERMINAL: Final = frozenset({SdlPhase.APPLIED, SdlPhase.FAILED, SdlPhase.PROVING_FAILED})
POLL_S: Final = 0.25
POLLS_MAX: Final = 2_400
"""Ten minutes without reaching an end is a peer that hangs."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be settled, and how to recognise that it was applied.

    Attributes
    ----------
    sdl_hash : predicted hash, base58.
    witness_owner : base58 owner of the first debited vault.
    nonce_before, nonce_after : that vault's nonce without and with this SDL.
    envelope : body of ``prove``.
    """

    sdl_hash: str
    witness_owner: str
    nonce_before: int
    nonce_after: int
    envelope: bytes


def deliver(ctx: Context, delivery: Delivery, verifiables: Sequence[Json]) -> SdlState:
    """Drive the SDL to its end, from wherever it stands.

    Raises
    ------
    CommitConflict
        The gateway made another SDL than the predicted one: somebody else writes to it.
    ExecutionError
        The vault's nonce is neither of the two expected ones.
    CommitUnknown
        An answer was lost; ask again.
    """
    if _must_bundle(ctx, delivery):
        _bundle(ctx, delivery, verifiables)
    for _ in range(POLLS_MAX):
        state = ctx.gateway.sdl(delivery.sdl_hash)
        if state is None:
            raise CommitConflict(f"sdl {delivery.sdl_hash}", "the SDL just made", "nothing")
        if state.phase in TERMINAL:
            return state
        if state.phase is SdlPhase.SUBMITTED:
            ctx.gateway.prove(delivery.sdl_hash, delivery.envelope)
        elif state.phase is SdlPhase.PROVEN:
            ctx.gateway.submit_proof(delivery.sdl_hash)
        else:
            ctx.clock.sleep(POLL_S)
    raise CommitUnknown(f"sdl {delivery.sdl_hash}", "an end of the settlement", "still under way")


def _must_bundle(ctx: Context, delivery: Delivery) -> bool:
    """Whether the gateway holds no SDL of that hash that can still settle, or has settled.

    The hash does not name the epoch: after a failure, the next epoch may clear the same orders at
    the same prices and meet its own failed predecessor, whose diffs the gateway has taken back.
    """
    state = ctx.gateway.sdl(delivery.sdl_hash)
    if state is None:
        return True
    failed = state.phase in TERMINAL and state.phase is not SdlPhase.APPLIED
    return failed and ctx.gateway.next_nonce(delivery.witness_owner) - 1 == delivery.nonce_before


def _bundle(ctx: Context, delivery: Delivery, verifiables: Sequence[Json]) -> None:
    nonce = ctx.gateway.next_nonce(delivery.witness_owner) - 1
    if nonce == delivery.nonce_before:
        ctx.gateway.submit(verifiables)
    elif nonce != delivery.nonce_after:
        expected = f"{delivery.nonce_before} or {delivery.nonce_after}"
        raise ExecutionError(
            ExecutionCode.NONCE_NOT_NEXT, f"vault {delivery.witness_owner}", expected, nonce
        )
    made = ctx.gateway.submit_sdl()
    if made != delivery.sdl_hash:
        raise CommitConflict("sdl hash", delivery.sdl_hash, str(made))
