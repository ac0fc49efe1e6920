"""Answers of another shape: each is an error that names its field, and none is a zero."""

from typing import Any

import pytest

from convexfx_core.errors import GatewayError
from tasks.peer_answers import (
    NEXT_NONCE_MAX,
    U64_MAX,
    fungibles_of,
    nonce_of,
    parse_sdl_state,
    parse_sdls,
    parse_vault,
    parse_vault_rows,
)
from tasks.ports import SdlPhase, SdlState
from tasks.vaults import holdings
from tests.support.api_world import DOMAIN

TOKENS = [str(asset.token) for asset in DOMAIN.registry.assets]


def vault(data: Any = None) -> dict[str, Any]:
    return {"balance": 0, "shard": 1, "data": data}


def holding(**fungibles: Any) -> dict[str, Any]:
    return vault({"TokenHoldings": {"fungibles": fungibles, "nfts": {}}})


def test_an_absent_or_empty_vault_holds_nothing() -> None:
    none = (0,) * len(TOKENS)
    assert holdings(None, DOMAIN.registry) == none
    assert holdings(vault(), DOMAIN.registry) == none
    mint = vault({"FungibleTokenMint": {"metadata": {}, "supply": 7}})
    assert holdings(parse_vault(mint, "v"), DOMAIN.registry) == none


def test_a_vault_holds_what_it_names() -> None:
    found = holdings(holding(**{TOKENS[1]: 5, TOKENS[0]: U64_MAX, "other": 3}), DOMAIN.registry)
    assert found[:3] == (U64_MAX, 5, 0)


OTHER_VAULTS: dict[str, tuple[Any, str]] = {
    "no object": ([1], r"v: expected an object, found \[1\]"),
    "null": (None, "v: expected an object, found null"),
    "no data": ({"balance": 0, "shard": 1}, "v.data: expected a value, found nothing"),
    "data of another type": (vault([]), "v.data: expected an object"),
    "data empty": (vault({}), "v.data: expected null, TokenHoldings or FungibleTokenMint"),
    "data of another tag": (vault({"tokenHoldings": {}}), "v.data: .* found .*tokenHoldings"),
    "both tags": (vault({"TokenHoldings": {"fungibles": {}}, "FungibleTokenMint": {}}), "v.data: "),
    "a mint of another type": (vault({"FungibleTokenMint": 1}), "v.data.FungibleTokenMint: "),
    "holdings null": (vault({"TokenHoldings": None}), "v.data.TokenHoldings: expected an object"),
    "no fungibles": (vault({"TokenHoldings": {}}), "TokenHoldings.fungibles: expected a value"),
    "fungibles listed": (vault({"TokenHoldings": {"fungibles": []}}), "fungibles: expected an obj"),
    "amount as text": (holding(t="5"), 'fungibles.t: expected an integer of 0 to .* found "5"'),
    "amount as float": (holding(t=5.0), "fungibles.t: .* found 5.0"),
    "amount as boolean": (holding(t=True), "fungibles.t: .* found true"),
    "amount null": (holding(t=None), "fungibles.t: .* found null"),
    "amount tagged": (holding(t={"Fungible": 5}), "fungibles.t: expected an integer"),
    "amount below zero": (holding(t=-1), "fungibles.t: .* found -1"),
    "amount beyond 64 bits": (holding(t=U64_MAX + 1), "fungibles.t: expected an integer of 0 to"),
}


@pytest.mark.parametrize("name", OTHER_VAULTS)
def test_a_vault_of_another_shape_is_an_error_and_no_zero(name: str) -> None:
    body, said = OTHER_VAULTS[name]
    with pytest.raises(GatewayError, match=said):
        fungibles_of(body, "v")
    with pytest.raises(GatewayError, match=said):
        parse_vault(body, "v")
    if body is not None:
        with pytest.raises(GatewayError):
            holdings(body, DOMAIN.registry)


@pytest.mark.parametrize("key", ["balance", "shard"])
def test_a_vault_without_a_field_is_an_error(key: str) -> None:
    with pytest.raises(GatewayError, match=f"v.{key}: expected a value, found nothing"):
        parse_vault({k: v for k, v in vault().items() if k != key}, "v")
    with pytest.raises(GatewayError, match=f"v.{key}: expected an integer"):
        parse_vault(vault() | {key: "1"}, "v")


@pytest.mark.parametrize("value", [0, -1, NEXT_NONCE_MAX + 1, "7", True, 7.0, None, [7]])
def test_a_nonce_is_an_integer_from_one_on(value: Any) -> None:
    with pytest.raises(GatewayError, match="n: expected an integer of 1 to"):
        nonce_of(value, "n")
    assert (nonce_of(1, "n"), nonce_of(NEXT_NONCE_MAX, "n")) == (1, NEXT_NONCE_MAX)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1, None], [1]], r"v\[1\]: expected a pair of nonce and vault"),
        ([[1, None], {"nonce": 1}], r"v\[1\]: expected a pair of nonce and vault"),
        ([[1, None], ["2", None]], r"v\[1\]\[0\]: expected an integer"),
        ([[1, None], [2, []]], r"v\[1\]\[1\]: expected an object"),
        ([[1, None], [2, {"shard": 1}]], r"v\[1\]\[1\].balance: expected a value"),
        ([[1, None]], "v: expected 2 vaults, found 1"),
        ({"a": 1}, "v: expected a list"),
        (None, "v: expected a list"),
    ],
)
def test_a_row_of_another_shape_is_named(rows: Any, said: str) -> None:
    with pytest.raises(GatewayError, match=said):
        parse_vault_rows(rows, "v", 2)


@pytest.mark.parametrize("rows", [[["h", "Proven"], ["i"]], [["h", "Proven"], [1, "Proven"]]])
def test_a_listed_sdl_of_another_shape_is_named(rows: Any) -> None:
    with pytest.raises(GatewayError, match=r"s\[1\]"):
        parse_sdls(rows, "s")


@pytest.mark.parametrize("phase", [p for p in SdlPhase if p is not SdlPhase.PROVING_FAILED])
def test_states_are_strings(phase: SdlPhase) -> None:
    assert parse_sdl_state(phase.value) == SdlState(phase)


@pytest.mark.parametrize(
    "value",
    [
        "ProvingFailed",
        "proven",
        "",
        None,
        3,
        [],
        {},
        {"Proven": ""},
        {"ProvingFailed": 1},
        {"ProvingFailed": "a", "x": "b"},
    ],
)
def test_an_unknown_state_is_an_error(value: Any) -> None:
    with pytest.raises(GatewayError, match="SdlState"):
        parse_sdl_state(value)
