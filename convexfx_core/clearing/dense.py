"""Small dense systems straight from LAPACK.

The systems of the clearing have at most some 64 unknowns. At that size numpy's wrapper costs more
than the solve itself, and the search makes one in each step.
"""

import numpy as np
from scipy.linalg import lapack

from convexfx_core.clearing.problem import F64


def solve_dense(matrix: F64, right: F64) -> F64:
    """Solution x of ``matrix x = right`` for (m, m) and (m,), or (m, k), m >= 1.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is singular.
    """
    _, _, x, info = lapack.dgesv(matrix, right)
    if info:
        raise np.linalg.LinAlgError("singular matrix")
    return np.asarray(x, dtype=np.float64)
