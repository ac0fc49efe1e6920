"""The API process on a real object store, a real queue and the devnet: the seed's own request."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from convexfx.wallet import domain_to_json
from convexfx_core.encoding.canonical_json import json_bytes
from tasks.adapters.s3 import S3Store
from tasks.adapters.sqs import SqsInbox
from tests.support.epoch_world import NETWORK, SHARD, World, open_world
from tests.support.stack_fixtures import AwsNames, environment

pytestmark = pytest.mark.stack
START_S = 60.0
NUMBER = {"limit_ratio": 1.1, "min_fill_fraction": 0.5}


def settings_of(world: World, folder: Path, names: AwsNames) -> dict[str, str]:
    """The settings of the API as environment variables, and the files that they name."""
    tokens = folder / "tokens.json"
    tokens.write_bytes(json_bytes(domain_to_json(NETWORK, world.ctx.domain)))
    values = {
        "BASE_LAYER_RPC": world.programs[0].url,
        "GATEWAY": world.programs[1].url,
        "NETWORK": NETWORK,
        "SHARD": str(SHARD),
        "KEYPAIR": str(folder / "operator.json"),
        "TOKENS": str(tokens),
        "BUCKET": names.bucket,
        "INBOX_QUEUE": names.queue,
    }
    return {f"CONVEXFX_{name}": value for name, value in values.items()}


class ApiProcess:
    """``python -m convexfx.api`` on a free port."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "api.log"
        words = [sys.executable, "-W", "ignore", "-m", "convexfx.api", "--port", "0"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(words, stdout=output, stderr=output)
        self.url = self._address()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def _address(self) -> str:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            named = [line for line in self.log.read_text().splitlines() if "listening on" in line]
            if named:
                return str(json.loads(named[-1])["message"]).split()[-1]
            time.sleep(0.05)
        pytest.fail(self.log.read_text()[-2000:])

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ready(self) -> dict[str, Any]:
        """Readiness once the chain was read."""
        end = time.monotonic() + START_S
        while True:
            found: dict[str, Any] = self.http.get("/api/ready").json()["dependencies"]
            if found["chain"]["ready"] or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def stop(self) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


def seeds_body(world: World, nonce: int) -> tuple[str, str]:
    """The seed's request with owner, key and signature in place of 0x..., and its order id."""
    alice = world.wallets["alice"]
    signed = alice.order(
        "USD", "EUR", "1000", nonce=nonce, limit_ratio="1.1", min_fill_fraction="0.5"
    )
    item = {
        "owner": f"0x{alice.owner_id.hex()}",
        "pay_asset": "USD",
        "receive_asset": "EUR",
        "budget": "1000",
        **NUMBER,
        "pub_key": f"0x{alice.pub_key.hex()}",
        "signature": f"0x{signed.signature.hex()}",
    }
    return json.dumps([{"Swap": item}]), signed.order_id.hex()


def test_the_seeds_request_is_queued_cleared_and_seen_in_the_vault(
    tmp_path: Path, aws_names: AwsNames
) -> None:
    ports = S3Store(aws_names.bucket), SqsInbox(aws_names.queue)
    with (
        open_world(tmp_path, ports=ports) as world,
        environment(settings_of(world, tmp_path, aws_names)),
    ):
        api = ApiProcess(tmp_path)
        try:
            ready = api.ready()
            missing = {name for name, found in ready.items() if not found["ready"]}
            assert missing == {"agreement"}
            assert "params_hash" in ready["agreement"]["missing"]
            body, order_id = seeds_body(world, 1)
            answer = api.http.post("/verifiables", content=body)
            assert answer.json() == [{"status": "queued", "order_id": order_id}]
            assert api.get(f"/orders/{order_id}")["state"] == "queued"
            assert api.stop() == 0
            api = ApiProcess(tmp_path)
            api.ready()
            outcome = world.run()
            assert outcome is not None
            assert outcome["status"] == "settled", outcome["reason"]
            order = api.get(f"/orders/{order_id}?wait_s=60")
            assert (order["state"], order["epoch"]) == ("filled", 1)
            vault = api.get(f"/vaults/0x{world.wallets['alice'].owner_id.hex()}")
            assert vault["balances"]["USD"] == "99000.000000"
            held = world.balances()["alice"]
            assert vault["balances_base_units"] == {name: str(n) for name, n in held.items()}
            assert vault["next_nonce"] == 2
            assert api.get("/epochs/1/proof")["is_proof"] is False
            assert api.http.post("/verifiables", content=body).json() == answer.json()
        finally:
            status = api.stop()
        assert status == 0
