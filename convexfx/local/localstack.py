"""S3 and SQS on this machine: LocalStack in an environment of its own, without Docker or account.

The exchange keeps its objects in S3 and its inbox in SQS. Locally LocalStack stands in for both,
with the same boto3 calls. ``exchange`` installs and starts it first, unless ``AWS_ENDPOINT_URL``
names an endpoint that answers; then that one is used.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from convexfx.local.service import PROBE_TIMEOUT_S, Port, Service
from convexfx.log_levels import PYTHON_LEVEL
from convexfx.loopback import HOST
from convexfx_core.errors import PeerUnreachable

REQUIREMENTS: Final = (
    "localstack-core[base-runtime]==4.9.2",
    "cbor2<5.9",
    "pyopenssl<26",
    "localstack-twisted<26",
)
"""The last version that needs no token and runs on Python 3.11.

It pins its own boto3, so it gets an environment of its own.
"""
VENV: Final = Path(".venv-localstack")
PORT: Final = 4566
REGION: Final = "us-east-1"
LOOPBACK_MAIN: Final = """
import functools, runpy
from twisted.internet import endpoints
endpoints.TCP4ServerEndpoint = functools.partial(
    endpoints.TCP4ServerEndpoint, interface="127.0.0.1")
runpy.run_module("localstack.runtime.main", run_name="__main__", alter_sys=True)
"""
"""Program that starts LocalStack on the loopback alone.

Its server ignores the host in GATEWAY_LISTEN and would listen on every interface.
"""


def existing_endpoint(env: Mapping[str, str] | None = None) -> str | None:
    """``AWS_ENDPOINT_URL`` if something healthy answers there, else ``None``."""
    url = (os.environ if env is None else env).get("AWS_ENDPOINT_URL", "")
    return url if url and healthy(url) else None


def healthy(url: str) -> bool:
    """Whether an object store answers at ``url``: LocalStack's health page, or any S3 answer."""
    try:
        with httpx.Client(timeout=PROBE_TIMEOUT_S, trust_env=False) as client:
            if client.get(f"{url.rstrip('/')}/_localstack/health").status_code == 200:
                return True
            return client.get(url).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def aws_environment(url: str) -> dict[str, str]:
    """Variables that point boto3 to a local endpoint."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def use_local_aws(url: str) -> None:
    """Point this process, and what it starts from now on, to a local endpoint."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ.update(aws_environment(url))


def localstack_service(
    folder: Path,
    *,
    port: int = PORT,
    option: str = "AWS_ENDPOINT_URL",
    level: str = "info",
    venv: Path = VENV,
) -> Service:
    """LocalStack as a service; its environment must be installed.

    Parameters
    ----------
    folder : state folder; its files lie in ``localstack/`` there, its objects in memory only.
    option : what changes the port, for the error when it is taken.
    level : one of the five log levels; a line a request comes with ``debug``.
    """
    here = f"{HOST}:{port}"
    quiet = {"info": "warn", "debug": "info"}.get(level, level)
    return Service(
        name="localstack",
        argv=(str(venv.absolute() / "bin" / "python"), "-c", LOOPBACK_MAIN),
        env={
            "SERVICES": "s3,sqs,kms",
            "GATEWAY_LISTEN": here,
            "LOCALSTACK_HOST": here,
            "SQS_ENDPOINT_STRATEGY": "path",
            "FILESYSTEM_ROOT": str(folder.absolute() / "localstack"),
            "OVERRIDE_IN_DOCKER": "0",
            "DNS_ADDRESS": "0",
            "DISABLE_EVENTS": "1",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "EAGER_SERVICE_LOADING": "1",
            "LS_LOG": PYTHON_LEVEL[quiet].lower(),
            "PYTHONPATH": "",
            "PYTHONWARNINGS": "",
            "AWS_ENDPOINT_URL": "",
            "AWS_PROFILE": "",
        },
        ready=f"http://{here}/_localstack/health",
        ports=(Port(port, option),),
        grace_s=1.0,
        url=f"http://{here}",
    )


def install_localstack(venv: Path = VENV) -> bool:
    """Build LocalStack's environment unless it is there; returns whether it was built.

    Safe when several processes ask at once: one builds, the others wait.

    Raises
    ------
    PeerUnreachable
        The packages cannot be had.
    """
    stamp = venv / ".ready"
    wanted = "\n".join(REQUIREMENTS)
    venv.parent.mkdir(parents=True, exist_ok=True)
    with _locked(venv.parent):
        if stamp.is_file() and stamp.read_text() == wanted:
            return False
        shutil.rmtree(venv, ignore_errors=True)
        for command in _install_commands(venv):
            _run(command)
        stamp.write_text(wanted)
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one process; the lock is on the folder itself and needs no file in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _install_commands(venv: Path) -> list[list[str]]:
    python = str(venv / "bin" / "python")
    uv = find_uv()
    if uv:
        return [
            [uv, "venv", "-q", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "-q", "--python", python, *REQUIREMENTS],
        ]
    return [
        [sys.executable, "-m", "venv", str(venv)],
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS],
    ]


def find_uv() -> str | None:
    """Path of uv: beside this Python, or on the search path."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.is_file() else shutil.which("uv")


def _run(command: list[str]) -> None:
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        raise PeerUnreachable("package index", f"to install {REQUIREMENTS[0]}", said)
