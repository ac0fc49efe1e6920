"""The guest on whole epochs, with the real host: what the Python laws say, twice the same.

An empty set of fills, one order, twenty orders over six assets, a wave of the demo's traffic. The
first three are also proven by ``make prove-all`` (``sp1_worker/proven_small.py``).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from convexfx.local.traffic import Traffic
from convexfx_core.errors import LawViolated
from convexfx_core.laws import check
from convexfx_core.witness.layout import encode_witness
from tasks.adapters.law_program import read_law_program
from tasks.adapters.laws_host import LawsHost
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.rust_parts import RustParts
from tasks.clear import propose
from tasks.objects import epoch_key
from tests.support.api_world import ApiWorld, api_world, signer
from tests.support.clearing_cases import Shape
from tests.support.witnesses.epochs import Epoch, epoch_of, only_cancels
from tests.support.witnesses.forge import forge, verdict


def one_order() -> Epoch:
    return epoch_of(Shape(assets=6, orders=1, gross=1.0, market=1.0), 1)


def twenty_orders() -> Epoch:
    return epoch_of(Shape(assets=6, orders=20, gross=40.0), 3)


SMALL: dict[str, Callable[[], Epoch]] = {
    "an empty set of fills": only_cancels,
    "one order": one_order,
    "twenty orders over six assets": twenty_orders,
}


@pytest.fixture
def host(rust: RustParts) -> LawsHost:
    program = read_law_program()
    assert program is not None
    return LawsHost(rust.laws_host, program)


@pytest.mark.parametrize("name", SMALL)
def test_an_epoch_executed_twice(name: str, host: LawsHost) -> None:
    """Witness, public values and cycles are the same, and the values are Python's."""
    results = [SMALL[name]().apply() for _ in range(2)]
    runs = [host.execute(result.witness) for result in results]
    assert results[0].witness == results[1].witness
    assert runs[0].public_values == runs[1].public_values
    assert runs[0].public_values == results[0].public_values.to_bytes()
    assert runs[0].public_values == check(results[0].witness).to_bytes()
    assert runs[0].cycles == runs[1].cycles > 1_000


def test_the_epochs_are_what_they_are_called() -> None:
    fills = [make().apply().public_values.n_fills for make in SMALL.values()]
    orders = [make().apply().public_values.n_orders for make in SMALL.values()]
    assert (fills[0], fills[1]) == (0, 1)
    assert (orders[1], orders[2]) == (1, 20)
    assert fills[2] >= 10
    assert twenty_orders().opening.params.n == 6


def demo(host: LawsHost) -> ApiWorld:
    """A demo wave, settled in mode executed."""
    world = api_world()
    prover = LocalProver(world.store, signer("attestor"), bytes(32), host)
    ctx = replace(world.ctx, prover=prover, proof_mode="executed", program_hash=host.program.vkey)
    quotes = world.ctx.prices.at(datetime(2026, 1, 1, tzinfo=UTC), 1)
    Traffic(world.wallets, dict.fromkeys(world.wallets, 1)).wave(world.ctx.inbox, quotes, 1)
    return replace(world, ctx=ctx)


def test_a_demo_epoch_executed_twice(host: LawsHost) -> None:
    found = []
    for _ in range(2):
        world = demo(host)
        outcome = world.run()
        assert outcome is not None
        assert (outcome["status"], outcome["mode"]) == ("settled", "executed")
        witness = world.store.get(epoch_key(1, "witness.bin")) or b""
        run = host.execute(witness)
        assert run.public_values == check(witness).to_bytes()
        found.append((witness, run.public_values, run.cycles))
    assert found[0] == found[1]


def test_an_epoch_with_high_step_norms_is_refused_before_any_run(
    host: LawsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restless(*arguments: object, **options: object) -> object:
        return replace(propose(*arguments, **options), step_norm_y=1.0)

    monkeypatch.setattr("tasks.clear.propose", restless)
    world = demo(host)
    outcome = world.run()
    assert outcome is not None
    assert (outcome["status"], outcome["mode"]) == ("aborted", None)
    assert outcome["reason"].startswith("Clearing failed: STEP_NORM: ")
    assert world.store.list("proofs/") == ()


def at_the_first_prices() -> bytes:
    """A solver that stopped before its first step: everything follows from reference prices."""
    epoch = twenty_orders()
    return encode_witness(forge(epoch, prices=epoch.opening.reference.pbar))


def one_step_too_early() -> bytes:
    """The first price is a hundredth of a basis point off, everything else follows from it."""
    epoch = only_cancels()
    prices = [*epoch.proposal.prices]
    prices[1] += prices[1] // 10**6
    return encode_witness(forge(epoch, prices=tuple(prices)))


@pytest.mark.parametrize(
    ("make", "laws"), [(at_the_first_prices, {2, 4}), (one_step_too_early, {9})]
)
def test_a_proposal_that_did_not_converge_is_refused_by_python_and_by_the_guest(
    make: Callable[[], bytes], laws: set[int], host: LawsHost
) -> None:
    witness = make()
    broken = verdict(witness)
    assert broken is not None
    assert broken[0] in laws
    with pytest.raises(LawViolated) as caught:
        host.execute(witness)
    assert (caught.value.law, caught.value.index) == broken
