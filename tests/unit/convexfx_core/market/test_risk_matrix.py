"""Effective risk and its inverse in integers, checked against exact fractions and floats."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.market.risk_matrix import depth_integers, effective_risk, risk_integers, solve
from tests.support.epoch_cases import matrix

TWO = matrix("0 0 0", "0 0.4 0.1", "0 0.1 0.3")
DEPTHS = [Decimal(0), Decimal(6), Decimal(2)]


def fractions_of(rows: list[list[Decimal]]) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in rows]


def exact_two(gamma: list[list[Decimal]], depth: list[Decimal]) -> list[list[Fraction]]:
    """Gamma (I + W Gamma)^-1 of the two risky assets, in fractions, by Cramer's rule."""
    (a, b), (_, d) = (row[1:] for row in fractions_of(gamma)[1:])
    v, w = Fraction(depth[1]), Fraction(depth[2])
    m = [[1 + v * a, v * b], [w * b, 1 + w * d]]
    det = m[0][0] * m[1][1] - m[0][1] * m[1][0]
    inverse = [[m[1][1] / det, -m[0][1] / det], [-m[1][0] / det, m[0][0] / det]]
    g = [[a, b], [b, d]]
    return [
        [sum((g[i][k] * inverse[k][j] for k in range(2)), Fraction(0)) for j in range(2)]
        for i in range(2)
    ]


def test_effective_risk_is_the_exact_one_to_fifty_digits() -> None:
    found, expected = effective_risk(TWO, DEPTHS), exact_two(TWO, DEPTHS)
    for i in range(2):
        for j in range(2):
            error = abs(Fraction(found[i + 1][j + 1]) - expected[i][j])
            assert error < Fraction(1, 10**50)


def test_integers_are_the_nearest_ones() -> None:
    risk, _ = risk_integers(TWO, DEPTHS, 6)
    for i, row in enumerate(exact_two(TWO, DEPTHS)):
        for j, value in enumerate(row):
            exact = value * 2**112 / 10**4 / 10**12
            assert abs(risk[i + 1][j + 1] - exact) <= Fraction(1, 2)


def test_the_numeraire_s_decimals_scale_both_integers() -> None:
    risk6, inverse6 = risk_integers(TWO, DEPTHS, 6)
    risk2, inverse2 = risk_integers(TWO, DEPTHS, 2)
    assert abs(risk2[1][1] - 10**4 * risk6[1][1]) <= 10**4
    assert abs(inverse6[1][1] - 10**4 * inverse2[1][1]) <= 10**4


def test_the_inverse_is_rounded_up_and_absolute() -> None:
    """Two assets: (G + eps I)^-1 in fractions, eps a millionth of the mean diagonal."""
    (a, b), (_, d) = exact_two(TWO, DEPTHS)
    eps = (a + d) / 2 / 10**6
    det = (a + eps) * (d + eps) - b * b
    exact = [[(d + eps) / det, b / det], [b / det, (a + eps) / det]]
    _, inverse = risk_integers(TWO, DEPTHS, 6)
    for i in range(2):
        for j in range(2):
            scaled = abs(exact[i][j]) * 10**16
            assert scaled <= inverse[i + 1][j + 1] < scaled + 1


def test_assets_without_risk_are_left_out_of_the_inverse() -> None:
    risk, inverse = risk_integers(matrix("0 0 0", "0 0.4 0", "0 0 0"), DEPTHS, 6)
    assert risk[2] == (0, 0, 0)
    assert inverse[2] == (0, 0, 0)
    assert inverse[1][1] > 0


def test_no_risk_at_all_gives_zeros() -> None:
    nothing = matrix("0 0 0", "0 0 0", "0 0 0")
    zeros = ((0, 0, 0),) * 3
    assert risk_integers(nothing, DEPTHS, 6) == (zeros, zeros)


def test_a_singular_gamma_is_allowed() -> None:
    """Perfectly correlated assets: rank one."""
    risk, inverse = risk_integers(matrix("0 0 0", "0 0.4 0.2", "0 0.2 0.1"), DEPTHS, 6)
    assert risk[1][1] > 0
    assert inverse[1][1] > 10**16


def test_infinite_depth_pins_and_no_depth_passes_through() -> None:
    passed, _ = risk_integers(TWO, [Decimal(0)] * 3, 6)
    exact = Decimal("0.4") * Decimal("1e-4") / 10**12 * 2**112
    assert passed[1][1] == int(exact.to_integral_value())
    deep, _ = risk_integers(TWO, [Decimal(0), Decimal("1e6"), Decimal("1e6")], 6)
    assert 0 < deep[1][1] < passed[1][1] >> 18


def test_depth_is_rounded_half_even() -> None:
    half = Decimal("0.5e-10")
    depths = [Decimal(0), half, 3 * half, half + Decimal("1e-30")]
    assert depth_integers(depths, 0) == (0, 0, 2, 1)


@pytest.mark.parametrize(
    ("gamma", "field"),
    [
        (matrix("0 0 0", "0 0.4 0.1", "0 0.1000000001 0.3"), "gamma[2][1]"),
        (matrix("0.1 0 0", "0 0.4 0.1", "0 0.1 0.3"), "gamma[0][0]"),
        (matrix("0 0.1 0", "0.1 0.4 0.1", "0 0.1 0.3"), "gamma[0][1]"),
        (matrix("0 0 0", "0 0.4 0.1", "0.1 0.1 0.3"), "gamma[2][0]"),
        (matrix("0 0 0", "0 0.4 NaN", "0 NaN 0.3"), "gamma[1][2]"),
        (matrix("0 0 0", "0 Infinity 0.1", "0 0.1 0.3"), "gamma[1][1]"),
        (matrix("0 0 0", "0 1e30 0.1", "0 0.1 0.3"), "gamma[1][1]"),
        (matrix("0 0 0", "0 -0.4 0", "0 0 0.3"), "gamma[1][1]"),
        (matrix("0 0 0", "0 0 0.1", "0 0.1 0.3"), "gamma[1][1]"),
        (matrix("0 0 0", "0 0 0.1", "0 0.1 0"), "gamma[1][2]"),
        (matrix("0 0 0", "0 0.4", "0 0.1 0.3"), "gamma[1]"),
    ],
)
def test_a_matrix_that_is_no_risk_is_refused(gamma: list[list[Decimal]], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        risk_integers(gamma, DEPTHS, 6)
    assert (caught.value.code, caught.value.field) == (ConfigurationCode.PARAMS, field)


def test_rounding_of_the_input_is_no_negative_direction() -> None:
    """A correlation matrix of rank one, written down with ten digits."""
    third = matrix("0 0 0", "0 0.3333333333 0.6666666667", "0 0.6666666667 1.3333333333")
    risk_integers(third, DEPTHS, 6)
    wrong = matrix("0 0 0", "0 0.3333333 0.6666667", "0 0.6666667 1.3333333")
    with pytest.raises(ConfigurationError, match="positive semidefinite"):
        risk_integers(wrong, DEPTHS, 6)


@pytest.mark.parametrize(
    ("depth", "field"),
    [
        ("0 6", "depth"),
        ("0 -0.0001 6", "depth[1]"),
        ("0 NaN 6", "depth[1]"),
        ("0 1e30 6", "depth[1]"),
        ("1 6 6", "depth[0]"),
    ],
)
def test_a_depth_that_is_none_is_refused(depth: str, field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        risk_integers(TWO, matrix(depth)[0], 6)
    assert caught.value.field == field


def test_solve_needs_its_pivots() -> None:
    """The first pivot is zero, so rows must change places."""
    assert solve(matrix("0 2", "4 0"), matrix("6", "8")) == matrix("2", "3")


def test_solve_refuses_a_singular_system() -> None:
    with pytest.raises(ZeroDivisionError):
        solve(matrix("1 2", "2 4"), matrix("1", "1"))


def test_six_real_currencies_agree_with_floats() -> None:
    rng = np.random.default_rng(7)
    root = rng.normal(size=(6, 5))
    root[0] = 0
    gamma = np.round(root @ root.T / 10, 9)
    depth = np.array([0, 6, 6, 6, 0, 6], dtype=float)
    effective = gamma @ np.linalg.inv(np.eye(6) + depth[:, None] * gamma)
    risk, inverse = risk_integers(
        [[Decimal(str(v)) for v in row] for row in gamma], [Decimal(d) for d in depth], 6
    )
    scale = 2.0**112 * 1e-4 / 1e12
    assert np.allclose(np.array(risk, dtype=float) / scale, effective, rtol=1e-8, atol=1e-12)
    block = effective[1:, 1:] + 1e-6 * np.trace(effective) / 5 * np.eye(5)
    bound = np.array(inverse, dtype=float)[1:, 1:] / 1e16
    assert np.allclose(bound, np.abs(np.linalg.inv(block)), rtol=1e-4)
