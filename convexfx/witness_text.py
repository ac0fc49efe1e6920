"""A witness in words: its 14 sections as JSON values, and as lines for people.

Layout: ``docs/spec.md`` section 4. A witness that breaks law L0 has no such text.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from convexfx_core.errors import CommitConflict
from convexfx_core.identity import base58_encode
from convexfx_core.laws.l00_decode import decode
from convexfx_core.ledger.rows import DIFF_ALLOWANCE
from convexfx_core.ledger.vaults import PoolState
from convexfx_core.market.assets import Registry
from convexfx_core.orders.row import KIND_CANCEL, LIMIT_LIMIT, NO_ASSET
from convexfx_core.records.tables import DIFF_KINDS
from convexfx_core.witness.layout import SECTION_NAMES, Witness
from convexfx_core.witness.public_values import PublicValues
from tasks.objects import epoch_key
from tasks.ports import Json, Store

REJECTS: Final = {1: "min fill", 2: "rationed below min fill"}


def read_witness(store: Store, number: int) -> bytes:
    """The stored witness of an epoch; ``CommitConflict`` where there is none."""
    key = epoch_key(number, "witness.bin")
    body = store.get(key)
    if body is None:
        raise CommitConflict(key, "a witness of an epoch with state diffs", "nothing")
    return body


def witness_json(body: bytes) -> Json:
    """All sections by name; integers that may be large as decimal strings.

    Raises
    ------
    LawViolated
        L0: the bytes are no witness; index names the section.
    """
    view = decode(body)
    witness, params, reference = view.witness, view.params, view.reference
    registry = Registry.from_bytes(witness.registry)
    values = (
        {"network_id": witness.network_id.hex(), "shard": witness.shard, "epoch": witness.epoch},
        _params_json(params, registry),
        [{"id": a.id, "decimals": a.decimals, "token": str(a.token)} for a in registry.assets],
        {
            "as_of_s": reference.as_of_s,
            **_rows(registry, pbar=reference.pbar, plo=reference.plo, phi=reference.phi),
        },
        {"pool": _pool_json(witness.pool, registry), "touched": _vaults_json(witness, registry)},
        {
            "consumed": [_order_json(row, registry) for row in witness.consumed],
            "left": [_order_json(row, registry) for row in witness.left],
        },
        {"p64": _by_id(registry, witness.prices), "pairs": _pairs_json(witness.pairs, registry)},
        [str(paid) for paid in witness.paid.tolist()],
        _rows(registry, overflow=witness.overflow, after=witness.inventory_after),
        _ration_json(witness, registry),
        [
            {"order": int(row["order"]), "kind": REJECTS[int(row["kind"])]}
            for row in witness.rejects
        ],
        [{"received": str(row["received"]), "fee": str(row["fee"])} for row in witness.amounts],
        [_diff_json(row, registry) for row in witness.diffs],
        PublicValues.from_bytes(witness.public_values).to_json(),
    )
    return {"bytes": len(body), **dict(zip(SECTION_NAMES, values, strict=True))}


def _params_json(params: Any, registry: Registry) -> Json:
    columns = ("band", "target", "q_min", "q_max", "depth")
    found: Json = _rows(registry, **{name: getattr(params, name) for name in columns})
    for name in ("fee_ppm", "risk", "risk_inverse"):
        found[name] = [[str(value) for value in row] for row in getattr(params, name)]
    return found


def _rows(registry: Registry, **columns: Any) -> Json:
    return {name: _by_id(registry, values) for name, values in columns.items()}


def _by_id(registry: Registry, values: Any) -> Json:
    return {name: str(value) for name, value in zip(registry.ids, values, strict=True)}


def _pool_json(pool: PoolState, registry: Registry) -> Json:
    return {
        "owner": base58_encode(pool.owner),
        "nonce": pool.nonce,
        **_rows(registry, balances=pool.balances, fees_accrued=pool.fees_accrued),
    }


def _vaults_json(witness: Witness, registry: Registry) -> list[Json]:
    return [
        {
            "owner": base58_encode(row["owner"].tobytes()),
            "nonce": int(row["nonce"]),
            "balances": _by_id(registry, row["balance"].tolist()),
        }
        for row in witness.vaults
    ]


def _order_json(row: Any, registry: Registry) -> Json:
    cancel = int(row["kind"]) == KIND_CANCEL
    limited = int(row["limit_kind"]) == LIMIT_LIMIT
    receive = int(row["receive"])
    return {
        "owner": base58_encode(row["owner"].tobytes()),
        "nonce": int(row["nonce"]),
        "kind": "cancel" if cancel else "order",
        "pay": registry[int(row["pay"])].id,
        "receive": None if receive == NO_ASSET else registry[receive].id,
        "budget": str(row["budget"]),
        "min_fill": str(row["min_fill"]),
        "limit": f"{row['limit_m']} / 2^{row['limit_e']}" if limited else None,
        "valid_until_epoch": int(row["valid_until"]),
    }


def _pairs_json(pairs: NDArray[np.void], registry: Registry) -> list[Json]:
    return [
        {
            "pay": registry[int(row["pay"])].id,
            "receive": registry[int(row["receive"])].id,
            "shift": int(row["shift"]),
            "rate": str(row["rate"]),
        }
        for row in pairs
    ]


def _ration_json(witness: Witness, registry: Registry) -> Json | None:
    if witness.omega is None:
        return None
    demanded = {str(row["order"]): str(row["demanded"]) for row in witness.demanded}
    return {"omega": _by_id(registry, witness.omega), "demanded": demanded}


def _diff_json(row: Any, registry: Registry) -> Json:
    """A row as it is claimed: only L18 says which vault, kind and asset there can be."""
    vault, kind, asset = int(row["vault"]), int(row["kind"]), int(row["asset"])
    known = 0 <= kind - DIFF_ALLOWANCE < len(DIFF_KINDS)
    return {
        "position": int(row["position"]),
        "vault": "pool" if vault == 0 else f"vault {vault - 1}",
        "kind": DIFF_KINDS[kind - DIFF_ALLOWANCE] if known else f"kind {kind}",
        "asset": registry[asset].id if asset < len(registry) else f"asset {asset}",
        "amount": str(row["amount"]),
        "new_nonce": int(row["new_nonce"]),
    }


def witness_lines(body: bytes) -> Iterator[str]:
    """The same as lines: a heading a section, a line a row."""
    value = witness_json(body)
    yield f"witness of {value.pop('bytes')} bytes, {len(SECTION_NAMES)} sections"
    for number, name in enumerate(SECTION_NAMES):
        yield f"{number} {name.replace('_', ' ')}"
        yield from _lines(value[name], "  ")


def _lines(value: Any, indent: str) -> Iterator[str]:
    if value is None or value == [] or value == {}:
        yield f"{indent}empty"
    elif isinstance(value, dict) and any(isinstance(v, dict | list) for v in value.values()):
        for name, inner in value.items():
            if isinstance(inner, dict | list):
                yield f"{indent}{name}"
                yield from _lines(inner, indent + "  ")
            else:
                yield f"{indent}{name} {inner}"
    elif isinstance(value, dict):
        yield indent + ", ".join(f"{name} {inner}" for name, inner in value.items())
    else:
        for place, row in enumerate(value):
            yield f"{indent}{place}: {_flat(row)}"


def _flat(row: Any) -> str:
    if isinstance(row, dict):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in row.items())
    return " ".join(row) if isinstance(row, list) else str(row)
