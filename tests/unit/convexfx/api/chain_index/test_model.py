"""The index against a model that keeps every fact in plain dictionaries."""

from hashlib import sha256

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from convexfx.api.chain_index.index import EpochFacts, Index
from convexfx.api.chain_index.order_state import OPEN, PLACE, STATES, OrderFacts, OrderState
from convexfx.api.chain_index.order_table import OrderTable

ORDERS, OWNERS = 12, 3
NUMBERS = st.sets(st.integers(0, ORDERS - 1), max_size=5)
AFTER = st.sampled_from([state for state in STATES if state is not OrderState.QUEUED])
REVOCABLE, FOR_GOOD = "NONCE_TAKEN", "NONCE_STALE"


def name(number: int) -> bytes:
    return sha256(b"model" + bytes([number])).digest()


def owner(number: int) -> bytes:
    return bytes([number % OWNERS]) * 32


def facts(number: int) -> OrderFacts:
    return OrderFacts(name(number), owner(number), number, 0, 1, 1, OrderState.QUEUED)


def table(epoch: int, states: dict[int, OrderState]) -> OrderTable:
    """Rows in the order of their owners, as the chain's tables have them."""
    numbers = sorted(states, key=lambda number: (owner(number), number))
    rows = len(numbers)

    def keys(make: object) -> np.ndarray:
        assert callable(make)
        raw = b"".join(make(number) for number in numbers)
        return np.frombuffer(raw, dtype=np.uint8).reshape(rows, 32)

    nonces, assets = np.array(numbers, dtype=np.uint64), np.zeros(rows, dtype=np.uint16)
    places = np.array([PLACE[states[number]] for number in numbers], dtype=np.uint8)
    return OrderTable(epoch, keys(name), keys(owner), nonces, assets, assets + 1, nonces, places)


class IndexModel(RuleBasedStateMachine):
    """Any sequence of what the API and the chain may do."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[int, OrderTable] = {}
        self.index = Index(self.tables.__getitem__, rows_max=6)
        self.chain: dict[int, tuple[int, OrderState]] = {}
        self.last: dict[int, OrderState] = {}
        self.sealed: set[int] | None = None
        self.queued: set[int] = set()
        self.parked: set[int] = set()
        self.refused: dict[int, str] = {}

    def outside(self, number: int) -> bool:
        return number not in self.chain and number not in (self.sealed or ())

    @rule(numbers=NUMBERS)
    def queue(self, numbers: set[int]) -> None:
        self.index.add_queued([facts(number) for number in sorted(numbers)])
        self.queued |= {number for number in numbers if self.outside(number)}

    @rule(numbers=NUMBERS)
    def park(self, numbers: set[int]) -> None:
        states = dict.fromkeys(numbers, OrderState.PARKED)
        self.index.add_parked(table(self.index.head + 1, states))
        self.parked |= {number for number in numbers if self.outside(number)}

    @rule(numbers=NUMBERS, code=st.sampled_from([REVOCABLE, FOR_GOOD]))
    def refuse(self, numbers: set[int], code: str) -> None:
        self.index.add_refused({name(number): code for number in numbers})
        for number in numbers:
            self.refused.setdefault(number, code)

    @rule(numbers=NUMBERS)
    def forget(self, numbers: set[int]) -> None:
        self.index.forget([name(number) for number in numbers])
        self.queued -= {n for n in numbers if n not in self.refused and n not in self.parked}

    @precondition(lambda self: self.sealed is None)
    @rule(numbers=NUMBERS)
    def seal(self, numbers: set[int]) -> None:
        """A seal takes what is open from before, and new orders; settled ones never return."""
        self.sealed = self.candidates(numbers)
        states = dict.fromkeys(self.sealed, OrderState.SEALED)
        self.index.add_seal(table(self.index.head + 1, states))
        self.queued -= self.sealed
        self.parked -= self.sealed

    def candidates(self, numbers: set[int]) -> set[int]:
        fresh = {number for number in numbers if number not in self.chain}
        return fresh | {number for number, state in self.last.items() if state in OPEN}

    @rule(data=st.data(), numbers=NUMBERS)
    def settle(self, data: st.DataObject, numbers: set[int]) -> None:
        """The outcome of the sealed epoch, or of one whose seal nobody saw."""
        epoch = self.index.head + 1
        batch = self.candidates(numbers) if self.sealed is None else self.sealed
        self.last = {number: data.draw(AFTER) for number in sorted(batch)}
        self.tables[epoch] = table(epoch, self.last)
        self.index.add_epoch(EpochFacts(epoch, {}, "", {}), self.tables[epoch])
        self.chain |= {number: (epoch, state) for number, state in self.last.items()}
        self.sealed = None
        self.queued -= batch
        self.parked -= batch

    def expected(self, number: int) -> tuple[str, int | None] | None:
        if number in (self.sealed or ()):
            if self.refused.get(number) == FOR_GOOD and number not in self.chain:
                return "rejected", None
            return "sealed", self.index.head + 1
        if number in self.chain:
            epoch, state = self.chain[number]
            return str(state), epoch
        if number in self.parked:
            return "parked", None
        if number in self.refused:
            return "rejected", None
        return ("queued", None) if number in self.queued else None

    @invariant()
    def every_order_is_where_the_model_has_it(self) -> None:
        for number in range(ORDERS):
            found = self.index.find(name(number))
            seen = None if found is None else (str(found.state), found.epoch)
            assert seen == self.expected(number), number
            assert self.index.waits(name(number)) == (seen == ("queued", None))

    @invariant()
    def known_orders_need_no_other_delivery(self) -> None:
        for number in range(ORDERS):
            expected = self.expected(number)
            revocable = expected == ("rejected", None) and self.refused[number] == REVOCABLE
            open_again = number in self.chain and expected is not None
            known = expected is not None and not revocable
            if not open_again:
                assert self.index.knows(name(number)) == known, number

    @invariant()
    def open_orders_are_those_of_the_owner(self) -> None:
        for who in range(OWNERS):
            wanted = {
                number
                for number in range(who, ORDERS, OWNERS)
                if (found := self.expected(number)) is not None
                and found[0] in OPEN
                and (
                    number not in self.chain or number in self.last or number in (self.sealed or ())
                )
            }
            found_orders = self.index.open_orders(owner(who))
            assert {order.nonce for order in found_orders} == wanted
            assert [order.nonce for order in found_orders] == sorted(wanted)


TestIndexModel = IndexModel.TestCase
TestIndexModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
