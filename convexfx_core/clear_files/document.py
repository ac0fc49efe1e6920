"""What ``convexfx clear`` writes: a certified result as a tree for JSON.

``verify`` builds the same tree from the claims of a file and compares. So each value has exactly
one text: an amount or a price is a string, because a JSON number is a double to most readers.
Format: ``docs/clear-files.md``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from convexfx_core.clear_files.batch import BatchFile
from convexfx_core.clear_files.batch_orders import FileOrder
from convexfx_core.clear_files.text import bps_text, error_text, fraction_text, log_text
from convexfx_core.laws.claims import Certificate
from convexfx_core.market.decimal_text import amount_text, plain, rounded, unit_price
from convexfx_core.settlement.fill_reasons import FillReason, fill_reasons, filling_limits
from convexfx_core.settlement.proposal import Proposal, Ration, RejectKind
from convexfx_core.settlement.settle import Settlement
from convexfx_core.units import log_ratio

RESULT_VERSION: Final = 1
RESULT_FIELDS: Final = (
    "version", "status", "reason", "iterations", "solver", "step_norm_y", "step_norm_alpha",
    "prices", "deviation_bps", "rate_shift", "fills", "inventory_after", "fees_accrued",
    "band_overflow_numeraire", "objective", "ration", "rejected", "certificate",
)  # fmt: skip
"""Fields of a certified result; its ``timing_ms`` is outside of what is compared."""
Tree: TypeAlias = dict[str, Any]


def refusal_document(reason: str) -> Tree:
    """Tree of a refused result: no fills at all."""
    return {"version": RESULT_VERSION, "status": "refused", "reason": reason, "fills": []}


def result_document(
    batch: BatchFile, proposal: Proposal, settlement: Settlement, certificate: Certificate
) -> Tree:
    """Tree of a certified result; every number that is an amount or a price is a string."""
    d_0 = batch.assets[0].decimals
    overflow = [amount_text(value, d_0) for value in proposal.overflow]
    return {
        "version": RESULT_VERSION,
        "status": "certified",
        "reason": None,
        "iterations": proposal.iterations,
        "solver": proposal.solver,
        "step_norm_y": repr(proposal.step_norm_y),
        "step_norm_alpha": repr(proposal.step_norm_alpha),
        "prices": dict(zip(batch.ids, _prices(batch, proposal.prices), strict=True)),
        "deviation_bps": dict(zip(batch.ids, _deviations(batch, proposal.prices), strict=True)),
        "rate_shift": _rate_shifts(batch, settlement),
        "fills": _fills(batch, proposal, settlement),
        "inventory_after": _amounts(batch, settlement.inventory_after),
        "fees_accrued": _amounts(batch, settlement.fees),
        "band_overflow_numeraire": dict(zip(batch.ids, overflow, strict=True)),
        "objective": _objective(certificate, d_0),
        "ration": _ration(batch, proposal.ration),
        "rejected": _rejected(batch, proposal),
        "certificate": _certificate(certificate, d_0),
    }


def _amounts(batch: BatchFile, amounts: Iterable[int]) -> Tree:
    pairs = zip(batch.assets, amounts, strict=True)
    return {asset.id: amount_text(amount, asset.decimals) for asset, amount in pairs}


def _prices(batch: BatchFile, prices: Sequence[int]) -> list[Tree]:
    d_0, rows = batch.assets[0].decimals, []
    for asset, price in zip(batch.assets, prices, strict=True):
        unit = unit_price(price, asset.decimals, d_0)
        rows.append({"p64": str(price), "numeraire": rounded(unit), "log_price": log_text(unit)})
    return rows


def _deviations(batch: BatchFile, prices: Sequence[int]) -> list[str]:
    pairs = zip(prices, batch.case.reference.pbar, strict=True)
    return [bps_text(log_ratio(price, pbar)) for price, pbar in pairs]


def _rate_shifts(batch: BatchFile, settlement: Settlement) -> dict[str, int]:
    ids, rate = batch.ids, settlement.rate
    return {
        f"{ids[i]}/{ids[j]}": int(settlement.shift[i, j])
        for i in range(len(ids))
        for j in range(len(ids))
        if rate[i, j]
    }


def _fills(batch: BatchFile, proposal: Proposal, settlement: Settlement) -> list[Tree]:
    rows = [_unfilled(batch, order) for order in batch.orders]
    reasons = fill_reasons(batch.case, proposal, settlement).tolist()
    limits = filling_limits(batch.case, settlement)
    columns = (proposal.paid, settlement.received, settlement.fee)
    amounts = zip(*(column.tolist() for column in columns), strict=True)
    for place, (paid, received, fee), reason in zip(batch.admitted, amounts, reasons, strict=True):
        order, row = batch.orders[place], rows[place]
        pay, receive = batch.assets[order.pay_index], batch.assets[order.receive_index]
        row["paid"] = amount_text(paid, pay.decimals)
        row["received"] = amount_text(received, receive.decimals)
        row["fee"] = amount_text(fee, receive.decimals)
        row["fill_fraction"] = fraction_text(paid, order.budget)
        row["status"] = _status(paid, order.budget)
        row["reason"] = FillReason(reason).text or None
        if reason == FillReason.LIMIT:
            row["limit_that_fills"] = plain(limits[order.pay_index, order.receive_index])
    return rows


def _unfilled(batch: BatchFile, order: FileOrder) -> Tree:
    """Row of an order that pays nothing; that of an inadmissible one is final."""
    pay, receive = (
        batch.assets[index].decimals if index >= 0 else 0
        for index in (order.pay_index, order.receive_index)
    )
    return {
        "id": order.id,
        "paid": amount_text(0, pay),
        "received": amount_text(0, receive),
        "fee": amount_text(0, receive),
        "fill_fraction": "0",
        "status": "unfilled",
        "reason": f"rejected:{order.reject}",
    }


def _status(paid: int, budget: int) -> str:
    if paid == budget:
        return "filled"
    return "partial" if paid else "unfilled"


def _objective(certificate: Certificate, decimals: int) -> Tree:
    return {
        "inventory_risk": amount_text(certificate.inventory_risk, decimals),
        "price_tracking": amount_text(certificate.price_tracking, decimals),
        "fill_incentive": amount_text(certificate.fill_incentive, decimals),
        "total": amount_text(certificate.total, decimals),
    }


def _ration(batch: BatchFile, ration: Ration | None) -> Tree | None:
    if ration is None:
        return None
    demanded = zip(batch.admitted, ration.demanded.tolist(), strict=True)
    return {
        "omega": {name: str(value) for name, value in zip(batch.ids, ration.omega, strict=True)},
        "demanded": {
            batch.orders[place].id: amount_text(
                amount, batch.assets[batch.orders[place].pay_index].decimals
            )
            for place, amount in demanded
            if amount
        },
    }


def _rejected(batch: BatchFile, proposal: Proposal) -> list[Tree]:
    pairs = zip(proposal.rejected.tolist(), proposal.reject_kinds.tolist(), strict=True)
    return [
        {"id": batch.orders[batch.admitted[position]].id, "kind": RejectKind(kind).name.lower()}
        for position, kind in pairs
    ]


def _certificate(certificate: Certificate, decimals: int) -> Tree:
    worst = max(map(abs, certificate.residual))
    tightest = min(certificate.tau)
    return {
        "gap_numeraire": amount_text(certificate.gap, decimals),
        "price_rule_error_bps": error_text(worst),
        "price_rule_tolerance_bps": error_text(tightest),
    }
