"""Options that several commands share, and how a command finds its settings.

A command takes its ``--config`` file, else ``executor.yaml`` in this folder, else the values of the
local stack that runs here. So the commands work beside ``convexfx up`` without any file.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from convexfx_core.errors import ConfigurationCode, ConfigurationError

if TYPE_CHECKING:
    from tasks.adapters.settings import Settings

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings; default executor.yaml if it is there.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the epoch.")]
Api = Annotated[
    str | None,
    typer.Option(
        "--api",
        envvar="CONVEXFX_API",
        help="URL of the exchange's HTTP API; default: of the local stack, on port 8080.",
    ),
]
PORT_MAX: Final = 65_535
CONFIG: Final = Path("executor.yaml")
STATE: Final = Path(".convexfx")
_ORDER_ID: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{64}", re.ASCII)
State = Annotated[Path, typer.Option("--state", help="State folder of the local stack.")]


def order_id_of(text: str) -> str:
    """An order id as 64 lower case hexadecimal digits; ``ConfigurationError`` otherwise."""
    if not _ORDER_ID.fullmatch(text):
        expected = "an order id, 64 hexadecimal digits"
        raise ConfigurationError(ConfigurationCode.SETTING, "ORDER_ID", expected, text)
    return text.removeprefix("0x").lower()


def find_stack(config: Path | None) -> None:
    """Take the values of the local stack in this folder, unless a settings file is there."""
    from convexfx.local.running import use_running_stack

    if config is None and not CONFIG.is_file():
        use_running_stack(STATE)


def load_settings(config: Path | None) -> "Settings":
    """Settings of a command: its file, else ``executor.yaml``, else the local stack's values.

    Raises
    ------
    ConfigurationError
        As ``Settings.load``.
    """
    from tasks.adapters.settings import Settings

    find_stack(config)
    return Settings.load(config)
