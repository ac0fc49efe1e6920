"""A result file read back and held to the laws: ``convexfx verify`` without a solver.

Three steps: read the claims, ask every law that needs no vaults, derive all other values again and
compare them letter by letter. The verifier trusts neither the solver nor the file. Format:
``docs/clear-files.md``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from convexfx_core.arithmetic.columns import Spread
from convexfx_core.clear_files.batch import BatchFile
from convexfx_core.clear_files.claims import read_claims, read_facts
from convexfx_core.clear_files.document import RESULT_FIELDS, RESULT_VERSION, Tree, result_document
from convexfx_core.encoding.json_fields import Fields, parse
from convexfx_core.errors import CodecError, LawViolated
from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.claims import Certificate, ClearingClaims
from convexfx_core.laws.engine import Engine
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import Settlement, settle

DERIVED_LAW: Final = 19


class _Nothing:
    """A field that is not there; no text of a file can pass for it."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result file: its tree without ``timing_ms``, and what it claims and reports in it."""

    tree: Tree
    claims: ClearingClaims
    proposal: Proposal


def verify_result(
    batch: BatchFile, data: bytes, engine: Engine = "auto", spread: Spread = map
) -> Certificate:
    """Hold a result to every law that needs no vaults, and to every value derived from it.

    Parameters
    ----------
    batch : the batch that it claims to clear.
    data : bytes of the result file.
    engine : how the laws are computed.
    spread : ``map``, or the ``map`` of a pool of threads, for the compiled engine.

    Raises
    ------
    CodecError : the file is malformed, or refused and so claims nothing.
    LawViolated : L13 where the fills are not those of the batch's orders by increasing id; the
        smallest (law, index) of L0-L12, L17 and L20; L19 with the number of the field in
        :data:`RESULT_FIELDS` where a value does not follow from prices and fills.
    """
    result = read_result(batch, data)
    certificate = check_clearing(batch.case, result.claims, engine=engine, spread=spread)
    settlement = settle(batch.case, result.proposal, spread=spread)
    derived = result_document(batch, result.proposal, settlement, certificate)
    for number, name in enumerate(RESULT_FIELDS):
        for where, expected, observed in differences(name, derived[name], result.tree[name]):
            raise LawViolated(DERIVED_LAW, number, f"{where}: {observed}", expected)
    return certificate


def differences(
    name: str, derived: object, claimed: object
) -> Iterator[tuple[str, object, object]]:
    """Places where two trees differ, as (name, derived, claimed)."""
    if isinstance(derived, dict) and isinstance(claimed, dict):
        for key in sorted(derived.keys() | claimed.keys()):
            inner = derived.get(key, NOTHING), claimed.get(key, NOTHING)
            yield from differences(f"{name}.{key}", *inner)
    elif isinstance(derived, list) and isinstance(claimed, list) and len(derived) == len(claimed):
        for index, inner in enumerate(zip(derived, claimed, strict=True)):
            yield from differences(f"{name}[{index}]", *inner)
    elif type(derived) is not type(claimed) or derived != claimed:
        yield name, derived, claimed


def read_result(batch: BatchFile, data: bytes) -> ResultFile:
    """Parse a certified result; raises as :func:`verify_result`."""
    tree = parse(data, keep_decimals=True)
    root = Fields(tree)
    version, status = root.number("version"), root.text("status")
    if version != RESULT_VERSION:
        raise CodecError("version", str(RESULT_VERSION), version)
    if status != "certified":
        raise CodecError("status", "certified: another result claims nothing", status)
    facts, claims = read_facts(root), read_claims(batch, root)
    for name in ("reason", "deviation_bps", "rate_shift", "fees_accrued", "objective"):
        root.take(name)
    root.take("certificate")
    root.take("timing_ms", None)
    root.done()
    assert isinstance(tree, dict)
    return ResultFile(tree, claims, proposal_of(claims, *facts))


def proposal_of(
    claims: ClearingClaims, iterations: int, step_norm_y: float, step_norm_alpha: float, solver: str
) -> Proposal:
    """The proposal that claims settle."""
    return Proposal(
        prices=claims.prices,
        paid=claims.paid,
        overflow=claims.overflow,
        ration=claims.ration,
        rejected=claims.rejected,
        reject_kinds=claims.reject_kinds,
        iterations=iterations,
        step_norm_y=step_norm_y,
        step_norm_alpha=step_norm_alpha,
        solver=solver,
    )


def claims_of(proposal: Proposal, settlement: Settlement) -> ClearingClaims:
    """What a settled proposal claims."""
    return ClearingClaims(
        prices=proposal.prices,
        paid=proposal.paid,
        received=settlement.received,
        fee=settlement.fee,
        overflow=proposal.overflow,
        inventory_after=settlement.inventory_after,
        ration=proposal.ration,
        rejected=proposal.rejected,
        reject_kinds=proposal.reject_kinds,
    )
