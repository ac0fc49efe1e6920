"""Finds the stack that runs in a state folder, for commands that name no other exchange.

``convexfx up`` leaves its variables in the state folder. A command in another terminal, such as
``convexfx epoch list``, takes them over, so that it speaks to the stack without a settings file.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from convexfx.local.state import StateFile

ENVIRONMENT: Final = "environment.json"
"""File in the state folder: the variables that the stack's own processes work with."""
_WANTED: Final = ("CONVEXFX_", "AWS_", "PREFECT_API_URL")


def write_environment(folder: Path, variables: Mapping[str, str]) -> None:
    """Leave the stack's variables for commands in other terminals; no secret is among them."""
    chosen = {name: text for name, text in variables.items() if name.startswith(_WANTED)}
    (folder / ENVIRONMENT).write_text(json.dumps(chosen, indent=1, sort_keys=True) + "\n")


def running_environment(folder: Path) -> dict[str, str]:
    """Variables of the stack that runs in ``folder``; empty where none runs."""
    state = StateFile(folder).read()
    if state is None or not state.alive():
        return {}
    try:
        found = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(text) for name, text in found.items()}


def use_running_stack(folder: Path) -> None:
    """Give this process the variables of the stack in ``folder``; those that are set stay.

    Where an AWS endpoint is set, all AWS variables stay as they are: they belong together.
    """
    own_aws = "AWS_ENDPOINT_URL" in os.environ
    for name, text in running_environment(folder).items():
        if not (own_aws and name.startswith("AWS_")):
            os.environ.setdefault(name, text)
