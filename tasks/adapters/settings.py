"""The executor's settings: ``executor.yaml``, overridden by ``CONVEXFX_`` environment variables.

Every process reads them at its start, and ``wiring`` turns them into ports. ``docs/extending.md``
names the files to touch for a new key. AWS endpoint, region and credentials are boto3's own
environment variables and never stand here.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.limits import SMALL_FILE_BYTES_MAX
from tasks.adapters.capped_file import FileTooLarge, read_file

ProofMode = Literal["attested", "executed", "core", "compressed", "gpu"]
LogLevel = Literal["error", "warn", "info", "debug", "trace"]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(:\d+)?(/.*)?$")]
DEPTH_MAX: Final = 8
"""Levels of a settings file; ours has two."""
ACCEPTED: Final = {
    "base_layer_rpc": "a URL, http://host:port",
    "gateway": "a URL, http://host:port",
    "network": "a name of 1 to 64 characters",
    "shard": "an integer from 1 to 2^63 - 1",
    "fee": "an integer from 0 to 2^63 - 1, plancks",
    "api_port": "a port, 1 to 65535",
    "bucket": "the name of a bucket: 3 to 63 of a-z, 0-9, '.' and '-'",
    "inbox_queue": "the name of a queue: 1 to 80 of A-Z, a-z, 0-9, '_' and '-'",
    "epoch_interval_s": "seconds, an integer from 5 to 86400",
    "proof_mode": "attested, executed, core, compressed or gpu",
    "log_level": "error, warn, info, debug or trace",
    "reference": "the keys source, staleness_s, deviation_bps, start",
    "reference.source": "ecb-replay",
    "reference.staleness_s": "seconds, an integer of at least 1",
    "reference.deviation_bps": "basis points, an integer of at least 1",
    "reference.start": "a date like 2024-01-02",
}
"""What each key takes, as errors say it; a key that is not listed takes a path."""


def _iso_date(value: object) -> str:
    """A date as YAML reads it without quotes, or its text."""
    return (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()


class ReferenceSettings(BaseModel):
    """Where reference prices come from and what stops a seal.

    ``staleness_s`` seconds; ``deviation_bps`` largest move between two epochs; ``start`` first day
    of the replayed history, ISO date.
    """

    model_config = ConfigDict(extra="forbid")

    source: Literal["ecb-replay"] = "ecb-replay"
    staleness_s: Annotated[int, Field(gt=0)] = 432_000
    deviation_bps: Annotated[int, Field(gt=0)] = 500
    start: Annotated[str, BeforeValidator(_iso_date), Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = (
        "2024-01-02"
    )


class Settings(BaseSettings):
    """Every setting with its default: the values of the local stack."""

    model_config = SettingsConfigDict(
        env_prefix="CONVEXFX_", env_nested_delimiter="__", extra="forbid"
    )

    base_layer_rpc: Url = "http://127.0.0.1:3100"
    gateway: Url = "http://127.0.0.1:3000"
    rpc_credentials: Path | None = None
    network: Annotated[str, Field(min_length=1, max_length=64)] = "convexfx-devnet"
    shard: Annotated[int, Field(ge=1, lt=1 << 63)] = 1
    keypair: Path = Path(".convexfx/keys/operator.json")
    attestor: Path = Path(".convexfx/keys/attestor.json")
    fee: Annotated[int, Field(ge=0, lt=1 << 63)] = 1_000_000
    api_port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = "convexfx-epochs"
    inbox_queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")] = "convexfx-inbox"
    epoch_interval_s: Annotated[int, Field(ge=5, le=86_400)] = 20
    proof_mode: ProofMode = "attested"
    law_program: Path | None = None
    laws_host: Path | None = None
    prover_socket: Path | None = None
    parameters: Path | None = None
    tokens: Path = Path(".convexfx/tokens.json")
    reference: ReferenceSettings = ReferenceSettings()
    log_level: LogLevel = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Settings of ``path`` (default ``executor.yaml`` where it is) under the environment.

        Raises
        ------
        ConfigurationError
            ``SETTING`` with the key, what stood there and what is accepted.
        """
        values = _read_yaml(path)
        try:
            return cls(**values)
        except ValidationError as error:
            raise _setting_error(error) from None

    def changed(self, **options: Any) -> Self:
        """These settings with some keys changed by options of a command, which win over all else.

        Raises
        ------
        ConfigurationError
            As :meth:`load`.
        """
        copy = self.model_copy()
        for key, value in options.items():
            try:
                self.__pydantic_validator__.validate_assignment(copy, key, value)
            except ValidationError as error:
                raise _setting_error(error) from None
        return copy

    def environment(self) -> dict[str, str]:
        """The settings as ``CONVEXFX_`` variables, for a process that is started with them."""
        variables: dict[str, str] = {}
        for key, value in self.model_dump(mode="json", exclude_none=True).items():
            if isinstance(value, dict):
                for inner, leaf in value.items():
                    variables[f"CONVEXFX_{key}__{inner}".upper()] = str(leaf)
            else:
                variables[f"CONVEXFX_{key}".upper()] = str(value)
        return variables


def _read_yaml(path: Path | None) -> dict[str, Any]:
    chosen = path or Path("executor.yaml")
    if not chosen.is_file():
        if path is None:
            return {}
        raise ConfigurationError(
            ConfigurationCode.SETTING, "--config", "a readable file", str(path)
        )
    try:
        values = _tree(read_file(chosen, SMALL_FILE_BYTES_MAX).decode())
    except (yaml.YAMLError, ValueError, FileTooLarge) as error:
        where = str(error).splitlines()[0]
        raise ConfigurationError(
            ConfigurationCode.SETTING, str(chosen), "YAML of key: value lines", where
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(
            ConfigurationCode.SETTING,
            str(chosen),
            "YAML of key: value lines",
            type(values).__name__,
        )
    return values


def _tree(text: str) -> Any:
    """Values of flat YAML without aliases.

    Nine aliases of nine each say a value a billion times, and 4,000 brackets in one another take
    the parser 40 s. Events come while it reads, so neither is read to its end.
    """
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise yaml.YAMLError(f"more than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
    return yaml.safe_load(text)


def _setting_error(error: ValidationError) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "extra_forbidden":
        inner = key.startswith("reference.")
        known = ", ".join((ReferenceSettings if inner else Settings).model_fields)
        return ConfigurationError(ConfigurationCode.SETTING, key, f"one of {known}", key)
    seen = first["input"] if first["input"] not in ("", None) else "nothing"
    return ConfigurationError(ConfigurationCode.SETTING, key, ACCEPTED.get(key, "a path"), seen)
