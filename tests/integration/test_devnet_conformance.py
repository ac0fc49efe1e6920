"""What every gateway of delta's API 0.6.10 must do: ours, or a real one at ``DELTA_GATEWAY_URL``.

Only reads, and requests that cannot change anything, so that it may be pointed at any gateway.
"""

import os
from collections.abc import Iterator

import httpx
import pytest

from convexfx_core.errors import GatewayError
from tasks.adapters.gateway_http import HttpGateway
from tests.integration.devnet_processes import Network
from tests.support.devnet_stage import HOLDERS
from tests.support.devnet_world import Wallet, b58

NOBODY = b58(Wallet("nobody has this vault").owner)
OPERATIONS = {
    "intentsExecute", "intentsSubmit", "vaultsGet", "vaultsGetNonce", "sdlsGetAll", "sdlsSubmit",
    "sdlsGet", "sdlsProve", "sdlsSubmitProof",
}  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("DELTA_GATEWAY_URL")
    if given:
        yield given.rstrip("/")
        return
    network = Network(tmp_path_factory.mktemp("conformance"))
    network.open(HOLDERS)
    yield network.gateway.url
    network.close()


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[HttpGateway]:
    client = HttpGateway(url, url)
    yield client
    client.close()


def test_the_document_names_the_nine_operations(url: str) -> None:
    paths = httpx.get(url + "/openapi.json").json()["paths"]
    names = {row["operationId"] for methods in paths.values() for row in methods.values()}
    assert names >= OPERATIONS


def test_an_unknown_vault_is_none(client: HttpGateway) -> None:
    assert client.vault(NOBODY) is None


def test_the_next_nonce_of_an_unknown_vault_is_one(client: HttpGateway) -> None:
    assert client.next_nonce(NOBODY) == 1


def test_sdls_are_a_list_of_known_states(client: HttpGateway) -> None:
    for name in client.sdls():
        assert client.sdl(name) is not None


def test_an_unknown_sdl_is_none(client: HttpGateway) -> None:
    assert client.sdl(b58(bytes(31) + b"\1")) is None


def test_an_unsigned_intent_is_an_error(client: HttpGateway) -> None:
    wallet = Wallet("nobody has this vault")
    content = {
        "credited": f"{NOBODY},1",
        "debited_shard": 1,
        "new_nonce": 1,
        "allowances": {f"{NOBODY},1": {"Fungible": 1}},
    }
    signature = {"pub_key": b58(wallet.public), "signature": b58(bytes(64))}
    message = {
        "payload": {"auxiliary": [], "content": content},
        "signature": {"Ed25519": signature},
    }
    with pytest.raises(GatewayError):
        client.execute([{"DebitAllowance": message}])


def test_a_body_that_is_no_array_is_an_error(url: str) -> None:
    answer = httpx.post(url + "/intents/execute", json={"not": "an array"})
    assert answer.status_code >= 400
