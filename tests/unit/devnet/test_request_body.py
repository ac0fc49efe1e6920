"""Bodies are read up to their bound, whether or not the request names a length."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from devnet.request_body import read_body


def read(*parts: bytes, length: str | None = None) -> tuple[bytes | None, int]:
    """What becomes of a body in parts under a bound of 10 bytes, and how many parts were taken."""
    waiting = list(parts)

    async def receive() -> dict[str, Any]:
        part = waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(waiting)}

    headers = [] if length is None else [(b"content-length", length.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    body = asyncio.run(read_body(request, 10))
    return body, len(parts) - len(waiting)


@pytest.mark.parametrize("length", [None, "10", "0", "-1", "x", "\xb2", "9" * 9_000])
def test_a_body_without_an_honest_length_is_counted(length: str | None) -> None:
    small = (b"01234", b"56789")
    if length != "9" * 9_000:
        assert read(*small, length=length) == (b"0123456789", 2)
    assert read(*[b"0123456"] * 50, length=length)[0] is None
    assert read(*[b"0123456"] * 50, length=length)[1] <= 2


def test_a_length_beyond_the_bound_is_refused_before_anything_is_read() -> None:
    assert read(b"0", length="11") == (None, 0)
    assert read(b"", length="0") == (b"", 1)
