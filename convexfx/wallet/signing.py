"""A wallet: it builds order payloads and signs them.

What is signed is bytes, the same that the law program reads; the JSON around them is only how
they travel. Amounts are exact decimals, never floats.
"""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from pydantic import TypeAdapter

from convexfx_core.identity import Address, OwnerId, base58_encode, owner_id
from convexfx_core.orders.payload import DebitAllowance
from convexfx_core.orders.signed import (
    Domain,
    UnsignedOrder,
    decode_order,
    order_in_units,
    order_payload,
)
from convexfx_core.orders.terms import Terms, cancel_terms
from convexfx_core.wire.orders import verifiable_json
from convexfx_core.wire.types import DecimalNumber, validate
from tasks.adapters.keys import read_key
from tasks.ports import Signer

Amount = str | Decimal | int
_DECIMAL: Final[TypeAdapter[Decimal]] = TypeAdapter(DecimalNumber)


def exact(value: Amount, field: str) -> Decimal:
    """The decimal of a text or number; ``RejectedOrder`` naming the field for anything else."""
    number: Decimal = validate(_DECIMAL, value, field)
    return number


@dataclass(frozen=True, slots=True)
class SignedVerifiable:
    """A signed order or cancel.

    Attributes
    ----------
    order_id : 32 bytes, SHA-256 of ``payload``.
    payload, pub_key, signature : 272, 32 and 64 bytes.
    verifiable : delta's externally tagged JSON.
    """

    order_id: bytes
    payload: bytes
    pub_key: bytes
    signature: bytes
    verifiable: dict[str, Any]


class Wallet:
    """One Ed25519 key and the domain that it trades in.

    Parameters
    ----------
    signer : holder of the vault's Ed25519 key.
    domain : network, pool and assets.
    """

    def __init__(self, signer: Signer, domain: Domain) -> None:
        self._signer = signer
        self.domain = domain
        self.pub_key = signer.public_key
        self.owner_id: OwnerId = owner_id(self.pub_key)

    @classmethod
    def load(cls, path: str | Path, domain: Domain) -> Self:
        """Wallet of a key file."""
        return cls(read_key(Path(path)), domain)

    @property
    def owner(self) -> str:
        """OwnerId in base58."""
        return base58_encode(self.owner_id)

    @property
    def address(self) -> str:
        """``"<owner base58>,<shard>"``."""
        return str(Address(self.owner_id, self.domain.pool.shard))

    def order(
        self,
        pay: str,
        receive: str,
        budget: Amount,
        *,
        nonce: int,
        limit_ratio: Amount | None = None,
        min_fill_fraction: Amount = 0,
        valid_until_epoch: int = 0,
    ) -> SignedVerifiable:
        """Sign an order.

        Parameters
        ----------
        pay, receive : asset ids.
        budget : units of ``pay``, at most.
        nonce : the vault's next nonce, consecutive.
        limit_ratio : the most that is paid, units of ``pay`` per unit of ``receive``, fee included;
            None for a market order.
        min_fill_fraction : least part of the budget that may be filled, in [0, 1].
        valid_until_epoch : last epoch that may clear it; 0: only the epoch that seals it.

        Raises
        ------
        RejectedOrder
            With the code and field that the exchange would answer.
        """
        limit = None if limit_ratio is None else exact(limit_ratio, "limit_ratio")
        paid, atoms, terms = order_in_units(
            self.domain.registry,
            pay,
            receive,
            exact(budget, "budget"),
            limit,
            exact(min_fill_fraction, "min_fill_fraction"),
            valid_until_epoch,
        )
        return self._sign(nonce, paid, atoms, terms)

    def cancel(self, nonce: int, pay: str, valid_until_epoch: int = 0) -> SignedVerifiable:
        """Sign a cancel of whatever order holds ``nonce``; it consumes the nonce."""
        paid = self.domain.registry.index(pay, "pay")
        return self._sign(nonce, paid, 0, cancel_terms(valid_until_epoch))

    def _sign(self, nonce: int, pay: int, budget: int, terms: Terms) -> SignedVerifiable:
        payload = order_payload(
            self.domain, UnsignedOrder(self.owner_id, nonce, pay, budget, terms)
        )
        decode_order(payload, self.domain)
        signature = self._signer.sign(payload)
        allowance = DebitAllowance.from_bytes(payload)
        verifiable = verifiable_json(allowance, self.pub_key, signature)
        digest = sha256(payload).digest()
        return SignedVerifiable(digest, payload, self.pub_key, signature, verifiable)

    def swap(
        self,
        pay: str,
        receive: str,
        budget: Amount,
        *,
        nonce: int,
        limit_ratio: Amount | None = None,
        min_fill_fraction: Amount = 0,
        valid_until_epoch: int = 0,
    ) -> dict[str, Any]:
        """The same order as the ``Swap`` object of the HTTP API, signed over the same payload."""
        signed = self.order(
            pay, receive, budget, nonce=nonce, limit_ratio=limit_ratio,
            min_fill_fraction=min_fill_fraction, valid_until_epoch=valid_until_epoch,
        )  # fmt: skip
        swap = {
            "owner": self.owner,
            "pay_asset": pay,
            "receive_asset": receive,
            "budget": format(exact(budget, "budget"), "f"),
            "min_fill_fraction": format(exact(min_fill_fraction, "min_fill_fraction"), "f"),
            "nonce": nonce,
            "valid_until_epoch": valid_until_epoch,
            "pub_key": base58_encode(self.pub_key),
            "signature": base58_encode(signed.signature),
        }
        if limit_ratio is not None:
            swap["limit_ratio"] = format(exact(limit_ratio, "limit_ratio"), "f")
        return {"Swap": swap}
