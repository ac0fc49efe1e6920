"""How the check runs terraform, with a small script in terraform's place."""

import os
import stat
import time
from pathlib import Path

import pytest

from infra.terraform import check, runner
from infra.terraform.runner import Terraform, TerraformError, environment


def program(folder: Path, script: str) -> dict[str, str]:
    """An environment whose only terraform is this shell script."""
    path = folder / "bin" / "terraform"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    # A folder of providers, so that no cache is made beside the sources.
    return {"PATH": f"{path.parent}:/usr/bin:/bin", "TF_PLUGIN_DIR": str(folder)}


def test_the_environment_leaves_real_accounts_and_other_stacks_behind(tmp_path: Path) -> None:
    outer = {
        "PATH": "/bin", "AWS_PROFILE": "real", "AWS_ENDPOINT_URL": "http://x", "TF_VAR_bucket": "x",
        "TF_CLI_ARGS_apply": "-destroy", "TF_WORKSPACE": "x", "TF_DATA_DIR": "x", "TF_LOG": "TRACE",
        "TF_PLUGIN_DIR": "providers",
    }  # fmt: skip
    assert environment(outer, tmp_path) == {
        "PATH": "/bin", "TF_PLUGIN_DIR": "providers", "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1", "TF_INPUT": "0",
    }  # fmt: skip


def test_a_configuration_file_is_named_only_if_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "rc"
    outer = {"TF_CLI_CONFIG_FILE": str(file)}
    assert "TF_CLI_CONFIG_FILE" not in environment(outer, tmp_path)
    file.write_text("")
    assert environment(outer, tmp_path)["TF_CLI_CONFIG_FILE"] == str(file)


def test_without_a_provider_folder_providers_are_kept_between_runs(tmp_path: Path) -> None:
    assert environment({}, tmp_path)["TF_PLUGIN_CACHE_DIR"] == str(tmp_path)
    own = {"TF_PLUGIN_CACHE_DIR": "own"}
    assert environment(own, tmp_path)["TF_PLUGIN_CACHE_DIR"] == "own"
    assert "TF_PLUGIN_CACHE_DIR" not in environment({"TF_PLUGIN_DIR": "x"}, tmp_path)


def test_commands_run_in_a_copy_without_state_of_the_sources(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path, program(tmp_path, f'echo "$@" >> {tmp_path}/calls'))
    terraform.check_format()
    terraform.init()
    terraform.validate()
    terraform.apply("-var=bucket=b")
    copy = tmp_path / "stack"
    assert (copy / "main.tf").is_file()
    assert not (copy / ".terraform").exists()
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"-chdir={copy} fmt -no-color -check -recursive -diff",
        f"-chdir={copy} init -no-color -plugin-dir={tmp_path}",
        f"-chdir={copy} validate -no-color",
        f"-chdir={copy} apply -no-color -auto-approve -var=bucket=b",
    ]


def test_outputs_are_the_values_by_name(tmp_path: Path) -> None:
    script = """echo '{"bucket": {"value": "b", "type": "string"}}'"""
    assert Terraform(tmp_path, program(tmp_path, script)).outputs() == {"bucket": "b"}


def test_invalid_a_failing_command_says_which_and_what_it_printed(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path, program(tmp_path, "echo it broke >&2; exit 3"))
    with pytest.raises(TerraformError, match=r"terraform validate failed:\nit broke"):
        terraform.validate()


def test_invalid_a_failing_init_names_the_way_out(tmp_path: Path) -> None:
    terraform = Terraform(tmp_path, program(tmp_path, "echo no network; exit 1"))
    with pytest.raises(TerraformError, match=r"(?s)no network.*set TF_PLUGIN_DIR"):
        terraform.init()


def test_invalid_a_provider_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    outer = program(tmp_path, "true") | {"TF_PLUGIN_DIR": str(tmp_path / "gone")}
    with pytest.raises(TerraformError, match=r"TF_PLUGIN_DIR: expected a folder.*gone"):
        Terraform(tmp_path, outer).init()


def test_invalid_a_destroy_that_leaves_something_is_noticed(tmp_path: Path) -> None:
    script = 'case "$2" in state) echo aws_s3_bucket.epochs;; esac'
    with pytest.raises(TerraformError, match=r"destroy left aws_s3_bucket\.epochs"):
        Terraform(tmp_path, program(tmp_path, script)).destroy()


def test_a_destroy_that_leaves_nothing_passes(tmp_path: Path) -> None:
    Terraform(tmp_path, program(tmp_path, "true")).destroy()


def ended(state: Path) -> bool:
    """Whether a killed process is gone or waits to be reaped; the signal takes a moment."""
    try:
        return state.read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_invalid_a_command_past_its_time_ends_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "COMMAND_S_MAX", 1.0)
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(TerraformError, match=r"terraform validate: not done in 1\.0 s"):
        Terraform(tmp_path, program(tmp_path, script)).validate()
    state = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    deadline = time.monotonic() + 5.0
    while not ended(state) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended(state)


def test_invalid_no_terraform_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match="terraform is not installed"):
        Terraform(tmp_path, {"PATH": str(tmp_path)})


@pytest.mark.parametrize(("required", "status"), [(None, 0), ("0", 0), ("1", 1)])
def test_without_terraform_the_check_says_so(
    required: str | None, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONVEXFX_REQUIRE_TERRAFORM", raising=False)
    if required is not None:
        monkeypatch.setenv("CONVEXFX_REQUIRE_TERRAFORM", required)
    assert check.main() == status
    assert (
        capsys.readouterr().out == "terraform is not installed: infra/terraform was NOT checked\n"
    )


def test_invalid_a_failing_step_ends_the_check_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in program(tmp_path, "echo main.tf; exit 3").items():
        monkeypatch.setenv(name, value)
    assert check.main() == 1
    assert capsys.readouterr().err == "infra/terraform: terraform fmt failed:\nmain.tf\n"
    assert os.environ["TF_PLUGIN_DIR"] == str(tmp_path)
