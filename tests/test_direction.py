"""The direction rule of the tree: who may import whom, read from the source by ``ast``."""

import ast
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
    "subprocess", "os", "time", "datetime", "requests", "asyncio", "threading",
}  # fmt: skip
LAYERS = [
    {"units", "limits", "errors"},
    {"canonical", "identity", "merkle"},
    {"assets", "orders", "proposal", "wire"},
    {"reference", "params", "case", "book", "state"},
    {"clearing"},
    {"settlement", "laws", "state_diffs", "receipts"},
    {"transition"},
]


def imports(path: Path) -> set[str]:
    """Dotted names that a module imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def violations(package: str, names: set[str]) -> set[str]:
    tops = {name.split(".")[0] for name in names}
    return (tops & set(OURS)) - ALLOWED[package]


@pytest.mark.parametrize("package", OURS)
def test_packages_import_downwards(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for path in sources(package)
        if (bad := violations(package, imports(path)))
    }
    assert not found


def test_canary_an_upward_import_is_seen() -> None:
    assert violations("convexfx_core", {"tasks.ports"}) == {"tasks"}
    assert violations("devnet", {"convexfx_core.units"}) == {"convexfx_core"}


def test_core_is_pure() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for path in sources("convexfx_core")
        if (bad := {name.split(".")[0] for name in imports(path)} & IMPURE)
    }
    assert not found


def test_only_adapters_know_infrastructure() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for package in ("tasks", "flows")
        for path in sources(package)
        if "adapters" not in path.parts
        and (bad := {name.split(".")[0] for name in imports(path)} & INFRASTRUCTURE)
    }
    assert not found


def test_laws_never_import_the_clearing() -> None:
    found = {
        str(path.relative_to(ROOT)): bad
        for path in sources("convexfx_core/laws")
        if (bad := {n for n in imports(path) if n.startswith("convexfx_core.clearing")})
    }
    assert not found


def layer_of(module: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if module in names), None)


def test_core_layers_import_downwards() -> None:
    found = []
    for path in sources("convexfx_core"):
        own = layer_of(path.relative_to(ROOT / "convexfx_core").parts[0].removesuffix(".py"))
        for name in imports(path):
            parts = name.split(".")
            if own is None or parts[0] != "convexfx_core" or len(parts) < 2:
                continue
            other = layer_of(parts[1])
            if other is not None and other > own:
                found.append(f"{path.relative_to(ROOT)} -> {name}")
    assert not found
