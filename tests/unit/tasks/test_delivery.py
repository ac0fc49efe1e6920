"""The way of an SDL through its states: how often each step is sent, and when waiting ends."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.errors import CommitUnknown
from tasks.adapters.clock import ManualClock
from tasks.adapters.memory import MemoryStore
from tasks.delivery import SETTLE_S_MAX, TAKEN_UP_S_MAX, Delivery, EpochEnded, deliver
from tasks.objects import epoch_key
from tasks.ports import SdlPhase, SdlState
from tasks.settle import with_digest

WAITING = (SdlPhase.SUBMITTED, SdlPhase.PROVEN)


class Peer:
    """A gateway with one SDL; ``stuck``: the state that it never leaves, ``loses``: steps lost.

    ``read_s``: seconds that a read of the state takes.
    """

    def __init__(
        self, clock: ManualClock, stuck: SdlPhase | None, loses: int = 0, read_s: float = 0.0
    ) -> None:
        self.taken_up_s = float("inf")
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
        if self.phase is SdlPhase.PROVING_FAILED and self.clock.monotonic() >= self.taken_up_s:
            self.phase = SdlPhase.SUBMITTED
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


def driven(peer: Peer, store: MemoryStore | None = None, *, contested: bool = False) -> SdlState:
    opening: Any = SimpleNamespace(epoch=3)
    delivery = Delivery(
        "sdl-of-3", "owner", 0, 1, b"envelope", opening, opening, False, contested=contested
    )
    ctx: Any = SimpleNamespace(gateway=peer, clock=peer.clock, store=store or MemoryStore())
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


def left_failed(taken_up_s: float = float("inf")) -> Peer:
    """A gateway with a failed SDL, which another worker replaces at a moment, or never."""
    peer = Peer(ManualClock(), None)
    peer.phase, peer.taken_up_s = SdlPhase.PROVING_FAILED, peer.clock.monotonic() + taken_up_s
    return peer


@pytest.mark.parametrize("after_s", [0.1, 3.0, 0.9 * TAKEN_UP_S_MAX])
def test_the_failure_of_an_earlier_epoch_is_not_taken_for_this_one_s(after_s: float) -> None:
    """Found by the simulation: the epoch was aborted while the one who might was sending again."""
    assert driven(left_failed(after_s), contested=True) == SdlState(SdlPhase.APPLIED)
    # Canary: what was done before.
    assert driven(left_failed(after_s)) == SdlState(SdlPhase.PROVING_FAILED)


def test_a_failure_that_stays_is_this_epoch_s() -> None:
    peer = left_failed()
    begun = peer.clock.monotonic()
    assert driven(peer, contested=True) == SdlState(SdlPhase.PROVING_FAILED)
    assert TAKEN_UP_S_MAX <= peer.clock.monotonic() - begun < TAKEN_UP_S_MAX + 1
    assert peer.sent == []


def test_nobody_waits_for_an_epoch_that_has_ended() -> None:
    store = MemoryStore()
    store.put_new(epoch_key(3, "outcome.json"), json_bytes(with_digest({"epoch": 3})))
    with pytest.raises(EpochEnded):
        driven(left_failed(), store, contested=True)
