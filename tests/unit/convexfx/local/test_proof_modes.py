"""Proof modes of a local stack: what is checked first, started, agreed and passed on."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from convexfx.cli.main import app
from convexfx.local import exchange as module
from convexfx.local import session
from convexfx.local.exchange import Exchange, Ports, local_exchange, socket_path, verifier_command
from convexfx.local.genesis import register
from convexfx.local.service import Service, Step, services_of
from convexfx_core.errors import ConfigurationError, ProofError
from tasks.adapters.proof_modes import default_mode, host_of, host_or_none, require_mode
from tasks.adapters.settings import Settings
from tests.support.api_world import ApiWorld, agreement_of, api_world, signer
from tests.support.fake_laws_host import VKEY, FakeHost, fake_host

__all__ = ["fake_host"]
PORTS = Ports(1, 2, 3, 4, 5)


def settings_of(fake: FakeHost, mode: Any) -> Settings:
    return Settings(proof_mode=mode, law_program=fake.folder / "elf", laws_host=fake.binary)


def exchange_of(fake: FakeHost, mode: Any, folder: Path) -> Exchange:
    return local_exchange(folder, PORTS, settings_of(fake, mode))


def services(exchange: Exchange) -> dict[str, Service]:
    return {service.name: service for service in services_of(exchange.parts())}


def steps(exchange: Exchange) -> dict[str, Step]:
    return {part.name: part for part in exchange.parts() if isinstance(part, Step)}


@pytest.fixture(autouse=True)
def no_object_store_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "existing_endpoint", lambda: "http://127.0.0.1:1")


@pytest.mark.parametrize("mode", ["attested", "executed"])
def test_modes_without_a_proof_need_no_verifier_and_no_served_prover(
    fake_host: FakeHost, tmp_path: Path, mode: str
) -> None:
    exchange = exchange_of(fake_host, mode, tmp_path)
    found = services(exchange)
    assert "--verifier-command" not in found["settlement"].argv
    assert "laws-host-serve" not in found
    assert [name for name in found if name.startswith("worker-")] == ["worker-convexfx"]
    assert exchange.settings.prover_socket is None
    assert ("law program" in steps(exchange)) == (mode == "executed")


def test_orders_that_rest_for_days_do_not_end_the_exchange(
    fake_host: FakeHost, tmp_path: Path
) -> None:
    """Each of their epochs has no SDL; two days of them at the shortest interval must be lawful."""
    words = list(services(exchange_of(fake_host, "attested", tmp_path))["settlement"].argv)
    assert int(words[words.index("--epoch-gap") + 1]) > 2 * 86_400 // 5


@pytest.mark.parametrize("mode", ["core", "compressed"])
def test_a_proving_stack_verifies_and_serves(
    fake_host: FakeHost, tmp_path: Path, mode: str
) -> None:
    exchange = exchange_of(fake_host, mode, tmp_path)
    found = services(exchange)
    words = list(found["settlement"].argv)
    assert words[words.index("--verifier-command") + 1] == verifier_command(
        host_of(exchange.settings)
    )
    serve = found["laws-host-serve"]
    assert serve.argv[0] == str(fake_host.binary)
    assert serve.argv[-2:] == ("--socket", str(tmp_path / "laws-host.sock"))
    assert serve.restarts_max > 10
    assert {name for name in found if name.startswith("worker-")} == {
        "worker-convexfx",
        "worker-sp1-gpu",
    }
    variables = found["worker-sp1-gpu"].env
    assert variables["CONVEXFX_PROVER_SOCKET"] == str(tmp_path / "laws-host.sock")
    assert variables["CONVEXFX_PROOF_MODE"] == mode
    assert variables["CONVEXFX_LAWS_HOST"] == str(fake_host.binary)


def test_another_guest_built_meanwhile_changes_nothing(fake_host: FakeHost, tmp_path: Path) -> None:
    """The stack's own copy is what its processes are told of."""
    exchange = exchange_of(fake_host, "core", tmp_path)
    (fake_host.folder / "elf" / "vkey.txt").write_text("33" * 32)
    (fake_host.folder / "elf" / "laws-guest.elf").write_bytes(b"another")
    variables = services(exchange)["worker-sp1-gpu"].env
    assert variables["CONVEXFX_LAW_PROGRAM"] == str(tmp_path / "elf")
    again = local_exchange(tmp_path, PORTS, exchange.settings)
    for host in (host_of(exchange.settings), host_of(again.settings)):
        host.program.require_unchanged()
        assert host.program.vkey.hex() == VKEY


def test_a_prover_that_serves_already_is_not_started_again(
    fake_host: FakeHost, tmp_path: Path
) -> None:
    settings = settings_of(fake_host, "core").changed(prover_socket=fake_host.socket)
    with fake_host.serving():
        exchange = local_exchange(tmp_path, PORTS, settings)
        assert "laws-host-serve" not in services(exchange)
        assert exchange.settings.prover_socket == fake_host.socket


def test_the_verifier_s_command_survives_a_shell_s_words(fake_host: FakeHost) -> None:
    words = shlex.split(verifier_command(fake_host.host()))
    assert words[:2] == [str(fake_host.binary), "verify"]
    fields = {"{kind}", "{proof}", "{program_hash}", "{public_values_hex}"}
    assert {word for word in words if word.startswith("{")} == fields


def test_a_long_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    assert len(str(socket_path(deep))) <= 100
    assert socket_path(deep) != socket_path(deep / "y")
    assert socket_path(Path("/s")) == Path("/s/laws-host.sock")


def test_the_program_is_checked_before_any_worker_starts(
    fake_host: FakeHost, tmp_path: Path
) -> None:
    exchange = exchange_of(fake_host, "core", tmp_path)
    names = [
        part.name if isinstance(part, Step) else [s.name for s in services_of((part,))]
        for part in exchange.parts()
    ]
    worker = next(i for i, name in enumerate(names) if "worker-sp1-gpu" in name)
    assert names.index("law program") < worker
    steps(exchange)["law program"].run()
    assert fake_host.runs() == ["selfcheck", "vkey"]
    (tmp_path / "elf" / "vkey.txt").write_text("11" * 32)
    with pytest.raises(ProofError, match="WRONG_VKEY"):
        steps(exchange)["law program"].run()


class Settlement:
    """Takes an agreement, which is active at once."""

    def __init__(self, world: ApiWorld) -> None:
        self.settlement = self
        self.world = world
        self.body: dict[str, Any] = {}

    def register_agreement(self, body: dict[str, Any]) -> None:
        self.body = body
        modes = tuple(body["allowed_modes"])
        agreement = replace(agreement_of(self.world.ctx), allowed_modes=modes, active_from=0)
        self.world.gateway.active = agreement


@pytest.mark.parametrize("mode", ["attested", "executed", "core", "compressed", "gpu"])
def test_the_agreement_lists_exactly_the_mode_in_use(mode: str) -> None:
    world = api_world()
    world = replace(world, ctx=replace(world.ctx, proof_mode=mode))
    settlement: Any = Settlement(world)
    register(world.ctx, settlement, signer("attestor"), 1)
    assert settlement.body["allowed_modes"] == [mode]


# What a machine cannot do


def test_an_installation_without_rust_parts_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_host: FakeHost
) -> None:
    monkeypatch.setenv("CONVEXFX_RUST_BIN", "")
    settings = Settings(proof_mode="core", law_program=fake_host.folder / "elf")
    with pytest.raises(ConfigurationError, match=r"attested \(Rust parts are not built: make rust"):
        local_exchange(tmp_path, PORTS, settings).parts()


def test_an_installation_without_a_law_program_is_attested_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake_host: FakeHost
) -> None:
    """A wheel has no ELF."""
    monkeypatch.setattr("tasks.adapters.law_program.FOLDER", tmp_path / "nothing")
    settings = Settings(proof_mode="executed", laws_host=fake_host.binary)
    assert host_or_none(settings) is None
    with pytest.raises(ConfigurationError, match="expected a law program"):
        require_mode(settings)
    require_mode(settings.changed(proof_mode="attested"))
    mode, line = default_mode(settings)
    assert mode == "attested"
    assert "no law program is installed (a wheel has none)" in line


def test_a_named_folder_must_hold_the_program(tmp_path: Path, fake_host: FakeHost) -> None:
    settings = Settings(
        proof_mode="executed", law_program=tmp_path / "absent", laws_host=fake_host.binary
    )
    with pytest.raises(ConfigurationError, match=r"SETTING: law_program: expected .*vkey.txt with"):
        require_mode(settings)


def test_gpu_is_refused_before_anything_starts(
    fake_host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"no sp1-gpu-server 6\.10\.0"):
        exchange_of(fake_host, "gpu", tmp_path).parts()


# The default, and what an option means


class Started:
    """Takes the exchange that ``convexfx up`` would start."""

    def __init__(self) -> None:
        self.modes: list[str] = []

    def __call__(self, exchange: Exchange, **_: Any) -> int:
        self.modes.append(exchange.settings.proof_mode)
        return 0


def up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], *words: str
) -> tuple[list[str], str]:
    started = Started()
    monkeypatch.setattr(session, "run_exchange", started)
    monkeypatch.chdir(tmp_path)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    done = CliRunner().invoke(app, ["up", "--state", str(tmp_path / "state"), *words])
    assert done.exception is None or done.exit_code == 0, done.exception
    return started.modes, " ".join(done.output.split())


def built(fake: FakeHost) -> dict[str, str]:
    return {
        "CONVEXFX_LAW_PROGRAM": str(fake.folder / "elf"),
        "CONVEXFX_LAWS_HOST": str(fake.binary),
    }


def test_the_default_is_executed_where_the_rust_parts_are_built(
    fake_host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, said = up(monkeypatch, tmp_path, built(fake_host))
    assert modes == ["executed"]
    assert "proof mode executed, which is not a proof: the guest runs in SP1's executor" in said


def test_the_default_without_them_is_attested_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes, said = up(monkeypatch, tmp_path, {"CONVEXFX_RUST_BIN": ""})
    assert modes == ["attested"]
    assert "proof mode attested, which is not a proof: Rust parts are not built: make rust" in said


@pytest.mark.parametrize(
    ("words", "variables", "mode"),
    [
        (["--proof", "core"], {}, "core"),
        (["--proof", "attested"], {}, "attested"),
        ([], {"CONVEXFX_PROOF_MODE": "compressed"}, "compressed"),
        (["--proof", "core"], {"CONVEXFX_PROOF_MODE": "attested"}, "core"),
    ],
)
def test_a_mode_that_is_named_is_the_mode(
    fake_host: FakeHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: Sequence[str],
    variables: dict[str, str],
    mode: str,
) -> None:
    modes, said = up(monkeypatch, tmp_path, built(fake_host) | variables, *words)
    assert modes == [mode]
    assert "proof mode" not in said


def test_an_unknown_mode_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["up", "--proof", "mock"])
    assert isinstance(done.exception, ConfigurationError)
    assert (done.exception.code, done.exception.field) == ("SETTING", "proof_mode")


def test_the_program_hash_of_other_modes_is_the_verifying_key(fake_host: FakeHost) -> None:
    from tasks.adapters.law_program import program_hash

    folder = fake_host.folder / "elf"
    assert {program_hash(m, folder).hex() for m in ("executed", "core", "compressed", "gpu")} == {
        VKEY
    }
    assert program_hash("attested", folder).hex() != VKEY
