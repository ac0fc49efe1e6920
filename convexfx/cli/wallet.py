"""``convexfx wallet``: keys, addresses, balances, orders, their state.

This is the user's side. Keys stay in files on this machine and sign here; the exchange is reached
through its public HTTP API alone, as any other wallet would.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from convexfx.cli.options import Api, Json, find_stack, order_id_of

app = typer.Typer(no_args_is_help=True)

Key = Annotated[Path, typer.Option("--key", help="Key file (JSON string, base58 of the seed).")]
Limit = Annotated[
    str | None, typer.Option("--limit", help="Most units of PAY per unit of RECEIVE, fee included.")
]
MinFill = Annotated[str, typer.Option("--min-fill", help="Least part of the budget, 0 to 1.")]
Nonce = Annotated[int | None, typer.Option(min=1, help="Default: the vault's next one.")]
Until = Annotated[int, typer.Option(min=0, help="Last epoch; 0: only the one that seals it.")]
AlwaysJson = Annotated[bool, typer.Option("--json", help="The answer is JSON in any case.")]


@app.command()
def keygen(key: Key) -> None:
    """Write a new key file; prints the owner."""
    from convexfx_core.identity import base58_encode, owner_id
    from tasks.adapters.keys import generate_key

    typer.echo(base58_encode(owner_id(generate_key(key).public_key)))


@app.command()
def address(key: Key, api: Api = None, as_json: Json = False) -> None:
    """Print the vault's address, "<owner>,<shard>"."""
    wallet = _wallet(key, api)[1]
    found = {"owner": wallet.owner, "address": wallet.address}
    typer.echo(json.dumps(found, sort_keys=True) if as_json else wallet.address)


@app.command()
def balance(key: Key, api: Api = None, as_json: Json = False) -> None:
    """Print balances and the next nonce."""
    exchange, wallet = _wallet(key, api)
    vault = exchange.vault(wallet.owner)
    if as_json:
        typer.echo(json.dumps(vault, sort_keys=True))
        return
    for name, amount in vault["balances"].items():
        typer.echo(f"{name} {amount}")
    typer.echo(f"next nonce {vault['next_order_nonce']}")


@app.command()
def sign(
    pay: str,
    receive: str,
    budget: str,
    key: Key,
    limit: Limit = None,
    min_fill: MinFill = "0",
    nonce: Nonce = None,
    valid_until: Until = 0,
    api: Api = None,
) -> None:
    """Sign an order and print its VERIFIABLE; nothing is sent."""
    signed = _order(key, api, pay, receive, budget, limit, min_fill, nonce, valid_until)[1]
    typer.echo(json.dumps(signed.verifiable))


@app.command()
def submit(
    pay: str,
    receive: str,
    budget: str,
    key: Key,
    limit: Limit = None,
    min_fill: MinFill = "0",
    nonce: Nonce = None,
    valid_until: Until = 0,
    wait_s: Annotated[int, typer.Option("--wait", min=0, help="Seconds for the outcome.")] = 0,
    api: Api = None,
) -> None:
    """Sign an order and drop it in the inbox; exit 1 if it is rejected."""
    exchange, signed = _order(key, api, pay, receive, budget, limit, min_fill, nonce, valid_until)
    answer = exchange.submit([signed.verifiable])[0]
    if answer["status"] == "queued" and wait_s:
        answer = exchange.status(signed.order_id.hex(), wait_s)
    typer.echo(json.dumps(answer, sort_keys=True))
    raise typer.Exit(1 if answer["status"] == "rejected" else 0)


@app.command()
def status(
    order_id: str,
    wait_s: Annotated[int, typer.Option("--wait", min=0, help="Seconds for the outcome.")] = 0,
    api: Api = None,
    as_json: AlwaysJson = True,
) -> None:
    """Print an order's state, as JSON."""
    wanted = order_id_of(order_id)
    typer.echo(json.dumps(_exchange(api).status(wanted, wait_s), sort_keys=True))


@app.command()
def cancel(
    nonce: Annotated[int, typer.Argument(min=1, help="Nonce of the order.")],
    pay: Annotated[str, typer.Argument(help="Pay asset of the order.")],
    key: Key,
    api: Api = None,
) -> None:
    """Cancel whatever order holds a nonce and has not settled."""
    exchange, wallet = _wallet(key, api)
    answer = exchange.submit([wallet.cancel(nonce, pay).verifiable])[0]
    typer.echo(json.dumps(answer, sort_keys=True))
    raise typer.Exit(1 if answer["status"] == "rejected" else 0)


def _exchange(api: str | None) -> Any:
    from convexfx.wallet import ExchangeClient
    from tasks.adapters.settings import Settings

    if api is None:
        find_stack(None)
        api = f"http://127.0.0.1:{Settings.load().api_port}"
    return ExchangeClient(api)


def _wallet(key: Path, api: str | None) -> tuple[Any, Any]:
    from convexfx.wallet import Wallet

    exchange = _exchange(api)
    return exchange, Wallet.load(key, exchange.domain())


def _order(
    key: Path,
    api: str | None,
    pay: str,
    receive: str,
    budget: str,
    limit: str | None,
    min_fill: str,
    nonce: int | None,
    valid_until: int,
) -> tuple[Any, Any]:
    exchange, wallet = _wallet(key, api)
    chosen = nonce or exchange.next_nonce(wallet.owner)
    signed = wallet.order(
        pay, receive, budget, nonce=chosen, limit_ratio=limit, min_fill_fraction=min_fill,
        valid_until_epoch=valid_until,
    )  # fmt: skip
    return exchange, signed
