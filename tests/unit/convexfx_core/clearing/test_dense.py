"""Small dense systems."""

import numpy as np
import pytest

from convexfx_core.clearing.dense import solve_dense


@pytest.mark.parametrize("size", [1, 2, 5, 49])
def test_the_solution_solves(size: int) -> None:
    rng = np.random.default_rng(size)
    matrix = rng.normal(size=(size, size)) + size * np.eye(size)
    right = rng.normal(size=size)
    assert matrix @ solve_dense(matrix, right) == pytest.approx(right, abs=1e-10)


def test_many_right_sides_are_solved_at_once() -> None:
    rng = np.random.default_rng(0)
    matrix, right = rng.normal(size=(4, 4)) + 4 * np.eye(4), rng.normal(size=(4, 3))
    assert solve_dense(matrix, right) == pytest.approx(np.linalg.solve(matrix, right))


def test_the_arguments_are_left_as_they_were() -> None:
    matrix, right = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    before = matrix.copy(), right.copy()
    solve_dense(matrix, right)
    assert np.array_equal(matrix, before[0])
    assert np.array_equal(right, before[1])


def test_a_singular_matrix_is_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        solve_dense(np.ones((2, 2)), np.ones(2))
    solve_dense(np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9]]), np.ones(2))
