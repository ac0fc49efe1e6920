"""Carry an SDL through the gateway's states, asking before every step that cannot be repeated.

Source: ``docs/spec.md`` section 9 and the gateway's states Submitted -> Proving -> Proven ->
ProofSubmitted -> BaseLayerApplied | BaseLayerFailed, ProvingFailed. Nothing is resent blindly: the
nonce of a debited vault says whether the array was applied, the list of SDLs whether one holds it,
its state how far it went. Nothing is sent at all for an epoch that has its outcome.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from convexfx_core.errors import (
    CommitConflict,
    CommitUnknown,
    ExecutionCode,
    ExecutionError,
    GatewayError,
)
from convexfx_core.ledger.vaults import Opening, VaultTable
from tasks.chain import outcome_of
from tasks.context import Context
from tasks.ports import Json, SdlPhase, SdlState
from tasks.vaults import first_moved

TERMINAL: Final = frozenset({SdlPhase.APPLIED, SdlPhase.FAILED, SdlPhase.PROVING_FAILED})
FIRST_POLL_S: Final = 0.02
POLL_S: Final = 0.25
"""Pauses double from the first to this one: a network that is quick is not waited for."""
SETTLE_S_MAX: Final = 600.0
"""Ten minutes without reaching an end is a peer that hangs."""
TAKEN_UP_S_MAX: Final = 10.0
"""Seconds in which a worker that may replace a failed SDL does it; no call takes longer by far."""
AGAIN_S: Final = 1.0
"""Seconds after which a step that was taken and that the state does not show is taken again."""
AGAIN_S_MAX: Final = 64.0
"""They double up to these: a dozen requests in the whole time, each of them a proof's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """What is to be settled, and how to recognise that it was applied.

    Attributes
    ----------
    sdl_hash : predicted hash, base58.
    witness_owner : base58 owner of the first debited vault.
    nonce_before, nonce_after : that vault's nonce without and with this SDL.
    envelope : body of ``prove``.
    opening : the sealed epoch. touched : its debited vaults as they were sealed.
    replaces : a failed SDL of that hash is one that an earlier epoch left.
    contested : an earlier epoch had that hash, and another worker may replace its failed SDL.
    """

    sdl_hash: str
    witness_owner: str
    nonce_before: int
    nonce_after: int
    envelope: bytes
    opening: Opening
    touched: VaultTable
    replaces: bool
    contested: bool = False


class EpochEnded(Exception):
    """Somebody else wrote the epoch's outcome: nothing more may be sent for it."""


def failed(state: SdlState | None) -> bool:
    """Whether an SDL is there that the network did not apply and will not."""
    return state is not None and state.phase in TERMINAL and state.phase is not SdlPhase.APPLIED


def deliver(ctx: Context, delivery: Delivery, verifiables: Sequence[Json]) -> SdlState:
    """Drive the SDL to its end, from wherever it stands.

    Raises
    ------
    CommitConflict
        The gateway made another SDL than the predicted one: somebody else writes to it.
    ExecutionError
        A vault moved since the seal, so that the network cannot take the array any more.
    CommitUnknown
        An answer was lost, or no end came in time (the error names the SDL and its last state);
        ask again.
    EpochEnded
        The epoch has an outcome.
    """
    if delivery.contested and not delivery.replaces:
        _wait_until_taken_up(ctx, delivery)
    _bundle(ctx, delivery, verifiables)
    begun, pause, steps = ctx.clock.monotonic(), FIRST_POLL_S, _Steps()
    while True:
        state = ctx.gateway.sdl(delivery.sdl_hash)
        if state is None:
            raise CommitConflict(f"sdl {delivery.sdl_hash}", "the SDL just made", "nothing")
        if state.phase in TERMINAL:
            return state
        if ctx.clock.monotonic() - begun >= SETTLE_S_MAX:
            expected = f"an end of the settlement within {SETTLE_S_MAX:.0f} s"
            raise CommitUnknown(f"sdl {delivery.sdl_hash}", expected, f"still {state.phase}")
        if state.phase in STEPS and steps.due(state.phase, ctx.clock.monotonic()):
            _require_open(ctx, delivery)
            STEPS[state.phase](ctx, delivery)
            pause = FIRST_POLL_S
        ctx.clock.sleep(pause)
        pause = min(2 * pause, POLL_S)


def _prove(ctx: Context, delivery: Delivery) -> None:
    ctx.gateway.prove(delivery.sdl_hash, delivery.envelope)


def _submit_proof(ctx: Context, delivery: Delivery) -> None:
    ctx.gateway.submit_proof(delivery.sdl_hash)


STEPS: Final[dict[SdlPhase, Callable[[Context, Delivery], None]]] = {
    SdlPhase.SUBMITTED: _prove,
    SdlPhase.PROVEN: _submit_proof,
}
"""What carries an SDL on from the states in which it waits for us."""


class _Steps:
    """When a step is due: at once in a state that is new, then after pauses that double.

    A gateway may accept ``prove`` and lose it. So a step is taken again, but not at each look at
    the state.
    """

    def __init__(self) -> None:
        self._phase: SdlPhase | None = None
        self._due_s = 0.0
        self._again_s = AGAIN_S

    def due(self, phase: SdlPhase, now_s: float) -> bool:
        if phase is not self._phase:
            self._phase, self._again_s = phase, AGAIN_S
        elif now_s < self._due_s:
            return False
        self._due_s = now_s + self._again_s
        self._again_s = min(2 * self._again_s, AGAIN_S_MAX)
        return True


def _wait_until_taken_up(ctx: Context, delivery: Delivery) -> None:
    """Wait while the failed SDL may be the earlier epoch's, which another worker is to replace.

    Whoever takes it for the end of this epoch meanwhile writes an aborted outcome, and the array
    that the other one is sending stays at the gateway for the next SDL.
    """
    end = ctx.clock.monotonic() + TAKEN_UP_S_MAX
    while failed(ctx.gateway.sdl(delivery.sdl_hash)) and ctx.clock.monotonic() < end:
        _require_open(ctx, delivery)
        ctx.clock.sleep(POLL_S)


def _bundle(ctx: Context, delivery: Delivery, verifiables: Sequence[Json]) -> None:
    """Make the SDL, unless one of that hash is under way or has ended in this epoch.

    The hash does not name the epoch. After a failure the next epoch may clear the same orders at
    the same prices. Then it finds a failed SDL of its own hash, whose diffs the gateway has taken
    back. It may replace that one (``delivery.replaces``), because it stood there before the intent
    of this epoch was written. A failure that comes after the intent is the end of this epoch, which
    another worker may be writing down: nothing is sent.

    The nonce is read before the state. Otherwise an SDL could be made and fail between the two
    reads: none was seen, the nonce is back where it was, and the array would be sent once more.
    """
    nonce = ctx.gateway.next_nonce(delivery.witness_owner) - 1
    state = ctx.gateway.sdl(delivery.sdl_hash)
    if state is not None and not failed(state):
        return
    if nonce == delivery.nonce_before and (state is None or delivery.replaces):
        _apply(ctx, delivery, verifiables)
    elif nonce != delivery.nonce_after:
        if state is not None:
            return
        expected = f"{delivery.nonce_before} or {delivery.nonce_after}"
        raise ExecutionError(
            ExecutionCode.NONCE_NOT_NEXT, f"vault {delivery.witness_owner}", expected, nonce
        )
    _require_open(ctx, delivery)
    made = ctx.gateway.submit_sdl()
    if made != delivery.sdl_hash and (made is not None or state is None):
        raise CommitConflict("sdl hash", delivery.sdl_hash, str(made))


def _apply(ctx: Context, delivery: Delivery, verifiables: Sequence[Json]) -> None:
    """Submit the array; a refusal is for good when a vault is not as it was sealed."""
    _require_open(ctx, delivery)
    try:
        ctx.gateway.submit(verifiables)
    except GatewayError:
        moved = first_moved(ctx.gateway, delivery.opening, delivery.touched)
        nonce = ctx.gateway.next_nonce(delivery.witness_owner) - 1
        if moved is None or nonce == delivery.nonce_after:
            raise
        raise moved from None


def _require_open(ctx: Context, delivery: Delivery) -> None:
    if outcome_of(ctx.store, delivery.opening.epoch) is not None:
        raise EpochEnded
