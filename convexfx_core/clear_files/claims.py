"""What a result file claims about its batch, field by field, nothing of it trusted.

``verify`` holds these claims to the laws. Only claims are read here; every other number of the file
follows from them and is compared as a whole with what is derived. Format: ``docs/clear-files.md``.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.clear_files.batch import BatchFile
from convexfx_core.clear_files.batch_orders import FileOrder
from convexfx_core.encoding.json_fields import Fields, atoms_of
from convexfx_core.errors import CodecError, LawViolated
from convexfx_core.laws.claims import ClearingClaims
from convexfx_core.laws.l00_ranges import AMOUNTS, FILLS, RATION, REJECTS
from convexfx_core.settlement.proposal import Ration, RejectKind

ORDER_SET_LAW: Final = 13
U64_MAX: Final = (1 << 64) - 1
NORM_TEXT: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]{1,3})?")
FILL_TEXTS: Final = ("fill_fraction", "status")


def read_facts(root: Fields) -> tuple[int, float, float, str]:
    """Iterations, both step norms and the solver's name; published, trusted by no law."""
    iterations, solver = root.number("iterations"), root.text("solver")
    if iterations < 0:
        raise CodecError("iterations", "at least 0", iterations)
    norms = []
    for key in ("step_norm_y", "step_norm_alpha"):
        text = root.text(key)
        if not NORM_TEXT.fullmatch(text):
            raise CodecError(key, "a number in quotes such as 1e-13", text)
        norms.append(float(text))
    return iterations, norms[0], norms[1], solver


def read_claims(batch: BatchFile, root: Fields) -> ClearingClaims:
    """Claims of a result, in the sequence of the case.

    Raises
    ------
    CodecError : a field is missing, unknown or of the wrong type.
    LawViolated : L13 for another order set, L0 for a number that its place cannot hold.
    """
    d_0 = [batch.assets[0].decimals] * len(batch.assets)
    decimals = [asset.decimals for asset in batch.assets]
    prices = _prices(batch, root.inner("prices"))
    paid, received, fee = _fills(batch, root.items("fills"))
    after = _by_asset(batch, root.inner("inventory_after"), decimals)
    overflow = _by_asset(batch, root.inner("band_overflow_numeraire"), d_0)
    places = {batch.orders[place].id: at for at, place in enumerate(batch.admitted)}
    ration = _ration(batch, root.take("ration"), places)
    rejected, kinds = _rejected(root.items("rejected"), places)
    return ClearingClaims(prices, paid, received, fee, overflow, after, ration, rejected, kinds)


def _prices(batch: BatchFile, fields: Fields) -> tuple[int, ...]:
    prices = []
    for asset in batch.assets:
        row = fields.inner(asset.id)
        prices.append(row.whole("p64"))
        row.text("numeraire")
        row.text("log_price")
        row.done()
    fields.done()
    return tuple(prices)


def _by_asset(batch: BatchFile, fields: Fields, decimals: Sequence[int]) -> tuple[int, ...]:
    amounts = tuple(
        atoms_of(fields.take(asset.id), fields.name(asset.id), digits)
        for asset, digits in zip(batch.assets, decimals, strict=True)
    )
    fields.done()
    return amounts


def _fills(batch: BatchFile, rows: list[tuple[str, object]]) -> list[NDArray[np.uint64]]:
    """Paid, received and fee of the admissible orders, u64 each."""
    fills = [Fields(value, name) for name, value in rows]
    ids = [fill.text("id") for fill in fills]
    expected = [order.id for order in batch.orders]
    if ids != expected:
        pairs = zip(expected, ids, strict=False)
        first = next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(ids), len(expected)))
        bound = expected[first] if first < len(expected) else "no further order"
        seen = ids[first] if first < len(ids) else "nothing"
        raise LawViolated(ORDER_SET_LAW, first, seen, bound)
    amounts = [_fill(batch, *pair) for pair in zip(batch.orders, fills, strict=True)]
    admitted = [amounts[place] for place in batch.admitted]
    columns = zip(*admitted, strict=True) if admitted else ((), (), ())
    return [np.array(column, dtype=np.uint64) for column in columns]


def _fill(batch: BatchFile, order: FileOrder, fill: Fields) -> tuple[int, ...]:
    """Paid, received and fee of one order; an inadmissible one has none of them."""
    pay, receive = (
        batch.assets[index].decimals if index >= 0 else 0
        for index in (order.pay_index, order.receive_index)
    )
    amounts = []
    for key, digits, section in (
        ("paid", pay, FILLS),
        ("received", receive, AMOUNTS),
        ("fee", receive, AMOUNTS),
    ):
        amount = atoms_of(fill.take(key), fill.name(key), digits)
        most = U64_MAX if order.reject is None else 0
        if not 0 <= amount <= most:
            raise LawViolated(0, section, f"{fill.name(key)}: {amount}", f"0 to {most}")
        amounts.append(amount)
    for key in FILL_TEXTS:
        fill.text(key)
    fill.take("reason")
    fill.take("limit_that_fills", None)
    fill.done()
    return tuple(amounts)


def _ration(batch: BatchFile, value: object, places: dict[str, int]) -> Ration | None:
    if value is None:
        return None
    fields = Fields(value, "ration")
    omegas, listed = fields.inner("omega"), fields.inner("demanded")
    fields.done()
    omega = tuple(omegas.whole(asset.id) for asset in batch.assets)
    omegas.done()
    demanded = np.zeros(len(places), dtype=np.uint64)
    for order_id, amount in listed.rest():
        name = listed.name(order_id)
        if order_id not in places:
            raise LawViolated(0, RATION, name, "an order of the batch")
        at = places[order_id]
        pay = batch.assets[batch.orders[batch.admitted[at]].pay_index]
        atoms = atoms_of(amount, name, pay.decimals)
        if not 0 <= atoms <= U64_MAX:
            raise LawViolated(0, RATION, f"{name}: {atoms}", f"0 to {U64_MAX}")
        demanded[at] = atoms
    return Ration(omega, demanded)


def _rejected(
    rows: list[tuple[str, object]], places: dict[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    kinds = {kind.name.lower(): kind.value for kind in RejectKind}
    positions, found = [], []
    for name, value in rows:
        fields = Fields(value, name)
        order_id, kind = fields.text("id"), fields.text("kind")
        fields.done()
        if order_id not in places or kind not in kinds:
            raise LawViolated(0, REJECTS, f"{name}: {order_id} {kind}", "an order and a kind")
        positions.append(places[order_id])
        found.append(kinds[kind])
    return np.array(positions, dtype=np.int64), np.array(found, dtype=np.uint8)
