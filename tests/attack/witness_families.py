"""All attacks on witnesses: what Python, Rust and the guest must refuse with the same law.

``python -m tests.attack.witness_families DIRECTORY`` writes them in the format of
``tests/vectors/laws``.
"""

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.attack import witness_binding, witness_fills, witness_prices, witness_products
from tests.attack.witness_attack import Attack, Family, made, values_of
from tests.support.witnesses.vectors import Vector, write

FAMILIES: tuple[Family, ...] = (
    witness_fills.the_five,
    witness_fills.from_nowhere,
    witness_fills.siphon,
    witness_fills.limits,
    witness_fills.budgets,
    witness_fills.left_out,
    witness_fills.marginal_friends,
    witness_fills.minimum_fills,
    witness_fills.dust,
    witness_fills.hidden_assets,
    witness_fills.rates,
    witness_prices.bands,
    witness_prices.overflows,
    witness_prices.price_rules,
    witness_prices.bounds,
    witness_prices.rations,
    witness_prices.rejections,
    witness_prices.gaps,
    witness_prices.multiplications,
    witness_products.products,
    witness_binding.order_sets,
    witness_binding.nonces,
    witness_binding.expiries,
    witness_binding.balances,
    witness_binding.diffs,
    witness_binding.frames,
    witness_binding.bombs,
    witness_binding.public_values,
    witness_binding.other_statements,
)


@cache
def attacks() -> tuple[Attack, ...]:
    """Every attack of every family."""
    return tuple(attack for family in FAMILIES for attack in made(family))


def vectors() -> Iterator[Vector]:
    """The attacks as vectors; a true statement comes with the public values that it makes."""
    for place, attack in enumerate(attacks()):
        name = f"attack-{place:03}"
        values = values_of(attack.data).to_bytes() if attack.law is None else None
        yield Vector(name, attack.data, attack.law, attack.index, values)


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), vectors()))
