"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

Config = Annotated[
    Path | None, typer.Option("--config", help="Settings; default executor.yaml if it is there.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(min=1, help="Number of the epoch.")]
Api = Annotated[
    str, typer.Option("--api", envvar="CONVEXFX_API", help="URL of the exchange's HTTP API.")
]
API_DEFAULT: Final = "http://127.0.0.1:8080"
STATE: Final = Path(".convexfx")
State = Annotated[Path, typer.Option("--state", help="State folder of the local stack.")]
