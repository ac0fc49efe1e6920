"""Integer laws; whoever claims a clearing must meet all of them.

The proposal of a clearing comes from floats that nobody trusts. The laws make it trustworthy: each
is an integer comparison that anybody can repeat, and an epoch settles only if all of them hold.
``docs/invariants.md`` gives each law its formula and its reason, ``docs/glossary.md`` its letters.

One file stands for one law, from ``l00_decode`` to ``l19_public_values``. ``check`` holds an
encoded witness to all of them; ``check_clearing`` holds a cleared batch without vaults to those on
the clearing. The guest that SP1 proves runs the same laws in Rust.
"""

from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.witness_laws import check

__all__ = ["check", "check_clearing"]
