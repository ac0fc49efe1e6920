"""From an opening, rows and a proposal, true or not, to the bytes of a witness."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convexfx_core.laws.witness_laws import evaluate
from convexfx_core.ledger.vaults import Opening
from convexfx_core.settlement.proposal import Proposal
from convexfx_core.settlement.settle import settle
from convexfx_core.witness.build import build_witness, clearing_case, split_batch
from convexfx_core.witness.layout import Witness, encode_witness, with_public_values

Rows = np.ndarray


@dataclass(frozen=True)
class Told:
    """What an operator says of an epoch: where it starts, its orders, what became of them."""

    opening: Opening
    rows: Rows
    proposal: Proposal

    def opened(self, **changes: Any) -> "Told":
        """From another opening."""
        return replace(self, opening=replace(self.opening, **changes))

    def proposed(self, **changes: Any) -> "Told":
        """With another proposal."""
        return replace(self, proposal=replace(self.proposal, **changes))


def witness_of(told: Told) -> Witness:
    """Everything that follows from what is told, by the floor rules; public values zero."""
    case = clearing_case(told.opening, told.rows)
    settlement = settle(case, told.proposal, kernels="numpy")
    parts = split_batch(told.opening, told.rows, told.proposal, settlement)
    return build_witness(told.opening, told.rows, told.proposal, settlement, parts)


def sealed(witness: Witness) -> bytes:
    """Encoded with the public values that follow; LawViolated where a law does not hold."""
    draft = encode_witness(witness)
    return with_public_values(draft, evaluate(draft).public_values.to_bytes())
