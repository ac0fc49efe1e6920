"""What a malicious operator may send to the settlement layer itself, past his gateway."""

from base64 import b64encode

import pytest

from devnet.gateway.jobs import envelope_problem
from devnet.gateway.sdl import Sdl
from devnet.settlement.agreement import signed_by
from devnet.settlement.chain import SdlRecord
from devnet.settlement.invalid import Invalid
from devnet.settlement.proof import read_envelope
from tests.support.devnet_stage import ALICE, through_json
from tests.support.devnet_world import (
    MINTS,
    OPERATOR,
    Epoch,
    Mint,
    Wallet,
    agreement,
    general_hash,
    le,
    params_section,
    proof_transaction,
    registry_section,
    sdl_transaction,
    tagged,
)
from tests.unit.devnet.test_settlement_sdl import World, valid

THIEF = Wallet("thief")
DEEP = b"[" * 100_000


@pytest.fixture
def world() -> World:
    return World()


def agreed(operator: Wallet, params: bytes, registry: bytes, **changes: object) -> dict:
    digest = tagged("cfx.params.v1", params + registry)
    parts = {"params": b64encode(params).decode(), "registry": b64encode(registry).decode()}
    return agreement(operator, params_hash=digest.hex(), **parts, **changes)


def squatting(epoch: Epoch) -> dict:
    """Any SDL of the thief's own shard under the hash of somebody else's."""
    mint = Mint(Wallet("thief's mint"), 1, ((THIEF.vault(2), 5),), "THF", shard=2)
    return sdl_transaction([(mint, ())], epoch.values["sdl_hash"], THIEF, shard=2)


def settled(world: World, epoch: Epoch) -> SdlRecord:
    world.chain.submit_proof(epoch.proof())
    return world.chain.sdls[epoch.sdl_hash]


def test_nobody_takes_the_place_of_an_sdl_that_waits(world: World) -> None:
    epoch = valid(world)
    world.chain.submit_sdl(through_json(epoch.transaction()))
    with pytest.raises(Invalid, match=r"OPERATOR: SDL .* of another operator waits"):
        world.chain.submit_sdl(squatting(epoch))
    assert settled(world, epoch).status == "applied"


def test_nobody_keeps_the_place_of_an_sdl_that_comes(world: World) -> None:
    epoch = valid(world)
    world.chain.submit_sdl(squatting(epoch))
    world.chain.submit_sdl(through_json(epoch.transaction()))
    with pytest.raises(Invalid, match="OPERATOR: expected the operator and shard of the SDL"):
        world.chain.submit_proof(
            proof_transaction(epoch.values["sdl_hash"], b"", signer=THIEF, shard=2)
        )
    assert settled(world, epoch).status == "applied"


def test_mints_have_their_own_hash_too(world: World) -> None:
    mint = Mint(Wallet("thief's mint"), 1, ((THIEF.vault(2), 5),), "THF", shard=2)
    own = general_hash([mint])
    world.chain.submit_sdl(sdl_transaction([(mint, ())], own, ALICE, shard=3))
    with pytest.raises(Invalid, match="OPERATOR: SDL"):
        world.chain.submit_sdl(sdl_transaction([(mint, ())], own, THIEF, shard=2))
    due = general_hash([mint], shard=2)
    world.chain.submit_sdl(sdl_transaction([(mint, ())], due, ALICE, shard=3))
    record = world.chain.submit_sdl(sdl_transaction([(mint, ())], due, THIEF, shard=2))
    assert (record.shard, record.status) == (2, "submitted")


def test_nothing_is_minted_to_where_no_vault_can_be(world: World) -> None:
    mint = Mint(MINTS["USD"], 2, (((THIEF.owner, 0), 5),))
    record = world.issue([(mint, ())])
    assert (record.status, record.code) == ("failed", "CREDITED")


@pytest.mark.parametrize("place", [40, 48], ids=["decimals", "id"])
def test_an_asset_keeps_its_digits_and_its_name(world: World, place: int) -> None:
    registry = bytearray(registry_section())
    registry[64 + place] ^= 1
    with pytest.raises(Invalid, match="REGISTRY: registry: expected the former rows unchanged"):
        world.chain.register(agreed(OPERATOR, params_section(), bytes(registry)))


@pytest.mark.parametrize("band", [300_000_001, (1 << 64) - 1])
def test_no_band_is_agreed_in_which_prices_mean_nothing(world: World, band: int) -> None:
    params = params_section()
    params = params[:88] + le(band) + params[96:]
    with pytest.raises(Invalid, match="PARAMS_HASH: params: expected bands of at most 300 bps"):
        world.chain.register(agreed(OPERATOR, params, registry_section()))


@pytest.mark.parametrize("head", [DEEP, b'{"mode":' * 100_000], ids=["lists", "objects"])
def test_an_envelope_cannot_bury_the_reader(world: World, head: bytes) -> None:
    with pytest.raises(Invalid, match="ENVELOPE: expected JSON"):
        read_envelope(head)
    epoch = valid(world)
    sdl = Sdl(bytes(32), ())
    sdl.mints_only, sdl.envelope = False, head
    assert envelope_problem(sdl).startswith("ENVELOPE")
    world.chain.submit_sdl(through_json(epoch.transaction()))
    world.chain.submit_proof(proof_transaction(epoch.values["sdl_hash"], head))
    assert world.chain.sdls[epoch.sdl_hash].code == "ENVELOPE"


def test_bytes_of_a_message_never_count_as_a_signature() -> None:
    signature = ALICE.sign(b"aye" + b"message")
    assert signed_by(ALICE.public, b"ayemessage", signature)
    assert not signed_by(ALICE.public, b"message", signature + b"aye")
    assert not signed_by(ALICE.public, signature[60:] + b"ayemessage", signature[:60])
