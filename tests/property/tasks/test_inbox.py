"""The in-memory queue against a model: at least once, never lost, never two holders at once."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from convexfx_core.errors import CommitUnknown, PeerUnreachable
from tasks.adapters.clock import ManualClock
from tasks.adapters.injected_faults import Crash, Fault
from tests.support.memory_inbox import MemoryInbox

VISIBILITY_S = 10.0
RECEIVES_MAX = 3


class QueueMachine(RuleBasedStateMachine):
    """Senders, receivers that crash, deletes that fail, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.inbox = MemoryInbox(self.clock, visibility_s=VISIBILITY_S, receives_max=RECEIVES_MAX)
        self.sent = 0
        self.deleted: set[str] = set()
        self.counts: dict[str, int] = {}
        self.held_until: dict[str, float] = {}

    deliveries: Bundle = Bundle("deliveries")

    @rule(count=st.integers(0, 4), fault=st.sampled_from([None, Fault.LOSE_ANSWER, Fault.UNSENT]))
    def send(self, count: int, fault: Fault | None) -> None:
        bodies = [f"m{self.sent + i}" for i in range(count)]
        if fault is not None:
            self.inbox.faults.plan("send", fault)
        try:
            self.inbox.send(bodies)
        except CommitUnknown:
            assert fault is Fault.LOSE_ANSWER
        except PeerUnreachable:
            assert fault is Fault.UNSENT
            return
        self.sent += count

    @rule(target=deliveries, count=st.integers(1, 5), crash=st.booleans())
    def receive(self, count: int, crash: bool) -> list[tuple[str, str]]:
        if crash:
            self.inbox.faults.plan("receive", Fault.CRASH_AFTER)
            before = self.inbox.depth()
            with pytest.raises(Crash):
                self.inbox.receive(count)
            self.forget(before.visible, count)
            return []
        now = self.clock.now().timestamp()
        messages = self.inbox.receive(count)
        assert len(messages) <= count
        for message in messages:
            assert message.body not in self.deleted
            assert self.held_until.get(message.body, 0.0) <= now
            assert message.receive_count > self.counts.get(message.body, 0)
            assert message.receive_count <= RECEIVES_MAX
            self.counts[message.body] = message.receive_count
            self.held_until[message.body] = now + VISIBILITY_S
        return [(message.body, message.handle) for message in messages]

    @rule(batch=consumes(deliveries), fails=st.booleans())
    def delete(self, batch: list[tuple[str, str]], fails: bool) -> None:
        if fails:
            self.inbox.faults.plan("delete", Fault.LOSE_REQUEST)
        left = set(self.inbox.delete(handle for _, handle in batch))
        if fails:
            assert left == {handle for _, handle in batch}
        self.deleted |= {body for body, handle in batch if handle not in left}

    @rule(batch=consumes(deliveries))
    def release(self, batch: list[tuple[str, str]]) -> None:
        self.inbox.release(handle for _, handle in batch)
        for body, _ in batch:
            self.held_until[body] = 0.0

    @rule(seconds=st.sampled_from([0.5, VISIBILITY_S / 2, VISIBILITY_S]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def nothing_is_lost(self) -> None:
        depth = self.inbox.depth()
        gone = len(self.deleted) + len(self.inbox.dead_letters)
        assert depth.visible + depth.in_flight + gone == self.sent
        assert not self.deleted & {body for body, _ in self.inbox.dead_letters}

    def forget(self, visible: int, count: int) -> None:
        """A crashed receiver took some messages, nobody knows which: all may be held now."""
        if visible and count:
            self.held_until.clear()


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestQueue = QueueMachine.TestCase
