"""A small S3 on the loopback whose answers a test scripts, to see what the real client does.

It honours the two conditions of a put, as S3 does, unless it is told to lie.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Script:
    """What the server holds and what it does next.

    ``puts`` and ``gets``: for each coming request ``""`` (as usual), an HTTP status, ``drop``
    (close without an answer), ``short`` (break off), ``apply-drop`` (take effect, then close) or
    ``apply-<status>``.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    puts: deque[str] = field(default_factory=deque)
    gets: deque[str] = field(default_factory=deque)
    conditional: bool = True
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, body: bytes, if_none_match: str | None, if_match: str | None) -> int:
        with self.lock:
            found = self.objects.get(key)
            if self.conditional and if_none_match == "*" and found is not None:
                return 412
            if self.conditional and if_match is not None:
                if found is None:
                    return 404
                if if_match != etag(found):
                    return 412
            self.objects[key] = body
            return 200


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


CODES = {
    400: "RequestTimeout", 403: "AccessDenied", 404: "NoSuchKey", 409: "ConditionalRequestConflict",
    412: "PreconditionFailed", 429: "SlowDown", 500: "InternalError", 503: "SlowDown",
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_PUT(self) -> None:
        self.script.requests.append("PUT")
        body = self.read_body()
        planned = self.script.puts.popleft() if self.script.puts else ""
        status = 0
        if not planned or planned.startswith("apply"):
            status = self.script.put(
                self.key(), body, self.headers["If-None-Match"], self.headers["If-Match"]
            )
        outcome = planned.removeprefix("apply-")
        if outcome == "drop":
            self.drop()
        else:
            self.answer(int(outcome) if outcome else status, b"", etag(body))

    def do_GET(self) -> None:
        self.script.requests.append("GET")
        planned = self.script.gets.popleft() if self.script.gets else ""
        body = self.script.objects.get(self.key())
        if planned == "drop":
            self.drop()
        elif planned == "short":
            self.answer(200, (body or b"")[:-1], etag(body or b""), missing=1)
            self.drop()
        elif planned:
            self.answer(int(planned), b"", "")
        elif body is None:
            self.answer(404, b"", "")
        else:
            self.answer(200, body, etag(body))

    def do_DELETE(self) -> None:
        self.script.objects.pop(self.key(), None)
        self.answer(204, b"", "")

    def key(self) -> str:
        return unquote(urlsplit(self.path).path).split("/", 2)[2]

    def read_body(self) -> bytes:
        """Body of a put: plain, or in the signed chunks of ``aws-chunked``."""
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if "x-amz-decoded-content-length" not in self.headers:
            return raw
        body = b""
        while raw:
            size, _, raw = raw.partition(b"\r\n")
            length = int(size.split(b";")[0], 16)
            if not length:
                break
            body, raw = body + raw[:length], raw[length + 2 :]
        return body

    def drop(self) -> None:
        self.close_connection = True

    def answer(self, status: int, body: bytes, tag: str, missing: int = 0) -> None:
        if status >= 300:
            code = CODES[status]
            body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + missing))
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_s3(script: Script) -> Iterator[str]:
    """Serve the script; the endpoint URL."""
    handler = type("ScriptedHandler", (Handler,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
