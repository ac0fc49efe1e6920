"""What a proof has to say about an SDL of orders and payouts, derived from our own state.

A proof shows that the domain's laws hold for some epoch with certain public values. This module
derives each value that the settlement layer can know for itself, before and after the SDL is
executed, and compares: only then is it a proof of this epoch on these vaults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devnet.settlement.agreement import Agreement
from devnet.settlement.clearing import Clearing
from devnet.settlement.codec import Address, h, le64, table
from devnet.settlement.invalid import Invalid
from devnet.settlement.ledger import Draft, balances
from devnet.settlement.proof import Envelope
from devnet.settlement.public_values import (
    DOMAIN_TAG,
    VERSION,
    PublicValues,
    compare,
    read_public_values,
)
from devnet.settlement.reference import with_own_bands
from devnet.settlement.signed_terms import check_signed_terms


@dataclass(slots=True)
class ShardRecord:
    """What the settlement layer keeps of a domain's epochs.

    Attributes
    ----------
    last_epoch : clearing epoch of the last applied SDL, 0 before the first.
    fees : accrued fees in base units, registry order.
    """

    last_epoch: int
    fees: list[int]


@dataclass(frozen=True, slots=True)
class Statement:
    """A clearing with the values that its proof claims.

    Attributes
    ----------
    epoch_gap : how many epoch numbers may lie unused between two SDLs.
    """

    agreement: Agreement
    clearing: Clearing
    envelope: Envelope
    values: PublicValues
    network: bytes
    epoch_gap: int

    @property
    def agreed_reference(self) -> bytes:
        """Reference section of the envelope's prices with bands as wide as was agreed.

        The operator must not choose a narrower band: at its edge the laws accept an overflow, which
        would excuse any price up to the fair one.
        """
        return with_own_bands(self.envelope.reference, self.agreement.bands)

    @property
    def epoch(self) -> int:
        """Clearing epoch of the proof."""
        return int(self.values["epoch"])


def open_statement(
    agreement: Agreement, clearing: Clearing, envelope: Envelope, network: bytes, epoch_gap: int
) -> Statement:
    """Statement of an envelope; ``Invalid`` ``ENVELOPE`` when its parts have wrong sizes."""
    n = len(agreement.tokens)
    if len(envelope.reference) != 16 + 48 * n or envelope.reference[8:16] != le64(n):
        raise Invalid("ENVELOPE", f"reference: expected a section for {n} assets")
    if len(envelope.fees_after) != n:
        raise Invalid("ENVELOPE", f"fees_accrued_after: expected {n} amounts")
    values = read_public_values(envelope.public_values)
    return Statement(agreement, clearing, envelope, values, network, epoch_gap)


def check_before(statement: Statement, record: ShardRecord, draft: Draft, sdl_hash: bytes) -> None:
    """Compare everything that is known before the SDL is executed (``PV_MISMATCH:<field>``), and
    what owners signed with what they get (``SIGNED_TERMS``)."""
    agreement, clearing, values = statement.agreement, statement.clearing, statement.values
    compare(
        values,
        (
            ("version", VERSION),
            ("domain_tag", DOMAIN_TAG),
            ("network_id", statement.network),
            ("shard", agreement.shard),
        ),
    )
    first = record.last_epoch + 1
    if not first <= statement.epoch <= first + statement.epoch_gap:
        compare(values, [("epoch", first)])
    compare(
        values,
        (
            ("params_hash", agreement.params_hash),
            ("reference_hash", h("cfx.ref.v1", statement.envelope.reference)),
            ("reference_hash", h("cfx.ref.v1", statement.agreed_reference)),
            ("pre_state_root", state_root(agreement, draft, clearing.owners, record.fees)),
            ("sdl_hash", sdl_hash),
            ("n_fills", clearing.fills),
            ("total", sum(int(values[name]) for name in OBJECTIVE)),
        ),
    )
    if int(values["n_orders"]) < len(clearing.consumed):
        compare(values, [("n_orders", len(clearing.consumed))])
    check_signed_terms(clearing.consumed, statement.epoch)


OBJECTIVE: Final = ("inventory_risk", "price_tracking", "fill_incentive")


def check_after(statement: Statement, record: ShardRecord, draft: Draft) -> None:
    """Compare the state after, with the fees that the envelope states.

    Raises
    ------
    Invalid
        ``FEES`` when they shrink or exceed what the pool holds, ``PV_MISMATCH:post_state_root``.
    """
    agreement, after = statement.agreement, statement.envelope.fees_after
    held = balances(draft.read(agreement.pool), agreement.tokens)
    for before, fee, balance in zip(record.fees, after, held, strict=True):
        if not before <= fee <= balance:
            raise Invalid("FEES", f"expected accrued fees of {before} to {balance}, found {fee}")
    root = state_root(agreement, draft, statement.clearing.owners, after)
    compare(statement.values, [("post_state_root", root)])


def state_root(
    agreement: Agreement, draft: Draft, owners: Sequence[bytes], fees: Sequence[int]
) -> bytes:
    """State root of section 6: the pool block, then the vaults of ``owners``."""
    tokens = agreement.tokens
    pool = _vault_row(draft, agreement.pool, tokens) + b"".join(map(le64, fees))
    rows = b"".join(_vault_row(draft, Address(own, agreement.shard), tokens) for own in owners)
    return h("cfx.state.v1", pool + table("cfx.vaults.v1", rows, 40 + 8 * len(tokens)))


def _vault_row(draft: Draft, key: Address, tokens: Sequence[Address]) -> bytes:
    account = draft.read(key)
    numbers = [account.nonce, *balances(account, tokens)]
    return key.owner + b"".join(map(le64, numbers))
