"""Parameter files: what an operator writes, versioned, with its provenance; scaled to the pool.

Risk and depth are quoted for a pool of some size (``risk.pool_million``) and scaled to the pool of
the file (``pool_million``), V in millions of the numeraire: Gamma by quoted / V, W by V / quoted.
All quantities are decimal strings. Field names of errors are paths in the file.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final, Self

from convexfx_core.encoding.canonical_json import strict_json
from convexfx_core.encoding.parameter_fields import Fields
from convexfx_core.errors import ConfigurationCode, ConfigurationError, ConvexFxError, RejectedOrder
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
            top = Fields.of(strict_json(data), "parameters")
        except RejectedOrder as error:
            raise _wrong("parameters", error.expected, error.observed) from None
        if top.text("format") != FORMAT or top.integer("version") != VERSION:
            raise _wrong("parameters.version", f"{FORMAT}, version {VERSION}", top.text("format"))
        ids = top.names("ids")
        risk, assets = top.inner("risk"), top.inner("assets")
        rows = [assets.inner(name) for name in ids]
        made = cls(
            name=top.text("name"),
            ids=ids,
            pool_million=top.positive("pool_million"),
            risk_pool_million=risk.positive("pool_million"),
            gamma=risk.matrix("gamma_bps_per_million", len(ids)),
            depth=risk.numbers("depth_million_per_bp", len(ids)),
            band_bps=tuple(row.number("band_bps") for row in rows),
            target=tuple(row.number("target") for row in rows),
            q_min=tuple(row.number("inventory_min") for row in rows),
            q_max=tuple(row.number("inventory_max") for row in rows),
            fee_ppm=top.whole_matrix("fee_ppm", len(ids)),
            provenance=top.inner("provenance").value,
        )
        claimed = top.inner("integers")
        decimals = claimed.integer("numeraire_decimals")
        matrices = tuple(claimed.whole_matrix(name, len(ids)) for name in ("G", "H"))
        for fields in (top, risk, assets, claimed, *rows):
            fields.nothing_else()
        if decimals != INTEGER_DECIMALS or made.integers() != matrices:
            raise _wrong("parameters.integers", "G and H that follow from the matrices", "others")
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


def _whole(value: Decimal, field: str) -> int:
    if value != value.to_integral_value(context=DECIMAL):
        raise _wrong(f"parameters.{field}", "a whole number of base units", value)
    return int(value)


def _wrong(field: str, expected: str, observed: object) -> ConvexFxError:
    return ConfigurationError(ConfigurationCode.PARAMS, field, expected, observed)
