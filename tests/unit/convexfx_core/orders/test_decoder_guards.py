"""Every guard of the decoders is needed: with any one switched off, some known case goes wrong.

A guard is an ``if`` whose body raises. Each is made to hold never in a copy of its module, and the
cases of the other tests are judged again.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import convexfx_core
from convexfx_core.encoding.hashing import tagged_hash
from convexfx_core.errors import ConvexFxError
from tests.support.signed_cases import address, domain, key, payload, registry
from tests.unit.convexfx_core.encoding import test_json as json_cases
from tests.unit.convexfx_core.orders import test_payload as payload_cases
from tests.unit.convexfx_core.orders import test_signed as order_cases
from tests.unit.convexfx_core.orders import test_terms as terms_cases

CORE = Path(convexfx_core.__file__).parent


class SwitchOff(ast.NodeTransformer):
    """Makes guard number ``place`` evaluate its condition and not hold; counts all guards."""

    def __init__(self, place: int | None) -> None:
        self.place = place
        self.seen = 0

    def visit_If(self, node: ast.If) -> ast.If:
        """A guard raises, or calls a function that does nothing else."""
        self.generic_visit(node)
        if any(raises(statement) for statement in node.body):
            if self.seen == self.place:
                node.test = ast.BoolOp(ast.And(), [node.test, ast.Constant(value=False)])
            self.seen += 1
        return node


def raises(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        return True
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "").startswith("_refuse")


def guards(name: str) -> int:
    visitor = SwitchOff(None)
    visitor.visit(ast.parse((CORE / f"{name}.py").read_text()))
    return visitor.seen


def module_without(name: str, place: int | None) -> ModuleType:
    """A copy of a core module with one guard switched off; None: with all of them."""
    tree = SwitchOff(place).visit(ast.parse((CORE / f"{name}.py").read_text()))
    copy = ModuleType(f"spoilt_{name.replace('/', '_')}")
    sys.modules[copy.__name__] = copy
    try:
        exec(compile(ast.fix_missing_locations(tree), copy.__name__, "exec"), copy.__dict__)
    finally:
        del sys.modules[copy.__name__]
    return copy


def verdict(call: Callable[[], Any]) -> str:
    """``ok``, code and field, or the name of an exception that should not be."""
    try:
        call()
    except ConvexFxError as error:
        return f"{error.code} {error.field}"
    except Exception as error:
        return type(error).__name__
    return "ok"


def judge_terms(module: ModuleType) -> Iterator[str]:
    for data, _ in terms_cases.INVALID.values():
        yield verdict(lambda d=data: module.Terms.from_bytes(d))
    for ratio in ("0", "-1", "NaN", "1E+70", "1E-100", "1E+1000000", "1E-1000000"):
        amount = terms_cases.Decimal(ratio)
        yield verdict(lambda r=amount: module.limit_from_ratio(r, 6, 6))
    for fraction in ("-0.1", "1.1", "NaN"):
        amount = terms_cases.Decimal(fraction)
        yield verdict(lambda f=amount: module.min_fill_atoms(f, 10))


def judge_orders(module: ModuleType) -> Iterator[str]:
    for data, _ in (order_cases.REFUSED | order_cases.SHAPES).values():
        yield verdict(lambda d=data: module.decode_order(d, domain()))
    good, alice = payload(), key("alice")
    for public, signature in (
        (key("bob").public, alice.sign(good)),
        (alice.public, bytes(64)),
        (bytes(31), alice.sign(good)),
    ):
        yield verdict(lambda p=public, s=signature: module.read_signed_order(good, p, s, domain()))


def judge_payload(module: ModuleType) -> Iterator[str]:
    for data in payload_cases.not_allowances().values():
        yield verdict(lambda d=data: module.DebitAllowance.from_bytes(d))
    for data in payload_cases.not_mints().values():
        yield verdict(lambda d=data: module.MintPayload.from_bytes(d))
    many = tuple(module.Allowance(t, 1) for t in sorted(address(f"t{i}") for i in range(17)))
    allowance = module.DebitAllowance.from_bytes(payload())
    yield verdict(payload_cases.replace(allowance, allowances=many).to_bytes)
    credit = module.Credit(address("pool"), 1)
    good = (domain().network_id, address("mint USD"), 1, module.MintOperation.CREATE)
    for name, credits, extra in (
        ("x" * 257, (), b""),
        ("\ud800", (), b""),
        ("x", (credit,) * 1_001, b""),
        ("x", (), bytes(1_025)),
    ):
        mint = module.MintPayload(*good, name, "", credits, extra)
        yield verdict(mint.to_bytes)


def judge_json(module: ModuleType) -> Iterator[str]:
    texts = [b'{"a":1,"a":1}', b"1.5", b"NaN", b"\xff", b"[" * 5_000, b"1" * 200]
    for text in texts:
        yield verdict(lambda t=text: module.strict_json(t, bytes_max=10_000))
        yield verdict(lambda t=text: module.strict_json(t, bytes_max=100))
    deep = json_cases.DEPTH_MAX + 1
    yield verdict(lambda: module.strict_json(b"[" * deep + b"]" * deep))
    for number in (b"1e65", b"0." + b"1" * 80):
        yield verdict(lambda n=number: module.strict_json(n, keep_decimals=True))


def judge_merkle(module: ModuleType) -> Iterator[str]:
    rows = bytes(range(240)) * 20
    leaves, tag = module.chunk_hashes(rows, 16), "cfx.settle.v1"
    yield verdict(lambda: module.chunk_hashes(rows + b"\0", 16))
    yield verdict(lambda: module.prove_chunk(leaves, len(leaves)))
    proof = module.prove_chunk(leaves, 1)
    table = module.seal_root(tag, module.root(leaves), 300)
    for siblings in (proof.siblings[:-1], (*proof.siblings, bytes(32)), (b"", *proof.siblings[1:])):
        broken = module.ChunkProof(1, proof.chunks, siblings)
        yield verdict(lambda p=broken: module.root_of_proof(leaves[1], p))
    yield verdict(lambda: module.root_of_proof(leaves[1], module.ChunkProof(9, 5, ())))
    yield str(module.verify_chunk(tag, table, 300, rows[1_024:2_048], 16, proof))
    yield tagged_hash(tag, module.root([])).hex()


def judge_assets(module: ModuleType) -> Iterator[str]:
    token = address("mint")
    for name, decimals in (("", 6), ("A", 10), ("A", -1)):
        yield verdict(lambda n=name, d=decimals: module.Asset(n, d, token))
    one, twin = module.Asset("A", 6, token), module.Asset("B", 6, token)
    other = module.Asset("A", 6, address("other"))
    for assets in ((one,), (one, twin), (one, other)):
        yield verdict(lambda a=assets: module.Registry(a))
    for amount in ("-1", "1E-7", "4611686018427.387904", "1E+1000000", "NaN"):
        yield verdict(lambda a=amount: one.atoms(terms_cases.Decimal(a)))
    yield verdict(lambda: module.Registry.from_bytes(registry().to_bytes() + b"\0"))
    pair = module.Registry((one, module.Asset("B", 6, address("other"))))
    yield verdict(lambda: pair.index("C"))
    yield verdict(lambda: pair.by_token(address("third")))


def judge_identity(module: ModuleType) -> Iterator[str]:
    owner = key("alice").owner
    yield verdict(lambda: module.owner_id(bytes(31)))
    for text in ("", "0" * 44, "z" * 40, "l" * 43, "1" * 31, "z" * 44):
        yield verdict(lambda t=text: module.base58_decode(t, 32))
    for shard in (0, -1, 1 << 64):
        yield verdict(lambda s=shard: module.Address(owner, s))
    yield verdict(lambda: module.Address(owner[:31], 1))
    good = str(address("alice"))
    for text in (good.replace(",", ";"), good + "x", good[:-1] + "07", good[:-1] + "9" * 20):
        yield verdict(lambda t=text: module.Address.parse(t, "credited"))
    rows = [np.zeros((2, width), dtype=np.uint8) for width in (272, 32, 64)]
    yield verdict(lambda: module.verify_rows(rows[0], rows[2], rows[2]))


JUDGES: dict[str, Callable[[ModuleType], Iterator[str]]] = {
    "orders/terms": judge_terms,
    "orders/signed": judge_orders,
    "orders/payload": judge_payload,
    "encoding/canonical_json": judge_json,
    "encoding/merkle": judge_merkle,
    "market/assets": judge_assets,
    "identity": judge_identity,
}
PLACES = [(name, place) for name in JUDGES for place in range(guards(name))]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_no_guard_can_be_left_out_unnoticed(name: str, place: int) -> None:
    judge = JUDGES[name]
    whole = list(judge(module_without(name, None)))
    assert list(judge(module_without(name, place))) != whole


@pytest.mark.parametrize("name", JUDGES)
def test_canary_a_faithful_copy_judges_alike(name: str) -> None:
    judge = JUDGES[name]
    assert list(judge(module_without(name, None))) == list(judge(module_without(name, None)))
    assert guards(name) >= 3
    assert "TypeError" not in set(judge(module_without(name, None)))
