"""The result of an epoch is computed once: by ``validate``, or by the process that goes on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from convexfx_core.admission.book import Batch
from convexfx_core.ledger.vaults import Opening
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.transition import EpochResult
from tasks import epoch_result as module
from tasks.clear import clear
from tasks.objects import get_object
from tasks.process import using
from tasks.prove import prove
from tasks.replay import replay_epoch
from tasks.settle import settle
from tasks.state_diffs import state_diffs
from tasks.validate import validate
from tests.support.api_world import ApiWorld, api_world
from tests.support.epoch_world import forget_everything


@dataclass
class Counter:
    """How often the transition was applied."""

    calls: int = 0

    def taken(self) -> int:
        """The calls since the last time, which begins anew."""
        found, self.calls = self.calls, 0
        return found


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    forget_everything()
    counted, apply = Counter(), module.apply_epoch

    def counting(opening: Opening, batch: Batch, proposal: Proposal) -> EpochResult:
        counted.calls += 1
        return apply(opening, batch, proposal)

    monkeypatch.setattr(module, "apply_epoch", counting)
    yield counted
    forget_everything()


def world_with_orders() -> ApiWorld:
    world = api_world()
    world.post(
        world.wallets["alice"].order("USD", "EUR", "1000", nonce=1).verifiable,
        world.wallets["bob"].order("EUR", "USD", "500", nonce=1).verifiable,
    )
    return world


def test_an_epoch_computes_its_result_once(counter: Counter) -> None:
    world = world_with_orders()
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], counter.taken()) == ("settled", 1)


def test_each_process_that_goes_on_computes_it_once_at_most(counter: Counter) -> None:
    world = world_with_orders()
    sealed = world.seal()
    assert sealed is not None
    stages: dict[str, Any] = {}
    with using(world.ctx):
        for name, run in (
            ("clear", lambda: clear.fn(sealed)),
            ("validate", lambda: validate.fn(sealed, stages["clear"])),
            ("state_diffs", lambda: state_diffs.fn(sealed, stages["validate"])),
            ("prove", lambda: prove.fn(sealed, stages["state_diffs"])),
        ):
            forget_everything()
            stages[name] = run()
            assert counter.taken() == (name in ("validate", "state_diffs"))
        forget_everything()
        assert settle.fn(sealed, stages)["status"] == "settled"
    assert counter.taken() == 1, "outcome, receipts and carried state share one"


def test_a_replay_computes_it_anew_and_agrees(counter: Counter) -> None:
    world = world_with_orders()
    outcome = world.run()
    assert outcome is not None
    forget_everything()
    counter.taken()
    findings = {finding.name: finding.holds for finding in replay_epoch(world.store, 1)}
    assert findings["verdict.json"]
    assert findings["receipts.parquet"]
    assert counter.taken() == 1


def test_the_same_objects_have_one_result_as_long_as_the_process_lives(counter: Counter) -> None:
    world = world_with_orders()
    outcome = world.run()
    assert outcome is not None
    counter.taken()
    same = module.epoch_result(world.store, outcome["manifest"], outcome["proposal"])
    assert counter.taken() == 0
    assert same.witness == get_object(world.store, outcome["witness"])
    forget_everything()
    assert module.epoch_result(world.store, outcome["manifest"], outcome["proposal"]) is not same
    assert counter.taken() == 1
