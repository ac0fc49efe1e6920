"""Turns settings into the ports that stages work with.

This is the one place that chooses adapters: S3 for the store, SQS for the inbox, HTTP for the
gateway, Prefect for proofs. A process asks for its context here once; unit tests put a context of
adapters in memory in its place (``tasks.process.using``).
"""

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

from convexfx_core.encoding.hashing import network_id
from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError
from convexfx_core.identity import Address, OwnerId, owner_id
from convexfx_core.limits import SMALL_FILE_BYTES_MAX, TOKENS_BYTES_MAX
from convexfx_core.market.assets import Registry, registry_of
from convexfx_core.market.parameter_file import DEMO, ParameterFile, packaged
from convexfx_core.market.params import Params
from convexfx_core.orders.signed import Domain
from tasks.adapters.capped_file import read_file
from tasks.adapters.clock import SystemClock
from tasks.adapters.ecb import EcbReplay
from tasks.adapters.gateway_http import HttpGateway, HttpSettlement
from tasks.adapters.keys import read_key
from tasks.adapters.law_program import program_hash
from tasks.adapters.proof_modes import host_of, host_or_none
from tasks.adapters.prover_local import SIGNED_MODES, LocalProver
from tasks.adapters.prover_prefect import PrefectProver
from tasks.adapters.s3 import S3Store
from tasks.adapters.settings import Settings
from tasks.adapters.sqs import SqsInbox
from tasks.context import Context
from tasks.ports import Prover

PRICE_SOURCES: Final = {"ecb-replay": EcbReplay}


def read_domain(settings: Settings, pool_owner: OwnerId) -> Domain:
    """Domain of the tokens file: its assets, under the settings' network and shard.

    Raises
    ------
    ConfigurationError
        ``REGISTRY`` naming the file.
    """
    value = _read_json(settings.tokens)
    try:
        rows = [(a["id"], int(a["decimals"]), a["token"]) for a in value["assets"]]
        registry = registry_of(rows)
    except (KeyError, TypeError, ValueError, CodecError) as error:
        raise ConfigurationError(
            ConfigurationCode.REGISTRY, str(settings.tokens), "assets with id, decimals, token",
            str(error),
        ) from None  # fmt: skip
    return Domain(network_id(settings.network), Address(pool_owner, settings.shard), registry)


def _read_json(path: Path) -> dict[str, Any]:
    expected = "a JSON object with assets; `convexfx up` writes one for the local stack"
    try:
        value = json.loads(read_file(path, TOKENS_BYTES_MAX))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            ConfigurationCode.REGISTRY, str(path), expected, type(error).__name__
        ) from None
    if not isinstance(value, dict):
        raise ConfigurationError(ConfigurationCode.REGISTRY, str(path), expected, "no object")
    return value


def read_parameters(path: Path | None, registry: Registry) -> Params:
    """Parameters of a file, or the packaged demo ones without a file.

    Raises
    ------
    ConfigurationError
        ``PARAMS`` naming the entry, or the file where it cannot be read.
    """
    if path is None:
        return packaged(DEMO).params(registry)
    try:
        body = read_file(path, TOKENS_BYTES_MAX)
    except OSError as error:
        raise ConfigurationError(
            ConfigurationCode.PARAMS, str(path), "a parameter file", type(error).__name__
        ) from None
    return ParameterFile.from_json(body).params(registry)


def read_credentials(path: Path | None) -> dict[str, str]:
    """HTTP headers of a credentials file, none without a file.

    Raises
    ------
    ConfigurationError
        ``SETTING``; what stands in the file is never repeated.
    """
    if path is None:
        return {}
    try:
        value = json.loads(read_file(path, SMALL_FILE_BYTES_MAX).decode("ascii"))
    except (OSError, ValueError, RecursionError) as error:
        raise _credentials_error(path, type(error).__name__) from None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise _credentials_error(path, "something else")
    return value


def _credentials_error(path: Path, observed: str) -> ConfigurationError:
    expected = f"{path} to hold a JSON object of HTTP headers"
    return ConfigurationError(ConfigurationCode.SETTING, "rpc_credentials", expected, observed)


def settlement_from_settings(settings: Settings) -> HttpSettlement:
    """The settlement layer at ``base_layer_rpc``, with the headers of ``rpc_credentials``."""
    headers = read_credentials(settings.rpc_credentials)
    return HttpSettlement(settings.base_layer_rpc, headers=headers)


def context_from_settings(settings: Settings | None = None) -> Context:
    """Everything an epoch needs, from the settings of this process."""
    chosen = settings or Settings.load()
    operator = read_key(chosen.keypair)
    domain = read_domain(chosen, owner_id(operator.public_key))
    store = S3Store(chosen.bucket)
    return Context(
        store=store,
        inbox=SqsInbox(chosen.inbox_queue),
        prices=PRICE_SOURCES[chosen.reference.source](
            domain.registry.ids, domain.registry.ids[0], date.fromisoformat(chosen.reference.start)
        ),
        gateway=HttpGateway(chosen.gateway, settlement_from_settings(chosen)),
        prover=PrefectProver(store),
        operator=operator,
        clock=SystemClock(),
        network=chosen.network,
        domain=domain,
        params=read_parameters(chosen.parameters, domain.registry),
        proof_mode=chosen.proof_mode,
        program_hash=program_hash(chosen.proof_mode, chosen.law_program),
        staleness_s=chosen.reference.staleness_s,
        deviation_bps=chosen.reference.deviation_bps,
        api_url=f"http://127.0.0.1:{chosen.api_port}",
        verifier=None if chosen.proof_mode in SIGNED_MODES else host_of(chosen),
    )


def prover_from_settings(settings: Settings | None = None) -> Prover:
    """The prover that the flow ``prove`` uses, with what this machine has: attestor, host."""
    chosen = settings or Settings.load()
    settlement = settlement_from_settings(chosen)
    return LocalProver(
        S3Store(chosen.bucket),
        read_key(chosen.attestor) if chosen.attestor.exists() else None,
        program_hash("attested"),
        host_or_none(chosen),
        lambda: settlement.agreement(chosen.shard),
    )
