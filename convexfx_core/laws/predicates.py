"""The five validity predicates, each with the laws that stand behind it and their two sides.

The original assignment of this project asked for five predicates; the laws are finer. The verdict
that is stored with an epoch (``verdict.json``) answers under the five names and shows two numbers
for each. For the price rule and the bands these are the sides of the tightest comparison; for the
other three, whose laws are many or are equations, they sum up the outcome. Source:
``docs/invariants.md``, first table.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from convexfx_core.errors import ClearingCode, ClearingRefused, LawViolated
from convexfx_core.laws.claims import Certificate
from convexfx_core.settlement.clearing_input import ClearingCase
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.units import LOG_SHIFT

STEP_NORM_Y_MAX: Final = 1e-5
STEP_NORM_ALPHA_MAX: Final = 1e-6
"""The original assignment's bounds of the last solver step: log price, and part of the volume."""

PREDICATE_LAWS: Final = {
    "convergence": (9,),
    "price_consistency": (7, 8),
    "fill_feasibility": (1, 2, 3, 5, 17),
    "inventory_conservation": (6, 12, 18),
    "objective_optimality": (4, 10, 11, 19, 20),
}
"""The predicates by their names, and the laws of ``docs/invariants.md`` that decide them."""
BINDING_LAWS: Final = (0, 13, 14, 15, 16)
"""Laws that bind orders, vaults and bytes and belong to no predicate."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """One predicate's answer; ``observed`` and ``bound`` are text, numbers in decimal."""

    name: str
    laws: tuple[int, ...]
    holds: bool
    observed: str
    bound: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answers of all five predicates.

    Attributes
    ----------
    predicates : in the order of :data:`PREDICATE_LAWS`.
    violated : number of the violated law, None if all hold.
    index : its index.
    step_norm_y, step_norm_alpha : of the last solver step, published and trusted by no law.
    """

    predicates: tuple[Predicate, ...]
    violated: int | None
    index: int | None
    step_norm_y: float
    step_norm_alpha: float

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return self.violated is None

    def to_json(self) -> dict[str, object]:
        """Object for ``verdict.json``; no number in it is a float."""
        rows = [
            {
                "name": p.name,
                "laws": [f"L{law}" for law in p.laws],
                "holds": p.holds,
                "observed": p.observed,
                "bound": p.bound,
            }
            for p in self.predicates
        ]
        return {
            "version": 1,
            "holds": self.holds,
            "predicates": rows,
            "violated": None if self.violated is None else f"L{self.violated}",
            "index": self.index,
            "step_norm_y": repr(self.step_norm_y),
            "step_norm_alpha": repr(self.step_norm_alpha),
        }


def refuse_unsteady(proposal: Proposal) -> None:
    """Refuse a proposal whose last solver step was not small, before any law is asked.

    Raises
    ------
    ClearingRefused
        ``STEP_NORM`` unless step_norm_y < 1e-5 and step_norm_alpha < 1e-6 (NaN is refused).
    """
    for name, norm, bound in (
        ("step_norm_y", proposal.step_norm_y, STEP_NORM_Y_MAX),
        ("step_norm_alpha", proposal.step_norm_alpha, STEP_NORM_ALPHA_MAX),
    ):
        if not 0 <= norm < bound:
            raise ClearingRefused(ClearingCode.STEP_NORM, name, f"below {bound:g}", repr(norm))


def verdict_of(case: ClearingCase, proposal: Proposal, certificate: Certificate) -> Verdict:
    """Verdict of an epoch whose laws all hold, with what each predicate shows (see the module)."""
    sides = {
        "convergence": _price_rule(certificate),
        "price_consistency": _bands(case, proposal),
        "fill_feasibility": (f"{certificate.fills} fills", "each of them lawful"),
        "inventory_conservation": _inventory(case, certificate),
        "objective_optimality": (f"gap {certificate.gap}", f"total {certificate.total}"),
    }
    predicates = tuple(
        Predicate(name, laws, True, *sides[name]) for name, laws in PREDICATE_LAWS.items()
    )
    return Verdict(predicates, None, None, proposal.step_norm_y, proposal.step_norm_alpha)


def verdict_of_violation(error: LawViolated, proposal: Proposal) -> Verdict:
    """Verdict of an epoch that breaks a law: the predicate that it decides shows both sides.

    A binding law (:data:`BINDING_LAWS`) fails no predicate by name; ``violated`` names it.
    """
    predicates = tuple(
        Predicate(name, laws, False, str(error.observed), str(error.bound))
        if error.law in laws
        # Laws are checked in their order: these all held if a law with a larger number failed.
        else Predicate(name, laws, error.law > max(laws), "", "")
        for name, laws in PREDICATE_LAWS.items()
    )
    norms = (proposal.step_norm_y, proposal.step_norm_alpha)
    return Verdict(predicates, error.law, error.index, *norms)


def _price_rule(certificate: Certificate) -> tuple[str, str]:
    """Largest residual of the price rule relative to its tolerance, both at scale 2^64."""
    pairs = list(zip(certificate.residual, certificate.tau, strict=True))
    worst = max(pairs, key=lambda pair: Fraction(abs(pair[0]), pair[1]))
    return f"{abs(worst[0])} / 2^{LOG_SHIFT}", f"{worst[1]} / 2^{LOG_SHIFT}"


def _bands(case: ClearingCase, proposal: Proposal) -> tuple[str, str]:
    """Price nearest to an edge of its band, and the band."""
    reference = case.reference
    rows = list(zip(proposal.prices, reference.plo, reference.phi, strict=True))[1:]
    price, low, high = min(rows, key=_room)
    return str(price), f"{low} to {high}"


def _room(row: tuple[int, int, int]) -> Fraction:
    price, low, high = row
    return Fraction(min(price - low, high - price), high)


def _inventory(case: ClearingCase, certificate: Certificate) -> tuple[str, str]:
    """Net flow of every asset, and what the inventory must move by: the same numbers."""
    flows = zip(certificate.flow_in, certificate.flow_out, strict=True)
    net = " ".join(str(more - less) for more, less in flows)
    return f"net flow {net}", "equal to the change of inventory, inside its bounds"
