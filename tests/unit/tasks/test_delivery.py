"""The way of an SDL through its states: how often each step is sent, and when waiting ends."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from convexfx_core.errors import CommitUnknown
from tasks.adapters.clock import ManualClock
from tasks.adapters.memory import MemoryStore
from tasks.delivery import SETTLE_S_MAX, Delivery, deliver
from tasks.ports import SdlPhase, SdlState

WAITING = (SdlPhase.SUBMITTED, SdlPhase.PROVEN)


class Peer:
    """A gateway with one SDL; ``stuck``: the state that it never leaves, ``loses``: steps lost.

    ``read_s``: seconds that a read of the state takes.
    """

    def __init__(
        self, clock: ManualClock, stuck: SdlPhase | None, loses: int = 0, read_s: float = 0.0
    ) -> None:
        self.clock, self.stuck, self.loses, self.read_s = clock, stuck, loses, read_s
        self.phase = SdlPhase.SUBMITTED
        self.reads = 0
        self.sent: list[tuple[str, float]] = []

    def next_nonce(self, owner: str) -> int:
        return 1

    def sdl(self, sdl_hash: str) -> SdlState:
        self.reads += 1
        assert self.reads < 20_000, "it waits without an end"
        self.clock.advance(self.read_s)
        return SdlState(self.phase)

    def prove(self, sdl_hash: str, body: bytes) -> None:
        self.step("prove", SdlPhase.PROVEN)

    def submit_proof(self, sdl_hash: str) -> None:
        self.step("submit_proof", SdlPhase.APPLIED)

    def step(self, name: str, following: SdlPhase) -> None:
        self.sent.append((name, self.clock.monotonic()))
        if self.loses:
            self.loses -= 1
        elif self.phase is not self.stuck:
            self.phase = following


def driven(peer: Peer) -> SdlState:
    opening: Any = SimpleNamespace(epoch=3)
    delivery = Delivery("sdl-of-3", "owner", 0, 1, b"envelope", opening, opening, replaces=False)
    ctx: Any = SimpleNamespace(gateway=peer, clock=peer.clock, store=MemoryStore())
    return deliver(ctx, delivery, [])


def test_a_peer_that_does_its_part_is_asked_once_and_at_once() -> None:
    peer = Peer(ManualClock(), None)
    assert driven(peer) == SdlState(SdlPhase.APPLIED)
    assert [name for name, _ in peer.sent] == ["prove", "submit_proof"]
    assert peer.clock.monotonic() <= 0.05


@pytest.mark.parametrize("stuck", WAITING)
def test_a_state_that_stays_is_posted_to_ever_more_rarely_and_not_for_ever(stuck: SdlPhase) -> None:
    peer = Peer(ManualClock(), stuck)
    expected = f"sdl sdl-of-3: expected an end of the settlement within 600 s, found still {stuck}"
    with pytest.raises(CommitUnknown, match=expected):
        driven(peer)
    posted = [at for name, at in peer.sent if (name == "prove") == (stuck is SdlPhase.SUBMITTED)]
    gaps = [later - earlier for earlier, later in pairwise(posted)]
    assert 10 <= len(posted) <= 20
    assert gaps[0] >= 1
    assert all(later >= 0.9 * earlier for earlier, later in pairwise(gaps))
    assert SETTLE_S_MAX <= peer.clock.monotonic() < SETTLE_S_MAX + 1


def test_a_step_that_was_lost_is_taken_again() -> None:
    peer = Peer(ManualClock(), None, loses=1)
    assert driven(peer) == SdlState(SdlPhase.APPLIED)
    assert [name for name, _ in peer.sent] == ["prove", "prove", "submit_proof"]


def test_a_state_that_moves_by_itself_and_never_ends_is_named() -> None:
    peer = Peer(ManualClock(), None)
    peer.phase = SdlPhase.PROOF_SUBMITTED
    with pytest.raises(CommitUnknown, match="found still ProofSubmitted"):
        driven(peer)
    assert peer.sent == []


def test_time_in_slow_calls_counts() -> None:
    """With 60 s a read, ten minutes are eleven reads, not 2,400."""
    peer = Peer(ManualClock(), SdlPhase.SUBMITTED, read_s=60.0)
    with pytest.raises(CommitUnknown):
        driven(peer)
    assert peer.reads <= 12
