"""The floor plan: which room stands on which floor, and who may import whom.

Read from the sources by ``ast``; nothing is imported. A room is a folder or file of a package; each
has a floor, every import between rooms goes down at least one, and no two files import each
other on any way round. A room that is missing in the plan fails, and so does one that is planned
and not there.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("convexfx_core", "tasks", "flows", "convexfx", "devnet")
ALLOWED = {
    "convexfx_core": {"convexfx_core"},
    "tasks": {"tasks", "convexfx_core"},
    "flows": {"flows", "tasks", "convexfx_core"},
    "convexfx": {"convexfx", "flows", "tasks", "convexfx_core"},
    "devnet": {"devnet"},
}
INFRASTRUCTURE = {"boto3", "botocore", "s3fs", "httpx", "prefect_aws"}
IMPURE = {
    "boto3", "botocore", "s3fs", "httpx", "prefect", "logging", "random", "secrets", "socket",
    "subprocess", "os", "time", "datetime", "requests", "asyncio", "threading", "pathlib", "urllib",
    "tempfile", "shutil", "multiprocessing", "uuid", "select",
}  # fmt: skip
CORE_ROOMS_MAX = 22

Plan = tuple[frozenset[str], ...]


def plan(*floors: str) -> Plan:
    """Floors from the ground up, each with its rooms."""
    return tuple(frozenset(floor.split()) for floor in floors)


FLOORS: dict[str, Plan] = {
    "convexfx_core": plan(
        "errors limits units arithmetic",
        "encoding",
        "identity",
        "market",
        "orders",
        "wire ledger settlement",
        "admission clearing witness",
        "laws",
        "transition clear_files",
        "records",
        "execution",
        "__init__",
    ),
    "tasks": plan(
        "__init__ ports injected_faults quarantine proposal_object signed_orders",
        "peer_answers",
        "vaults intake objects",
        "chain proof_job context",
        "adapters epoch_result",
        "process proof_check carry receipts",
        "delivery stage report",
        "seal make_proof",
        "finish clear validate state_diffs prove submit",
        "collect settle",
        "replay",
    ),
    "convexfx": plan(
        "__init__ loopback log_levels wallet epochs proofs prove_epoch witness_text calibrate",
        "agreement verifying_key dry_epoch",
        "local selftest",
        "api executor",
        "cli",
        "__main__",
    ),
    "convexfx/api": plan(
        "__init__ problem chain_index",
        "answers submission",
        "preview readiness",
        "services",
        "routes server",
        "app",
        "__main__",
    ),
    "devnet": plan("__init__ request_body", "injected_faults", "serve", "gateway settlement"),
}


def imports(source: str) -> set[str]:
    """Dotted names that a module imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def named(source: str) -> set[str]:
    """Modules of the core that stand as texts: what ``import_module`` loads later."""
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"convexfx_core(?:\.\w+)+", node.value)
    }


def unreadable(source: str) -> list[str]:
    """Imports whose target this page cannot read: relative, of everything, of a bare package."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Import) and any(
            alias.name == "convexfx_core" for alias in node.names
        ):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Name) and node.id == "__import__":
            found.append(node.id)
    return found


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def texts(package: str) -> dict[str, str]:
    """Source of every file of a package, by its path from there."""
    return {str(p.relative_to(ROOT / package)): p.read_text() for p in sources(package)}


def room_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def faults(package: str, floors: Plan, files: Mapping[str, str]) -> list[str]:
    """What is against the plan: rooms without a floor, floors without a room, imports not down."""
    floor = {room: height for height, rooms in enumerate(floors) for room in rooms}
    rooms = {room_of(path) for path in files}
    found = [f"{room} has no floor" for room in sorted(rooms - set(floor))]
    found += [f"{room} is planned and not there" for room in sorted(set(floor) - rooms)]
    prefix = package.replace("/", ".") + "."
    for path, source in files.items():
        own = room_of(path)
        for name in sorted(imports(source) | named(source)):
            other = name.removeprefix(prefix).split(".")[0] if name.startswith(prefix) else own
            if other in floor and other != own and floor.get(own, -1) <= floor[other]:
                found.append(f"{path} -> {name}")
    return found


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules that stand on a way round; none if there is none."""
    left = {node: set(targets) - {node} for node, targets in graph.items()}
    while ready := [node for node, targets in left.items() if not targets & set(left)]:
        for node in ready:
            del left[node]
    return sorted(left)


def module_graph() -> dict[str, set[str]]:
    """Every module of ours, and the modules of ours that it imports."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in (*OURS, "sp1_worker")
        for path in sources(package)
    }
    packages = {name for name, path in names.items() if path.name == "__init__.py"}
    return {
        name: {found for found in imports(path.read_text()) if found in names} - packages
        for name, path in names.items()
    }


def rust_graph(folder: Path) -> dict[str, set[str]]:
    """Modules of a crate, and the modules that each names outside its tests."""
    graph = {}
    for path in sorted(folder.glob("*.rs")):
        if path.stem not in ("main", "lib"):
            code = path.read_text().split("#[cfg(test)]")[0]
            used = re.findall(r"\bcrate::(\w+)", code)
            for group in re.findall(r"use crate::\{(.*?)\};", code, re.DOTALL):
                used += re.findall(r"(?:^|,)\s*(\w+)(?=\s*(?:::|,|$))", _flat(group))
            graph[path.stem] = set(used)
    return {name: used & set(graph) for name, used in graph.items()}


def _flat(group: str) -> str:
    """A list of imports without what stands in inner braces."""
    return re.sub(r"\{[^{}]*\}", "", group)


def violations(package: str, names: set[str]) -> set[str]:
    tops = {name.split(".")[0] for name in names}
    return (tops & set(OURS)) - ALLOWED[package]


@pytest.mark.parametrize("package", OURS)
def test_packages_import_downwards(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for path in sources(package)
        if (bad := violations(package, imports(path.read_text())))
    }
    assert not found


def test_canary_an_upward_import_of_a_package_is_seen() -> None:
    assert violations("convexfx_core", {"tasks.ports"}) == {"tasks"}
    assert violations("devnet", {"convexfx_core.units"}) == {"convexfx_core"}


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_downwards(package: str) -> None:
    assert not faults(package, FLOORS[package], texts(package))


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("attic.py", "", "attic has no floor"),
        ("attic/box.py", "", "attic has no floor"),
        ("market/x.py", "import convexfx_core.laws.gap", "market/x.py -> convexfx_core.laws.gap"),
        ("ledger/x.py", "from convexfx_core import wire", "ledger/x.py -> convexfx_core.wire"),
        (
            "units.py",
            "def f():\n    from convexfx_core.errors import X",
            "units.py -> convexfx_core.errors",
        ),
    ],
)
def test_canary_what_is_against_the_plan_is_seen(path: str, source: str, fault: str) -> None:
    files = texts("convexfx_core") | {path: source}
    assert fault in faults("convexfx_core", FLOORS["convexfx_core"], files)


def test_every_import_can_be_read() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for package in OURS
        for path in sources(package)
        if (bad := unreadable(path.read_text())) and path.parts[-2:] != ("tasks", "stage.py")
    }
    assert not found


@pytest.mark.parametrize(
    "source",
    ["from ..laws import gap", "from .. import laws", "from convexfx_core import *",
     "import convexfx_core", "__import__('tasks.ports')"],
)  # fmt: skip
def test_canary_an_import_that_cannot_be_read_is_seen(source: str) -> None:
    assert unreadable(source)


def test_canary_an_import_by_its_name_as_text_is_seen() -> None:
    source = "import_module('convexfx_core.laws.gap')"
    files = texts("convexfx_core") | {"market/x.py": source}
    fault = "market/x.py -> convexfx_core.laws.gap"
    assert fault in faults("convexfx_core", FLOORS["convexfx_core"], files)


def test_canary_a_planned_room_that_is_not_there_is_seen() -> None:
    files = {path: text for path, text in texts("devnet").items() if path != "serve.py"}
    assert faults("devnet", FLOORS["devnet"], files) == ["serve is planned and not there"]


def test_the_core_has_few_rooms() -> None:
    rooms = set().union(*FLOORS["convexfx_core"]) - {"__init__"}
    assert len(rooms) <= CORE_ROOMS_MAX


def test_no_module_imports_itself_on_any_way_round() -> None:
    assert not circle(module_graph())


def test_no_module_of_the_rust_host_does() -> None:
    graph = rust_graph(ROOT / "sp1_worker" / "host" / "src")
    assert graph["client"] == {"errors", "protocol", "prove"}
    assert not circle(graph)


def test_canary_a_circle_is_seen() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"], "e": []}) == list("abcd")
    assert circle({"a": ["b"], "b": []}) == []


def test_core_is_pure() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for path in sources("convexfx_core")
        if (bad := {name.split(".")[0] for name in imports(path.read_text())} & IMPURE)
    }
    assert not found


def test_only_adapters_know_infrastructure() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for package in ("tasks", "flows")
        for path in sources(package)
        if "adapters" not in path.parts
        and (bad := {name.split(".")[0] for name in imports(path.read_text())} & INFRASTRUCTURE)
    }
    assert not found
