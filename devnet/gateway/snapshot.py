"""JSON snapshot of a gateway: what is pending, and its SDLs.

With ``--state-file`` the gateway goes on after a restart. The local view is not in the file: it is
read from the settlement layer, which has the last word on vaults.
"""

import base64
import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from devnet.gateway.codec import VaultKey, debit_payload, mint_payload
from devnet.gateway.execution import Executed
from devnet.gateway.sdl import Batch, Sdl, Status
from devnet.gateway.state import GatewayState
from devnet.gateway.verifiable import Debit, Mint, Signed

VERSION: Final = 1


class Snapshot:
    """File that holds a domain's state between two starts.

    Parameters
    ----------
    path : of the file; it is replaced as a whole at each change.
    gateway : whose state is kept.
    """

    def __init__(self, path: Path, gateway: GatewayState) -> None:
        self._path = path
        self._gateway = gateway

    def attach(self) -> None:
        """Read the file if there is one, and write it at every change from now on.

        Raises
        ------
        ValueError
            When the file is of another version, network or shard, or cannot be read.
        """
        if self._path.exists():
            try:
                self._load(json.loads(self._path.read_text("ascii")))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise ValueError(f"state file {self._path}: {error}") from error
        self._gateway.on_change = self.write

    def write(self) -> None:
        """Replace the file; the domain's lock is held."""
        gateway = self._gateway
        head = {"version": VERSION, "network": gateway.operator.network.hex()}
        parts = [json.dumps(head | {"shard": gateway.operator.shard})[:-1], ', "pending": [']
        parts.append(",".join(map(_stored, gateway.pending)))
        parts.append('], "sdls": [')
        parts.append(",".join(map(_sdl_text, gateway.sdls.values())))
        parts.append("]}\n")
        spare = self._path.with_name(self._path.name + ".part")
        with spare.open("w", encoding="ascii") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        spare.replace(self._path)

    def _load(self, stored: dict[str, Any]) -> None:
        gateway = self._gateway
        expected = (VERSION, gateway.operator.network.hex(), gateway.operator.shard)
        if (stored["version"], stored["network"], stored["shard"]) != expected:
            raise ValueError("of another version, network or shard")
        network = gateway.operator.network
        gateway.pending = [_batch(network, rows) for rows in stored["pending"]]
        for row in stored["sdls"]:
            batches = tuple(_batch(network, rows) for rows in row["batches"])
            sdl = Sdl(bytes.fromhex(row["digest"]), batches, Status(row["status"]), row["reason"])
            sdl.envelope = base64.b64decode(row["envelope"])
            gateway.sdls[sdl.name] = sdl


def _stored(batch: Batch) -> str:
    if not batch.stored:
        batch.stored = json.dumps([_item_json(item) for item in batch.items])
    return batch.stored


def _sdl_text(sdl: Sdl) -> str:
    head = {
        "digest": sdl.digest.hex(),
        "status": sdl.status.value,
        "reason": sdl.reason,
        "envelope": base64.b64encode(sdl.envelope).decode("ascii"),
    }
    return f'{json.dumps(head)[:-1]}, "batches": [{",".join(map(_stored, sdl.batches))}]}}'


def _key_json(key: VaultKey) -> list[object]:
    return [key[0].hex(), key[1]]


def _key(value: Sequence[Any]) -> VaultKey:
    return bytes.fromhex(value[0]), int(value[1])


def _amounts_json(rows: Sequence[tuple[VaultKey, int]]) -> list[object]:
    return [[*_key_json(key), amount] for key, amount in rows]


def _amounts(rows: Sequence[Sequence[Any]]) -> tuple[tuple[VaultKey, int], ...]:
    return tuple((_key(row), int(row[2])) for row in rows)


def _item_json(item: Executed) -> dict[str, object]:
    message = item.verifiable
    signed = {
        "pub_key": message.signed.pub_key.hex(),
        "signature": message.signed.signature.hex(),
        "nonce": message.nonce,
        "executed": item.amounts,
    }
    if isinstance(message, Debit):
        return signed | {
            "debited": _key_json(message.debited),
            "credited": _key_json(message.credited),
            "allowances": _amounts_json(message.allowances),
            "auxiliary": message.auxiliary.hex(),
        }
    return signed | {
        "mint": _key_json(message.mint),
        "metadata": message.metadata,
        "credits": _amounts_json(message.credits),
        "auxiliary": message.auxiliary.hex(),
    }


def _batch(network: bytes, rows: Sequence[dict[str, Any]]) -> Batch:
    return Batch([_item(network, row) for row in rows])


def _item(network: bytes, row: dict[str, Any]) -> Executed:
    nonce, auxiliary = row["nonce"], bytes.fromhex(row["auxiliary"])
    if "mint" in row:
        metadata = None if row["metadata"] is None else (row["metadata"][0], row["metadata"][1])
        mint, credits = _key(row["mint"]), _amounts(row["credits"])
        payload = mint_payload(network, mint, nonce, metadata, credits, auxiliary)
        signed = _signed(row, payload)
        return Executed(Mint(signed, mint, nonce, metadata, credits, auxiliary), ())
    debited, credited = _key(row["debited"]), _key(row["credited"])
    allowances = _amounts(row["allowances"])
    payload = debit_payload(network, debited, credited, nonce, allowances, auxiliary)
    debit = Debit(_signed(row, payload), debited, credited, nonce, allowances, auxiliary)
    return Executed(debit, tuple(row["executed"]))


def _signed(row: dict[str, Any], payload: bytes) -> Signed:
    pub_key, signature = bytes.fromhex(row["pub_key"]), bytes.fromhex(row["signature"])
    return Signed(payload, sha256(payload).digest(), pub_key, signature)
