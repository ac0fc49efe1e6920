"""The parts of one API process, built once and handed to every route.

Routes hold no state of their own; what they share stands in :class:`Services`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convexfx.api.chain_index.change_signal import ChangeSignal
from convexfx.api.chain_index.follower import GRACE_S, POLL_S, Follower, load_table
from convexfx.api.chain_index.index import Index
from convexfx.api.chain_index.journal import Journal, Recovery
from convexfx.api.chain_index.metrics import Metrics
from convexfx.api.preview.open_batch import OpenBatches
from convexfx.api.preview.preview import Previews
from convexfx.api.problem import Problem, ProblemCode
from convexfx.api.readiness import Readiness
from convexfx.api.submission.submission_desk import SubmissionDesk
from convexfx_core.errors import CodecError
from convexfx_core.identity import HASH_BYTES, base58_decode
from tasks.context import Context

_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Services:
    """Parts of one API process.

    Attributes
    ----------
    ctx : ports and domain.
    index : what is known of every epoch and order. follower : the thread that reads the chain.
    submission_desk : where submissions arrive.
    change_signal : wakes the long polls when the index changes.
    previews, metrics, readiness : see their modules.
    """

    ctx: Context
    index: Index
    follower: Follower
    submission_desk: SubmissionDesk
    previews: Previews
    metrics: Metrics
    readiness: Readiness
    change_signal: ChangeSignal

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow the chain while inside."""
        self.change_signal.attach()
        self.follower.start()
        try:
            yield
        finally:
            self.change_signal.close()
            self.follower.stop()

    def absent(self, code: ProblemCode, detail: str) -> Problem:
        """The answer for what is not known: 404, or 503 while the chain was not read yet."""
        if self.index.caught_up:
            return Problem(code, detail)
        return Problem(ProblemCode.NOT_READY, f"the chain is still being read; {detail}")


def build_services(
    ctx: Context, *, journal: Path | None = None, poll_s: float = POLL_S, grace_s: float = GRACE_S
) -> Services:
    """The parts of an API process on a context; nothing runs yet."""
    index = Index(lambda epoch: load_table(ctx, epoch))
    metrics, change_signal, kept = Metrics(ctx.inbox), ChangeSignal(), Journal(journal)
    recovery = Recovery(ctx, index, kept)
    follower = Follower(
        ctx, index, metrics, change_signal, recovery, poll_s=poll_s, grace_s=grace_s
    )
    return Services(
        ctx=ctx,
        index=index,
        follower=follower,
        submission_desk=SubmissionDesk(ctx, index, metrics, change_signal, kept),
        previews=Previews(ctx.domain, OpenBatches(ctx, index)),
        metrics=metrics,
        readiness=Readiness(ctx, index, follower),
        change_signal=change_signal,
    )


def hash_of(text: str, code: ProblemCode, field: str) -> bytes:
    """32 bytes from hexadecimal, with or without 0x, or base58.

    Raises
    ------
    Problem
        422 with ``code``.
    """
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.removeprefix("0x"))
    try:
        return base58_decode(text, HASH_BYTES, field)
    except CodecError:
        expected = f"{field}: expected base58 or hexadecimal of {HASH_BYTES} bytes"
        raise Problem(code, expected) from None
