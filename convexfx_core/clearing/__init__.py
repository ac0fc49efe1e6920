"""The untrusted float side of the clearing: :func:`propose`.

It finds one price vector and one fill for each order with floats; the integer laws decide whether
the answer counts. Nothing outside this package needs any of its parts.
"""

from convexfx_core.clearing.kernels import KernelChoice
from convexfx_core.clearing.ladder import SolverChoice, propose

__all__ = ["KernelChoice", "SolverChoice", "propose"]
