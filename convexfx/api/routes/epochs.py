"""Routes of the chain of epochs."""

from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Path, Query, Response

from convexfx.api.answers.epoch_view import (
    epoch_answer,
    epoch_detail,
    object_answers,
    proof_answer,
    sealed_answer,
)
from convexfx.api.answers.order_view import order_answer
from convexfx.api.answers.shapes import (
    EpochDetail,
    EpochsAnswer,
    FillsAnswer,
    ObjectsAnswer,
    ProofAnswer,
)
from convexfx.api.chain_index.index import EpochFacts
from convexfx.api.chain_index.order_state import STATES, OrderState
from convexfx.api.problem import Problem, ProblemCode, documented
from convexfx.api.services import Services
from tasks.chain import manifest_of
from tasks.objects import get_object, sha256_hex

PARQUET: Final = "application/vnd.apache.parquet"
BINARY: Final = "application/octet-stream"
FILLED: Final = frozenset({OrderState.FILLED, OrderState.PARTIAL})
PUBLIC_PREFIXES: Final = ("epochs/", "proofs/", "params/", "state/")
"""Objects that a stranger needs to recompute the chain."""
_MEDIA: Final = {".json": "application/json", ".parquet": PARQUET}

_OF_AN_EPOCH: Final = (
    ProblemCode.EPOCH_UNKNOWN,
    ProblemCode.PARAMETER,
    ProblemCode.NOT_READY,
    ProblemCode.PEER_UNREACHABLE,
)

Number = Annotated[int, Path(ge=1, le=10**8 - 1)]
Limit = Annotated[int, Query(ge=1, le=1_000)]


def settled_epoch(services: Services, number: int) -> EpochFacts:
    """An epoch with an outcome; ``Problem`` EPOCH_UNKNOWN where there is none."""
    facts = services.index.epoch(number)
    if facts is None:
        raise services.absent(
            ProblemCode.EPOCH_UNKNOWN,
            f"epoch {number} has no outcome; the last one is {services.index.head}",
        )
    return facts


def manifest_json(services: Services, number: int) -> dict[str, Any]:
    """Manifest of a sealed epoch; ``Problem`` EPOCH_UNKNOWN where there is none."""
    found = manifest_of(services.ctx.store, number)
    if found is None:
        raise services.absent(
            ProblemCode.EPOCH_UNKNOWN,
            f"epoch {number} is not sealed; the last one is {services.index.head}",
        )
    return found[1]


def detail_of(services: Services, number: int) -> EpochDetail:
    """Everything about a sealed epoch."""
    manifest, facts = manifest_json(services, number), services.index.epoch(number)
    base = sealed_answer(manifest) if facts is None else epoch_answer(facts)
    outcome = {} if facts is None else facts.outcome
    ctx = services.ctx
    return epoch_detail(ctx.store, ctx.domain.registry, base, manifest, outcome)


def listed(services: Services, before: int, limit: int) -> EpochsAnswer:
    """A page of epochs."""
    found = services.index.epochs(before, limit)
    last = found[-1].epoch if found else 1
    return EpochsAnswer(
        head=services.index.head,
        sealed=services.index.sealed_epoch,
        epochs=[epoch_answer(facts) for facts in found],
        next_before=last if last > 1 else None,
    )


def fills_of(
    services: Services, number: int, states: frozenset[OrderState], offset: int, limit: int
) -> FillsAnswer:
    """A page of an epoch's orders in the given states."""
    settled_epoch(services, number)
    table = services.index.table(number)
    places = np.flatnonzero(table.in_states(states))
    rest = len(places) - offset - limit
    registry = services.ctx.domain.registry
    shown = [table.facts(int(place)) for place in places[offset : offset + limit]]
    return FillsAnswer(
        epoch=number,
        count=len(places),
        fills=[order_answer(facts, registry) for facts in shown],
        next_offset=offset + limit if rest > 0 else None,
    )


def states_of(state: str) -> frozenset[OrderState]:
    """States that a parameter names; ``Problem`` PARAMETER for another word."""
    if state == "filled":
        return FILLED
    if state == "all":
        return frozenset(OrderState)
    if state not in STATES:
        expected = f"state: expected all or one of {', '.join(STATES)}"
        raise Problem(ProblemCode.PARAMETER, expected)
    return frozenset({OrderState(state)})


def file_response(body: bytes, key: str) -> Response:
    """An object's bytes, tagged with their SHA-256; objects never change."""
    ending = key[key.rfind(".") :]
    headers = {"ETag": f'"{sha256_hex(body)}"', "Cache-Control": "public, immutable, max-age=86400"}
    return Response(body, media_type=_MEDIA.get(ending, BINARY), headers=headers)


def state_diffs_of(services: Services, number: int) -> Response:
    """The Parquet file of an epoch's state diffs."""
    outcome = settled_epoch(services, number).outcome
    if "state_diffs" not in outcome:
        detail = f"epoch {number} consumed no order, so it has no state diffs"
        raise Problem(ProblemCode.NOT_FOUND, detail)
    ref = outcome["state_diffs"]
    return file_response(get_object(services.ctx.store, ref), ref["key"])


def object_of(services: Services, key: str) -> Response:
    """An object of the chain."""
    body = services.ctx.store.get(key) if key.startswith(PUBLIC_PREFIXES) else None
    if body is None:
        raise Problem(ProblemCode.NOT_FOUND, f"no public object {key}")
    return file_response(body, key)


def _bytes(*media: str) -> dict[int | str, dict[str, Any]]:
    content = {one: {"schema": {"type": "string", "format": "binary"}} for one in media}
    return {200: {"description": "The bytes as they stand in the bucket", "content": content}}


def epoch_routes(services: Services) -> APIRouter:
    """``/epochs`` and what lies below it, and ``/objects``."""
    routes = APIRouter(tags=["epochs"])

    @routes.get("/epochs", responses=documented(ProblemCode.PARAMETER))
    def epochs(before: Annotated[int, Query(ge=1)] = 10**8, limit: Limit = 50) -> EpochsAnswer:
        """Epochs with an outcome, the latest first."""
        return listed(services, before, limit)

    @routes.get("/epochs/{number}", responses=documented(*_OF_AN_EPOCH))
    def epoch(number: Number) -> EpochDetail:
        """One epoch: outcome, prices, hashes, counts, seconds."""
        return detail_of(services, number)

    @routes.get("/epochs/{number}/fills", responses=documented(*_OF_AN_EPOCH))
    def fills(
        number: Number,
        state: str = "filled",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Limit = 1_000,
    ) -> FillsAnswer:
        """Fills of an epoch; ``state=all`` or another state shows its other orders."""
        return fills_of(services, number, states_of(state), offset, limit)

    @routes.get(
        "/epochs/{number}/state-diffs.parquet",
        response_class=Response,
        responses=_bytes(PARQUET) | documented(*_OF_AN_EPOCH, ProblemCode.NOT_FOUND),
    )
    def diffs(number: Number) -> Response:
        """State diffs of an epoch as Parquet."""
        return state_diffs_of(services, number)

    @routes.get("/epochs/{number}/proof", responses=documented(*_OF_AN_EPOCH))
    def proof(number: Number) -> ProofAnswer:
        """The proof that settled an epoch, its mode and what it is worth."""
        return proof_answer(services.ctx.store, number, settled_epoch(services, number).outcome)

    @routes.get("/epochs/{number}/objects", responses=documented(*_OF_AN_EPOCH))
    def objects(number: Number) -> ObjectsAnswer:
        """Every object of an epoch with its hash."""
        manifest, facts = manifest_json(services, number), services.index.epoch(number)
        outcome = {} if facts is None else facts.outcome
        found = object_answers(services.ctx.store, number, manifest, outcome)
        return ObjectsAnswer(epoch=number, objects=found)

    @routes.get(
        "/objects/{key:path}",
        response_class=Response,
        responses=_bytes(*_MEDIA.values(), BINARY)
        | documented(ProblemCode.NOT_FOUND, ProblemCode.PEER_UNREACHABLE),
    )
    def stored(key: str) -> Response:
        """Bytes of an object of the chain."""
        return object_of(services, key)

    return routes
