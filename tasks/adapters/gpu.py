"""What mode ``gpu`` needs of a machine: SP1's GPU server and an NVIDIA device.

Both are looked for before a proof begins, since SP1's SDK would otherwise download a missing server
by itself. A machine that lacks one refuses; it never makes a proof of another mode instead.
"""

import os
from pathlib import Path
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError

SP1_VERSION: Final = "6.10.0"
"""Version of the SDK and of the GPU server: the SDK speaks to no server of another version."""
DEVICE: Final = Path("/dev/nvidiactl")


def gpu_server() -> Path:
    """Where the SDK looks for its GPU server."""
    return Path.home() / ".sp1" / "bin" / "sp1-gpu-server"


def require_gpu() -> None:
    """Check that this machine can prove on a GPU.

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
