"""From an exception to a problem: every kind of error, its status and its code."""

from typing import Any

import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException

from convexfx.api.problem import MEDIA_TYPE, Problem, ProblemCode, install_problems
from convexfx.api.services import hash_of
from convexfx_core.errors import (
    AgreementError,
    ClearingRefused,
    CodecError,
    CommitConflict,
    CommitUnknown,
    ConfigurationError,
    GatewayError,
    PeerUnreachable,
    RejectCode,
    RejectedOrder,
)
from convexfx_core.identity import base58_encode
from tests.support.api_world import ApiClient

CASES: list[tuple[Exception, int, str]] = [
    (Problem(ProblemCode.ORDER_UNKNOWN, "order x"), 404, "ORDER_UNKNOWN"),
    (Problem(RejectCode.SCHEMA, "body"), 400, "SCHEMA"),
    (PeerUnreachable("store", "an answer"), 503, "PEER_UNREACHABLE"),
    (GatewayError("vaultsGet", "status 200", "500"), 503, "PEER_UNREACHABLE"),
    (CommitUnknown("inbox"), 503, "PEER_UNREACHABLE"),
    (RejectedOrder(RejectCode.MESSAGE_TOO_LARGE, "body", "less"), 413, "MESSAGE_TOO_LARGE"),
    (RejectedOrder(RejectCode.NOT_JSON, "body", "JSON"), 400, "NOT_JSON"),
    (CommitConflict("epochs/1"), 500, "INTERNAL"),
    (CodecError("orders", "a table"), 500, "INTERNAL"),
    (AgreementError("shard 1", "one"), 500, "INTERNAL"),
    (ClearingRefused("STEP_NORM", "y", "small"), 500, "INTERNAL"),
    (ConfigurationError("SETTING", "shard", "1"), 500, "INTERNAL"),
    (HTTPException(404, "gone"), 404, "NOT_FOUND"),
    (HTTPException(405, "no"), 405, "METHOD"),
    (HTTPException(415, "media"), 415, "BODY"),
    (ValueError("inner secret"), 500, "INTERNAL"),
]


def client_of(error: Exception) -> ApiClient:
    app = FastAPI()
    install_problems(app)

    @app.get("/")
    async def fail(number: int = Query(0, ge=0, le=9)) -> None:
        raise error

    return ApiClient(app)


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=lambda part: str(part)[:20])
def test_an_error_becomes_a_problem(error: Exception, status: int, code: str) -> None:
    answer = client_of(error).get("/")
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems#{code}")
    assert body["title"] == code.replace("_", " ").capitalize()
    assert "\n" not in body["detail"]
    assert "secret" not in answer.text


def test_every_problem_code_but_those_of_readers_is_in_the_list() -> None:
    assert {code for _, _, code in CASES} <= {*ProblemCode, *RejectCode}


@pytest.mark.parametrize("value", ["10", "-1", "x", "1.5", ""])
def test_a_parameter_out_of_range_names_itself(value: str) -> None:
    answer = client_of(ValueError()).get(f"/?number={value}")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAMETER")
    assert "number" in answer.json()["detail"]


HASH = bytes(range(32))


@pytest.mark.parametrize(
    "text", [HASH.hex(), HASH.hex().upper(), f"0x{HASH.hex()}", base58_encode(HASH)]
)
def test_hashes_in_every_spelling(text: str) -> None:
    assert hash_of(text, ProblemCode.ORDER_ID, "order_id") == HASH


@pytest.mark.parametrize(
    "text",
    ["", "0x", HASH.hex()[:-1], HASH.hex() + "0", "0X" + HASH.hex(), base58_encode(HASH)[:-1],
     base58_encode(HASH + b"1"), "0" * 43, " " + HASH.hex(), HASH.hex()[:62] + "  ",
     "z" * 64, "\u0661" * 64],
)  # fmt: skip
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(Problem) as refused:
        hash_of(text, ProblemCode.OWNER_ID, "owner")
    problem: Any = refused.value
    assert (problem.status, problem.code) == (422, "OWNER_ID")
    assert problem.detail.startswith("owner: expected base58 or hexadecimal of 32 bytes")
