"""The result of an epoch, from its manifest and its proposal: the one place that computes it.

``validate`` asks first and all laws are checked then. The stages behind it, the receipts and the
carried state read the same result, which stays in the process; a process that finishes what
another began computes it once more. It is not stored, because reading it back is no cheaper
(``docs/adr/0006``).
"""

from functools import lru_cache

from convexfx_core.transition import EpochResult, apply_epoch
from tasks.chain import sealed_epoch
from tasks.objects import Ref, get_json
from tasks.ports import Store
from tasks.proposal_object import proposal_from_json


def epoch_result(store: Store, manifest: Ref, proposal: Ref) -> EpochResult:
    """Apply the frozen proposal to the sealed epoch.

    Raises
    ------
    LawViolated, ClearingRefused, ExecutionError
        The proposal does not hold.
    """
    return _epoch_result(
        store, manifest["key"], manifest["sha256"], proposal["key"], proposal["sha256"]
    )


@lru_cache(maxsize=1)
def _epoch_result(
    store: Store, manifest_key: str, manifest_sha: str, proposal_key: str, proposal_sha: str
) -> EpochResult:
    opening, batch = sealed_epoch(store, Ref(key=manifest_key, sha256=manifest_sha))
    frozen = get_json(store, Ref(key=proposal_key, sha256=proposal_sha))
    return apply_epoch(opening, batch, proposal_from_json(frozen))
