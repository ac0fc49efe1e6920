"""The local laws, in integers: who claims a cleared batch is held to every one of them.

``docs/invariants.md`` gives each law its formula and its reason. ``check`` holds an encoded witness
to all of them, ``check_clearing`` a cleared batch without vaults to those on the clearing.
"""

from convexfx_core.laws.certify import check_clearing
from convexfx_core.laws.witness_laws import Evaluation, check, evaluate

__all__ = ["Evaluation", "check", "check_clearing", "evaluate"]
