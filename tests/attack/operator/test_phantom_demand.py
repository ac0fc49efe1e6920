"""Prices cannot be moved by an order that nobody signed and no vault can pay.

The network checks signature, nonce and funds of consumed orders alone. An order that is demanded
moves prices, also if a ration then cuts it to nothing; as a left order nobody would look at it.
"""

import numpy as np
import pytest

from convexfx_core.laws.decoded_witness import DecodedWitness
from convexfx_core.ledger.vaults import VaultTable
from convexfx_core.witness.layout import encode_witness
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.support.witnesses.exact import ONE, all_cut, none_consumed, orders, params_at, told_at
from tests.support.witnesses.forge import verdict


def cut_to_nothing(count: int) -> Told:
    """So many orders that a full inventory cuts to nothing."""
    params, reference = params_at((ONE, ONE, ONE))
    rows = orders(*({"pay": 1, "receive": 2, "budget": 1 << 30} for _ in range(count)))
    return all_cut(told_at(params, reference, rows, [1 << 30] * count))


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("engine", ["scalar", "columnar"])
def test_demand_that_nobody_has_to_pay_for_is_refused(count: int, engine: str) -> None:
    phantom = encode_witness(none_consumed(cut_to_nothing(count)))
    assert verdict(phantom, engine) == (14, 0)


def test_without_the_cure_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecodedWitness, "demanded", lambda told: np.zeros(len(told.orders)))
    assert sealed(none_consumed(cut_to_nothing(3)))


def test_the_same_orders_consumed_are_lawful_and_need_their_funds() -> None:
    told = cut_to_nothing(3)
    assert verdict(sealed(witness_of(told))) is None
    vaults = told.opening.vaults
    poor = VaultTable(vaults.owners, vaults.nonces, np.zeros_like(vaults.balances))
    assert verdict(encode_witness(witness_of(told.opened(vaults=poor)))) == (16, 0)
