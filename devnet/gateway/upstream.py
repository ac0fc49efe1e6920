"""HTTP client of the settlement layer, as the gateway needs it."""

import http.client
import json
from typing import Final
from urllib.parse import urlsplit

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 300.0


class Unreachable(Exception):
    """No answer came; it is not known whether the request took effect."""


class Declined(Exception):
    """The settlement layer refused the transaction; nothing changed there.

    Parameters
    ----------
    code, message : as in its answer.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class Settlement:
    """Settlement layer at a base URL; every call opens its own connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"settlement URL: expected http://<host>:<port>, found {url}")
        self._host = parts.hostname
        self._port = parts.port or 80

    def state(self) -> dict[str, object]:
        """All final vaults, applied SDLs and the counter of outside changes."""
        return _object(self._call("GET", "/state"))

    def shard(self, shard: int) -> dict[str, object]:
        """Summary of a shard."""
        return _object(self._call("GET", f"/shards/{shard}"))

    def agreement(self, shard: int) -> dict[str, object] | None:
        """Domain agreement of a shard, None when there is none."""
        answer = self._call("GET", f"/agreements/{shard}", absent_ok=True)
        return None if answer is None else _object(answer)

    def sdl(self, name: str) -> dict[str, object] | None:
        """What the settlement layer knows of an SDL, None when nothing."""
        answer = self._call("GET", f"/sdls/{name}", absent_ok=True)
        return None if answer is None else _object(answer)

    def submit_sdl(self, transaction: dict[str, object]) -> dict[str, object]:
        """Hand over an SDL transaction."""
        return _object(self._call("POST", "/sdls", transaction))

    def submit_proof(self, transaction: dict[str, object]) -> dict[str, object]:
        """Hand over a proof transaction; the answer says whether the SDL was applied."""
        return _object(self._call("POST", "/proofs", transaction))

    def _call(self, method: str, path: str, body: object = None, absent_ok: bool = False) -> object:
        raw = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(ANSWER_SECONDS)
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, raw, headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"settlement layer {method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status == 404 and absent_ok:
            return None
        return _answer(response.status, text, path)


def _answer(status: int, text: bytes, path: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        value = None
    if status == 200:
        return value
    if 400 <= status < 500 and isinstance(value, dict) and "code" in value:
        raise Declined(str(value["code"]), str(value.get("message", "")))
    raise Unreachable(f"settlement layer answered {status} to {path}")


def _object(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise Unreachable("settlement layer answered something other than a JSON object")
