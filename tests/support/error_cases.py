"""For every code of the closed lists a call that provokes it where people meet it."""

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from convexfx.agreement import require_active
from convexfx.cli.clear import _certified
from convexfx.local.ports import require_free
from convexfx.local.service import Port, Service
from convexfx_core.admission.book import Batch, admit
from convexfx_core.clear_files.batch import read_batch
from convexfx_core.clearing import ladder, propose
from convexfx_core.clearing.scp import NotConverged
from convexfx_core.errors import ConvexFxError
from convexfx_core.laws import check
from convexfx_core.laws.predicates import refuse_unsteady
from convexfx_core.ledger.diff_checks import check_diffs
from convexfx_core.limits import EXPIRY_EPOCHS_MAX
from convexfx_core.market.parameter_file import ParameterFile
from convexfx_core.market.reference import check_deviation, check_fresh, reference_from_prices
from convexfx_core.records.gateway_array import verifiables_with_diffs
from convexfx_core.records.receipts import REASONS
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.settle import settle
from convexfx_core.wire.inbox import bundle_message
from convexfx_core.witness.public_values import PublicValues
from tasks.adapters.gateway_http import HttpSettlement
from tasks.adapters.host_answers import GUEST_TRAPPED, LAW_VIOLATED, failure_of
from tasks.adapters.injected_faults import Fault
from tasks.adapters.keys import read_key
from tasks.adapters.memory import MemoryStore
from tasks.adapters.peer_http import Peer
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import read_domain
from tasks.intake import read_message
from tasks.peer_answers import parse_sdl_state
from tasks.ports import Message
from tasks.proof_check import require_values
from tests.attack.result_batches import batch_tree
from tests.support.api_world import api_world
from tests.support.clearing_cases import Shape, case_of
from tests.support.clearing_hard import built, pairs, risk
from tests.support.epoch_cases import (
    EPOCH,
    PRICES,
    Sketch,
    opening_of,
    params_of_three,
    reference_of_three,
    sealed,
)
from tests.support.signed_cases import domain
from tests.support.witnesses.epochs import plain_epoch
from tests.support.witnesses.forge import edited
from tests.unit.convexfx_core.orders.test_codes import LINES

Provoke = Callable[[], object]
WITNESSES: Final = Path(__file__).resolve().parents[1] / "vectors" / "laws"
NOBODY: Final = "http://127.0.0.1:9"
"""The discard port: nobody listens there."""
ROUGH: Final = frozenset({"NO_CERTIFICATE", "RATION_FAILED", "PEER_UNREACHABLE"})
"""Lines whose observed part a solver's floats or the operating system decide: golden up to it."""
SIDES: Final = re.compile(r"^(L\d+: index \d+): expected .*$")
"""A law's two sides are numbers of its witness; the vectors of the laws hold those."""


def line_of(provoke: Provoke) -> str:
    """What somebody reads; a reason that a batch gives is returned as it is."""
    try:
        found = provoke()
    except ConvexFxError as error:
        line = str(error).split(", found ")[0] if error.code in ROUGH else str(error)
        return SIDES.sub(r"\1", line)
    assert isinstance(found, str), found
    return found


def admission(*sketches: Sketch) -> Batch:
    held = {1: (0, (1_000, 1_000, 1_000))}
    return admit(sealed(*sketches), opening_of(held))


def refused(*sketches: Sketch) -> Provoke:
    """Reason that a receipt gives for the first order that admission refuses."""
    return lambda: reason("rejected", admission(*sketches).rejected.code(0))


def parked(*sketches: Sketch) -> Provoke:
    return lambda: reason("parked", admission(*sketches).parked.code(0))


def reason(what: str, code: str) -> str:
    """The text in a receipt; there is no other line for what a batch leaves out."""
    assert f"{what}:{code}" in REASONS
    return f"{what}:{code}"


def missing_bundle() -> str:
    name = "0" * 64
    body = bundle_message(f"inbox/{name}.parquet", name, 1).decode()
    found = read_message(Message("m", "h", body, 1), MemoryStore(), domain())
    return str(found.rejects[0]["detail"])


def rejects() -> dict[str, Provoke]:
    of_the_wire: dict[str, Provoke] = {}
    for call, line in LINES:
        of_the_wire.setdefault(line.split(":")[0], call)
    far = EPOCH + EXPIRY_EPOCHS_MAX + 1
    return of_the_wire | {
        "BUNDLE_MISSING": missing_bundle,
        "NONCE_STALE": refused(Sketch(1, 0)),
        "NONCE_TAKEN": refused(Sketch(1, 1), Sketch(1, 1, salt=1)),
        "CANCELLED": refused(Sketch(1, 1), Sketch(1, 1, cancel=True)),
        "EXPIRED": refused(Sketch(1, 1, valid_until=EPOCH - 1)),
        "EXPIRY_TOO_FAR": refused(Sketch(1, 1, valid_until=far)),
    }


def parks() -> dict[str, Provoke]:
    return {
        "NONCE_GAP": parked(Sketch(1, 2)),
        "INSUFFICIENT_BALANCE": parked(Sketch(1, 1, budget=1_001)),
        "BEHIND_PARKED": lambda: reason(
            "parked", admission(Sketch(1, 1, budget=1_001), Sketch(1, 2)).parked.code(1)
        ),
    }


def configurations() -> dict[str, Provoke]:
    params = params_of_three()
    before = reference_of_three(params)
    moved = reference_from_prices((PRICES[0], PRICES[1] * 2, PRICES[2]), 0, params)
    services = [Service(name, (), ports=(Port(8080, f"--{name}-port"),)) for name in ("api", "web")]

    def ports() -> None:
        with patch("convexfx.local.ports.is_free", return_value=True):
            require_free(services)

    return {
        "SETTING": lambda: Settings.load(Path("absent.yaml")),
        "PARAMS": lambda: ParameterFile.from_json(b"[]"),
        "REGISTRY": lambda: read_domain(
            Settings(tokens=Path("absent/tokens.json")), domain().pool.owner
        ),
        "PRICE_STALE": lambda: check_fresh(1_000, 5_000, 3_600),
        "PRICE_DEVIATES": lambda: check_deviation(before, moved, 500, ("USD", "EUR", "JPY")),
        "PRICE_RANGE": lambda: reference_from_prices((PRICES[0], -PRICES[1], PRICES[2]), 0, params),
        "STORE_SEMANTICS": lambda: MemoryStore(conditional=False).prove_semantics(),
        "PORT_TAKEN": ports,
        "KEYPAIR": lambda: read_key(Path("absent/operator.json")),
    }


def clearings() -> dict[str, Provoke]:
    case = case_of(Shape(assets=4, orders=20), 7)
    proposal = propose(case, kernels="numpy")

    def stuck(*_: object, **__: object) -> object:
        raise NotConverged("no")

    def no_rung() -> None:
        with patch.dict(ladder._LADDER, {"ndas": stuck, "qp": stuck}):
            propose(case, kernels="numpy")

    batch = read_batch(json.dumps(batch_tree("rejecting")).encode())
    found = propose(batch.case, kernels="numpy")
    greedy = replace(found, paid=batch.case.orders["budget"].astype(np.uint64) + np.uint64(1))
    return {
        "NOT_CONVERGED": no_rung,
        "STEP_NORM": lambda: refuse_unsteady(replace(proposal, step_norm_y=1.0)),
        "NO_CERTIFICATE": lambda: _certified(batch, greedy),
        "VALUE_RANGE": lambda: settle(case, replace(proposal, paid=proposal.paid[1:])),
        "RATION_FAILED": lambda: propose(no_room(), kernels="numpy"),
    }


def no_room() -> ClearingCase:
    rng = np.random.default_rng(11)
    pay, receive = pairs(rng, 3, 40)
    return built(risk(3), pay, receive, rng.uniform(1, 2, 40), np.full(40, np.inf), room=0.0)


def executions() -> dict[str, Provoke]:
    epoch = plain_epoch()
    result = epoch.apply()
    count = len(result.fills.rows) + len(result.payouts)
    vaults = result.touched_before
    beyond = len(vaults) + 1
    poor = replace(vaults, balances=np.zeros_like(vaults.balances))

    def checked(**changes: Any) -> Provoke:
        made = {"diffs": result.diffs, "verifiables": count, "pool": result.pool_before}
        return lambda: check_diffs(**{**made, "vaults": vaults, **changes})

    return {
        "VAULT_MISSING": checked(diffs=edited(result.diffs, 0, vault=beyond)),
        "ASSET_UNKNOWN": checked(diffs=edited(result.diffs, 0, asset=4)),
        "TOKENS_EMPTY": checked(diffs=edited(result.diffs, 0, amount=-1)),
        "NONCE_NOT_NEXT": checked(diffs=edited(result.diffs, 0, new_nonce=9)),
        "BALANCE": checked(vaults=poor),
        "MESSAGE_FORMAT": lambda: verifiables_with_diffs(
            epoch.opening, epoch.batch, result, bytes(32), []
        ),
        "GUEST_TRAPPED": host_says(GUEST_TRAPPED, "the guest trapped, exit code 1: out of purse"),
    }


def host_says(code: int, message: str) -> Provoke:
    """What ``laws-host`` means by an exit code."""

    def fail() -> None:
        assert code != LAW_VIOLATED
        raise failure_of(code, {"message": message}, "")

    return fail


def proofs() -> dict[str, Provoke]:
    return {
        "PROOF_INVALID": host_says(12, "proof: the public values are others"),
        "WRONG_VKEY": host_says(13, "vkey: that of another program"),
        "OUT_OF_MEMORY": host_says(14, "the limit of 16 GiB was reached"),
        "PROVER_LOST": host_says(-9, ""),
        "PROVER_ENVIRONMENT": host_says(15, "elf: no such file"),
    }


def law_breaks() -> dict[str, Provoke]:
    """The first witness of the golden ones that breaks each law."""
    found: dict[str, Provoke] = {}
    for line in (WITNESSES / "index.tsv").read_text().splitlines():
        name, law, *_ = line.split("\t")
        if law != "ok":
            data = (WITNESSES / name).read_bytes()
            found.setdefault(f"L{law}", lambda data=data: check(data))
    return found


def mismatches() -> dict[str, Provoke]:
    """Every public value in turn is not the derived one."""
    kinds = {field.name: field.type for field in fields(PublicValues)}
    zero = PublicValues(**{name: bytes(32) if _is_bytes(k) else 0 for name, k in kinds.items()})

    def differs(name: str, kind: object) -> Provoke:
        other = b"\1" * 32 if _is_bytes(kind) else 1
        derived = replace(zero, **{name: other})
        return lambda: require_values(zero.to_bytes(), derived.to_bytes())

    return {f"PV_MISMATCH:{name}": differs(name, kind) for name, kind in kinds.items()}


def _is_bytes(kind: object) -> bool:
    return kind in (bytes, "bytes")


def others() -> dict[str, Provoke]:
    """Codes of classes that have one only."""

    def conflict() -> None:
        store = MemoryStore()
        store.put_new("epochs/00000001/manifest.json", b"theirs")
        store.put_new("epochs/00000001/manifest.json", b"mine")

    def unknown() -> None:
        store = MemoryStore()
        store.faults.plan("put", Fault.LOSE_REQUEST, times=100)
        store.put_new("epochs/00000001/outcome.json", b"mine")

    return {
        "CODEC": lambda: PublicValues.from_bytes(b""),
        "COMMIT_CONFLICT": conflict,
        "COMMIT_UNKNOWN": unknown,
        "PEER_UNREACHABLE": lambda: Peer("gateway", NOBODY, pauses_s=()).read("sdls", "/sdls"),
        "AGREEMENT": agreement_missing,
        "GATEWAY": lambda: parse_sdl_state("Lost"),
    }


def agreement_missing() -> object:
    world = api_world()
    world.gateway.active = None
    return require_active(world.ctx)


def seed_sentences() -> dict[str, Provoke]:
    """The four errors that people of the seed know."""
    settlement = HttpSettlement(NOBODY, pauses_s=())
    return {
        "Domain agreement not found": agreement_missing,
        "Failed to connect to base layer RPC": settlement.delta_epoch,
        "Clearing failed": clearings()["NOT_CONVERGED"],
        "Execution failed": executions()["VAULT_MISSING"],
    }


LISTS: Final[dict[str, Callable[[], dict[str, Provoke]]]] = {
    "RejectCode": rejects,
    "ParkCode": parks,
    "ConfigurationCode": configurations,
    "ClearingCode": clearings,
    "ExecutionCode": executions,
    "ProofCode": proofs,
    "laws": law_breaks,
    "public values": mismatches,
    "one code each": others,
    "sentences of the seed": seed_sentences,
}
