"""One ASGI request at a time, without a socket: what an application sends is what one sees."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """Status (0: none came), body, and whether the body was finished."""

    status_code: int = 0
    body: bytes = b""
    complete: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class AsgiClient:
    """Synchronous requests to an application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def request(
        self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        return asyncio.run(self._request(method, path, content, headers or {}))

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def post(
        self, path: str, json_body: Any = None, content: bytes = b"", **headers: str
    ) -> Answer:
        body = content if json_body is None else json.dumps(json_body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, named)

    async def _request(
        self, method: str, path: str, content: bytes, headers: dict[str, str]
    ) -> Answer:
        answer, messages = Answer(), [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
            else:
                answer.body += message.get("body", b"")
                answer.complete = not message.get("more_body", False)

        named = {"content-length": str(len(content)), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await self.app(scope, receive, send)
        return answer
