"""The domain agreement: what the operator signs, and what the settlement layer says of it."""

from base64 import b64encode

from convexfx_core.encoding.canonical import Writer
from convexfx_core.encoding.hashing import TAG_AGREEMENT, tag_bytes
from convexfx_core.errors import AgreementError
from convexfx_core.identity import base58_encode, owner_id
from convexfx_core.market.params import params_hash, params_to_bytes
from tasks.context import Context
from tasks.ports import Agreement, Json, Signer

MODES = ("attested", "executed", "core", "compressed", "gpu")
SUBMIT_HINT = "an active agreement; run `convexfx submit-domain-agreement` and wait for its epoch"


def agreement_bytes(ctx: Context, attestor_key: bytes, fee: int, modes: tuple[str, ...]) -> bytes:
    """Canonical bytes of an agreement (``docs/spec.md`` section 8)."""
    writer = Writer().u64(ctx.domain.pool.shard, "shard")
    writer.fixed(owner_id(ctx.operator.public_key), 32, "operator")
    writer.fixed(ctx.operator.public_key, 32, "operator key")
    writer.fixed(ctx.program_hash, 32, "program hash")
    writer.u64(sum(1 << MODES.index(mode) for mode in modes), "allowed modes")
    writer.fixed(attestor_key, 32, "attestor key")
    writer.fixed(params_hash(ctx.params, ctx.domain.registry), 32, "params hash")
    return writer.u64(fee, "fee").fixed(ctx.domain.network_id, 32, "network id").getvalue()


def signed_agreement(ctx: Context, attestor: Signer, fee: int, modes: tuple[str, ...]) -> Json:
    """The JSON that is submitted: agreement, parameters, registry, operator's signature."""
    registry, key = ctx.domain.registry, ctx.operator.public_key
    message = tag_bytes(TAG_AGREEMENT) + agreement_bytes(ctx, attestor.public_key, fee, modes)
    return {
        "shard": ctx.domain.pool.shard,
        "operator": base58_encode(owner_id(key)),
        "operator_key": base58_encode(key),
        "program_hash": ctx.program_hash.hex(),
        "allowed_modes": list(modes),
        "attestor_key": base58_encode(attestor.public_key),
        "params_hash": params_hash(ctx.params, registry).hex(),
        "fee": fee,
        "network": ctx.network,
        "params": b64encode(params_to_bytes(ctx.params)).decode(),
        "registry": b64encode(registry.to_bytes()).decode(),
        "signature": base58_encode(ctx.operator.sign(message)),
    }


def require_active(ctx: Context) -> Agreement:
    """The active agreement of the context's shard.

    Raises
    ------
    AgreementError
        There is none, it is not active yet, or it names another program, mode or parameters; the
        text says which, and which command helps.
    """
    found = ctx.gateway.agreement(ctx.domain.pool.shard)
    if found is None:
        raise AgreementError(f"shard {ctx.domain.pool.shard}", SUBMIT_HINT, "none")
    now = ctx.gateway.delta_epoch()
    if found.active_from > now:
        seen = f"active from delta epoch {found.active_from}, now {now}"
        raise AgreementError(f"shard {ctx.domain.pool.shard}", "an active agreement; wait", seen)
    wanted = {
        "operator": base58_encode(owner_id(ctx.operator.public_key)),
        "program_hash": ctx.program_hash.hex(),
        "params_hash": params_hash(ctx.params, ctx.domain.registry).hex(),
    }
    for field, value in wanted.items():
        if getattr(found, field) != value:
            raise AgreementError(field, f"{value}; {SUBMIT_HINT}", getattr(found, field))
    if ctx.proof_mode not in found.allowed_modes:
        allowed = ", ".join(found.allowed_modes)
        raise AgreementError("proof_mode", f"one of {allowed}", ctx.proof_mode)
    return found
