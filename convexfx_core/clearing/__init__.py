"""The untrusted float side of the clearing: :func:`propose`.

It turns a :class:`ClearingCase` (integers) into a :class:`Proposal` (integers): one price for each
asset and one fill for each order. Between the two it works in floats, because prices come out of
dense linear algebra. Nobody has to trust it: settlement computes the amounts from the proposal, and
the integer laws decide whether the answer counts. Nothing outside this package needs its parts.

How the files follow each other: ``ladder`` (the order of the work), ``problem`` (integers to
floats), ``scp`` and ``active_set`` (the equilibrium), ``rounding`` and ``price_rule`` (back to
integers), ``ration`` (inventory bounds), ``min_fill`` (orders that want much or nothing).
Formulae: ``docs/clearing.md``. Letters: ``docs/glossary.md``.
"""

from convexfx_core.clearing.ladder import propose

__all__ = ["propose"]
