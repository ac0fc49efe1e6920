"""The opening vectors: built again byte for byte, and recomputed a second way."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from convexfx_core.admission.book import admit
from convexfx_core.ledger.vaults import Opening, VaultTable
from convexfx_core.market.params import params_from_bytes
from convexfx_core.market.reference import reference_from_bytes
from convexfx_core.orders.row import ORDER_DTYPE
from convexfx_core.orders.sealed import SealedOrders
from tests.support.admission_reference import admit_one_by_one
from tests.support.epoch_cases import POOL_OWNER, opening_of
from tests.vectors.opening_vectors import FILES, FOLDER, vector_files

Table = list[list[Fraction]]
SCALE = Fraction(2**112, 10**4)


def read(name: str) -> Any:
    """A file of the folder."""
    return json.loads((FOLDER / f"{name}.json").read_bytes())


PARAMS, REFERENCE, STATE, ADMISSION = map(read, ("params", "reference", "state", "admission"))


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_are_what_the_generator_makes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == vector_files()[name]


def test_there_are_no_other_files() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "README.md"}


# -- parameters, in exact fractions ------------------------------------------------------------


def inverse(rows: Table) -> Table:
    """Inverse by elimination in fractions; the matrix is regular."""
    n = len(rows)
    work = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(rows)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if work[i][k])
        work[k], work[pivot] = work[pivot], work[k]
        work[k] = [value / work[k][k] for value in work[k]]
        for i in range(n):
            if i != k:
                factor = work[i][k]
                work[i] = [v - factor * w for v, w in zip(work[i], work[k], strict=True)]
    return [row[n:] for row in work]


def product(a: Table, b: Table) -> Table:
    columns = list(zip(*b, strict=True))
    return [[sum((x * y for x, y in zip(r, c, strict=True)), Fraction(0)) for c in columns]
            for r in a]  # fmt: skip


def effective(case: dict[str, Any]) -> Table:
    """Gamma (I + W Gamma)^-1."""
    gamma = [[Fraction(v) for v in row] for row in case["gamma_bps_per_million"]]
    depth = [Fraction(v) for v in case["depth_million_per_bp"]]
    n = len(gamma)
    system = [[int(i == j) + depth[i] * gamma[i][j] for j in range(n)] for i in range(n)]
    return product(gamma, inverse(system))


@pytest.mark.parametrize("case", PARAMS["cases"], ids=lambda case: case["name"])
def test_integers_in_exact_fractions(case: dict[str, Any]) -> None:
    risk, unit = effective(case), 10 ** (6 + case["decimals"][0])
    assert case["G"] == [[str(round(v * SCALE / unit)) for v in row] for row in risk]
    assert case["W"] == [
        str(round(Fraction(v) * unit * 10**4)) for v in case["depth_million_per_bp"]
    ]
    used = [i for i in range(3) if int(case["G"][i][i]) > 0]
    expected = [["0"] * 3 for _ in range(3)]
    if used:
        ridge = sum((risk[i][i] for i in used), Fraction(0)) / len(used) / 10**6
        block = [[risk[i][j] + (ridge if i == j else 0) for j in used] for i in used]
        for i, row in zip(used, inverse(block), strict=True):
            for j, value in zip(used, row, strict=True):
                expected[i][j] = str(-(-abs(value) * unit * 10**4 // 1))
    assert case["H"] == expected


@pytest.mark.parametrize("case", PARAMS["cases"], ids=lambda case: case["name"])
def test_sections_hold_the_integers(case: dict[str, Any]) -> None:
    params = params_from_bytes(bytes.fromhex(case["section"]), case["decimals"])
    assert [[str(v) for v in row] for row in params.risk] == case["G"]
    assert [[str(v) for v in row] for row in params.risk_inverse] == case["H"]
    assert [str(v) for v in params.depth] == case["W"]
    assert params.band == (0, 20_000_000, 7_500_000)


@pytest.mark.parametrize("case", PARAMS["cases"], ids=lambda case: case["name"])
def test_params_hashes_by_hand(case: dict[str, Any]) -> None:
    both = bytes.fromhex(case["section"] + case["registry"])
    assert case["hash"] == sha256(b"cfx.params.v1".ljust(16, b"\0") + both).hexdigest()


# -- reference prices --------------------------------------------------------------------------


@pytest.mark.parametrize("entry", REFERENCE["prices"], ids=str)
def test_prices_in_exact_fractions(entry: dict[str, Any]) -> None:
    """Python rounds fractions half to even."""
    scaled = Fraction(entry["price"]) * Fraction(10) ** (entry["d_0"] - entry["d_i"]) * 2**64
    assert entry["pbar"] == str(round(scaled))


@pytest.mark.parametrize("entry", REFERENCE["edges"], ids=str)
def test_band_edges_by_the_series(entry: dict[str, Any]) -> None:
    width, term, low, high = Fraction(entry["band"], 10**10), Fraction(1), Fraction(0), Fraction(0)
    for k in range(1, 40):
        low, high = low + term * (-1) ** (k - 1), high + term
        term = term * width / k
    pbar = int(entry["pbar"])
    assert entry["plo"] == str(-(-pbar * low // 1))
    assert entry["phi"] == str(pbar * high // 1)


def test_the_whole_vector() -> None:
    vector = REFERENCE["vector"]
    section = bytes.fromhex(vector["section"])
    assert vector["hash"] == sha256(b"cfx.ref.v1".ljust(16, b"\0") + section).hexdigest()
    found = reference_from_bytes(section)
    assert [str(p) for p in found.pbar] == [
        str(round(Fraction(Decimal(price)) * 2**64)) for price in vector["prices"]
    ]


# -- state roots -------------------------------------------------------------------------------


def tagged(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode().ljust(16, b"\0") + data).digest()


def root_by_hand(tag: str, rows: list[bytes]) -> bytes:
    """Chunks of 64 rows, a tree in which an odd last node is promoted."""
    level = [tagged("cfx.chunk.v1", b"".join(rows[k : k + 64])) for k in range(0, len(rows), 64)]
    while len(level) > 1:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [tagged("cfx.node.v1", b"".join(p)) if len(p) == 2 else p[0] for p in pairs]
    top = level[0] if level else bytes(32)
    return tagged(tag, top + len(rows).to_bytes(8, "little"))


@pytest.mark.parametrize("case", STATE["cases"], ids=lambda case: str(len(case["vaults"])))
def test_state_roots_by_hand(case: dict[str, Any]) -> None:
    rows = [
        bytes.fromhex(vault["owner"])
        + vault["nonce"].to_bytes(8, "little")
        + b"".join(int(b).to_bytes(8, "little") for b in vault["balances"])
        for vault in case["vaults"]
    ]
    assert rows == sorted(rows)
    vaults = root_by_hand("cfx.vaults.v1", rows)
    assert case["vaults_root"] == vaults.hex()
    state = tagged("cfx.state.v1", bytes.fromhex(STATE["pool_block"]) + vaults)
    assert case["state_root"] == state.hex()


# -- admission ---------------------------------------------------------------------------------


def book_of(case: dict[str, Any]) -> SealedOrders:
    """A book from its case; payloads, keys and signatures do not matter here."""
    orders = case["orders"]
    count = len(orders)
    rows = np.frombuffer(bytes.fromhex("".join(o["row"] for o in orders)), dtype=ORDER_DTYPE)
    ids = np.frombuffer(bytes.fromhex("".join(o["order_id"] for o in orders)), dtype=np.uint8)
    sealed = np.array([o["sealed_epoch"] for o in orders], dtype=np.uint64)
    empty = (np.zeros((count, width), dtype=np.uint8) for width in (272, 32, 64))
    return SealedOrders(rows, ids.reshape(count, 32), sealed, *empty)


def opening() -> Opening:
    """The opening of the file, from its bytes."""
    base = opening_of({}, ADMISSION["epoch"])
    assert bytes.fromhex(ADMISSION["pool_owner"]) == POOL_OWNER
    return replace(
        base,
        params=params_from_bytes(bytes.fromhex(ADMISSION["params"]), (6, 6, 6)),
        reference=reference_from_bytes(bytes.fromhex(ADMISSION["reference"])),
        vaults=VaultTable.from_bytes(bytes.fromhex(ADMISSION["vaults"]), 3),
    )


@pytest.mark.parametrize("case", ADMISSION["cases"], ids=lambda case: case["name"])
def test_fates_one_order_at_a_time(case: dict[str, Any]) -> None:
    book = book_of(case)
    result = admit_one_by_one(book, opening())
    fates = dict.fromkeys(result.admitted, "admitted")
    fates |= {at: str(code) for at, code in {**result.parked, **result.rejected}.items()}
    by_id = {book.order_ids[at].tobytes().hex(): fate for at, fate in fates.items()}
    assert [order["fate"] for order in case["orders"]] == [
        by_id[order["order_id"]] for order in case["orders"]
    ]
    assert result.duplicates == case["duplicates"]


@pytest.mark.parametrize("case", ADMISSION["cases"], ids=lambda case: case["name"])
def test_batches_by_columns(case: dict[str, Any]) -> None:
    batch = admit(book_of(case), opening())
    admitted = {o["order_id"] for o in case["orders"] if o["fate"] == "admitted"}
    assert {row.tobytes().hex() for row in batch.orders.order_ids} == admitted
    assert batch.duplicates == case["duplicates"]


def test_every_code_of_admission_but_malformed_rows_has_a_case() -> None:
    found = {order["fate"] for case in ADMISSION["cases"] for order in case["orders"]}
    assert found == {
        "admitted", "NONCE_GAP", "BEHIND_PARKED", "INSUFFICIENT_BALANCE", "NONCE_STALE",
        "NONCE_TAKEN", "CANCELLED", "EXPIRED", "EXPIRY_TOO_FAR", "AMOUNT_RANGE", "OWNER_MISMATCH",
    }  # fmt: skip
