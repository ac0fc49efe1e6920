"""Mutants of the Python laws: one operator, bound, term or statement changed at a time.

``python -m tests.attack.mutated_python [--every N] [MODULE...]`` holds every N-th mutant of the
modules against all vectors and attacks and prints those that nobody notices.
"""

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.attack.known_witnesses import Known, known

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "convexfx_core"
OPERATORS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.FloorDiv: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
RENAMED = {"min": "max", "max": "min", "all": "any", "any": "all", "abs": "int"}
NO_LAWS = {
    "__init__",
    "breach",
    "names",
    "engine",
    "claims",
    "order_laws_numba",
    "order_flags_numba",
}
"""Modules of the laws that hold no law, or the compiled twin that others are compared with."""
SAID = {"Breach": 0, "LawViolated": 2, "CodecError": 0, "_expect": 1}
"""How many arguments of these are more than words for a human."""


class Mutant(NamedTuple):
    """A module with one change; ``line`` and ``change`` say which."""

    module: str
    line: int
    before: str
    change: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.change}: {self.before}"


def source_of(module: str) -> str:
    """Source of a module of the package."""
    return (ROOT / (module.replace(".", "/") + ".py")).read_text()


def mutants(module: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    source = source_of(module)
    tree, lines = ast.parse(source), source.splitlines()
    spots = [node for node in _living(tree) if _changes(node)]
    for spot in spots:
        for change, edit in _changes(spot):
            memo: dict[int, Any] = {}
            changed = copy.deepcopy(tree, memo)
            edit(memo[id(spot)])
            ast.fix_missing_locations(changed)
            line = int(getattr(spot, "lineno", 1))
            yield Mutant(module, line, lines[line - 1].strip(), change, changed)


def _living(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that compute something that a verdict depends on: no texts, no annotations."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "cause", "bases"):
            continue
        if isinstance(tree, ast.keyword) and tree.arg == "strict":
            continue
        if name == "msg" or isinstance(tree, ast.JoinedStr | ast.Import | ast.ImportFrom):
            continue
        nodes = value if isinstance(value, list) else [value]
        if name == "args" and isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            nodes = nodes[: SAID.get(tree.func.id, len(nodes))]
        for node in nodes:
            if isinstance(node, ast.AST):
                yield node
                yield from _living(node)


Edit = Callable[[Any], None]


def _changes(node: ast.AST) -> list[tuple[str, Edit]]:
    match node:
        case ast.Compare():
            return [
                (f"{type(op).__name__} -> {new.__name__}", _operator_at(place, new))
                for place, op in enumerate(node.ops)
                for new in OPERATORS.get(type(op), ())
            ]
        case ast.BinOp() | ast.AugAssign():
            return [
                (f"{type(node.op).__name__} -> {new.__name__}", _operator(new))
                for new in OPERATORS.get(type(node.op), ())
            ] + ([("statement dropped", _drop)] if isinstance(node, ast.AugAssign) else [])
        case ast.BoolOp():
            kinds = OPERATORS[type(node.op)]
            found = [(f"{type(node.op).__name__} -> {k.__name__}", _operator(k)) for k in kinds]
            return found + [
                (f"term {place} dropped", _term(place)) for place in range(len(node.values))
            ]
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            return [(f"{type(node.op).__name__} dropped", _operand)]
        case ast.Constant(value=bool()):
            return [(f"{node.value} -> {not node.value}", _set(not node.value))]
        case ast.Constant(value=int()):
            return [(f"{node.value} -> {node.value + d}", _set(node.value + d)) for d in (1, -1)]
        case ast.IfExp():
            return [("always", _test(True)), ("never", _test(False))]
        case ast.If() | ast.While():
            return [("always", _test(True)), ("never", _test(False))]
        case ast.Call(func=ast.Name(id=name)) if name in RENAMED:
            return [(f"{name} -> {RENAMED[name]}", _renamed)]
        case ast.Call(func=ast.Name(id="ceil_div")):
            return [("ceiling -> floor", _floored)]
        case ast.Expr(value=ast.Call()):
            return [("statement dropped", _drop)]
    return []


def _operator_at(place: int, new: type[ast.AST]) -> Edit:
    def edit(node: Any) -> None:
        node.ops[place] = new()

    return edit


def _operator(new: type[ast.AST]) -> Edit:
    def edit(node: Any) -> None:
        node.op = new()

    return edit


def _term(place: int) -> Edit:
    def edit(node: Any) -> None:
        del node.values[place]
        if len(node.values) == 1:
            node.values.append(ast.Constant(isinstance(node.op, ast.And)))

    return edit


def _set(value: Any) -> Edit:
    def edit(node: Any) -> None:
        node.value = value

    return edit


def _test(value: bool) -> Edit:
    def edit(node: Any) -> None:
        node.test = ast.Constant(value)

    return edit


def _operand(node: Any) -> None:
    node.op = ast.UAdd() if not isinstance(node.op, ast.Not) else ast.Not()
    if isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)


def _renamed(node: Any) -> None:
    node.func.id = RENAMED[node.func.id]


def _floored(node: Any) -> None:
    node.func = ast.Attribute(ast.Name("operator", ast.Load()), "floordiv", ast.Load())
    node.func = ast.Call(ast.Name("__import__", ast.Load()), [ast.Constant("operator")], [])
    node.func = ast.Attribute(node.func, "floordiv", ast.Load())


def _drop(node: Any) -> None:
    """The statement does nothing; a node cannot leave its list, so it becomes empty."""
    if isinstance(node, ast.AugAssign):
        node.value, node.op = ast.Constant(0), ast.Add()
    else:
        node.value = ast.Constant(None)


class _Loader(importlib.abc.InspectLoader):
    """Loads the mutant in the place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def get_source(self, fullname: str) -> str:
        return source_of(fullname)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.tree, str(self.mutant), "exec"), module.__dict__)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_loader(name, _Loader(self.mutant))


@contextmanager
def standing_in(mutant: Mutant) -> Iterator[ModuleType]:
    """The package's laws, imported anew with the mutant among them."""

    def ours() -> dict[str, ModuleType]:
        return {k: m for k, m in sys.modules.items() if k.split(".")[0] == PACKAGE}

    kept, finder = ours(), _Finder(mutant)
    for name in kept:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module(f"{PACKAGE}.laws")
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(kept)


def notices(mutant: Mutant, known: Sequence[Known]) -> str | None:
    """Name of the first witness whose verdict the mutant changes by either engine, if there is one.

    A mutant that cannot be loaded, or raises anything but a verdict, is noticed by that.
    """
    try:
        with standing_in(mutant) as laws:
            for witness in known:
                for engine in ("scalar", "columnar"):
                    if _verdict(laws, witness.data, engine) != witness.due:
                        return f"{witness.name} ({engine})"
    except Exception as error:
        return repr(error)[:80]
    return None


def _verdict(laws: ModuleType, data: bytes, engine: str) -> Any:
    try:
        return laws.check(data, engine).to_bytes()
    except Exception as error:
        if type(error).__name__ != "LawViolated":
            raise
        return error.law, error.index


def laws() -> list[str]:
    """Modules that hold laws."""
    paths = sorted((ROOT / PACKAGE / "laws").glob("*.py"))
    return [f"{PACKAGE}.laws.{path.stem}" for path in paths if path.stem not in NO_LAWS]


def main() -> int:
    """Run what the arguments ask for; exit code 1 where a mutant survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    chosen = [m for module in options.modules or laws() for m in mutants(module)]
    chosen, wins, survived = chosen[options.first :: options.every], Counter[str](), 0
    for mutant in chosen:
        witnesses = sorted(known(), key=lambda witness: -wins[witness.name])
        noticed = notices(mutant, witnesses)
        if noticed is None:
            survived += 1
            print(f"SURVIVES {mutant}", flush=True)
        else:
            wins[noticed.split(" (")[0]] += 1
    print(f"{len(chosen)} mutants, {survived} survive")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
