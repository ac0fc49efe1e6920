"""Whether each thing that the exchange needs is there, and what is missing where it is not.

Behind ``GET /api/ready``. A dependency that hangs must not hang the answer, so each is asked in a
thread of its own, and an answer that does not come in time counts as missing.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Final, Protocol

from convexfx.agreement import require_active
from convexfx.api.answers.shapes import DependencyAnswer, ReadyAnswer
from convexfx.api.chain_index.index import Index
from convexfx_core.errors import ConvexFxError
from convexfx_core.identity import base58_encode
from tasks.context import Context
from tasks.objects import HEAD_KEY

ANSWER_S_MAX: Final = 3.0


class Followed(Protocol):
    """Whoever reads the chain."""

    trouble: str | None

    @property
    def alive(self) -> bool:
        """Whether it is at work."""
        ...


class Readiness:
    """Asks every dependency side by side; one that hangs is asked once, not once a request.

    Parameters
    ----------
    ctx, index, follower : what is asked.
    answer_s_max : seconds that an answer may take.
    """

    def __init__(
        self, ctx: Context, index: Index, follower: Followed, answer_s_max: float = ANSWER_S_MAX
    ) -> None:
        self._ctx = ctx
        self._index = index
        self._follower = follower
        self._answer_s_max = answer_s_max
        self._checks: Mapping[str, Callable[[], str | None]] = {
            "store": self._store,
            "inbox": self._inbox,
            "gateway": self._gateway,
            "agreement": self._agreement,
            "chain": self._chain,
        }
        self._running: dict[str, Future[str | None]] = {}
        self._lock = threading.Lock()

    def look(self) -> ReadyAnswer:
        """Ask all of them and wait for their answers, a few seconds at most."""
        asked = {name: self._asked(name) for name in self._checks}
        wait(asked.values(), self._answer_s_max)
        found = {name: self._answer(future) for name, future in asked.items()}
        return ReadyAnswer(ready=all(one.ready for one in found.values()), dependencies=found)

    def _asked(self, name: str) -> Future[str | None]:
        with self._lock:
            running = self._running.get(name)
            if running is None or running.done():
                running = self._running[name] = Future()
                arguments = running, self._checks[name]
                threading.Thread(target=_settle, args=arguments, daemon=True).start()
            return running

    def _answer(self, future: Future[str | None]) -> DependencyAnswer:
        if not future.done():
            missing: str | None = f"no answer within {self._answer_s_max:g} s"
        elif (error := future.exception()) is not None:
            missing = error.line() if isinstance(error, ConvexFxError) else repr(error)
        else:
            missing = future.result()
        return DependencyAnswer(ready=missing is None, missing=missing)

    def _store(self) -> None:
        self._ctx.store.exists(HEAD_KEY)

    def _inbox(self) -> None:
        self._ctx.inbox.depth()

    def _gateway(self) -> None:
        self._ctx.gateway.next_nonce(base58_encode(self._ctx.domain.pool.owner))

    def _agreement(self) -> None:
        require_active(self._ctx)

    def _chain(self) -> str | None:
        if not self._follower.alive:
            return "nobody follows the chain"
        if self._follower.trouble is not None:
            return self._follower.trouble
        return None if self._index.caught_up else "the chain is still being read"


def _settle(future: Future[str | None], check: Callable[[], str | None]) -> None:
    try:
        future.set_result(check())
    except Exception as error:
        future.set_exception(error)
