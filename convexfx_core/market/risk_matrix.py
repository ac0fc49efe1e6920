"""Effective risk matrix and its inverse as integers, by elimination in 60-digit decimal.

Gamma says how many bps each price moves for a million held too much; the depth W, which stands at
the reference price, softens it. The result is G, by which the laws recompute every price (L9), and
H, the bound of its inverse by which they compute the gap. Parameter files carry both, and a file
whose integers do not follow from its matrices is refused. Decimal arithmetic of a fixed precision
gives the same digits on every machine, which no linear algebra library promises. Sources:
``docs/spec.md`` section 7, rows G, H and W. Letters: ``docs/glossary.md``.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from typing import Final

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.units import DECIMAL, MILLION_EXPONENT, RISK_SHIFT, round_half_even, round_up

Matrix = list[list[Decimal]]
Integers = tuple[tuple[int, ...], ...]

BPS: Final = Decimal("1e-4")
RIDGE: Final = Decimal("1e-6")
"""Share of the mean diagonal that makes the inverse exist."""
ENTRY_MAX: Final = Decimal("1e30")
"""Bound of what is read, far above what fits; digits of larger numbers would only cost time."""
INDEFINITE: Final = Decimal("1e-9")
"""Share of the mean diagonal below which a negative direction is rounding of the input."""


def risk_integers(
    gamma: Sequence[Sequence[Decimal]], depth: Sequence[Decimal], numeraire_decimals: int
) -> tuple[Integers, Integers]:
    """Integer matrices G and H of the effective risk.

    Parameters
    ----------
    gamma : n x n, bps per million numeraire, symmetric, positive semidefinite, row 0 zero.
    depth : n, million numeraire per bp, at least 0, entry 0 zero.
    numeraire_decimals : decimals of asset 0.

    Returns
    -------
    G : n x n, log price per numeraire base unit at scale 2^112, to the nearest even.
    H : n x n, numeraire base units per unit of log price, rounded up.

    Raises
    ------
    ConfigurationError
        ``PARAMS``, field ``gamma[i][j]`` or ``depth[i]``.
    """
    with localcontext(DECIMAL):
        _check_gamma(gamma)
        _check_depth(depth, len(gamma))
        effective = effective_risk(gamma, depth)
        unit = Decimal(10) ** (MILLION_EXPONENT + numeraire_decimals)
        scale = Decimal(1 << RISK_SHIFT) * BPS / unit
        risk = tuple(tuple(round_half_even(entry * scale) for entry in row) for row in effective)
        return risk, _inverse_integers(effective, risk, unit / BPS)


def depth_integers(depth: Sequence[Decimal], numeraire_decimals: int) -> tuple[int, ...]:
    """Integers W from million numeraire per bp: numeraire base units per unit of log price."""
    with localcontext(DECIMAL):
        unit = Decimal(10) ** (MILLION_EXPONENT + numeraire_decimals)
        return tuple(round_half_even(Decimal(entry) * unit / BPS) for entry in depth)


def effective_risk(gamma: Sequence[Sequence[Decimal]], depth: Sequence[Decimal]) -> Matrix:
    """Symmetrised ``Gamma (I + W Gamma)^-1``, n x n, bps per million numeraire.

    Solved as ``(I + Gamma W) X = Gamma``: for a symmetric Gamma the two are equal, and no inverse
    of Gamma is needed, so that it may be singular.
    """
    n = len(gamma)
    with localcontext(DECIMAL):
        system = [
            [Decimal(int(i == j)) + gamma[i][j] * depth[j] for j in range(n)] for i in range(n)
        ]
        solved = solve(system, [list(row) for row in gamma])
        return [[(solved[i][j] + solved[j][i]) / 2 for j in range(n)] for i in range(n)]


def solve(system: Matrix, right: Matrix) -> Matrix:
    """Solve ``system X = right`` by Gauss-Jordan elimination with row pivots; both are consumed.

    Raises
    ------
    ZeroDivisionError
        If ``system`` is singular.
    """
    n = len(system)
    rows = [left + values for left, values in zip(system, right, strict=True)]
    with localcontext(DECIMAL):
        for column in range(n):
            pivot = max(range(column, n), key=lambda i: abs(rows[i][column]))
            if not rows[pivot][column]:
                raise ZeroDivisionError("singular matrix")
            rows[column], rows[pivot] = rows[pivot], rows[column]
            _eliminate(rows, column)
    return [row[n:] for row in rows]


def _eliminate(rows: Matrix, column: int) -> None:
    # Columns up to this one are not computed: nobody reads them again.
    head = rows[column]
    lead = head[column]
    tail = [value / lead for value in head[column + 1 :]]
    head[column + 1 :] = tail
    for i, row in enumerate(rows):
        factor = row[column]
        if i != column and factor:
            row[column + 1 :] = [
                value - factor * below for value, below in zip(row[column + 1 :], tail, strict=True)
            ]


def _inverse_integers(effective: Matrix, risk: Integers, unit: Decimal) -> Integers:
    """H: the inverse with a ridge, over the assets with risk, entries made positive and rounded up.

    It bounds from above, so each step rounds up, and the larger of two mirrored entries counts.
    """
    n = len(effective)
    used = [i for i in range(n) if risk[i][i] > 0]
    inverse = [[0] * n for _ in range(n)]
    if used:
        ridge = RIDGE * sum((effective[i][i] for i in used), Decimal(0)) / len(used)
        block = [[effective[i][j] + (ridge if i == j else 0) for j in used] for i in used]
        identity = [[Decimal(int(i == j)) for j in used] for i in used]
        solved = solve(block, identity)
        with localcontext(Context(prec=DECIMAL.prec, rounding=ROUND_CEILING)):
            for a, i in enumerate(used):
                for b, j in enumerate(used):
                    larger = max(abs(solved[a][b]), abs(solved[b][a]))
                    inverse[i][j] = round_up(larger * unit)
    return tuple(tuple(row) for row in inverse)


def _check_gamma(gamma: Sequence[Sequence[Decimal]]) -> None:
    n = len(gamma)
    for i, row in enumerate(gamma):
        if len(row) != n:
            raise _refused(f"gamma[{i}]", f"{n} entries", len(row))
        for j, value in enumerate(row):
            field = f"gamma[{i}][{j}]"
            if not value.is_finite() or abs(value) >= ENTRY_MAX:
                raise _refused(field, "a number below 1e30", value)
            if value and (i == 0 or j == 0):
                raise _refused(field, "0 in the row and column of the numeraire", value)
            if j < i and value != gamma[j][i]:
                raise _refused(field, f"the value of gamma[{j}][{i}], {gamma[j][i]}", value)
    _check_semidefinite([list(row) for row in gamma])


def _check_semidefinite(rest: Matrix) -> None:
    """Eliminate by the largest diagonal; what is left when none is positive must be nothing."""
    n = len(rest)
    tolerance = INDEFINITE * sum((abs(rest[i][i]) for i in range(n)), Decimal(0)) / max(n, 1)
    left = list(range(n))
    while left:
        pivot = max(left, key=lambda i: rest[i][i])
        lead = rest[pivot][pivot]
        if lead <= tolerance:
            _check_negligible(rest, left, tolerance)
            return
        left.remove(pivot)
        for i in left:
            factor = rest[i][pivot] / lead
            if factor:
                for j in left:
                    rest[i][j] -= factor * rest[pivot][j]


def _check_negligible(rest: Matrix, left: list[int], tolerance: Decimal) -> None:
    for i in left:
        for j in left:
            if abs(rest[i][j]) > tolerance:
                raise _refused(f"gamma[{i}][{j}]", "a positive semidefinite matrix", rest[i][j])


def _check_depth(depth: Sequence[Decimal], n: int) -> None:
    if len(depth) != n:
        raise _refused("depth", f"{n} entries", len(depth))
    for i, value in enumerate(depth):
        if not value.is_finite() or not 0 <= value < ENTRY_MAX:
            raise _refused(f"depth[{i}]", "a number from 0 to 1e30", value)
        if i == 0 and value:
            raise _refused("depth[0]", "0 for the numeraire", value)


def _refused(field: str, expected: str, observed: object) -> ConfigurationError:
    shown = f"{observed:.6g}" if isinstance(observed, Decimal) else observed
    return ConfigurationError(ConfigurationCode.PARAMS, field, expected, shown)
