"""Orders of a batch file: what each says, and whether it could ever be admitted.

They have no owners and no signatures, so the rules of admission on the numbers are all that can be
asked of them. ``batch`` reads the rest of the file. Format: ``docs/clear-files.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.encoding.json_fields import Fields, decimal_of
from convexfx_core.errors import CodecError, RejectCode, RejectedOrder
from convexfx_core.orders.row import KIND_ORDER, LIMIT_LIMIT, LIMIT_MARKET, ORDER_DTYPE
from convexfx_core.orders.rules import BUDGET_RULES, SELF_PAIR, OrderFields, refuse
from convexfx_core.orders.terms import limit_from_ratio, min_fill_atoms

ID_CHARS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One order of the file.

    Attributes
    ----------
    id : its name.
    pay_index, receive_index : places of the assets; -1 for an unknown one.
    budget, min_fill : base units of the pay asset.
    limit_kind, limit_e, limit_m : as in an order row.
    reject : why it could never be admitted; then the numbers mean nothing.
    """

    id: str
    pay_index: int
    receive_index: int
    budget: int = 0
    min_fill: int = 0
    limit_kind: int = LIMIT_MARKET
    limit_e: int = 0
    limit_m: int = 0
    reject: str | None = None


def order_of(name: str, value: object, known: Mapping[str, tuple[int, int]]) -> FileOrder:
    """One order; ``known`` gives (index, decimals) by asset id.

    Raises :class:`CodecError` where a field is missing, unknown or of the wrong type.
    """
    fields = Fields(value, name)
    order_id = fields.text("id")
    if not 0 < len(order_id) <= ID_CHARS_MAX:
        raise CodecError(fields.name("id"), f"1 to {ID_CHARS_MAX} characters", order_id)
    pay, receive = fields.text("pay"), fields.text("receive")
    budget, ratio = fields.decimal("budget"), fields.take("limit_ratio", None)
    limit = None if ratio is None else decimal_of(ratio, fields.name("limit_ratio"))
    fraction = fields.take("min_fill_fraction", "0")
    least = decimal_of(fraction, fields.name("min_fill_fraction"))
    fields.done()
    from_index, to_index = (known.get(asset, (-1, 0))[0] for asset in (pay, receive))
    try:
        return _admitted(order_id, known, (pay, receive), budget, limit, least)
    except RejectedOrder as error:
        return FileOrder(order_id, from_index, to_index, reject=error.code)


def _admitted(
    order_id: str,
    known: Mapping[str, tuple[int, int]],
    pair: tuple[str, str],
    budget: Decimal,
    limit: Decimal | None,
    least: Decimal,
) -> FileOrder:
    for side, asset in zip(("pay", "receive"), pair, strict=True):
        if asset not in known:
            raise RejectedOrder(RejectCode.ASSET_UNKNOWN, side, "an asset of the batch", asset)
    (pay, pay_decimals), (receive, receive_decimals) = (known[asset] for asset in pair)
    refuse((SELF_PAIR,), OrderFields(pay=pay, receive=receive))
    atoms = _budget_atoms(budget, pay_decimals)
    refuse(BUDGET_RULES, OrderFields(budget=atoms))
    kind, e, m = LIMIT_MARKET, 0, 0
    if limit is not None:
        kind, (e, m) = LIMIT_LIMIT, limit_from_ratio(limit, pay_decimals, receive_decimals)
    return FileOrder(order_id, pay, receive, atoms, min_fill_atoms(least, atoms), kind, e, m)


def _budget_atoms(budget: Decimal, decimals: int) -> int:
    """Base units of a budget; the code for one that has none."""
    if budget < 0:
        raise RejectedOrder(RejectCode.BUDGET_NEGATIVE, "budget", "above zero", budget)
    numerator, denominator = budget.as_integer_ratio()
    atoms: int = numerator * 10**decimals // denominator
    if atoms * denominator != numerator * 10**decimals:
        expected = f"at most {decimals} digits after the point"
        raise RejectedOrder(RejectCode.AMOUNT_PRECISION, "budget", expected, budget)
    return atoms


def order_rows(orders: Sequence[FileOrder]) -> NDArray[np.void]:
    """Order rows of admissible orders; the file names no owners, nonces count from 1."""
    rows = np.zeros(len(orders), dtype=ORDER_DTYPE)
    rows["nonce"] = np.arange(1, len(orders) + 1)
    rows["kind"] = KIND_ORDER
    for name, values in (
        ("pay", [order.pay_index for order in orders]),
        ("receive", [order.receive_index for order in orders]),
        ("budget", [order.budget for order in orders]),
        ("min_fill", [order.min_fill for order in orders]),
        ("limit_kind", [order.limit_kind for order in orders]),
        ("limit_e", [order.limit_e for order in orders]),
        ("limit_m", [order.limit_m for order in orders]),
    ):
        rows[name] = np.array(values, dtype=rows[name].dtype)
    return rows
