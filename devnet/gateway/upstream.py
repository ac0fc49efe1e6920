"""HTTP client of the settlement layer, as the gateway needs it.

It tells a refusal (:class:`Declined`: nothing changed) from a lost answer (:class:`Unreachable`: it
may have), because only after the latter the gateway must ask what became of its request.
"""

import http.client
import json
from typing import Final
from urllib.parse import urlsplit

Json = dict[str, object]

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


class Absent(Declined):
    """The settlement layer knows nothing of that name."""


class Settlement:
    """Settlement layer at a base URL; every call opens its own connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"settlement URL: expected http://<host>:<port>, found {url}")
        self._host = parts.hostname
        self._port = parts.port or 80

    def state(self) -> Json:
        """All final vaults, applied SDLs and the counter of outside changes."""
        return self._call("GET", "/state")

    def shard(self, shard: int) -> Json:
        """Summary of a shard."""
        return self._call("GET", f"/shards/{shard}")

    def agreement(self, shard: int) -> Json | None:
        """Domain agreement of a shard, None when there is none."""
        return self._find(f"/agreements/{shard}")

    def sdl(self, name: str) -> Json | None:
        """What the settlement layer knows of an SDL, None when nothing."""
        return self._find(f"/sdls/{name}")

    def submit_sdl(self, transaction: Json) -> Json:
        """Hand over an SDL transaction."""
        return self._call("POST", "/sdls", transaction)

    def submit_proof(self, transaction: Json) -> Json:
        """Hand over a proof transaction; the answer says whether the SDL was applied."""
        return self._call("POST", "/proofs", transaction)

    def _find(self, path: str) -> Json | None:
        try:
            return self._call("GET", path)
        except Absent:
            return None

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
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
        return _answer(response.status, text, path)


def _answer(status: int, text: bytes, path: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        if status == 200:
            return value
        if 400 <= status < 500 and "code" in value:
            refusal = Absent if status == 404 else Declined
            raise refusal(str(value["code"]), str(value.get("message", "")))
    raise Unreachable(f"settlement layer answered {status} to {path}")
