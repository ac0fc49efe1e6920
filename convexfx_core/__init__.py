"""The protocol: pure functions and values, no input or output, no clock, no randomness."""

from typing import Any

__all__ = ["execute"]


def __getattr__(name: str) -> Any:
    """``convexfx_core.execute``, loaded when it is asked for: laws and codecs need no solver."""
    if name == "execute":
        from convexfx_core.execution import execute

        return execute
    raise AttributeError(name)
