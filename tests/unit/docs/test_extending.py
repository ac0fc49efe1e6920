"""What `docs/extending.md` promises: each of its steps fails a test while it is missing."""

import re
from pathlib import Path
from typing import get_args

import pytest

from convexfx.agreement import MODES as AGREED
from convexfx_core.laws.names import LAW_NAMES
from convexfx_core.records.tables import DIFF_KINDS
from convexfx_core.wire.schema import schema_documents
from devnet.settlement.agreement import MODES as VERIFIED
from tasks.adapters.laws_host import PROOF_KINDS
from tasks.adapters.prover_local import SIGNED_MODES
from tasks.adapters.settings import ProofMode, ReferenceSettings, Settings
from tests.write_generated import SCHEMAS, generated

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "extending.md").read_text()
SPEC = (ROOT / "docs" / "spec.md").read_text()
FOLDERS = "convexfx|convexfx_core|tasks|devnet|docs|sp1_worker|tests"
NAMED = re.findall(rf"`((?:{FOLDERS})/[^`\s]+)`", PAGE)
"""Paths on the page, tests with `::name` behind them."""


def read(*names: str) -> str:
    """The text of files and of all Python files of folders."""
    paths = [ROOT / name for name in names]
    files = [f for p in paths for f in ([p] if p.is_file() else sorted(p.rglob("*.py")))]
    return "\n".join(path.read_text() for path in files)


def verifiable_kinds() -> set[str]:
    """Tags of the union of verifiables, from its JSON Schema."""
    document = schema_documents()["verifiable"]
    names = [choice["$ref"].rsplit("/", 1)[1] for choice in document["oneOf"]]
    return {tag for name in names for tag in document["$defs"][name]["properties"]}


def laws_in(folder: str) -> set[int]:
    """Numbers of the law files of a folder."""
    return {int(path.name[1:3]) for path in (ROOT / folder).glob("l[0-9][0-9]_*.py")}


def keys_of(example: str) -> set[str]:
    """Keys of a YAML file, those in a comment too, nested ones as ``outer.inner``."""
    found, outer = set(), ""
    for line in example.splitlines():
        match = re.match(r"(?:# )?(  )?(\w+):", line)
        if match:
            nested, key = match.groups()
            outer = outer if nested else key
            found.add(f"{outer}.{key}" if nested else key)
    return found


def settings_keys() -> set[str]:
    return set(Settings.model_fields) | {
        f"reference.{key}" for key in ReferenceSettings.model_fields
    }


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_every_file_and_test_on_the_page_exists(name: str) -> None:
    path, _, function = name.partition("::")
    if "NN" in path:
        assert len(laws_in("convexfx_core/laws")) == len(LAW_NAMES)
        return
    assert (ROOT / path).exists()
    assert not function or f"def {function}(" in (ROOT / path).read_text()


def test_the_page_names_its_tests() -> None:
    assert len({name for name in NAMED if name.startswith("tests/")}) > 20


def test_every_file_that_names_a_reject_code_is_on_the_page() -> None:
    paths = [p for f in ("convexfx", "convexfx_core", "tasks") for p in (ROOT / f).rglob("*.py")]
    naming = {str(p.relative_to(ROOT)) for p in paths if "RejectCode." in p.read_text()}
    assert len(naming) > 20
    assert naming - set(NAMED) == set()


def test_every_tag_of_the_code_stands_in_the_specification() -> None:
    tags = set(re.findall(r"\"(cfx\.[a-z]+\.v\d+)\"", read("convexfx_core", "tasks", "convexfx")))
    assert len(tags) > 15
    assert {tag for tag in tags if f"`{tag}`" not in SPEC} == set()


def test_every_verifiable_is_known_everywhere() -> None:
    kinds = verifiable_kinds()
    assert kinds == {"DebitAllowance", "FungibleTokenMint"}
    for kind in kinds:
        assert f"{kind} payload" in SPEC
        assert f'"{kind}"' in read("convexfx_core/wire/orders.py")
        assert f'"{kind}"' in read("devnet/gateway/verifiable.py")
        assert f'"{kind}"' in read("devnet/settlement/messages.py")


def test_every_kind_of_diff_is_known_everywhere() -> None:
    numbers = dict(
        re.findall(r"^DIFF_(\w+): Final = (\d+)$", read("convexfx_core/ledger/rows.py"), re.M)
    )
    assert [name.lower() for name in numbers] == list(DIFF_KINDS)
    words = ", ".join(f"{number} {name.lower()}" for name, number in numbers.items())
    assert f"kind u32 ({words})" in SPEC
    tables, law = read("docs/tables.md"), read("convexfx_core/laws/l18_diffs.py")
    for kind in DIFF_KINDS:
        assert f"`{kind}`" in tables
        assert f"DIFF_{kind.upper()}" in law


def test_schema_files_equal_their_generator() -> None:
    schemas = {path: data for path, data in generated() if path.parent == SCHEMAS}
    assert set(SCHEMAS.glob("*.json")) == set(schemas)
    assert [path.name for path, data in schemas.items() if path.read_bytes() != data] == []


def test_every_setting_stands_in_the_example() -> None:
    assert keys_of((ROOT / "executor.yaml.example").read_text()) == settings_keys()


@pytest.mark.parametrize("line", ["shard: 1", "# rpc_credentials: x", "reference:\n  source: y"])
def test_canary_a_key_less_is_seen(line: str) -> None:
    assert keys_of(line) < settings_keys()
    assert keys_of(line + "\nshards: 2") - settings_keys() == {"shards"}


def test_every_setting_is_used() -> None:
    users = read("tasks/adapters/wiring.py", "tasks/adapters/proof_modes.py", "convexfx")
    used = {key for key in settings_keys() if re.search(rf"\.{key}\b", users)}
    assert settings_keys() - used == set()


def test_every_proof_mode_is_known_everywhere() -> None:
    modes = get_args(ProofMode)
    assert tuple(AGREED) == tuple(VERIFIED) == modes
    assert {*SIGNED_MODES, *PROOF_KINDS} == set(modes)
    assert " | ".join(modes) in (ROOT / "executor.yaml.example").read_text()
    bits = ", ".join(f"{place} {mode}" for place, mode in enumerate(modes))
    assert f"(bit {bits})" in SPEC
    table = SPEC.split("## 8. ")[1].split("\n## ")[0]
    assert all(re.search(rf"^\| .*`{mode}`.* \|", table, re.M) for mode in modes)


def test_every_law_is_known_everywhere() -> None:
    page, numbers = read("docs/invariants.md"), set(LAW_NAMES)
    assert numbers == set(range(21))
    assert laws_in("convexfx_core/laws") == numbers
    assert {int(n) for n in re.findall(r"^## L(\d+): ", page, re.M)} == numbers
    verdicts = (ROOT / "tests/vectors/laws/index.tsv").read_text().splitlines()
    assert {
        int(law) for law in (line.split("\t")[1] for line in verdicts) if law != "ok"
    } == numbers
    for law in numbers:
        section = page.split(f"\n## L{law}: ")[1].split("\n## ")[0]
        files = re.findall(r"`laws/(\w+\.py)`", section)
        assert files
        assert all((ROOT / "convexfx_core/laws" / name).exists() for name in files)


def test_the_law_set_is_the_one_in_the_specification() -> None:
    from tasks.adapters.law_program import LAW_SET

    assert f"ASCII `{LAW_SET}`" in SPEC
