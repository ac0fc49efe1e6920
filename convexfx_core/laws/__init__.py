"""The local laws, in integers: who claims a cleared batch is held to every one of them.

``docs/invariants.md`` gives each law its formula and its reason.
"""
