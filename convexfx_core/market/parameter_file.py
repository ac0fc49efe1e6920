"""Parameter files: what an operator writes, versioned, with its provenance; scaled to the pool.

Risk and depth are quoted for a pool of some size (``risk.pool_million``) and scaled to the pool of
the file (``pool_million``), V in millions of the numeraire: Gamma by quoted / V, W by V / quoted. A
pool half as large pays twice as much for the same amount and stands with half the depth. All
quantities are decimal strings. Field names of errors are paths in the file. Method:
``docs/calibration.md``. Letters: ``docs/glossary.md``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final, Self

from convexfx_core.encoding.json_fields import Fields, decimal_of, parse, text_of, whole_of
from convexfx_core.errors import CodecError, ConfigurationCode, ConfigurationError, ConvexFxError
from convexfx_core.limits import ASSETS_MAX
from convexfx_core.market.assets import Registry
from convexfx_core.market.decimal_text import plain
from convexfx_core.market.params import Params, params_from_matrices
from convexfx_core.market.risk_matrix import Integers, risk_integers
from convexfx_core.units import DECIMAL

FORMAT: Final = "convexfx-parameters"
VERSION: Final = 1
HOUSE: Final = "house-v1.json"
DEMO: Final = "demo-v1.json"
_INNERMOST: Final = re.compile(r"\[[^\[\]{}]*\]")
INTEGER_DECIMALS: Final = 6
"""Decimals of the numeraire for which a file shows its integers G and H."""


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """A parameter file; tuples are in the order of ``ids``.

    Attributes
    ----------
    name : name and version of the set.
    ids : n asset ids, the numeraire first.
    pool_million : size V of the pool, millions of the numeraire.
    risk_pool_million : size of the pool for which ``gamma`` and ``depth`` are quoted.
    gamma : n x n, bps per million numeraire, as quoted.
    depth : n, million numeraire per bp, as quoted.
    band_bps : n.
    target, q_min, q_max : n, units of the asset.
    fee_ppm : n x n, row pays, column receives.
    provenance : where the numbers come from; plain JSON values.
    """

    name: str
    ids: tuple[str, ...]
    pool_million: Decimal
    risk_pool_million: Decimal
    gamma: tuple[tuple[Decimal, ...], ...]
    depth: tuple[Decimal, ...]
    band_bps: tuple[Decimal, ...]
    target: tuple[Decimal, ...]
    q_min: tuple[Decimal, ...]
    q_max: tuple[Decimal, ...]
    fee_ppm: tuple[tuple[int, ...], ...]
    provenance: Mapping[str, Any]

    def scaled_gamma(self) -> list[list[Decimal]]:
        """Gamma of this pool, n x n bps per million numeraire."""
        scale = DECIMAL.divide(self.risk_pool_million, self.pool_million)
        return [[DECIMAL.multiply(value, scale) for value in row] for row in self.gamma]

    def scaled_depth(self) -> list[Decimal]:
        """W of this pool, n values in million numeraire per bp."""
        scale = DECIMAL.divide(self.pool_million, self.risk_pool_million)
        return [DECIMAL.multiply(value, scale) for value in self.depth]

    def integers(self) -> tuple[Integers, Integers]:
        """G and H of all assets of the file, for a numeraire of six decimals."""
        return risk_integers(self.scaled_gamma(), self.scaled_depth(), INTEGER_DECIMALS)

    def params(self, registry: Registry) -> Params:
        """Parameters of the registry's assets, in its order.

        Raises
        ------
        ConfigurationError
            ``PARAMS`` if an asset has no entry, the numeraire is another one or a value is out of
            range.
        """
        at = [self._place(name) for name in registry.ids]
        if at[0] != 0:
            raise _wrong("numeraire", f"{registry.ids[0]}, as in the registry", self.ids[0])
        gamma, depth = self.scaled_gamma(), self.scaled_depth()
        return params_from_matrices(
            decimals=registry.decimals,
            band_bps=[self.band_bps[i] for i in at],
            gamma=[[gamma[i][j] for j in at] for i in at],
            depth=[depth[i] for i in at],
            fee_ppm=[[self.fee_ppm[i][j] for j in at] for i in at],
            target=self._atoms(registry, at, "target"),
            q_min=self._atoms(registry, at, "q_min"),
            q_max=self._atoms(registry, at, "q_max"),
        )

    def to_json(self) -> bytes:
        """The file's bytes, indented for people, its integers G and H among them."""
        risk, inverse = self.integers()
        assets = {
            name: {
                "band_bps": plain(self.band_bps[i]),
                "target": plain(self.target[i]),
                "inventory_min": plain(self.q_min[i]),
                "inventory_max": plain(self.q_max[i]),
            }
            for i, name in enumerate(self.ids)
        }
        value = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "ids": list(self.ids),
            "pool_million": plain(self.pool_million),
            "assets": assets,
            "fee_ppm": [[str(fee) for fee in row] for row in self.fee_ppm],
            "risk": {
                "pool_million": plain(self.risk_pool_million),
                "gamma_bps_per_million": [[plain(v) for v in row] for row in self.gamma],
                "depth_million_per_bp": [plain(v) for v in self.depth],
            },
            "integers": {
                "numeraire_decimals": INTEGER_DECIMALS,
                "G": [[str(v) for v in row] for row in risk],
                "H": [[str(v) for v in row] for row in inverse],
            },
            "provenance": self.provenance,
        }
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=True)
        lines = _INNERMOST.sub(lambda found: " ".join(found[0].split()), text)
        return lines.encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """A file from its bytes.

        Raises
        ------
        ConfigurationError
            ``PARAMS``, field: the path of the first entry that is missing, unknown, malformed or
            out of range; ``integers`` if they do not follow from the matrices.
        """
        try:
            return cls._read(_parameters(data))
        except CodecError as error:
            raise _wrong(error.field, error.expected, error.observed) from None

    @classmethod
    def _read(cls, top: Fields) -> Self:
        kind, version = top.text("format"), top.number("version")
        if kind != FORMAT or version != VERSION:
            raise CodecError(top.name("version"), f"{FORMAT}, version {VERSION}", kind)
        ids = _ids(top)
        n, risk, assets = len(ids), top.inner("risk"), top.inner("assets")
        rows = [assets.inner(name) for name in ids]
        made = cls(
            name=top.text("name"),
            ids=ids,
            pool_million=_positive(top, "pool_million"),
            risk_pool_million=_positive(risk, "pool_million"),
            gamma=risk.square("gamma_bps_per_million", n, _decimal),
            depth=risk.row("depth_million_per_bp", n, _decimal),
            band_bps=_column(rows, "band_bps"),
            target=_column(rows, "target"),
            q_min=_column(rows, "inventory_min"),
            q_max=_column(rows, "inventory_max"),
            fee_ppm=top.square("fee_ppm", n, whole_of),
            provenance=dict(top.inner("provenance").rest()),
        )
        claimed = top.inner("integers")
        decimals = claimed.number("numeraire_decimals")
        matrices = tuple(claimed.square(name, n, whole_of) for name in ("G", "H"))
        for fields in (top, risk, assets, claimed, *rows):
            fields.done()
        if decimals != INTEGER_DECIMALS or made.integers() != matrices:
            raise CodecError(claimed.path, "G and H that follow from the matrices", "others")
        return made

    def _place(self, name: str) -> int:
        if name not in self.ids:
            raise _wrong(f"parameters.assets.{name}", "an entry for every registered asset", "none")
        return self.ids.index(name)

    def _atoms(self, registry: Registry, at: Sequence[int], name: str) -> list[int]:
        values: tuple[Decimal, ...] = getattr(self, name)
        return [
            _whole(values[i].scaleb(digits, DECIMAL), f"{name}.{self.ids[i]}")
            for i, digits in zip(at, registry.decimals, strict=True)
        ]


def packaged(name: str) -> ParameterFile:
    """A parameter file of the package: ``house-v1.json`` or ``demo-v1.json``."""
    return ParameterFile.from_json((files("convexfx_core") / "parameters" / name).read_bytes())


def demo_parameters(
    registry: Registry, target: Sequence[int], pool_numeraire: Decimal
) -> ParameterFile:
    """House parameters scaled to a pool of ``pool_numeraire`` units of the numeraire.

    Parameters
    ----------
    registry : assets, all of them among the house file's six.
    target : n base units; bounds are 0 and ten times the target.
    """
    house = packaged(HOUSE)
    at = [house._place(name) for name in registry.ids]
    units = [Decimal(t).scaleb(-d) for t, d in zip(target, registry.decimals, strict=True)]
    return replace(
        house,
        name="demo-v1",
        ids=registry.ids,
        pool_million=pool_numeraire.scaleb(-6),
        gamma=tuple(tuple(house.gamma[i][j] for j in at) for i in at),
        depth=tuple(house.depth[i] for i in at),
        band_bps=tuple(house.band_bps[i] for i in at),
        target=tuple(units),
        q_min=tuple(Decimal(0) for _ in at),
        q_max=tuple(10 * value for value in units),
        fee_ppm=tuple(tuple(house.fee_ppm[i][j] for j in at) for i in at),
    )


def _ids(top: Fields) -> tuple[str, ...]:
    listed = top.items("ids")
    if not 2 <= len(listed) <= ASSETS_MAX:
        raise CodecError(top.name("ids"), f"a list of 2 to {ASSETS_MAX} ids", len(listed))
    ids = tuple(text_of(value, top.name("ids")) for _, value in listed)
    if len(set(ids)) < len(ids):
        raise CodecError(top.name("ids"), "distinct texts", ids)
    return ids


def _decimal(value: object, name: str) -> Decimal:
    """A number that the 60-digit arithmetic keeps whole: a longer one would be rounded unseen."""
    number = decimal_of(value, name)
    if len(number.as_tuple().digits) > DECIMAL.prec:
        raise CodecError(name, f"at most {DECIMAL.prec} digits", str(number))
    return number


def _positive(fields: Fields, key: str) -> Decimal:
    number = _decimal(fields.take(key), fields.name(key))
    if number <= 0:
        raise CodecError(fields.name(key), "a number above 0", str(number))
    return number


def _column(rows: Sequence[Fields], key: str) -> tuple[Decimal, ...]:
    return tuple(_decimal(row.take(key), row.name(key)) for row in rows)


def _parameters(data: bytes) -> Fields:
    value = parse(data, "parameters")
    if not isinstance(value, dict):
        raise CodecError("parameters", "an object", value)
    return Fields(value, "parameters")


def _whole(value: Decimal, field: str) -> int:
    if value != value.to_integral_value(context=DECIMAL):
        raise _wrong(f"parameters.{field}", "a whole number of base units", value)
    return int(value)


def _wrong(field: str, expected: str, observed: object) -> ConvexFxError:
    return ConfigurationError(ConfigurationCode.PARAMS, field, expected, observed)
