"""Client of the exchange's HTTP API, for wallets and for the command line.

It tells an error that the API answered from a peer that does not answer at all: the second may be
tried again, since an order that arrives twice counts once.
"""

from types import TracebackType
from typing import Any, Final, Self

import httpx

from convexfx.wallet.domain import domain_from_json
from convexfx_core.errors import GatewayError, PeerUnreachable
from convexfx_core.orders.signed import Domain

TIMEOUT_S: Final = 10.0
UNAVAILABLE: Final = 503


class ExchangeClient:
    """Reads vaults and orders, submits verifiables.

    Parameters
    ----------
    url : of the API, e.g. ``http://127.0.0.1:8080``.
    timeout_s : of one request; ``status`` adds its own waiting time.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.Client(base_url=url, timeout=timeout_s)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self._http.close()

    def domain(self) -> Domain:
        """Network, pool and assets of the exchange."""
        return domain_from_json(self._ask("GET", "/domain"))

    def vault(self, owner: str) -> dict[str, Any]:
        """Balances, next nonce and open orders of a base58 owner."""
        return dict(self._ask("GET", f"/vaults/{owner}"))

    def next_nonce(self, owner: str) -> int:
        """The nonce that the owner's next order must carry, open orders counted."""
        return int(self.vault(owner)["next_order_nonce"])

    def submit(self, verifiables: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Queue verifiables or Swaps; per item ``{order_id, status}`` or a rejection."""
        return list(self._ask("POST", "/verifiables", json=verifiables))

    def preview(
        self,
        pay: str,
        receive: str,
        budget: str,
        limit_ratio: str | None = None,
        min_fill_fraction: str = "0",
    ) -> dict[str, Any]:
        """What an order would get if the open batch were cleared with it now; nothing is queued."""
        order = {
            "pay_asset": pay,
            "receive_asset": receive,
            "budget": budget,
            "limit_ratio": limit_ratio,
            "min_fill_fraction": min_fill_fraction,
        }
        return dict(self._ask("POST", "/preview", json=order))

    def status(self, order_id: str, wait_s: int = 0) -> dict[str, Any]:
        """State of an order (hexadecimal id); waits up to ``wait_s`` seconds for its outcome."""
        params = {"wait_s": wait_s} if wait_s else {}
        return dict(
            self._ask("GET", f"/orders/{order_id}", params=params, timeout=self._timeout_s + wait_s)
        )

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            url = str(self._http.base_url)
            raise PeerUnreachable("exchange API", f"an answer at {url}", str(error)) from None
        if answer.status_code == UNAVAILABLE:
            raise PeerUnreachable("exchange API", "its services to answer", _problem(answer))
        if answer.is_error:
            raise GatewayError(f"{method} {path}", "success", _problem(answer))
        return answer.json()


def _problem(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        return f"{body['code']}: {body['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"
