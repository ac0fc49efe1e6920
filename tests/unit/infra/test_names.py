"""Names that the stack, the settings and the documents must share, read from the texts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from convexfx.local import provision

ROOT = Path(__file__).resolve().parents[3]
STACK = ROOT / "infra" / "terraform"
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "executor.yaml.example").read_text())
POLICIES = sorted((STACK / "policies").glob("*.json"))


def blocks(kind: str, path: Path) -> dict[str, str]:
    """Bodies of the top-level blocks of a kind, by name."""
    found = re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', path.read_text(), re.S | re.M)
    return {str(name): str(body) for name, body in found}


def default(variable: str) -> str:
    body = blocks("variable", STACK / "variables.tf")[variable]
    found = re.search(r"^  default\s+= (.*)$", body, re.M)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("name", ["bucket", "inbox_queue"])
def test_settings_and_stack_name_the_same_things(name: str) -> None:
    assert json.loads(default(name)) == SETTINGS[name]
    assert name in blocks("output", STACK / "outputs.tf")


def test_the_local_queue_hides_a_message_as_long_as_the_real_one() -> None:
    assert int(default("visibility_timeout_s")) == provision.VISIBILITY_S


def test_names_are_those_that_outsiders_rely_on() -> None:
    assert (SETTINGS["bucket"], SETTINGS["inbox_queue"]) == ("convexfx-epochs", "convexfx-inbox")


def test_by_default_the_stack_speaks_to_aws_and_locks_what_it_keeps() -> None:
    assert default("endpoint") == '""'
    assert default("force_destroy") == "false"
    assert int(default("object_lock_days")) > 0


def test_the_local_shape_has_no_lock_and_no_address() -> None:
    lines = (STACK / "envs" / "local.tfvars").read_text().splitlines()
    pairs = dict(re.split(r"\s*=\s*", line) for line in lines if line and line[0] != "#")
    assert pairs == {"region": '"us-east-1"', "object_lock_days": "0", "force_destroy": "true"}


@pytest.mark.parametrize("module", ["storage", "inbox", ""])
def test_every_variable_and_output_says_what_it_is(module: str) -> None:
    folder = STACK / "modules" / module if module else STACK
    for kind in ("variable", "output"):
        found = blocks(kind, folder / f"{kind}s.tf")
        assert found
        assert not [name for name, body in found.items() if "description" not in body]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_takes_only_the_arns_that_it_is_given(path: Path) -> None:
    text = path.read_text()
    given = {
        "bucket": {"bucket_arn"},
        "queue": {"queue_arn"},
        "wallet": {"bucket_arn", "inbox_arn", "dead_letter_arn"},
        "sealer": {"bucket_arn", "inbox_arn", "dead_letter_arn"},
    }[path.stem]
    assert set(re.findall(r"\$\{(\w+)\}", text)) == given
    assert not re.search(r'"arn:|\d{12}', text)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_statement_has_a_name_of_its_own(path: Path) -> None:
    sids = [statement["Sid"] for statement in json.loads(path.read_text())["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)


def test_a_message_of_the_largest_size_fits_and_waits_as_long_as_it_can() -> None:
    inbox = (STACK / "modules" / "inbox" / "main.tf").read_text()
    sizes = dict(re.findall(r"^  (\w+)\s+= (\d+)", inbox, re.M))
    assert int(sizes["message_bytes_max"]) > 200 * 1024
    assert int(sizes["retention_s"]) == 14 * 24 * 3600
    assert int(sizes["redrive_receive_max"]) == 5
