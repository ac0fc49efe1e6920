"""Random parameter files: bytes and back, scaling, and whatever else arrives refused in one way."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.errors import ConfigurationError
from convexfx_core.market.parameter_file import DEMO, ParameterFile, packaged
from convexfx_core.market.params import flat_fee, params_from_bytes, params_to_bytes
from tests.support.epoch_cases import IDS, registry_of_three

AMOUNTS = st.integers(0, 10**15).map(lambda atoms: Decimal(atoms).scaleb(-6))
MILLIONS = st.integers(1, 10**9).map(lambda value: Decimal(value).scaleb(-3))


@st.composite
def files(draw: st.DrawFn) -> ParameterFile:
    """A lawful file of three assets."""
    a, b, c = (Decimal(draw(st.integers(0, 200))).scaleb(-2) for _ in range(3))
    gamma = ((Decimal(0),) * 3, (Decimal(0), a * a, a * b), (Decimal(0), a * b, b * b + c))
    depth = [Decimal(draw(st.integers(0, 9_000))).scaleb(-2) for _ in range(2)]
    low = tuple(draw(AMOUNTS) for _ in range(3))
    return ParameterFile(
        name=draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)),
        ids=IDS,
        pool_million=draw(MILLIONS),
        risk_pool_million=draw(MILLIONS),
        gamma=gamma,
        depth=(Decimal(0), *depth),
        band_bps=tuple(Decimal(draw(st.integers(0, 300))) for _ in range(3)),
        target=tuple(draw(AMOUNTS) for _ in range(3)),
        q_min=low,
        q_max=tuple(value + draw(AMOUNTS) for value in low),
        fee_ppm=flat_fee(3, draw(st.integers(0, 100_000))),
        provenance={"note": draw(st.integers(0, 9))},
    )


@settings(max_examples=100, deadline=None)
@given(files())
def test_files_come_back_and_write_the_same_bytes(file: ParameterFile) -> None:
    data = file.to_json()
    again = ParameterFile.from_json(data)
    assert again == file
    assert again.to_json() == data


@settings(max_examples=100, deadline=None)
@given(files())
def test_what_fits_has_a_section_that_comes_back(file: ParameterFile) -> None:
    """Small pools with large risk leave the range of G; nothing else may be refused."""
    refused, params = None, None
    try:
        params = file.params(registry_of_three())
    except ConfigurationError as error:
        refused = error.field
    if params is None:
        assert refused is not None
        assert refused.startswith("risk")
        return
    assert params_from_bytes(params_to_bytes(params), params.decimals) == params
    assert params.target == tuple(int(value.scaleb(6)) for value in file.target)


@settings(max_examples=60, deadline=None)
@given(files())
def test_a_pool_of_its_quoted_size_is_not_scaled(file: ParameterFile) -> None:
    whole = replace(file, risk_pool_million=file.pool_million)
    assert whole.scaled_depth() == list(file.depth)
    assert whole.scaled_gamma() == [list(row) for row in file.gamma]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def children(value: Any) -> list[tuple[Any, Any]]:
    """Keys and values of an object, places and values of a list, nothing of anything else."""
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    for key, inner in children(value):
        found += paths(inner, (*path, key))
    return found


PACKAGED = json.loads(packaged(DEMO).to_json())
PLACES = [p for p in paths(PACKAGED) if p[0] != "provenance"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_anywhere_is_read_or_refused_with_a_path(
    place: tuple[Any, ...], new: object
) -> None:
    value = json.loads(json.dumps(PACKAGED))
    parent = value
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = new
    try:
        ParameterFile.from_json(json.dumps(value).encode())
    except ConfigurationError:
        return
    assert place == ("name",) or value == PACKAGED
