"""A flow's process killed with SIGKILL in each stage, on real S3 and SQS, then run again."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from convexfx.local.provision import provision
from tasks.adapters.gateway_http import HttpGateway
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.s3 import S3Store
from tasks.adapters.sqs import SqsInbox
from tasks.adapters.wiring import program_hash
from tasks.chain import outcome_of, read_head
from tasks.process import using
from tasks.replay import replay_epoch
from tests.support.epoch_world import World, open_world, run_epoch, signer
from tests.support.stack_fixtures import AwsNames

pytestmark = [pytest.mark.stack, pytest.mark.slow]
POINTS = (
    "collect.rejects", "collect.sealed", "clear", "validate", "state_diffs.done", "prove.done",
    "submit.intent", "submit.done", "settle.outcome",
)  # fmt: skip
VISIBLE_S_MAX = 20.0
PAID = {"alice": ("USD", 10_000_000), "bob": ("EUR", 7_000_000)}


@pytest.fixture(scope="module")
def module_aws_names(localstack: str) -> AwsNames:
    assert localstack
    name = f"sigkill-{uuid.uuid4().hex[:12]}"
    provision(name, name, visibility_s=2)
    return AwsNames(bucket=name, queue=name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, module_aws_names: AwsNames) -> Iterator[World]:
    ports = S3Store(module_aws_names.bucket), SqsInbox(module_aws_names.queue)
    with open_world(tmp_path_factory.mktemp("world"), ports=ports) as world:
        yield world


def run_in_child(world: World, names: AwsNames) -> int:
    """Run an epoch in a forked process with connections of its own; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        store = S3Store(names.bucket)
        gateway = HttpGateway(world.programs[1].url, world.programs[0].url)
        prover = LocalProver(store, signer("attestor"), program_hash("attested"))
        inbox = SqsInbox(names.queue)
        fresh = replace(world.ctx, store=store, inbox=inbox, gateway=gateway, prover=prover)
        with using(fresh):
            run_epoch()
        os._exit(0)
    except BaseException:
        os._exit(1)


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_process_loses_and_doubles_nothing(
    world: World,
    module_aws_names: AwsNames,
    point: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = read_head(world.ctx.store).epoch + 1
    alice, bob = world.wallets["alice"], world.wallets["bob"]
    before = world.balances()
    orders = [
        alice.order("USD", "EUR", "10", nonce=world.gateway.next_nonce(alice.owner)),
        bob.order("EUR", "JPY", "7", nonce=world.gateway.next_nonce(bob.owner)),
    ]
    world.send(orders)
    armed = tmp_path / "fault"
    armed.write_text(f"{point} kill")
    monkeypatch.setenv("CONVEXFX_FAULT", str(armed))
    assert run_in_child(world, module_aws_names) == -signal.SIGKILL
    end = time.monotonic() + VISIBLE_S_MAX
    while outcome_of(world.ctx.store, number) is None and time.monotonic() < end:
        assert run_in_child(world, module_aws_names) == 0
    outcome = outcome_of(world.ctx.store, number)
    assert outcome is not None
    assert (outcome["status"], outcome["fills"]) == ("settled", 2)
    after = world.balances()
    for name, (asset, amount) in PAID.items():
        assert after[name][asset] == before[name][asset] - amount
    assert world.sums() == {world.minted}
    assert run_in_child(world, module_aws_names) == 0, "completes what the dead one left"
    assert read_head(world.ctx.store).epoch == number
    assert [f for f in replay_epoch(world.ctx.store, number) if not f.holds] == []
