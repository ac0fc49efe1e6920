"""Terraform in a copy of this folder, so that a check leaves nothing beside the sources."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parent
COMMAND_S_MAX = 240
STATEFUL = (".terraform", ".terraform.lock.hcl", "terraform.tfstate*", "__pycache__")


class TerraformError(Exception):
    """A terraform command failed, ran out of time, or cannot be had; says which and why."""


def environment(outer: Mapping[str, str], cache: Path) -> dict[str, str]:
    """The variables under which terraform runs, made from those of the caller.

    Real credentials, profiles and variables of other stacks are left behind. A configuration file
    that is named but missing is not named any more. Without a folder of providers they are kept in
    ``cache`` between runs.
    """
    foreign = ("AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "TF_LOG")
    inner = {name: value for name, value in outer.items() if not name.startswith(foreign)}
    if not Path(inner.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        del inner["TF_CLI_CONFIG_FILE"]
    inner |= {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
    if "TF_PLUGIN_DIR" not in inner:
        inner.setdefault("TF_PLUGIN_CACHE_DIR", str(cache))
        inner["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
    return inner


class Terraform:
    """One working copy with its own state; every method raises TerraformError on failure."""

    def __init__(self, folder: Path, outer: Mapping[str, str]) -> None:
        """Copy the sources into ``folder``; nothing runs yet."""
        program = shutil.which("terraform", path=outer.get("PATH"))
        if program is None:
            raise TerraformError("terraform is not installed")
        self.program = program
        self.folder = folder / "stack"
        cache = SOURCE / ".terraform" / "plugin-cache"
        self.environment = environment(outer, cache)
        if self.environment.get("TF_PLUGIN_CACHE_DIR") == str(cache):
            cache.mkdir(parents=True, exist_ok=True)
        shutil.copytree(SOURCE, self.folder, ignore=shutil.ignore_patterns(*STATEFUL))

    def check_format(self) -> None:
        """Every file is as `terraform fmt` writes it."""
        self._run("fmt", "-check", "-recursive", "-diff")

    def init(self) -> None:
        """Fetch the provider, from TF_PLUGIN_DIR when it is set, else from its registry."""
        folder = self.environment.get("TF_PLUGIN_DIR")
        if folder is not None and not Path(folder).is_dir():
            raise TerraformError(f"TF_PLUGIN_DIR: expected a folder of providers, found {folder!r}")
        try:
            self._run("init", *([] if folder is None else [f"-plugin-dir={folder}"]))
        except TerraformError as error:
            hint = "without network access set TF_PLUGIN_DIR to a folder that holds hashicorp/aws"
            raise TerraformError(f"{error}\n{hint}") from error

    def validate(self) -> None:
        """The configuration is valid by itself."""
        self._run("validate")

    def apply(self, *arguments: str) -> None:
        """Make what stands equal to the configuration under ``arguments``."""
        self._run("apply", "-auto-approve", *arguments)

    def destroy(self, *arguments: str) -> None:
        """Remove all that the state knows, and check that the state is empty then."""
        self._run("destroy", "-auto-approve", *arguments)
        left = self._run("state", "list", colours=False).split()
        if left:
            raise TerraformError(f"destroy left {', '.join(left)}")

    def outputs(self) -> dict[str, Any]:
        """Values of the outputs by name."""
        found = json.loads(self._run("output", "-json", colours=False))
        return {name: item["value"] for name, item in found.items()}

    def _run(self, verb: str, *arguments: str, colours: bool = True) -> str:
        flags = ["-no-color"] if colours else []
        command = [self.program, f"-chdir={self.folder}", verb, *flags, *arguments]
        # A group of its own: the provider is a child of terraform and must end with it.
        process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=COMMAND_S_MAX)
        except subprocess.TimeoutExpired as error:
            raise TerraformError(f"terraform {verb}: not done in {COMMAND_S_MAX} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            raise TerraformError(f"terraform {verb} failed:\n{printed[-4000:].strip()}")
        return printed
