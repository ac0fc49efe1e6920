"""What mode ``gpu`` needs of a machine: SP1's GPU server and an NVIDIA device."""

import os
from pathlib import Path
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError

SP1_VERSION: Final = "6.10.0"
"""Of the GPU server too: the SDK speaks to none of another version."""
DEVICE: Final = Path("/dev/nvidiactl")


def gpu_server() -> Path:
    """Where the SDK looks for its GPU server."""
    return Path.home() / ".sp1" / "bin" / "sp1-gpu-server"


def require_gpu() -> None:
    """This machine can prove on a GPU; the SDK would download a server that is missing.

    Raises
    ------
    ConfigurationError
        ``SETTING`` naming everything that is missing. No other mode takes its place.
    """
    missing = []
    if not os.access(gpu_server(), os.X_OK):
        missing.append(f"no sp1-gpu-server {SP1_VERSION} at {gpu_server()}")
    if not DEVICE.exists():
        missing.append(f"no NVIDIA device ({DEVICE})")
    if missing:
        raise ConfigurationError(
            ConfigurationCode.SETTING,
            "proof_mode",
            "gpu on a machine that has what it needs",
            "; ".join(missing),
        )
