"""All laws on a witness, in their order: the entry of whoever verifies an epoch.

``transition`` asks :func:`evaluate` before an epoch's values exist, a verifier asks :func:`check`,
which also compares the claimed public values (L19). The order matters: a law relies on all laws
with smaller numbers, and the verdict is the smallest (law, index) that fails; L19 comes last, since
it compares what all the others derive.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from convexfx_core.errors import LawViolated
from convexfx_core.laws import (
    l13_canonical_order,
    l14_nonces,
    l15_expiry,
    l16_balances,
    l18_diffs,
    l19_public_values,
)
from convexfx_core.laws.cancels import first_violation
from convexfx_core.laws.certify import Checked, check_l00_to_l12, check_l17, check_l20
from convexfx_core.laws.claims import Certificate
from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.laws.engine import Engine, is_scalar
from convexfx_core.laws.l00_decode import decode
from convexfx_core.witness.public_values import PublicValues


class WitnessLaw(Protocol):
    """A law on orders, vaults and diffs, in its two forms."""

    def check_rows(self, decoded: DecodedWitness) -> None:
        """Row by row; :class:`LawViolated` with the smallest index."""

    def holds(self, decoded: DecodedWitness) -> bool:
        """By columns: whether the other form raises nothing."""


L13_TO_L16: Final[tuple[WitnessLaw, ...]] = (
    l13_canonical_order,
    l14_nonces,
    l15_expiry,
    l16_balances,
)
L18: Final[WitnessLaw] = l18_diffs


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the laws derived from a witness that breaks none but maybe L19."""

    decoded: DecodedWitness
    certificate: Certificate
    public_values: PublicValues


def evaluate(data: bytes, engine: Engine = "auto") -> Evaluation:
    """Check L0 to L18 and L20, and derive the public values; the claimed ones are not looked at.

    Raises
    ------
    LawViolated
        The smallest (law, index) that does not hold.
    """
    decoded = decode(data, engine)
    certificate, uneven = _check_clearing(decoded, engine)
    for law in L13_TO_L16:
        run_law(law, decoded, engine)
    check_l17(decoded.claims(), decoded.kind1)
    run_law(L18, decoded, engine)
    check_l20(uneven)
    return Evaluation(decoded, certificate, l19_public_values.derive(decoded, certificate))


def check(witness: bytes, engine: Engine = "auto") -> PublicValues:
    """Check every law on an encoded witness: the only entry of a verifier.

    Parameters
    ----------
    witness : witness v1 (``docs/spec.md`` section 4).
    engine : see :mod:`convexfx_core.laws.engine`; the verdict is the same.

    Raises
    ------
    LawViolated
        The smallest (law, index) of ``docs/invariants.md`` that does not hold.
    """
    evaluation = evaluate(witness, engine)
    l19_public_values.check(evaluation.decoded, evaluation.public_values)
    return evaluation.public_values


def run_law(law: WitnessLaw, decoded: DecodedWitness, engine: Engine) -> None:
    """Run one law; one that is broken by columns is found again row by row, for its index.

    Raises
    ------
    LawViolated
        The smallest index that does not hold.
    """
    if is_scalar(engine, len(decoded.orders)):
        law.check_rows(decoded)
    elif not law.holds(decoded):
        law.check_rows(decoded)
        raise AssertionError(f"columns and rows differ on {law}")


def _check_clearing(decoded: DecodedWitness, engine: Engine) -> Checked:
    """L1 to L12, the clearing's orders and the cancels together; what L20 found comes later."""
    of_cancels = first_violation(decoded)
    try:
        checked = check_l00_to_l12(decoded.case, decoded.claims(), decoded.kind1, engine)
    except LawViolated as violation:
        if of_cancels is None or _rank(violation) < _rank(of_cancels):
            raise
        raise of_cancels from violation
    if of_cancels is not None:
        raise of_cancels
    return checked


def _rank(violation: LawViolated) -> tuple[int, int]:
    return violation.law, violation.index
