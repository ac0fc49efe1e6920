"""The batch that ``convexfx clear`` reads: JSON to a clearing case.

People write units, decimals and names; the case holds integers and places. The numeraire may stand
anywhere in the file and comes first in the case. A file that is wrong is refused with the name of
the field; an order that could never be admitted is kept with its reject code, as an exchange would
do it. Format: ``docs/clear-files.md``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, TypeVar

from convexfx_core.admission.row_rules import amount_limits
from convexfx_core.clear_files.batch_orders import FileOrder, order_of, order_rows
from convexfx_core.encoding.json_fields import (
    Fields,
    atoms_of,
    decimal_of,
    items_of,
    parse,
    text_of,
    whole_of,
)
from convexfx_core.errors import CodecError, ConfigurationError, RejectCode
from convexfx_core.limits import (
    ASSETS_MAX,
    BALANCE_MAX,
    BAND_BPS_MAX,
    DECIMALS_MAX,
    FEE_PPM_MAX,
    ORDERS_MAX,
)
from convexfx_core.market.params import Params, params_from_matrices
from convexfx_core.market.reference import Reference, reference_from_prices
from convexfx_core.settlement.clearing_input import ClearingCase

BATCH_VERSION: Final = 1
_FILE_FIELDS: Final = {
    "gamma": "risk.gamma_bps_per_million[{}][{}]",
    "risk": "risk.gamma_bps_per_million[{}][{}]",
    "depth": "risk.depth_million_per_bp[{}]",
    "band_bps": "assets[{}].band_bps",
    "target": "assets[{}].target",
    "q_min": "assets[{}].inventory_min",
    "q_max": "assets[{}].inventory_max",
    "price": "assets[{}].reference_price",
}
"""Fields of the file by the names that builders give them."""
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class FileAsset:
    """One asset of the file; amounts in base units, price in numeraire units for one unit."""

    id: str
    decimals: int
    price: Decimal
    inventory: int
    target: int
    low: int
    high: int
    band_bps: Decimal


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A batch and the names in it.

    Attributes
    ----------
    assets : n assets, the numeraire first, then in the sequence of the file.
    orders : every order of the file by increasing id.
    case : the admissible ones, in that sequence.
    admitted : positions in ``orders`` of the orders of the case.
    """

    assets: tuple[FileAsset, ...]
    orders: tuple[FileOrder, ...]
    case: ClearingCase
    admitted: tuple[int, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Asset ids."""
        return tuple(asset.id for asset in self.assets)


def read_batch(data: bytes) -> BatchFile:
    """Parse a batch.

    Raises
    ------
    CodecError : the first field that is not as ``docs/clear-files.md`` says. An order that could
        never be admitted is no error: it is kept with its :class:`RejectCode`.
    """
    root = Fields(parse(data, keep_decimals=True))
    version = root.number("version")
    if version != BATCH_VERSION:
        raise CodecError("version", str(BATCH_VERSION), version)
    assets, places = _assets(root)
    params = _params(root, assets, places)
    orders = _orders(root, assets)
    root.done()
    prices = [asset.price for asset in assets]
    reference = _guarded(places, reference_from_prices, prices, 0, params)
    orders = _in_range(orders, params, reference)
    admitted = tuple(k for k, order in enumerate(orders) if order.reject is None)
    case = ClearingCase(
        params,
        reference,
        tuple(asset.inventory for asset in assets),
        order_rows([orders[k] for k in admitted]),
    )
    return BatchFile(assets, orders, case, admitted)


def _names(assets: Sequence[FileAsset]) -> list[str]:
    return [asset.id for asset in assets]


def _assets(root: Fields) -> tuple[tuple[FileAsset, ...], list[int]]:
    """Assets with the numeraire first, and their places in the file."""
    numeraire, listed = root.text("numeraire"), root.items("assets")
    if not 2 <= len(listed) <= ASSETS_MAX:
        raise CodecError("assets", f"2 to {ASSETS_MAX} assets", len(listed))
    assets = [_asset(name, value) for name, value in listed]
    ids = _names(assets)
    for place, asset_id in enumerate(ids):
        if asset_id in ids[:place]:
            raise CodecError(f"assets[{place}].id", "each id once", asset_id)
    if numeraire not in ids:
        raise CodecError("numeraire", "the id of an asset", numeraire)
    first = ids.index(numeraire)
    places = [first, *(place for place in range(len(ids)) if place != first)]
    return tuple(assets[place] for place in places), places


def _asset(name: str, value: object) -> FileAsset:
    fields = Fields(value, name)
    asset_id, decimals = fields.text("id"), fields.number("decimals")
    if not asset_id or "/" in asset_id:
        raise CodecError(fields.name("id"), "a name without '/'", asset_id)
    if not 0 <= decimals <= DECIMALS_MAX:
        raise CodecError(fields.name("decimals"), f"0 to {DECIMALS_MAX}", decimals)
    price, band = fields.decimal("reference_price"), fields.decimal("band_bps")
    inventory, target, low, high = (
        atoms_of(fields.take(key), fields.name(key), decimals)
        for key in ("inventory", "target", "inventory_min", "inventory_max")
    )
    if not 0 <= inventory <= BALANCE_MAX:
        raise CodecError(fields.name("inventory"), "0 to 2^63 - 1 base units", inventory)
    if low > high:
        raise CodecError(fields.name("inventory_min"), "at most inventory_max", low)
    if price <= 0:
        raise CodecError(fields.name("reference_price"), "a price above zero", f"{price:f}")
    if not 0 <= band <= BAND_BPS_MAX:
        raise CodecError(fields.name("band_bps"), f"0 to {BAND_BPS_MAX}", f"{band:f}")
    fields.done()
    return FileAsset(asset_id, decimals, price, inventory, target, low, high, band)


def _params(root: Fields, assets: Sequence[FileAsset], places: list[int]) -> Params:
    risk = root.inner("risk")
    gamma = [
        [decimal_of(x, at) for at, x in items_of(row, name)]
        for name, row in risk.items("gamma_bps_per_million")
    ]
    depth = [decimal_of(x, at) for at, x in risk.items("depth_million_per_bp")]
    risk.done()
    n = len(assets)
    if len(gamma) != n or any(len(row) != n for row in gamma):
        raise CodecError("risk.gamma_bps_per_million", f"{n} rows of {n} numbers", "others")
    if len(depth) != n:
        raise CodecError("risk.depth_million_per_bp", f"{n} numbers", len(depth))
    return _guarded(
        places,
        params_from_matrices,
        decimals=[asset.decimals for asset in assets],
        band_bps=[asset.band_bps for asset in assets],
        gamma=[[gamma[i][j] for j in places] for i in places],
        depth=[depth[i] for i in places],
        fee_ppm=_fees(root, _names(assets)),
        target=[asset.target for asset in assets],
        q_min=[asset.low for asset in assets],
        q_max=[asset.high for asset in assets],
    )


def _fees(root: Fields, ids: list[str]) -> list[list[int]]:
    value, n = root.take("fee_ppm"), len(ids)
    if not isinstance(value, dict):
        flat = _fee(value, "fee_ppm")
        return [[0 if i == j else flat for j in range(n)] for i in range(n)]
    fees = [[0] * n for _ in range(n)]
    for key, fee in value.items():
        name = f"fee_ppm.{text_of(key, 'fee_ppm')}"
        pay, _, receive = key.partition("/")
        if pay not in ids or receive not in ids or pay == receive:
            raise CodecError(name, "a pair PAY/RECEIVE of two assets", key)
        fees[ids.index(pay)][ids.index(receive)] = _fee(fee, name)
    return fees


def _fee(value: object, name: str) -> int:
    fee = whole_of(value, name)
    if not 0 <= fee <= FEE_PPM_MAX:
        raise CodecError(name, f"0 to {FEE_PPM_MAX}", fee)
    return fee


def _orders(root: Fields, assets: Sequence[FileAsset]) -> tuple[FileOrder, ...]:
    listed = root.items("orders")
    if len(listed) > ORDERS_MAX:
        raise CodecError("orders", f"at most {ORDERS_MAX} orders", len(listed))
    known = {asset.id: (index, asset.decimals) for index, asset in enumerate(assets)}
    orders = [order_of(name, value, known) for name, value in listed]
    seen = set[str]()
    for (name, _), order in zip(listed, orders, strict=True):
        if order.id in seen:
            raise CodecError(f"{name}.id", "each id once", order.id)
        seen.add(order.id)
    return tuple(sorted(orders, key=lambda order: order.id))


def _in_range(
    orders: tuple[FileOrder, ...], params: Params, reference: Reference
) -> tuple[FileOrder, ...]:
    """The orders; those that could receive 2^62 base units inside the bands are rejected."""
    most = amount_limits(params, reference).tolist()
    return tuple(
        replace(order, reject=RejectCode.AMOUNT_RANGE)
        if order.reject is None and order.budget > most[order.pay_index][order.receive_index]
        else order
        for order in orders
    )


def _guarded(places: list[int], make: Callable[..., Made], *args: Any, **kwargs: Any) -> Made:
    """Call a builder whose refusals of configuration are errors of the file.

    ``places`` are the places in the file of the assets, which a builder counts from the numeraire.
    """
    try:
        return make(*args, **kwargs)
    except ConfigurationError as error:
        name, *index = re.split(r"[\[\].]+", error.field.rstrip("]"))
        at = [str(places[int(k)]) if k.isdigit() else k for k in index]
        field = _FILE_FIELDS.get(name, error.field).format(*at)
        raise CodecError(field, error.expected, error.observed) from error
