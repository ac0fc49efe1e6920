"""State diffs as the gateway writes them, and the published schemas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

import convexfx_core
from convexfx_core.encoding.canonical_json import json_bytes
from convexfx_core.wire.inbox import inline_message
from convexfx_core.wire.schema import SCHEMA_NAMES, schema_bytes, schema_documents
from convexfx_core.wire.vaults import VERIFIABLES_WITH_DIFFS
from tests.support.signed_cases import address, verifiable

TOKEN = str(address("mint USD"))
MINT = {"FungibleTokenMint": {"metadata": {"name": "n", "symbol": "s"}, "supply": 9}}
NO_SHARD = str(address("bob")).replace(",7", ",0")


def diff(operation: object, vault: str = TOKEN) -> dict[str, Any]:
    return {"verifiable": verifiable(), "state_diffs": [{"address": vault, "operation": operation}]}


def tokens(value: object) -> dict[str, Any]:
    return {"TokenDiffs": {TOKEN: value}}


ACCEPTED: list[tuple[TypeAdapter[Any], object]] = [
    (VERIFIABLES_WITH_DIFFS, []),
    (VERIFIABLES_WITH_DIFFS, [{"verifiable": verifiable(), "state_diffs": []}]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": -(1 << 63)}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": (1 << 63) - 1}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"NonFungible": {"changes": {"1": "Credit"}}}))]),
    (VERIFIABLES_WITH_DIFFS, [diff({"FungibleTokenMint": {"IncreaseSupply": 5}})]),
    (VERIFIABLES_WITH_DIFFS, [diff({"FungibleTokenMint": {"Create": MINT["FungibleTokenMint"]}})]),
]
REFUSED: list[tuple[TypeAdapter[Any], object]] = [
    (VERIFIABLES_WITH_DIFFS, {}),
    (VERIFIABLES_WITH_DIFFS, [{"verifiable": verifiable()}]),
    (VERIFIABLES_WITH_DIFFS, [{"verifiable": verifiable(), "state_diffs": [], "x": 1}]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": -(1 << 63) - 1}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": 1 << 63}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": 1.0}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": "1"}))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens(1))]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"NonFungible": {"changes": {"1": "Burn"}}}))]),
    (VERIFIABLES_WITH_DIFFS, [diff({"NftMint": {}})]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": 1}), NO_SHARD)]),
    (VERIFIABLES_WITH_DIFFS, [diff(tokens({"Fungible": 1}), "alice")]),
]


@pytest.mark.parametrize(("adapter", "value"), ACCEPTED)
def test_accepted_and_written_back_as_read(adapter: TypeAdapter[Any], value: object) -> None:
    model = adapter.validate_python(value)
    written = adapter.dump_python(model, mode="json", exclude_unset=True)
    assert written == value
    assert json.loads(json_bytes(written)) == value


@pytest.mark.parametrize(("adapter", "value"), REFUSED)
def test_refused(adapter: TypeAdapter[Any], value: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


def test_schema_files_are_those_of_the_models() -> None:
    folder = Path(convexfx_core.__file__).parent / "schemas"
    for name in SCHEMA_NAMES:
        assert (folder / f"{name}.json").read_bytes() == schema_bytes(name)
    wire = {path.stem for path in folder.glob("*.json")} & {"verifiable", "swap", "inbox-message"}
    assert wire == set(SCHEMA_NAMES)


SWAP = {
    "owner": "0x00",
    "pay_asset": "USD",
    "receive_asset": "EUR",
    "budget": "1",
    "signature": "x",
}
SHAPES: list[tuple[str, Any, Callable[[Any], object]]] = [
    ("verifiable", verifiable(), lambda v: v["DebitAllowance"].pop("signature")),
    ("swap", {"Swap": {**SWAP, "limit_ratio": 1.1}}, lambda v: v["Swap"].update(budget="a")),
    ("inbox-message", json.loads(inline_message([verifiable()])), lambda v: v.update(version=2)),
    (
        "inbox-message",
        {"version": 1, "kind": "bundle", "key": f"inbox/{'0' * 64}.parquet", "sha256": "0" * 64,
         "count": 1},
        lambda v: v.update(count=0),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "spoil"), SHAPES)
def test_schemas_tell_shapes_apart(name: str, value: Any, spoil: Callable[[Any], object]) -> None:
    schema = schema_documents()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema)
    spoil(value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema)
