"""Every adapter has exactly the operations of its port, with the port's own parameters."""

import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks import ports
from tasks.adapters.clock import ManualClock, SystemClock
from tasks.adapters.ecb import EcbReplay
from tasks.adapters.gateway_http import HttpGateway
from tasks.adapters.keys import Ed25519Signer
from tasks.adapters.laws_host import LawsHost
from tasks.adapters.memory import MemoryStore
from tasks.adapters.prover_local import LocalProver
from tasks.adapters.prover_prefect import PrefectProver
from tasks.adapters.s3 import S3Store
from tasks.adapters.sqs import SqsInbox
from tests.support.memory_inbox import MemoryInbox
from tests.support.toy_services import ROOT

ADAPTERS = [
    (ports.Store, MemoryStore), (ports.Store, S3Store),
    (ports.Inbox, MemoryInbox), (ports.Inbox, SqsInbox),
    (ports.ReferencePrices, EcbReplay),
    (ports.Gateway, HttpGateway),
    (ports.Prover, LocalProver), (ports.Prover, PrefectProver), (ports.ProofVerifier, LawsHost),
    (ports.Signer, Ed25519Signer),
    (ports.Clock, SystemClock), (ports.Clock, ManualClock),
]  # fmt: skip
PORTS = sorted({port for port, _ in ADAPTERS}, key=lambda port: port.__name__)


def operations(port: type) -> dict[str, Any]:
    return {name: value for name, value in vars(port).items() if not name.startswith("_")}


def mismatches(port: type, adapter: type) -> list[str]:
    """What of the port the adapter does not have, or has with other parameters."""
    found = []
    for name, declared in operations(port).items():
        own = getattr(adapter, name, None)
        if own is None:
            found.append(f"{name}: missing")
        elif isinstance(declared, property):
            if not isinstance(own, property):
                found.append(f"{name}: not a property")
        elif parameters(own) != parameters(declared):
            found.append(f"{name}: {parameters(own)} instead of {parameters(declared)}")
    return found


def parameters(operation: Any) -> list[tuple[str, Any]]:
    signature = inspect.signature(operation)
    return [(p.name, p.default) for p in signature.parameters.values()]


@pytest.mark.parametrize(("port", "adapter"), ADAPTERS)
def test_an_adapter_has_its_ports_operations(port: type, adapter: type) -> None:
    assert mismatches(port, adapter) == []


def test_canary_a_missing_and_a_changed_operation_are_seen() -> None:
    class Half:
        def now(self, zone: str) -> None: ...

    assert mismatches(ports.Clock, Half) == [
        "now: [('self', <class 'inspect._empty'>), ('zone', <class 'inspect._empty'>)] instead of"
        " [('self', <class 'inspect._empty'>)]",
        "monotonic: missing",
        "sleep: missing",
    ]


def test_every_port_has_an_adapter() -> None:
    declared = [
        value
        for value in vars(ports).values()
        if inspect.isclass(value) and getattr(value, "_is_protocol", False)
        and value.__module__ == ports.__name__
    ]  # fmt: skip
    assert sorted(declared, key=lambda port: port.__name__) == PORTS


@pytest.mark.parametrize("port", PORTS)
def test_every_operation_is_documented(port: type) -> None:
    bare = [name for name, value in operations(port).items() if not inspect.getdoc(value)]
    assert bare == []


def test_values_that_cross_a_port_are_frozen() -> None:
    crossing = [value for value in vars(ports).values() if is_dataclass(value)]
    assert len(crossing) >= 7
    message = ports.Message("id", "handle", "body", 1)
    for field in fields(message):
        with pytest.raises(FrozenInstanceError):
            setattr(message, field.name, "other")


def test_the_ports_know_no_infrastructure() -> None:
    text = (Path(ROOT) / "tasks" / "ports.py").read_text()
    assert not [name for name in ("boto3", "httpx", "prefect", "nacl") if name in text]


def test_phases_are_the_gateways_own_names() -> None:
    assert [phase.value for phase in ports.SdlPhase] == [
        "Submitted", "Proving", "Proven", "ProofSubmitted", "BaseLayerApplied", "BaseLayerFailed",
        "ProvingFailed",
    ]  # fmt: skip
    assert ports.SdlState(ports.SdlPhase.PROVEN) == ports.SdlState(ports.SdlPhase("Proven"), "")
    with pytest.raises(ValueError, match="Unknown"):
        ports.SdlPhase("Unknown")
