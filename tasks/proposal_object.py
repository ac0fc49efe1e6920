"""``proposal.json``: a proposal as JSON, arrays as base64 of little-endian words.

Written once by ``clear``, read by every stage behind it and by whoever replays the epoch.
"""

from base64 import b64decode, b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import CodecError
from convexfx_core.settlement.proposal import Proposal, Ration


def proposal_to_json(proposal: Proposal, epoch: int, manifest_sha256: str) -> dict[str, Any]:
    """JSON object of a proposal (``docs/spec.md`` section 9)."""
    ration = proposal.ration
    return {
        "version": 1,
        "epoch": epoch,
        "manifest": manifest_sha256,
        "prices": [str(price) for price in proposal.prices],
        "paid": _pack(proposal.paid.astype("<u8")),
        "overflow": [str(value) for value in proposal.overflow],
        "ration": None
        if ration is None
        else {
            "omega": [str(value) for value in ration.omega],
            "demanded": _pack(ration.demanded.astype("<u8")),
        },
        "rejected": _pack(proposal.rejected.astype("<i8")),
        "reject_kinds": _pack(proposal.reject_kinds),
        "iterations": proposal.iterations,
        "step_norm_y": repr(proposal.step_norm_y),
        "step_norm_alpha": repr(proposal.step_norm_alpha),
        "solver": proposal.solver,
    }


def proposal_from_json(value: dict[str, Any]) -> Proposal:
    """Proposal of a stored object; ``CodecError`` names what is off."""
    try:
        ration = value["ration"]
        return Proposal(
            prices=tuple(int(price) for price in value["prices"]),
            paid=_unpack(value["paid"], "<u8").astype(np.uint64),
            overflow=tuple(int(item) for item in value["overflow"]),
            ration=None
            if ration is None
            else Ration(
                tuple(int(item) for item in ration["omega"]),
                _unpack(ration["demanded"], "<u8").astype(np.uint64),
            ),
            rejected=_unpack(value["rejected"], "<i8").astype(np.int64),
            reject_kinds=_unpack(value["reject_kinds"], "u1").astype(np.uint8),
            iterations=int(value["iterations"]),
            step_norm_y=float(value["step_norm_y"]),
            step_norm_alpha=float(value["step_norm_alpha"]),
            solver=str(value["solver"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError("proposal", "a proposal object", repr(error)) from None


def _pack(array: NDArray[Any]) -> str:
    return b64encode(array.tobytes()).decode("ascii")


def _unpack(text: str, dtype: str) -> NDArray[Any]:
    return np.frombuffer(b64decode(text, validate=True), dtype=dtype)
