"""What the proving stage shows while it proves, and which of its failures it tries again."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from convexfx_core.errors import (
    AgreementError,
    CommitUnknown,
    ConfigurationError,
    ExecutionError,
    LawViolated,
    PeerUnreachable,
    ProofCode,
    ProofError,
    PublicValueMismatch,
)
from tasks import make_proof as module
from tasks.make_proof import ProgressArtifact
from tasks.stage import worth_retrying

ARTIFACT = UUID(int=7)


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, list[tuple[float, str]]]:
    clock, updates = Clock(), []

    def update(artifact_id: UUID, progress: float, description: str) -> None:
        assert artifact_id == ARTIFACT
        updates.append((progress, description))

    monkeypatch.setattr(module, "update_progress_artifact", update)
    monkeypatch.setattr(module, "time", clock)
    return clock, updates


def test_progress_is_shown_at_most_once_a_second(
    shown: tuple[Clock, list[tuple[float, str]]],
) -> None:
    clock, updates = shown
    progress = ProgressArtifact(ARTIFACT, "epoch 3: core")
    for tenth in range(25):
        clock.now = 100.0 + tenth / 10
        progress(tenth / 100, "shard")
    assert updates == [
        (0.0, "epoch 3: core, shard"),
        (10.0, "epoch 3: core, shard"),
        (20.0, "epoch 3: core, shard"),
    ]


@pytest.mark.parametrize(("fraction", "percent"), [(-1.0, 0.0), (0.5, 50.0), (1.0, 99.0), (9, 99)])
def test_only_a_stored_proof_is_a_hundred_percent(
    shown: tuple[Clock, list[tuple[float, str]]], fraction: float, percent: float
) -> None:
    ProgressArtifact(ARTIFACT, "epoch 3: core")(fraction, "")
    assert shown[1] == [(percent, "epoch 3: core")]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ProofError(ProofCode.OUT_OF_MEMORY, "laws-host", "memory"), True),
        (ProofError(ProofCode.PROVER_LOST, "laws-host", "an answer"), True),
        (PeerUnreachable("gateway", "an answer"), True),
        (CommitUnknown("proofs/1"), True),
        (OSError("disk"), True),
        (ProofError(ProofCode.PROOF_INVALID, "laws-host", "a proof"), False),
        (ProofError(ProofCode.WRONG_VKEY, "program_hash", "the agreed one"), False),
        (ProofError(ProofCode.PROVER_ENVIRONMENT, "laws-host", "an ELF"), False),
        (LawViolated(5, 7, 3, 4), False),
        (ExecutionError("GUEST_TRAPPED", "guest", "exit code 0"), False),
        (PublicValueMismatch("epoch", "1", "2"), False),
        (AgreementError("program_hash", "one", "another"), False),
        (ConfigurationError("SETTING", "proof_mode", "attested", "core"), False),
    ],
    ids=lambda value: getattr(value, "code", None) or str(value),
)
def test_what_passes_is_tried_again_and_nothing_else(error: Exception, again: bool) -> None:
    state: Any = SimpleNamespace(data=error)
    nobody: Any = None
    assert worth_retrying(nobody, nobody, state) is again
