"""Headers of ``rpc_credentials`` reach the base layer, nobody else, and are never repeated."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from convexfx_core.errors import ConfigurationError, GatewayError
from tasks.adapters.gateway_http import HttpGateway
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import read_credentials, settlement_from_settings

SECRET = "Bearer swordfish"
Asked = list[tuple[str, str | None]]


@pytest.fixture
def asked() -> Iterator[tuple[str, Asked]]:
    """A peer's URL, and the path and authorization of every request that it got."""
    seen: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            seen.append((self.path, self.headers["Authorization"]))
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"epoch": 7, "params": "no agreement"}).encode())

        do_GET = do_POST = _any

        def log_message(self, format: str, *args: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_headers_go_to_the_base_layer_only(asked: tuple[str, Asked], tmp_path: Path) -> None:
    url, seen = asked
    path = tmp_path / "rpc.json"
    path.write_text(json.dumps({"Authorization": SECRET}))
    settings = Settings(base_layer_rpc=url, rpc_credentials=path)
    client = HttpGateway(url, settlement_from_settings(settings), pauses_s=())
    assert client.delta_epoch() == 7
    with pytest.raises(GatewayError, match="vaultsGet"):
        client.vault("owner")
    client.submit_proof("hash")
    client.close()
    assert seen == [("/epoch", SECRET), ("/vaults/owner", None), ("/sdls/hash/submit_proof", None)]


def test_without_a_file_nothing_is_added(asked: tuple[str, Asked]) -> None:
    url, seen = asked
    settlement = settlement_from_settings(Settings(base_layer_rpc=url))
    settlement.delta_epoch()
    settlement.close()
    assert seen == [("/epoch", None)]


@pytest.mark.parametrize(
    "text", ['"swordfish"', '{"Authorization": 1}', '["swordfish"]', "swordfish", "{", "\u00e9"]
)
def test_a_file_of_another_shape_is_named_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rpc.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"^SETTING: rpc_credentials: .*rpc\.json") as bad:
        read_credentials(path)
    assert "swordfish" not in str(bad.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rpc_credentials"):
        read_credentials(tmp_path / "absent.json")
