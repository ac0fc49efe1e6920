"""A peer that answers something else than JSON: typed errors, bounded bytes, bounded time."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from convexfx_core.errors import CommitUnknown, ConvexFxError, GatewayError, PeerUnreachable
from tasks.adapters.clock import ManualClock
from tasks.adapters.peer_http import Peer

KIB = 1 << 10
HEAD = b"HTTP/1.1 %s\r\nConnection: close\r\n\r\n"
OK = HEAD % b"200 OK"


class Raw:
    """A server that answers the bytes ``head``, then ``more`` again and again; it counts them.

    Without an end of ``more`` it ends when the client goes away.
    """

    def __init__(self) -> None:
        self.head, self.more = OK + b"1", b""
        self.sent = self.requests = 0
        self.asked = b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.asked = connection.recv(64 * KIB)
        if not self.asked:
            return
        self.requests += 1
        try:
            connection.sendall(self.head)
            while self.more:
                connection.sendall(self.more)
                self.sent += len(self.more)
        except OSError:
            return

    def close(self) -> None:
        """Stop; a second time changes nothing."""
        if self.thread.is_alive():
            self.listening.shutdown(socket.SHUT_RDWR)
            self.thread.join()
        self.listening.close()


@pytest.fixture
def raw() -> Iterator[Raw]:
    raw = Raw()
    yield raw
    raw.close()


def read(peer: Peer) -> object:
    return peer.read("ask", "/x")


def change(peer: Peer) -> object:
    return peer.change("do", "/x", b"")


CALLS: dict[str, tuple[Callable[[Peer], object], type[ConvexFxError]]] = {
    "read": (read, GatewayError),
    "change": (change, CommitUnknown),
}
"""A change that was answered with 200 may have taken effect, whatever the body says."""

BODIES = {
    "html": (b"<!doctype html><p>Welcome", "doctype"),
    "nothing": (b"", "Expecting value"),
    "half": (b'{"a": 1', "Expecting"),
    "a key twice": (b'{"a": {"b": 1, "c": 2, "b": 1}}', "key 'b' twice"),
    "a key twice, escaped": (b'{"a": 1, "\\u0061": 2}', "key 'a' twice"),
    "NaN": (b'{"a": NaN}', "the number NaN"),
    "Infinity": (b"[Infinity]", "the number Infinity"),
    "-Infinity": (b"-Infinity", "the number -Infinity"),
    "infinite by its exponent": (b"1e999", "the number 1e999"),
    "10,000 digits": (b"[" + b"7" * 10_000 + b"]", "a number of 10000 characters"),
    "65 digits": (b"7" * 65, "a number of 65 characters"),
    "a fraction of 10,000 digits": (b"0." + b"7" * 10_000, "a number of 10002 characters"),
    "no text": (b'"\xff"', "utf-8"),
    "too deep": (b"[" * 100_000, "nesting too deep"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("how", CALLS)
def test_a_body_that_is_not_strict_json_is_a_typed_error(raw: Raw, how: str, name: str) -> None:
    call, kind = CALLS[how]
    body, said = BODIES[name]
    raw.head = OK + body
    peer = Peer("peer", raw.url, pauses_s=(0.0,))
    with pytest.raises(kind, match="expected JSON with each key once") as caught:
        call(peer)
    assert said in str(caught.value.observed)
    assert raw.requests == 1, "what was answered is not asked again"
    peer.close()


@pytest.mark.parametrize("body", [b"7" * 64, b'{"a": 1, "b": {"a": 1}}', b'"\xc3\xa9"', b"1.5e3"])
def test_its_valid_neighbours_are_read(raw: Raw, body: bytes) -> None:
    raw.head = OK + body
    peer = Peer("peer", raw.url)
    assert read(peer) == change(peer)
    peer.close()


@pytest.mark.parametrize("call", [read, change])
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 For ever"])
def test_a_redirect_is_an_error_and_not_followed(
    raw: Raw, status: bytes, call: Callable[[Peer], object]
) -> None:
    raw.head = HEAD.replace(b"\r\n\r\n", b"\r\nLocation: /elsewhere\r\n\r\n") % status
    peer = Peer("peer", raw.url)
    with pytest.raises(GatewayError, match=f"expected status 200, found {status[:3].decode()}"):
        call(peer)
    assert raw.requests == 1
    peer.close()


@pytest.mark.parametrize("how", CALLS)
def test_a_body_without_end_is_read_to_a_bound(raw: Raw, how: str) -> None:
    call, kind = CALLS[how]
    raw.head, raw.more = OK + b'["', b"a" * KIB
    peer = Peer("peer", raw.url, bytes_max=64 * KIB)
    with pytest.raises(kind, match="expected JSON") as caught:
        call(peer)
    assert str(caught.value.observed).startswith(f"more than {64 * KIB} bytes")
    peer.close()
    raw.close()
    assert raw.sent < 64 << 20, "the connection was closed; what is on its way is the sockets'"


def test_a_body_of_the_largest_size_is_read(raw: Raw) -> None:
    body = b'"' + b"a" * (64 * KIB - 2) + b'"'
    raw.head = OK + body
    peer = Peer("peer", raw.url, bytes_max=64 * KIB)
    assert read(peer) == "a" * (64 * KIB - 2)
    peer.close()
    peer = Peer("peer", raw.url, bytes_max=64 * KIB - 1)
    with pytest.raises(GatewayError):
        read(peer)
    peer.close()


def test_an_error_without_end_is_cut(raw: Raw) -> None:
    raw.head, raw.more = HEAD % b"500 No" + b"why: ", b"a" * KIB
    peer = Peer("peer", raw.url)
    with pytest.raises(GatewayError, match="found 500 why: aaa"):
        change(peer)
    peer.close()


class Ticking(ManualClock):
    """A clock on which each look takes a second."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


@pytest.mark.parametrize(("call", "kind"), [(read, PeerUnreachable), (change, CommitUnknown)])
def test_a_body_that_comes_in_drops_ends_in_time(
    raw: Raw, call: Callable[[Peer], object], kind: type[ConvexFxError]
) -> None:
    raw.head, raw.more = OK, b"a"
    peer = Peer("peer", raw.url, pauses_s=(), read_s=9.0, change_s=9.0, clock=Ticking())
    with pytest.raises(kind, match="no end of the answer within 9 s"):
        call(peer)
    peer.close()


def test_attempts_end_with_the_time_for_all_of_them(raw: Raw) -> None:
    """Ten attempts of five seconds or more have twelve seconds."""
    raw.head, raw.more = OK, b"a"
    peer = Peer("peer", raw.url, pauses_s=(0.1,) * 9, read_s=4.0, within_s=12.0, clock=Ticking())
    with pytest.raises(PeerUnreachable):
        read(peer)
    assert 1 <= raw.requests <= 3
    peer.close()


def test_nothing_compressed_is_asked_for(raw: Raw) -> None:
    peer = Peer("peer", raw.url, headers={"X-Key": "k"})
    read(peer)
    assert b"accept-encoding: identity\r\n" in raw.asked.lower()
    assert b"x-key: k\r\n" in raw.asked.lower()
    peer.close()
