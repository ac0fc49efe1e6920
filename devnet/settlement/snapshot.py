"""JSON snapshot of the settlement layer: written at each change, read at the start.

With ``--state-file`` the settlement layer goes on after a restart; without it all is forgotten. The
file is replaced as a whole, so that a crash while writing leaves the former one.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

from devnet.settlement.agreement import read_agreement
from devnet.settlement.chain import Chain, Migration, SdlRecord
from devnet.settlement.codec import Address, address
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import Account, MintRecord
from devnet.settlement.local_laws import ShardRecord
from devnet.settlement.transactions import read_sdl

VERSION: Final = 1


def attach(path: Path, chain: Chain) -> None:
    """Read ``path`` if it exists and keep it equal to ``chain`` from now on.

    Raises
    ------
    ValueError
        When it is of another network or version, or cannot be read.
    """
    if path.exists():
        try:
            stored = json.loads(path.read_text("ascii"))
            _load(stored, chain)
        except (ValueError, LookupError, TypeError, AttributeError, Invalid) as error:
            raise ValueError(f"state file {path}: {error}") from error
    chain.on_change = lambda: _write(path, chain)


def account_json(key: Address, account: Account) -> dict[str, Any]:
    """A final vault with everything that is known of it."""
    mint = account.mint
    return {
        "address": str(key),
        "nonce": account.nonce,
        "balance": account.native,
        "holdings": {str(token): held for token, held in sorted(account.tokens.items())},
        "mint": None
        if mint is None
        else {"name": mint.name, "symbol": mint.symbol, "supply": mint.supply},
        "moved_to": account.moved_to,
    }


def state_json(chain: Chain) -> dict[str, Any]:
    """What ``GET /state`` answers: a consistent view of everything final."""
    with chain.lock:
        return {
            "epoch": chain.epoch,
            "outside_changes": chain.outside_changes,
            "applied": [sdl.name for sdl in chain.sdls.values() if sdl.status == "applied"],
            "vaults": [account_json(*row) for row in sorted(chain.ledger.accounts.items())],
        }


def _write(path: Path, chain: Chain) -> None:
    stored = state_json(chain) | {
        "version": VERSION,
        "network": chain.rules.network,
        "agreements": [
            agreement.as_json() for rows in chain.agreements.values() for agreement in rows
        ],
        "shards": {
            str(shard): {"last_epoch": record.last_epoch, "fees": record.fees}
            for shard, record in chain.shards.items()
        },
        "sdls": [
            sdl.as_json()
            | {"transaction": None if sdl.transaction is None else sdl.transaction.body}
            for sdl in chain.sdls.values()
        ],
        "proofs": sorted(chain.proofs),
        "migrations": [
            {"vault": str(row.vault), "to_shard": row.to_shard} for row in chain.migrations
        ],
    }
    spare = path.with_name(path.name + ".part")
    with spare.open("w", encoding="ascii") as file:
        json.dump(stored, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    spare.replace(path)


def _load(stored: dict[str, Any], chain: Chain) -> None:
    if (stored["version"], stored["network"]) != (VERSION, chain.rules.network):
        raise ValueError("of another network or version")
    chain.epoch = stored["epoch"]
    chain.outside_changes = stored["outside_changes"]
    chain.proofs = set(stored["proofs"])
    for row in stored["vaults"]:
        chain.ledger.accounts[address(row["address"], "address")] = _account(row)
    for row in stored["agreements"]:
        active_from = row.pop("active_from")
        rules = chain.rules
        agreement = read_agreement(row, rules.network, rules.network_id, 0, active_from)
        chain.agreements.setdefault(agreement.shard, []).append(agreement)
    for shard, row in stored["shards"].items():
        chain.shards[int(shard)] = ShardRecord(row["last_epoch"], row["fees"])
    for row in stored["sdls"]:
        chain.sdls[row["sdl_hash"]] = _sdl(row, chain.rules.network_id)
    chain.migrations = [
        Migration(address(row["vault"], "vault"), row["to_shard"]) for row in stored["migrations"]
    ]


def _account(row: dict[str, Any]) -> Account:
    mint = row["mint"]
    return Account(
        row["nonce"],
        row["balance"],
        {address(token, "token"): held for token, held in row["holdings"].items()},
        None if mint is None else MintRecord(mint["name"], mint["symbol"], mint["supply"]),
        row["moved_to"],
    )


def _sdl(row: dict[str, Any], network: bytes) -> SdlRecord:
    body = row["transaction"]
    return SdlRecord(
        row["sdl_hash"],
        row["shard"],
        row["status"],
        row["code"],
        row["message"],
        None if body is None else read_sdl(body, network),
        row["mode"],
        row["epoch"],
        bytes.fromhex(row["public_values"]),
        row["delta_epoch"],
    )
