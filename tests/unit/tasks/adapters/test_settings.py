"""Settings: defaults, file, environment, and errors that name the key."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from convexfx_core.errors import ConfigurationError
from convexfx_core.limits import SMALL_FILE_BYTES_MAX
from tasks.adapters.settings import ACCEPTED, ReferenceSettings, Settings

ROOT = Path(__file__).resolve().parents[4]


def test_the_example_holds_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.load(ROOT / "executor.yaml.example") == Settings.load()


def test_the_example_names_every_key() -> None:
    text = (ROOT / "executor.yaml.example").read_text()
    named = set(yaml.safe_load(text)) | {line[2:].split(":")[0] for line in text.splitlines()}
    assert set(Settings.model_fields) <= named


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "executor.yaml").write_text("shard: 2\napi_port: 9000\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVEXFX_SHARD", "3")
    monkeypatch.setenv("CONVEXFX_REFERENCE__STALENESS_S", "60")
    found = Settings.load()
    assert (found.shard, found.api_port, found.reference.staleness_s) == (3, 9000, 60)


def test_settings_survive_the_way_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Settings(shard=7, proof_mode="executed", bucket="other-bucket")
    for key, value in wanted.environment().items():
        monkeypatch.setenv(key, value)
    assert Settings.load() == wanted


@pytest.mark.parametrize(
    ("text", "field", "seen"),
    [
        ("shard: 0\n", "shard", "0"),
        ("shard: -1\n", "shard", "-1"),
        ("api_port: 65536\n", "api_port", "65536"),
        ("proof_mode: mock\n", "proof_mode", "mock"),
        ("log_level: loud\n", "log_level", "loud"),
        ("epoch_interval_s: 4\n", "epoch_interval_s", "4"),
        ("base_layer_rpc: localhost\n", "base_layer_rpc", "localhost"),
        ("bucket: A\n", "bucket", "A"),
        ("reference:\n  source: guess\n", "reference.source", "guess"),
        ("reference:\n  deviation_bps: 0\n", "reference.deviation_bps", "0"),
        ("reference:\n  start: '2024-02-30'\n", "reference.start", "2024-02-30"),
        ("reference:\n  starts: 2024-02-28\n", "reference.starts", "one of source, staleness_s"),
        ("reference: 5\n", "reference", "5"),
        ("keypair: [1]\n", "keypair", "expected a path, found [1]"),
        ("network: ''\n", "network", "found nothing"),
        ("sharde: 1\n", "sharde", "one of base_layer_rpc"),
    ],
)
def test_invalid_setting_names_key_value_and_what_is_accepted(
    tmp_path: Path, text: str, field: str, seen: str
) -> None:
    path = tmp_path / "executor.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(path)
    line = str(caught.value)
    assert caught.value.code == "SETTING"
    assert caught.value.field == field
    assert seen in line
    assert caught.value.expected == ACCEPTED.get(field, caught.value.expected)
    assert "\n" not in line
    assert "Input" not in line


@pytest.mark.parametrize("text", ["[1, 2]\n", "a: [\n", "1: 2\n", "a: 2024-02-30\n"])
def test_invalid_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "executor.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"^SETTING: .*YAML"):
        Settings.load(path)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghi")
)
"""Nine levels of nine: a kilobyte whose text, in an error, would fill the memory."""


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (LAUGHS, "an alias"),
        (f"network: &n [x]\n{LAUGHS}", "an alias"),
        ("[" * 4_000 + "]" * 4_000, "more than 8 levels"),
        ("a: " + "{b: " * 9 + "1" + "}" * 9, "more than 8 levels"),
        ("? " * 9, "more than 8 levels"),
        ("#" * (SMALL_FILE_BYTES_MAX + 1), "at most 16384 bytes"),
    ],
    ids=["laughs", "laughs in a setting", "brackets", "braces", "keys", "long"],
)
def test_a_file_that_costs_more_than_it_weighs_is_one_line(
    tmp_path: Path, text: str, seen: str
) -> None:
    path = tmp_path / "executor.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=seen) as caught:
        Settings.load(path)
    assert caught.value.code == "SETTING"
    assert len(caught.value.line()) < 500


def test_invalid_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--config"):
        Settings.load(tmp_path / "absent.yaml")


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEXFX_PROOF_MODE", "attested")
    settings = Settings.load()
    changed = settings.changed(proof_mode="core", epoch_interval_s=7)
    assert (changed.proof_mode, changed.epoch_interval_s) == ("core", 7)
    assert settings.proof_mode == "attested", "the original is left alone"


@pytest.mark.parametrize(("key", "value"), [("proof_mode", "mock"), ("epoch_interval_s", 1)])
def test_invalid_options_are_named_too(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings().changed(**{key: value})
    assert (caught.value.code, caught.value.field) == ("SETTING", key)


def test_a_date_needs_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "executor.yaml"
    path.write_text("reference:\n  start: 2023-05-02\n")
    assert Settings.load(path).reference.start == "2023-05-02"


def test_every_key_that_takes_no_path_says_what_it_takes() -> None:
    inner = {f"reference.{name}" for name in ReferenceSettings.model_fields}
    paths = {name for name, field in Settings.model_fields.items() if "Path" in str(field)}
    assert set(ACCEPTED) == (set(Settings.model_fields) - paths) | inner
