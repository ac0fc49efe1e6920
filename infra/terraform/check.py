"""`make tf`: fmt, validate, apply on a local AWS stand-in, look at what exists, destroy.

Run as ``python -m infra.terraform.check``. Exit 0: all held, or terraform is not installed, which
is said; 1: something did not hold. With CONVEXFX_REQUIRE_TERRAFORM=1 a missing terraform is a 1.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.terraform.expectations import (
    MismatchError,
    attributes,
    check_inbox,
    check_redrive,
    check_rights,
    check_storage,
    expect,
)
from infra.terraform.rights import Policies
from infra.terraform.runner import Terraform, TerraformError
from infra.terraform.stand_in import REGION, Account, stand_in

LOCK_DAYS = 30
NO_POLICY = '{"Statement": []}'
VISIBILITY_S = 60


def read_policies(account: Account, outputs: Mapping[str, Any]) -> Policies:
    """The documents that the account enforces, by the names in the stack's outputs."""
    bucket = str(outputs["bucket"])
    inbox = attributes(account.sqs, str(outputs["inbox_queue"]))
    dead = attributes(account.sqs, str(outputs["dead_letter_queue"]))
    return Policies(
        bucket_arn=f"arn:aws:s3:::{bucket}",
        inbox_arn=inbox["QueueArn"],
        dead_letter_arn=dead["QueueArn"],
        bucket=json.loads(account.s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        inbox=json.loads(inbox.get("Policy", NO_POLICY)),
        dead_letters=json.loads(dead.get("Policy", NO_POLICY)),
        wallet=_identity_policy(account, outputs["wallet_policy_arn"]),
        sealer=_identity_policy(account, outputs["sealer_policy_arn"]),
    )


def _identity_policy(account: Account, arn: str) -> Any:
    version = account.iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = account.iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    return found["Document"]


def check_stack(account: Account, outputs: Mapping[str, Any], lock_days: int) -> None:
    """Everything that an apply must have left in the account; raises MismatchError."""
    bucket, queue = str(outputs["bucket"]), str(outputs["inbox_queue"])
    check_storage(account.s3, bucket, lock_days)
    check_inbox(account.sqs, queue, VISIBILITY_S)
    check_rights(read_policies(account, outputs))
    check_redrive(account.sqs, queue)


def check_gone(account: Account) -> None:
    """Nothing is left in the account; raises MismatchError."""
    expect("buckets", [], [b["Name"] for b in account.s3.list_buckets()["Buckets"]])
    expect("queues", [], account.sqs.list_queues().get("QueueUrls", []))
    policies = account.iam.list_policies(Scope="Local")["Policies"]
    expect("policies", [], [p["PolicyName"] for p in policies])


def _timed(name: str, step: Callable[[], None]) -> None:
    started_s = time.monotonic()
    step()
    print(f"{name:<52}{time.monotonic() - started_s:6.1f} s", flush=True)


def run(terraform: Terraform, account: Account) -> None:
    """All steps in order, a line each; raises TerraformError or MismatchError at the first no."""
    endpoint = f"-var=endpoint={account.endpoint}"
    production = (endpoint, f"-var=region={REGION}", f"-var=object_lock_days={LOCK_DAYS}")
    local = (endpoint, "-var-file=envs/local.tfvars")
    _timed("fmt", terraform.check_format)
    _timed("init", terraform.init)
    _timed("validate", terraform.validate)
    _timed("apply, object lock on", lambda: terraform.apply(*production))
    outputs = terraform.outputs()
    _timed("bucket, queues, rights", lambda: check_stack(account, outputs, LOCK_DAYS))
    # Only the bucket: it alone differs, and the provider waits half a minute for each queue.
    only = (*local, "-target=module.storage")
    _timed("apply, local, without object lock", lambda: terraform.apply(*only))
    _timed("bucket without lock", lambda: check_storage(account.s3, str(outputs["bucket"]), 0))
    _timed("destroy", lambda: terraform.destroy(*local))
    _timed("nothing left", lambda: check_gone(account))


def main() -> int:
    """The command; returns its exit status."""
    started_s = time.monotonic()
    if shutil.which("terraform") is None:
        print("terraform is not installed: infra/terraform was NOT checked")
        return 1 if os.environ.get("CONVEXFX_REQUIRE_TERRAFORM") == "1" else 0
    try:
        with tempfile.TemporaryDirectory() as folder, stand_in() as account:
            run(Terraform(Path(folder), os.environ), account)
    except (TerraformError, MismatchError) as error:
        print(f"infra/terraform: {error}", file=sys.stderr)
        return 1
    print(f"infra/terraform holds: {time.monotonic() - started_s:.1f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
