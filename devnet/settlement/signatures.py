"""Signatures of the messages of an SDL, checked on all cores.

No vault may be debited without its owner's signature, whatever a proof says. An SDL can hold
millions of messages, and libsodium works outside the interpreter's lock, so threads share the work.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from devnet.settlement.agreement import signed_by
from devnet.settlement.invalid import Invalid
from devnet.settlement.messages import DebitMessage
from devnet.settlement.transactions import Item


def check_signers(items: Sequence[Item]) -> None:
    """Check that each message is signed by the owner of the vault that it debits or mints from.

    Raises
    ------
    Invalid
        ``OWNER`` or ``SIGNATURE`` with the place of the first wrong item.
    """
    for place, item in enumerate(items):
        if _vault_owner(item) != sha256(item.pub_key).digest():
            raise Invalid("OWNER", f"verifiable {place}: expected a key of the debited owner")
    workers = os.cpu_count() or 1
    parts = [items[start::workers] for start in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(_first_forged, parts))
    places = [at * workers + start for start, at in enumerate(found) if at is not None]
    if places:
        raise Invalid("SIGNATURE", f"verifiable {min(places)}: expected a valid signature")


def _vault_owner(item: Item) -> bytes:
    message = item.message
    return (message.debited if isinstance(message, DebitMessage) else message.mint).owner


def _first_forged(items: Sequence[Item]) -> int | None:
    for at, item in enumerate(items):
        if not signed_by(item.pub_key, item.payload, item.signature):
            return at
    return None
