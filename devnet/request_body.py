"""Bodies of requests, read no further than a bound that holds whatever their head says.

A body in chunks names no length, so what arrives is counted.
"""

from typing import Final

from starlette.requests import Request

BODY_BYTES_MAX: Final = 1 << 30
"""An array of a million verifiables is about 700 MB; parsed, JSON takes 36 times its bytes."""
FAULT_BYTES_MAX: Final = 4_096
"""One injected fault is a few short texts."""


async def read_body(request: Request, bytes_max: int) -> bytes | None:
    """The whole body; None as soon as it is known to have more than ``bytes_max`` bytes."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > bytes_max:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            return None
        parts.append(part)
    return b"".join(parts)
