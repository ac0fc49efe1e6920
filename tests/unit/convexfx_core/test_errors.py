"""Golden lines: for every code of every closed list, what somebody reads when it is met."""

import json
import pickle
import re
from enum import StrEnum
from pathlib import Path

import pytest

from convexfx.cli.main import exit_code
from convexfx_core import errors
from convexfx_core.errors import (
    AgreementError,
    BaseLayerUnreachable,
    ClearingCode,
    ClearingRefused,
    CodecError,
    CommitConflict,
    CommitUnknown,
    ConfigurationCode,
    ConfigurationError,
    ConvexFxError,
    ExecutionCode,
    ExecutionError,
    GatewayError,
    LawViolated,
    ParkCode,
    PeerUnreachable,
    ProofCode,
    ProofError,
    PublicValueMismatch,
    RejectCode,
    RejectedOrder,
)
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.witness.public_values import FIELD_NAMES
from tests.support.error_cases import LISTS, line_of
from tests.write_generated import ERROR_LINES

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("convexfx_core", "tasks", "flows", "convexfx")
GOLDEN: dict[str, dict[str, str]] = json.loads(ERROR_LINES.read_bytes())
CLOSED = (RejectCode, ParkCode, ConfigurationCode, ClearingCode, ExecutionCode, ProofCode)
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, ConvexFxError)]
SINGLE = {
    "CODEC", "COMMIT_CONFLICT", "COMMIT_UNKNOWN", "PEER_UNREACHABLE", "AGREEMENT", "GATEWAY",
}  # fmt: skip
SEED = {
    "Domain agreement not found": "convexfx submit-domain-agreement",
    "Failed to connect to base layer RPC": "convexfx test",
    "Clearing failed": "convexfx epoch show",
    "Execution failed": "convexfx epoch show",
}


def source() -> str:
    """Everything of ours that runs, but for the lists themselves."""
    paths = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    return "\n".join(path.read_text() for path in paths if path.name != "errors.py")


@pytest.mark.parametrize("name", LISTS)
def test_line(name: str) -> None:
    assert {code: line_of(call) for code, call in LISTS[name]().items()} == GOLDEN[name]


@pytest.mark.parametrize("codes", CLOSED, ids=[codes.__name__ for codes in CLOSED])
def test_every_code_has_a_golden_line(codes: type[StrEnum]) -> None:
    assert set(GOLDEN[codes.__name__]) == set(codes)


def test_every_law_value_and_single_code_has_a_golden_line() -> None:
    assert set(GOLDEN["laws"]) == {f"L{law}" for law in LAW_NAMES}
    named = {f"PV_MISMATCH:{name}" for name in FIELD_NAMES}
    rest = named - set(GOLDEN["public values"])
    assert rest == {"PV_MISMATCH:version", "PV_MISMATCH:domain_tag"}, "constants of the codec"
    assert set(GOLDEN["one code each"]) == SINGLE
    assert set(GOLDEN["sentences of the seed"]) == set(SEED)


def test_no_list_is_left_out() -> None:
    lists = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, StrEnum)]
    assert set(lists) - {StrEnum} == set(CLOSED)
    assert set(GOLDEN) == set(LISTS)


@pytest.mark.parametrize("name", GOLDEN)
def test_lines_are_one_line_that_names_the_code(name: str) -> None:
    for code, line in GOLDEN[name].items():
        assert line.isprintable()
        assert line.isascii()
        assert code in line
        assert code in line.split(" ")[0] or line.startswith(tuple(SEED))


@pytest.mark.parametrize("codes", CLOSED, ids=[codes.__name__ for codes in CLOSED])
def test_every_code_is_raised_somewhere(codes: type[StrEnum]) -> None:
    text = source()
    assert [code for code in codes if f"{codes.__name__}.{code.name}" not in text] == []


@pytest.mark.parametrize(
    "error",
    [
        LawViolated(5, 7, 3, 4),
        PublicValueMismatch("epoch", "2", "3"),
        CodecError("witness", "8 bytes", 7),
        CommitConflict("epochs/00000001/manifest.json"),
        ProofError(ProofCode.OUT_OF_MEMORY, "laws-host", "memory for a proof"),
        RejectedOrder(RejectCode.SIGNATURE, "signature", "one that holds", "another"),
        BaseLayerUnreachable("base_layer_rpc", "an answer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel_between_processes(error: ConvexFxError) -> None:
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert (str(twin), twin.line()) == (str(error), error.line())


def test_every_class_stands_in_the_tree() -> None:
    drawn = re.findall(r"[─ ] ?(\w+)  ", errors.__doc__ or "")
    assert {c.__name__ for c in CLASSES} == set(drawn)


@pytest.mark.parametrize("sentence", SEED)
def test_a_sentence_of_the_seed_names_its_cause_and_the_command_that_helps(sentence: str) -> None:
    with pytest.raises(ConvexFxError) as caught:
        LISTS["sentences of the seed"]()[sentence]()
    assert caught.value.line().startswith(f"{sentence}: {caught.value.code}: ")
    assert caught.value.helps == SEED[sentence]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("SETTING", "shard", "at least 1", 0), 2),
        (RejectedOrder("SELF_PAIR", "receive", "another asset"), 2),
        (PeerUnreachable("gateway", "an answer"), 3),
        (BaseLayerUnreachable("settlement layer", "an answer"), 3),
        (CommitUnknown("epochs/1"), 3),
        (AgreementError("shard 1", "one"), 1),
        (ClearingRefused("STEP_NORM", "y", "small"), 1),
        (ExecutionError("BALANCE", "asset 0", "enough"), 1),
        (ProofError(ProofCode.PROOF_INVALID, "proof", "one that holds"), 1),
        (ProofError(ProofCode.WRONG_VKEY, "vkey", "the agreed one"), 1),
        (ProofError(ProofCode.PROVER_ENVIRONMENT, "elf", "a file"), 2),
        (ProofError(ProofCode.OUT_OF_MEMORY, "prover", "memory"), 3),
        (ProofError(ProofCode.PROVER_LOST, "prover", "an answer"), 3),
        (GatewayError("sdls", "JSON"), 1),
    ],
)
def test_exit_codes(error: ConvexFxError, code: int) -> None:
    assert exit_code(error) == code
