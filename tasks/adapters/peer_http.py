"""One service over HTTP whose answers are not trusted: how long, how large, and what counts as one.

Reads are tried again. A call that changes something is sent once, on a connection of its own, since
a second one might take effect twice. An answer is status 200 with JSON, of bounded size and in
bounded time. A redirect is not followed: it is an answer of another status, and so an error. What
the JSON must hold, ``tasks.peer_answers`` says.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import httpx

from convexfx_core.errors import CommitUnknown, GatewayError, PeerUnreachable
from tasks.adapters.clock import SystemClock
from tasks.peer_answers import JSON_EXPECTED, json_of
from tasks.ports import Clock

CONNECT_S: Final = 5.0
READ_S: Final = 30.0
WITHIN_S: Final = 120.0
"""Seconds for a read with all its attempts."""
CHANGE_S: Final = 300.0
"""Seconds for a change; the gateway checks every signature before ``/intents/submit`` answers."""
READ_PAUSES_S: Final = (0.1, 0.4, 1.0)
"""Waits before a read that was not answered is tried again."""
PARALLEL_READS: Final = 32
UNAVAILABLE: Final = frozenset({502, 503, 504})
ANSWER_BYTES_MAX: Final = 1 << 26
"""The largest answers are 10,000 vaults and the list of all SDLs: 64 MiB are six times the first,
and 900,000 of the second."""
ERROR_BYTES_MAX: Final = 1 << 16
"""Of an answer that is an error, as much is read."""
BODY_SHOWN: Final = 500


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that are trusted; they are read once, which takes 20 ms."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class _Answer:
    """Status and body of an answer; not ``whole``: the body went on beyond what was read."""

    status: int
    body: bytes
    whole: bool

    def __str__(self) -> str:
        return f"{self.status} {self.body[:BODY_SHOWN].decode('utf-8', 'replace')}"


class Peer:
    """One HTTP service.

    Parameters
    ----------
    name, url : what it is called in errors, and its base URL.
    pauses_s : waits before the second, third ... attempt of a read.
    read_s, change_s : seconds that one attempt of a read, and a change, may take to the end of the
        body.
    within_s : seconds for a read with all its attempts.
    bytes_max : largest body that is read.
    clock : measures them; the machine's own if absent.
    unreachable : what is raised when it does not answer.
    headers : sent with every request.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        pauses_s: Sequence[float] = READ_PAUSES_S,
        read_s: float = READ_S,
        within_s: float = WITHIN_S,
        change_s: float = CHANGE_S,
        bytes_max: int = ANSWER_BYTES_MAX,
        clock: Clock | None = None,
        unreachable: type[PeerUnreachable] = PeerUnreachable,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._kind = unreachable
        self.name = name
        self.url = url.rstrip("/")
        self._pauses_s = pauses_s
        self._read_s, self._within_s, self._change_s = read_s, within_s, change_s
        self._bytes_max = bytes_max
        self._clock = clock or SystemClock()
        # Not compressed: a small body could become one without end.
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        limits = httpx.Limits(
            max_connections=PARALLEL_READS, max_keepalive_connections=PARALLEL_READS
        )
        self._reads = _client(limits, sent)
        self._changes = _client(httpx.Limits(max_keepalive_connections=0), sent)

    def close(self) -> None:
        """Close the connections."""
        self._reads.close()
        self._changes.close()

    def read(self, operation: str, path: str, question: bytes | None = None) -> Any:
        """JSON of a GET, or of a POST of ``question`` that changes nothing; ``None`` for 404.

        Tried again where no answer came, or 502 to 504, as long as there is time.

        Raises
        ------
        PeerUnreachable
            No answer came in time.
        GatewayError
            The peer answered with an error, or with something that is not JSON.
        """
        end = self._clock.monotonic() + self._within_s
        found, lost = self._attempt(path, question, end)
        for pause in self._pauses_s:
            answered = found is not None and found.status not in UNAVAILABLE
            if answered or self._clock.monotonic() + pause >= end:
                break
            self._clock.sleep(pause)
            found, lost = self._attempt(path, question, end)
        if found is None:
            raise self._unreachable(operation, lost)
        if found.status == httpx.codes.NOT_FOUND:
            return None  # Only of a read: absence is an answer, but nothing that was done.
        self._require_ok(operation, found)
        try:
            return self._json(found)
        except ValueError as error:
            raise GatewayError(operation, JSON_EXPECTED, f"{error}: {found}") from None

    def change(
        self, operation: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> Any:
        """JSON of a POST that is sent exactly once.

        Raises
        ------
        PeerUnreachable
            No connection: the call took no effect.
        CommitUnknown
            The answer was lost, or is one of success that cannot be read.
        GatewayError
            The peer answered with an error. 404 is one: it does not know the route or the SDL, so
            nothing was done.
        """
        headers = {"Content-Type": content_type}
        try:
            found = self._ask(self._changes, "POST", path, body, self._change_s, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(operation, _error_text(error)) from None
        except httpx.TransportError as error:
            seen = _error_text(error)
            raise CommitUnknown(f"{self.name} {operation}", "an answer", seen) from None
        self._require_ok(operation, found)
        try:
            return self._json(found)
        except ValueError as error:
            seen = f"{error}: {found}"
            raise CommitUnknown(f"{self.name} {operation}", JSON_EXPECTED, seen) from None

    def _attempt(self, path: str, question: bytes | None, end: float) -> tuple[_Answer | None, str]:
        """An answer, or None and why none came."""
        seconds = max(min(self._read_s, end - self._clock.monotonic()), 0.0)
        method = "GET" if question is None else "POST"
        try:
            return self._ask(self._reads, method, path, question, seconds), ""
        except httpx.TransportError as error:
            return None, _error_text(error)

    def _ask(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        content: bytes | None,
        seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Send a request and read its answer, in pieces, as far as it may go.

        The client's own limits are for one step each (connect, write, a piece of the body). So the
        whole is measured between the pieces.
        """
        end = self._clock.monotonic() + seconds
        timeout = httpx.Timeout(seconds, connect=min(CONNECT_S, seconds))
        with client.stream(
            method, self.url + path, content=content, headers=headers, timeout=timeout
        ) as answer:
            ok = answer.status_code == httpx.codes.OK
            most, body = self._bytes_max if ok else ERROR_BYTES_MAX, bytearray()
            for piece in answer.iter_raw():
                body += piece
                if len(body) > most:
                    return _Answer(answer.status_code, bytes(body[:most]), whole=False)
                if self._clock.monotonic() >= end:
                    raise httpx.ReadTimeout(f"no end of the answer within {seconds:g} s")
            return _Answer(answer.status_code, bytes(body), whole=True)

    def _unreachable(self, operation: str, seen: str) -> PeerUnreachable:
        return self._kind(f"{self.name} {operation}", f"an answer at {self.url}", seen)

    def _require_ok(self, operation: str, answer: _Answer) -> None:
        if answer.status != httpx.codes.OK:
            raise GatewayError(operation, "status 200", str(answer))

    def _json(self, answer: _Answer) -> Any:
        """The body's value; ``ValueError`` saying why it has none."""
        if not answer.whole:
            raise ValueError(f"more than {self._bytes_max} bytes")
        return json_of(answer.body)


def _client(limits: httpx.Limits, headers: Mapping[str, str]) -> httpx.Client:
    return httpx.Client(limits=limits, verify=_trust(), headers=headers, follow_redirects=False)


def _error_text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
