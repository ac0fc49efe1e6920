"""What an attack on a witness is, and how its parts are forged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from convexfx_core.errors import CodecError, ExecutionError, LawViolated
from convexfx_core.witness.layout import Witness, encode_witness
from convexfx_core.witness.public_values import PublicValues
from tests.support.witnesses.epochs import Epoch
from tests.support.witnesses.forge import forge, rediffed, seal_without
from tests.support.witnesses.violations import order_index

Rows = np.ndarray


@dataclass(frozen=True)
class Attack:
    """A witness that an operator might try.

    Attributes
    ----------
    family, name : what it tries.
    law : number of the law that must refuse it, with ``index``; None for another true statement.
    fields : then the public values by which a verifier tells it from the epoch that it stands for.
    data : the witness.
    alone : whether it would be accepted if that law were off.
    """

    family: str
    name: str
    law: int | None
    index: int | None
    fields: tuple[str, ...]
    data: bytes
    alone: bool


def attack(family: str, name: str, law: int, index: int, witness: Witness) -> Attack:
    """An attack that breaks a law; sealed as if that law did not exist, where that is possible."""
    try:
        return Attack(family, name, law, index, (), seal_without(witness, law), True)
    except (LawViolated, CodecError, ExecutionError, IndexError):
        return Attack(family, name, law, index, (), encode_witness(witness), False)


def raw_attack(family: str, name: str, index: int, data: bytes) -> Attack:
    """An attack on the decoder."""
    return Attack(family, name, 0, index, (), data, False)


def true_statement(family: str, name: str, fields: tuple[str, ...], epoch: Epoch) -> Attack:
    """A lawful witness of something else."""
    return Attack(family, name, None, None, fields, epoch.apply().witness, False)


def amended(honest: Witness, **sections: Any) -> Witness:
    """Other sections, with the diff rows that follow from them unless they are among these."""
    witness = replace(honest, **sections)
    return witness if "diffs" in sections else rediffed(witness)


def filled(witness: Witness) -> list[int]:
    """Order indices of the filled orders."""
    return [int(k) for k in np.flatnonzero(witness.paid)]


def forged(
    family: str, law: int, name: str, epoch: Epoch, at: int, base: int = 0, **changes: Any
) -> Attack:
    """Other rows or fills, consistently settled; index: that of the order at batch row ``at``."""
    witness = forge(epoch, **changes)
    rows = changes.get("rows", epoch.batch.orders.rows)
    return attack(family, name, law, base + order_index(witness, rows[at]), witness)


def values_of(data: bytes) -> PublicValues:
    """The claimed public values."""
    return PublicValues.from_bytes(data[-392:])


Family = Callable[[], Iterator[Attack]]


@cache
def made(family: Family) -> tuple[Attack, ...]:
    """All attacks of a family."""
    return tuple(family())
