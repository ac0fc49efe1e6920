"""The two devnet programs as real processes on free ports of 127.0.0.1."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.devnet_world import OPERATOR, SHARD, Vault, agreement, b58, six_mints

START_SECONDS = 20.0
ENDED = ("BaseLayerApplied", "BaseLayerFailed")


class Program:
    """A devnet program; :meth:`stop` ends it by its process id.

    Parameters
    ----------
    module : ``devnet.gateway`` or ``devnet.settlement``.
    log : file that takes its standard error.
    options : further command line options.
    """

    def __init__(self, module: str, log: Path, *options: str, port: int = 0) -> None:
        words = [sys.executable, "-m", module, "--port", str(port), *options]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listening on http://127.0.0.1:" in line, log.read_text()[-2000:]
        self.url = line.split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def call(self, method: str, path: str, body: Any = None, timeout: float = 120) -> Any:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        answer = httpx.request(method, self.url + path, content=content, timeout=timeout)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
        return int(self.process.returncode)


class Network:
    """Settlement layer and gateway of shard 1 in a folder."""

    def __init__(
        self, folder: Path, settlement: tuple[str, ...] = (), gateway: tuple[str, ...] = ()
    ) -> None:
        self.folder = folder
        keypair = folder / "operator.json"
        keypair.write_text(json.dumps(b58(OPERATOR.seed)))
        self.settlement = Program("devnet.settlement", folder / "settlement.log", *settlement)
        self.gateway_options = (
            *("--settlement", self.settlement.url, "--shard", str(SHARD)),
            *("--keypair", str(keypair), *gateway),
        )
        self.gateway = Program("devnet.gateway", folder / "gateway.log", *self.gateway_options)

    def open(self, holders: dict[Vault, int]) -> None:
        """Mint six currencies, credit ``holders`` with each, make the agreement active."""
        self.gateway.post("/intents/execute", six_mints(holders))
        assert self.settle(b"") == "BaseLayerApplied"
        self.settlement.post("/agreements", agreement())
        self.settlement.post("/epoch/advance")

    def settle(self, envelope: bytes) -> Any:
        """Bring everything pending to an end; the last state of its SDL."""
        name = self.gateway.post("/sdls/submit")
        self.gateway.post(f"/sdls/{name}/prove", envelope)
        self.wait(name, ("Proven",))
        self.gateway.post(f"/sdls/{name}/submit_proof")
        return self.wait(name, ENDED)

    def wait(self, name: str, states: tuple[str, ...], seconds: float = 120) -> Any:
        end = time.monotonic() + seconds
        while (state := self.gateway.get(f"/sdls/{name}")) not in states:
            assert time.monotonic() < end, state
            time.sleep(0.02)
        return state

    def close(self) -> tuple[int, int]:
        return self.gateway.stop(), self.settlement.stop()
