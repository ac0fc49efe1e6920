"""Random witnesses from seeds, half of them lawful, and their verdicts by every implementation.

A seed is one cleared epoch and :data:`EACH` witnesses made from it; the same seed makes the same
witnesses again, so a difference is replayed with ``python -m bench.law_differential --seed N``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from convexfx_core.errors import ClearingRefused, CodecError, ExecutionError, LawViolated
from convexfx_core.laws import check
from convexfx_core.laws.engine import Engine
from convexfx_core.witness.layout import Witness, encode_witness, with_public_values
from tests.differential.laws.edges import EDGES, FOUND
from tests.differential.laws.epochs import Lawful, random_epoch
from tests.differential.laws.extremes import extreme_epoch
from tests.differential.laws.lies import LIES, Lie, NothingToSay
from tests.differential.laws.retellings import retold
from tests.differential.laws.witnesses import Told, sealed, witness_of
from tests.differential.laws.words import blindly, bytes_changed

Rng = np.random.Generator
EACH = 10
"""Witnesses of one cleared epoch: itself, others retold from it, as many changed ones."""
RETOLD = EACH // 2 - 1
EXTREME_EVERY = 4
"""Every fourth epoch is made backwards, the others are cleared."""
BISECTED_EVERY = 15
"""Edges that have to be searched for cost as much as fifty witnesses, so one seed in so many."""
UNSAYABLE = (NothingToSay, ClearingRefused, CodecError, ExecutionError, OverflowError)


class Verdict(NamedTuple):
    """What an implementation says: a law and an index, or public values."""

    law: int | None
    index: int | None
    values: bytes | None


class Sample(NamedTuple):
    """A witness and where it comes from."""

    seed: int
    place: int
    kind: str
    data: bytes


Checker = Callable[[Sequence[bytes]], list[Verdict]]


def by_python(engine: Engine) -> Checker:
    """The Python laws on one of their paths."""

    def verdict(data: bytes) -> Verdict:
        try:
            return Verdict(None, None, check(data, engine).to_bytes())
        except LawViolated as violation:
            return Verdict(violation.law, violation.index, None)

    return lambda batch: [verdict(data) for data in batch]


def samples(seed: int) -> Iterator[Sample]:
    """The witnesses of a seed, none where its market cannot be cleared."""
    epoch = extreme_epoch(seed) if seed % EXTREME_EVERY == 0 else random_epoch(seed)
    if epoch is None:
        return
    place, rng = count(), np.random.default_rng([seed, 2])
    yield Sample(seed, next(place), "cleared", epoch.data)
    told = [epoch]
    for _ in range(RETOLD):
        told.append(_retold(rng, epoch))
        yield Sample(seed, next(place), "retold", told[-1].data)
    for kind, data in _changed(rng, seed, told):
        yield Sample(seed, next(place), kind, data)


def _retold(rng: Rng, epoch: Lawful) -> Lawful:
    """Another lawful epoch; the same again where an extreme one cannot be told in that way."""
    try:
        other = retold(rng, epoch.told)
        return Lawful(other, sealed(witness_of(other)))
    except (*UNSAYABLE, LawViolated):
        return epoch


def _changed(rng: Rng, seed: int, told: list[Lawful]) -> Iterator[tuple[str, bytes]]:
    """As many changed witnesses: two blindly, the others lies and edges."""
    made = 0
    if seed % BISECTED_EVERY == 0:
        edge = FOUND[seed // BISECTED_EVERY % len(FOUND)]
        for data in _said(edge.__name__, lambda: edge(rng, told[0].told), told[0].data):
            made += 1
            yield data
    while made < EACH // 2:
        epoch = told[int(rng.integers(len(told)))]
        for data in _one_change(rng, epoch):
            if made < EACH // 2:
                made += 1
                yield data


def _one_change(rng: Rng, epoch: Lawful) -> list[tuple[str, bytes]]:
    way = rng.random()
    if way < 0.4:
        return [("blind", blindly(rng, epoch.data))]
    if way < 0.8:
        lies = [LIES[int(rng.integers(len(LIES)))] for _ in range(1 + int(rng.random() < 0.3))]
        kind = "+".join(lie.__name__ for lie in lies)
        found = _said(kind, lambda: [_told(rng, lies, epoch.told)], epoch.data)
        if found and rng.random() < 0.2:
            return [(f"{name} blind", bytes_changed(rng, data)) for name, data in found]
        return found
    edge = EDGES[int(rng.integers(len(EDGES)))]
    return _said(edge.__name__, lambda: edge(rng, epoch.told), epoch.data)


def _told(rng: Rng, lies: list[Lie], told: Told) -> Told | Witness:
    """One lie, or two as long as the first leaves a story to tell: the smaller law is due."""
    said: Told | Witness = told
    for lie in lies:
        if isinstance(said, Told):
            said = lie(rng, said)
    return said


def _said(
    kind: str, tell: Callable[[], Iterable[Told | Witness]], honest: bytes
) -> list[tuple[str, bytes]]:
    """Witnesses of what is told, with public values that follow, or the honest ones."""
    found = []
    try:
        for said in tell():
            witness = said if isinstance(said, Witness) else witness_of(said)
            try:
                found.append((kind, sealed(witness)))
            except LawViolated:
                found.append((kind, with_public_values(encode_witness(witness), honest[-392:])))
    except UNSAYABLE:
        return found
    return found


@dataclass
class Report:
    """What a campaign saw.

    ``verdicts``: how often each law (-1: none) was the verdict; ``differences``: one line each.
    """

    seeds: int = 0
    epochs: int = 0
    witnesses: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[int] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for a human."""
        laws = {("ok" if law < 0 else f"L{law}"): n for law, n in sorted(self.verdicts.items())}
        return (
            f"{self.seeds} seeds, {self.epochs} epochs, {self.witnesses} witnesses, "
            f"{len(self.differences)} differences, verdicts {laws}"
        )


def compare(made: Sequence[Sample], checkers: dict[str, Checker], report: Report) -> None:
    """Hold the verdicts of all implementations against the first one's."""
    answers = {name: check([s.data for s in made]) for name, check in checkers.items()}
    first, *others = answers
    for at, sample in enumerate(made):
        due = answers[first][at]
        report.kinds[sample.kind] += 1
        report.verdicts[-1 if due.law is None else due.law] += 1
        for name in others:
            if (found := answers[name][at]) != due:
                report.differences.append(
                    f"seed {sample.seed} place {sample.place} {sample.kind}: "
                    f"{first} {_short(due)}, {name} {_short(found)}"
                )
    report.witnesses += len(made)


def _short(verdict: Verdict) -> str:
    if verdict.law is not None:
        return f"L{verdict.law}/{verdict.index}"
    return f"ok {(verdict.values or b'').hex()[:24]}"


def campaign(
    seeds: Iterable[int], witnesses: int, checkers: dict[str, Checker], batch: int = 500
) -> Report:
    """Compare until so many witnesses were seen or the seeds run out."""
    report, waiting = Report(), list[Sample]()
    for seed in seeds:
        report.seeds += 1
        made = list(samples(seed))
        report.epochs += bool(made)
        waiting += made
        full = report.witnesses + len(waiting) >= witnesses
        if len(waiting) >= batch or full:
            compare(waiting[: witnesses - report.witnesses], checkers, report)
            waiting = []
        if full:
            return report
    compare(waiting, checkers, report)
    return report
