"""Declares the whole exchange on one machine: its services and the steps between them, in order.

``convexfx up`` hands the parts to the supervisor, which starts them. The order matters: the object
store, the settlement layer and Prefect come first, then keys and the gateway that needs them, then
the first day (currencies, vaults, agreement), then everything that works on that state. ``convexfx
run`` uses the second half alone, against an exchange that stands elsewhere.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from convexfx.local.deployments import results_block_slug
from convexfx.local.genesis import Genesis, key_of, make_genesis
from convexfx.local.localstack import (
    aws_environment,
    existing_endpoint,
    install_localstack,
    localstack_service,
    use_local_aws,
)
from convexfx.local.lost_runs import end_lost_runs
from convexfx.local.prefect_server import (
    EPOCH_POOL,
    PROVE_POOL,
    api_url,
    prefect_environment,
    prefect_server_service,
    prefect_worker_service,
)
from convexfx.local.provision import provision
from convexfx.local.running import write_environment
from convexfx.local.service import Part, Port, Service, Step, answers
from convexfx.loopback import HOST
from convexfx_core.errors import PeerUnreachable
from tasks.adapters.law_program import read_law_program
from tasks.adapters.laws_host import SP1_MODES, LawsHost
from tasks.adapters.laws_serve import is_listening
from tasks.adapters.proof_modes import host_binary, host_of, require_mode
from tasks.adapters.prover_local import SIGNED_MODES
from tasks.adapters.settings import Settings

DELTA_EPOCH_S: Final = 2
EPOCH_GAP: Final = 10**9
"""Clearing epochs that may pass without an SDL.

An epoch in which no order is consumed sends none, and resting orders may wait for days.
"""
DEPLOY_S_MAX: Final = 300
SERVE_RESTARTS_MAX: Final = 100
SOCKET_PATH_BYTES_MAX: Final = 100
"""Longest path of a socket that we use; Unix systems accept little more."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of 127.0.0.1, each with an option of `convexfx up` that changes it."""

    api: int = 8080
    gateway: int = 3000
    settlement: int = 3100
    prefect: int = 4200
    aws: int = 4566


@dataclass(slots=True)
class Exchange:
    """A local exchange that can be started.

    Attributes
    ----------
    folder : state folder: keys, tokens, parameters, logs.
    ports : where its services listen.
    settings : what every process works with; endpoints are those of ``ports``.
    genesis : what the first day made, once it was started.
    scheduled : whether epochs run by schedule.
    """

    folder: Path
    ports: Ports
    settings: Settings
    scheduled: bool = True
    genesis: list[Genesis] = field(default_factory=list)

    @property
    def api_url(self) -> str:
        """Where page and API are served."""
        return f"http://{HOST}:{self.ports.api}"

    @property
    def prefect_url(self) -> str:
        """Where the Prefect UI is served."""
        return f"http://{HOST}:{self.ports.prefect}"

    def environment(self) -> dict[str, str]:
        """Variables of every process that does the exchange's work."""
        prefect = prefect_environment(self.folder, self.ports.prefect, self.settings.log_level)
        storage = {"PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": results_block_slug()}
        return {**self.settings.environment(), **self.aws(), **prefect, **storage}

    def aws(self) -> dict[str, str]:
        """Variables that point to the object store and queue in use."""
        return aws_environment(existing_endpoint() or f"http://{HOST}:{self.ports.aws}")

    def parts(self) -> tuple[Part, ...]:
        """Everything in the order of its start.

        Raises
        ------
        ConfigurationError
            This machine cannot run the proof mode.
        """
        require_mode(self.settings)
        own = not existing_endpoint()
        install = (Step("object store: environment (once)", _installed),) if own else ()
        aws = localstack_service(self.folder, port=self.ports.aws, option="--aws-port")
        store = (aws,) if own else ()
        return (
            *install,
            Step("state of an earlier run", self._forget),
            (*store, self._settlement(), self._prefect_server()),
            self._first_keys(),
            self._gateway(),
            Step("bucket, queue, six currencies, vaults, agreement", self._first_day),
            *self.work(),
        )

    def work(self) -> tuple[Part, ...]:
        """The parts that do an exchange's work, wherever its store, queue and network are.

        Only a real proof needs a worker of the proving pool; in the other modes the epoch's own
        process does the work. The served prover comes last, because its start keeps every core busy
        for a minute and nothing waits for it.
        """
        workers = tuple(self._worker(pool) for pool in self._pools())
        check = (Step("law program", self._check_program),) if self._runs_the_guest() else ()
        deploy = Step("deployments", self._deploy)
        return (*check, (*workers, self._api()), deploy, *self._prover())

    def executor_parts(self) -> tuple[Part, ...]:
        """The executor alone: a Prefect server, unless one answers on its port, and the work."""
        if answers(f"{self.prefect_url}/api/health"):
            return self.work()  # its workers may run elsewhere: no run is known to be lost
        lost = Step("runs that an earlier start left", self._end_lost_runs)
        return self._prefect_server(), lost, *self.work()

    def _end_lost_runs(self) -> None:
        end_lost_runs(api_url(self.ports.prefect), self._pools())

    def _pools(self) -> tuple[str, ...]:
        """Work pools whose workers are parts of this exchange."""
        return (EPOCH_POOL,) if self._signed() else (EPOCH_POOL, PROVE_POOL)

    def _runs_the_guest(self) -> bool:
        return self.settings.proof_mode != "attested"

    def _signed(self) -> bool:
        """Whether epochs settle on a signature, without a proof."""
        return self.settings.proof_mode in SIGNED_MODES

    def _check_program(self) -> None:
        """Check host and ELF and, where epochs are proven, that the verifying key is the ELF's."""
        host_of(self.settings).selfcheck(with_vkey=not self._signed())

    def _prover(self) -> tuple[Service, ...]:
        """The served prover of the proving worker, unless one runs there already."""
        socket = self.settings.prover_socket
        if socket is None or self.settings.proof_mode not in SP1_MODES or is_listening(socket):
            return ()
        host = host_of(self.settings)
        words = ("--elf", str(host.program.elf), "serve", "--socket", str(socket))
        return (
            Service(
                name="laws-host-serve",
                argv=(str(host.binary), *words),
                restarts_max=SERVE_RESTARTS_MAX,
            ),
        )

    def _first_keys(self) -> Step:
        def make() -> None:
            for name in ("operator", "attestor"):
                key_of(self.folder, name)

        return Step("keys", make)

    def _forget(self) -> None:
        """Remove Prefect's database; objects, queue and network were in memory and are gone too."""
        shutil.rmtree(self.folder / "prefect", ignore_errors=True)

    def _first_day(self) -> None:
        use_local_aws(self.aws()["AWS_ENDPOINT_URL"])
        provision(self.settings.bucket, self.settings.inbox_queue)
        self.genesis.append(make_genesis(self.settings, self.folder))
        write_environment(self.folder, self.environment())

    def _deploy(self) -> None:
        interval = str(self.settings.epoch_interval_s if self.scheduled else 0)
        module = "convexfx.local.deployments"
        mode = self.settings.proof_mode
        command = (sys.executable, "-m", module, self.settings.bucket, interval, mode)
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=DEPLOY_S_MAX,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise PeerUnreachable("Prefect", "the deployments to be made", last)

    def _settlement(self) -> Service:
        port = self.ports.settlement
        options = (
            *("--network", self.settings.network),
            *("--epoch-seconds", str(DELTA_EPOCH_S), "--epoch-gap", str(EPOCH_GAP)),
        )
        return self._devnet("settlement", port, (*options, *self._verifier()))

    def _verifier(self) -> tuple[str, ...]:
        """Options by which the settlement layer verifies proofs: the same host, the key alone."""
        if self._signed():
            return ()
        return ("--verifier-command", verifier_command(host_of(self.settings)))

    def _gateway(self) -> Service:
        options = (
            *("--network", self.settings.network),
            *("--settlement", self.settings.base_layer_rpc),
            *("--shard", str(self.settings.shard), "--keypair", str(self.settings.keypair)),
        )
        return self._devnet("gateway", self.ports.gateway, options)

    def _devnet(self, name: str, port: int, options: tuple[str, ...]) -> Service:
        level = ("--log-level", self.settings.log_level)
        return Service(
            name=name,
            argv=(sys.executable, "-m", f"devnet.{name}", "--port", str(port), *options, *level),
            ready=f"http://{HOST}:{port}/openapi.json",
            ports=(Port(port, f"--{name}-port"),),
            url=f"http://{HOST}:{port}",
        )

    def _prefect_server(self) -> Service:
        level = self.settings.log_level
        return prefect_server_service(self.folder, port=self.ports.prefect, level=level)

    def _worker(self, pool: str) -> Service:
        return prefect_worker_service(
            self.folder,
            pool,
            server_port=self.ports.prefect,
            env=self.environment(),
            level=self.settings.log_level,
        )

    def _api(self) -> Service:
        port = self.ports.api
        return Service(
            name="api",
            argv=(sys.executable, "-m", "convexfx.api", "--port", str(port)),
            env=self.environment(),
            ready=f"{self.api_url}/api/health",
            ports=(Port(port, "--api-port"),),
            url=self.api_url,
            restarts_max=3,
        )


def _installed() -> None:
    install_localstack()


def local_settings(folder: Path, ports: Ports, settings: Settings) -> Settings:
    """Settings of a local exchange: everything in ``folder`` and on ``ports``.

    The host binary is named once, so that every process of the stack runs the same one.
    """
    here = folder.absolute()
    proven = settings.proof_mode in SP1_MODES
    binary = host_binary(settings) if settings.proof_mode != "attested" else settings.laws_host
    return settings.model_copy(
        update={
            "base_layer_rpc": f"http://{HOST}:{ports.settlement}",
            "gateway": f"http://{HOST}:{ports.gateway}",
            "keypair": here / "keys" / "operator.json",
            "attestor": here / "keys" / "attestor.json",
            "tokens": here / "tokens.json",
            "parameters": here / "parameters.json",
            "api_port": ports.api,
            "laws_host": binary,
            "prover_socket": settings.prover_socket or (socket_path(here) if proven else None),
        }
    )


def verifier_command(host: LawsHost) -> str:
    """Command line with which the settlement layer verifies proofs (``docs/devnet.md``)."""
    words = (
        *(str(host.binary.absolute()), "verify", "--mode", "{kind}", "--proof", "{proof}"),
        *("--vkey-file", str(host.program.vkey_file.absolute()), "--vkey", "{program_hash}"),
        *("--public-values", "{public_values_hex}"),
    )
    return shlex.join(words)


def socket_path(folder: Path) -> Path:
    """Socket of the served prover of a state folder; elsewhere if its path would be too long."""
    path = folder / "laws-host.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"convexfx-{name}.sock"


def local_exchange(
    folder: Path,
    ports: Ports,
    settings: Settings,
    *,
    scheduled: bool = True,
    free: Callable[[int], tuple[int, ...]] | None = None,
) -> Exchange:
    """An exchange in a state folder.

    Parameters
    ----------
    free : gives that many free ports, for tests; None: ``ports`` hold.
    """
    chosen = ports if free is None else replace(Ports(*free(5)))
    pinned = local_settings(folder, chosen, with_own_program(folder, settings))
    return Exchange(folder, chosen, pinned, scheduled)


def with_own_program(folder: Path, settings: Settings) -> Settings:
    """Settings that name a copy of the law program in the state folder.

    The agreement of an exchange names the program that it began with. A copy keeps that program the
    same when somebody builds another guest, or checks out another commit, while the exchange runs.
    """
    program = read_law_program(settings.law_program)
    own = folder.absolute() / "elf"
    if settings.proof_mode == "attested" or program is None or program.folder == own:
        return settings
    shutil.copytree(program.folder, own, dirs_exist_ok=True)
    return settings.changed(law_program=own)
