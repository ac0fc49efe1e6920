"""Properties of the integer matrices on random risk."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.market.risk_matrix import Matrix, effective_risk, risk_integers, solve

SMALL = st.integers(-30, 30)


@st.composite
def risks(draw: st.DrawFn) -> tuple[Matrix, list[Decimal]]:
    """A positive semidefinite Gamma A A' / 100 with a zero numeraire, and depths."""
    n, rank = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    root = [[draw(SMALL) for _ in range(rank)] for _ in range(n)]
    gamma = [[Decimal(0)] * (n + 1)]
    for row in root:
        products = (sum(a * b for a, b in zip(row, other, strict=True)) for other in root)
        gamma.append([Decimal(0), *(Decimal(product).scaleb(-2) for product in products)])
    depth = [Decimal(0), *(Decimal(draw(st.integers(0, 5_000))).scaleb(-2) for _ in range(n))]
    return gamma, depth


@settings(max_examples=120, deadline=None)
@given(risks())
def test_the_definition_holds(case: tuple[Matrix, list[Decimal]]) -> None:
    """(I + Gamma W) Gamma_eff = Gamma, to forty digits."""
    gamma, depth = case
    n, effective = len(gamma), effective_risk(*case)
    for i in range(n):
        for j in range(n):
            left = Fraction(effective[i][j]) + sum(
                (Fraction(gamma[i][k]) * Fraction(depth[k]) * Fraction(effective[k][j]))
                for k in range(n)
            )
            assert abs(left - Fraction(gamma[i][j])) < Fraction(1, 10**40)


@settings(max_examples=120, deadline=None)
@given(risks())
def test_integers_are_symmetric_with_a_free_numeraire(case: tuple[Matrix, list[Decimal]]) -> None:
    risk, inverse = risk_integers(*case, 6)
    n = len(risk)
    for table in (risk, inverse):
        assert all(table[i][j] == table[j][i] for i in range(n) for j in range(n))
        assert table[0] == (0,) * n
    assert all(risk[i][i] >= 0 for i in range(n))
    assert all(value >= 0 for row in inverse for value in row)


@settings(max_examples=80, deadline=None)
@given(risks())
def test_more_depth_never_makes_an_asset_dearer(case: tuple[Matrix, list[Decimal]]) -> None:
    gamma, depth = case
    twice = [2 * value for value in depth]
    shallow, deep = effective_risk(gamma, depth), effective_risk(gamma, twice)
    for i in range(len(gamma)):
        assert Fraction(deep[i][i]) <= Fraction(shallow[i][i]) + Fraction(1, 10**40)


@settings(max_examples=80, deadline=None)
@given(risks())
def test_scaling_pool_and_prices_of_risk_together(case: tuple[Matrix, list[Decimal]]) -> None:
    """Gamma by 1/t and W by t: Gamma_eff by 1/t."""
    gamma, depth = case
    small = effective_risk([[v / 4 for v in row] for row in gamma], [4 * d for d in depth])
    large = effective_risk(gamma, depth)
    for row, other in zip(small, large, strict=True):
        for value, whole in zip(row, other, strict=True):
            assert abs(4 * Fraction(value) - Fraction(whole)) < Fraction(1, 10**40)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(SMALL, min_size=n + 1, max_size=n + 1), min_size=n, max_size=n)
    )
)
def test_solutions_solve(rows: list[list[int]]) -> None:
    n = len(rows)
    system = [[Decimal(v) for v in row[:n]] for row in rows]
    right = [[Decimal(row[n])] for row in rows]
    try:
        found = solve([list(row) for row in system], [list(row) for row in right])
    except ZeroDivisionError:
        return
    for row, (wanted,) in zip(system, right, strict=True):
        total = Fraction(0)
        for value, (x,) in zip(row, found, strict=True):
            total += Fraction(value) * Fraction(x)
        size = max(abs(Fraction(x)) for (x,) in found) + 1
        assert abs(total - Fraction(wanted)) <= size / 10**45
