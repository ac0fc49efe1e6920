"""FungibleTokenMint as JSON: what no mint may look like, and that nobody's order is one."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from convexfx_core.orders.payload import Credit, MintOperation, MintPayload
from convexfx_core.wire.delta import VERIFIABLE
from convexfx_core.wire.orders import parse_verifiable, verifiable_json
from tests.support.signed_cases import address, code_of_call, domain, key

Change = Callable[[dict[str, Any]], object]
MINTER = key("mint USD")
CREATE = MintPayload(
    domain().network_id, address("mint USD"), 1, MintOperation.CREATE, "US dollar", "USD",
    (Credit(address("pool"), 10), Credit(address("alice", 9), 5)),
)  # fmt: skip
INCREASE = MintPayload(
    domain().network_id, address("mint USD"), 2, MintOperation.INCREASE_SUPPLY, "", "",
    (Credit(address("pool"), 10),),
)  # fmt: skip


def item(mint: MintPayload = CREATE) -> dict[str, Any]:
    return verifiable_json(mint, MINTER.public, MINTER.sign(mint.to_bytes()))


def content(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = value["FungibleTokenMint"]["payload"]["content"]
    return found


def created(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content(value)["operation"]["Create"]
    return found


def credit(**fields: object) -> Change:
    return lambda v: created(v)["credited"][0].update(fields)


def in_content(**fields: object) -> Change:
    return lambda v: content(v).update(fields)


REFUSED: dict[str, Change] = {
    "no nonce": lambda v: content(v).pop("new_nonce"),
    "nonce as text": in_content(new_nonce="1"),
    "nonce 2^64": in_content(new_nonce=1 << 64),
    "nonce -1": in_content(new_nonce=-1),
    "shard 0": in_content(shard=0),
    "no shard": lambda v: content(v).pop("shard"),
    "debited shard": in_content(debited_shard=1),
    "no operation": lambda v: content(v).pop("operation"),
    "other operation": in_content(operation={"Burn": {}}),
    "two operations": lambda v: content(v)["operation"].update(IncreaseSupply={"credited": []}),
    "operation as text": in_content(operation="Create"),
    "no metadata": lambda v: created(v).pop("metadata"),
    "no symbol": lambda v: created(v)["metadata"].pop("symbol"),
    "name a number": lambda v: created(v)["metadata"].update(name=1),
    "decimals": lambda v: created(v)["metadata"].update(decimals=6),
    "supply": lambda v: created(v).update(supply=15),
    "no credited": lambda v: created(v).pop("credited"),
    "credited a map": lambda v: created(v).update(credited={}),
    "credit 2^64": credit(amount=1 << 64),
    "credit -1": credit(amount=-1),
    "credit 1.0": credit(amount=1.0),
    "credit true": credit(amount=True),
    "credit nowhere": credit(address="alice"),
    "credit shard 0": credit(address=str(address("pool")).replace(",7", ",0")),
    "credit with memo": credit(memo="x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_mints(name: str) -> None:
    value = copy.deepcopy(item())
    REFUSED[name](value)
    with pytest.raises(ValidationError):
        VERIFIABLE.validate_python(value)
    assert code_of_call(lambda: parse_verifiable(value, domain())) is not None


@pytest.mark.parametrize("mint", [CREATE, INCREASE])
def test_a_mint_is_no_order(mint: MintPayload) -> None:
    assert code_of_call(lambda: parse_verifiable(item(mint), domain())) == "VERIFIABLE_KIND"
