"""What a queue message may hold, checked before it is sent.

The inbox on SQS and the one in memory that tests use share this check, so that no test can send
what the real queue would refuse.
"""

from convexfx_core.errors import RejectCode, RejectedOrder
from convexfx_core.limits import MESSAGE_BYTES_MAX


def check_body(body: str) -> None:
    """Refuse a message that no reader would accept.

    Raises
    ------
    RejectedOrder
        ``NOT_ASCII`` or ``MESSAGE_TOO_LARGE``.
    """
    if not body.isascii():
        raise RejectedOrder(RejectCode.NOT_ASCII, "message", "ASCII text", body)
    if not 0 < len(body) <= MESSAGE_BYTES_MAX:
        raise RejectedOrder(
            RejectCode.MESSAGE_TOO_LARGE,
            "message",
            f"1 to {MESSAGE_BYTES_MAX} bytes",
            len(body),
        )
