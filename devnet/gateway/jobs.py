"""Work in the background: the prover, the way of a proof upstream, the watch on outside events.

``/prove`` and ``/submit_proof`` answer before their work is done, as delta's gateway does. A thread
then carries the SDL to its next state. The devnet's prover makes no proof: it waits, looks at the
envelope that the exchange sent, and passes it on, since the settlement layer is the one to judge.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devnet.gateway.sdl import Sdl, Status
from devnet.gateway.state import GatewayState
from devnet.gateway.upstream import Declined, Unreachable

ENVELOPE_FORMAT: Final = "devnet-v1-proof"
RETRY_SECONDS: Final = 0.25
RETRY_SECONDS_MAX: Final = 2.0


@dataclass(slots=True)
class ProverSettings:
    """How the prover behaves.

    Attributes
    ----------
    delay_s : seconds from Proving to its end.
    failure : message of a failed proof; empty for success.
    """

    delay_s: float = 0.0
    failure: str = ""


class Jobs:
    """Threads of one gateway; :meth:`close` ends and joins them.

    Parameters
    ----------
    gateway : whose SDLs are worked on.
    prover : settings, read at the start of each job.
    watch_s : seconds between two looks for outside events; 0 for none.

    Attributes
    ----------
    threads : started and perhaps still at work.
    """

    def __init__(self, gateway: GatewayState, prover: ProverSettings, watch_s: float) -> None:
        self._gateway = gateway
        self._prover = prover
        self._watch_s = watch_s
        self._stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the watch and take up what a restart interrupted."""
        if self._watch_s:
            self._run(self._watch)
        for sdl in list(self._gateway.sdls.values()):
            if sdl.status is Status.PROVING:
                self.prove(sdl)
            elif sdl.status is Status.PROOF_SUBMITTED:
                self.submit(sdl)

    def close(self) -> None:
        """Stop all threads."""
        self._stop.set()
        for thread in self.threads:
            thread.join()

    def prove(self, sdl: Sdl) -> None:
        """Prove ``sdl`` in the background."""
        delay, failure = self._prover.delay_s, self._prover.failure
        self._run(self._prove, sdl, delay, failure)

    def submit(self, sdl: Sdl) -> None:
        """Bring the proof of ``sdl`` to the settlement layer in the background."""
        self._run(self._submit, sdl)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _prove(self, sdl: Sdl, delay_s: float, failure: str) -> None:
        if not self._stop.wait(delay_s):
            self._gateway.end_proving(sdl, failure or envelope_problem(sdl))

    def _submit(self, sdl: Sdl) -> None:
        pause = RETRY_SECONDS
        while not self._stop.is_set():
            try:
                self._gateway.end_submitting(sdl, self._verdict(sdl))
            except Unreachable:
                self._stop.wait(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            else:
                return

    def _verdict(self, sdl: Sdl) -> str:
        """Reason of the failure, empty when applied.

        An answer may have been lost, so it asks for the SDL's state before it sends the proof.
        """
        settlement = self._gateway.settlement
        known = settlement.sdl(sdl.name)
        if known is not None and known["status"] == "submitted":
            try:
                known = settlement.submit_proof(self._gateway.proof_transaction(sdl))
            except Declined as answer:
                # A proof whose answer was lost may have been at work when we asked.
                known = settlement.sdl(sdl.name)
                if known is not None and known["status"] == "submitted":
                    return str(answer)
        if known is None:
            return "SDL_UNKNOWN: the settlement layer does not know this SDL"
        if known["status"] == "applied":
            return ""
        return f"{known['code']}: {known['message']}"

    def _watch(self) -> None:
        while not self._stop.wait(self._watch_s):
            self._gateway.watch()


def envelope_problem(sdl: Sdl) -> str:
    """Why the body of ``/prove`` cannot be a proof of ``sdl``; empty when it can."""
    if sdl.mints_only and not sdl.envelope:
        return ""
    try:
        envelope = json.loads(sdl.envelope)
    except (ValueError, RecursionError):
        return f"ENVELOPE: expected JSON of format {ENVELOPE_FORMAT}"
    if not isinstance(envelope, dict) or envelope.get("format") != ENVELOPE_FORMAT:
        return f"ENVELOPE: expected an object of format {ENVELOPE_FORMAT}"
    return ""
